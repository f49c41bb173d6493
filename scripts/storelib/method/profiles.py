"""What the groups of stores of one view are like, against the chain."""

import numpy as np
import pandas as pd


def profile_table(table: pd.DataFrame, clusters: pd.DataFrame, sales: pd.Series) -> pd.DataFrame:
    """One row per cluster and feature.

    table: features by store; clusters: `cluster` and `exclusion` by store; sales: net sales by store, 0 where unknown.
    Means are of known values in stores that train. An index is missing where the chain's mean is not above zero.
    """
    trained = table[clusters["exclusion"].reindex(table.index) == ""]
    chain = trained.mean()
    means = trained.groupby(clusters["cluster"].reindex(trained.index)).mean()
    sizes = pd.DataFrame(
        {"stores": clusters["cluster"].value_counts(), "sales": sales.groupby(clusters["cluster"]).sum()}
    )
    sizes["share_of_stores"] = sizes["stores"] / sizes["stores"].sum()
    total = sizes["sales"].sum()
    sizes["share_of_sales"] = sizes["sales"] / total if total else np.nan
    # A cluster none of whose stores trained has a size and no means.
    long = (
        means.reindex(sizes.index)
        .rename_axis("cluster")
        .reset_index()
        .melt("cluster", var_name="feature", value_name="mean")
        # Of a view without features there is no row, nor a type.
        .astype({"cluster": "int64", "feature": "str", "mean": "float64"})
    )
    long["chain_mean"] = long["feature"].map(chain).astype("float64")
    long["index"] = 100 * long["mean"] / long["chain_mean"].where(long["chain_mean"] > 0)
    merged: pd.DataFrame = long.merge(sizes, left_on="cluster", right_index=True, validate="many_to_one")
    return merged.reset_index(drop=True).sort_values(["cluster", "feature"], ignore_index=True)


def profile_by(
    table: pd.DataFrame, exclusion: pd.Series, groups: pd.Series, sales: pd.Series
) -> tuple[pd.DataFrame, pd.Series]:
    """Profile of any grouping of stores, and each feature's standard deviation over the stores that train.

    A group none of whose stores trained has its size, and no means.
    """
    table = table.reindex(groups.index)
    frame = pd.DataFrame({"cluster": groups, "exclusion": exclusion.reindex(groups.index)})
    profile = profile_table(table, frame, sales.reindex(groups.index, fill_value=0.0))
    return profile, table[frame["exclusion"] == ""].std(ddof=0)
