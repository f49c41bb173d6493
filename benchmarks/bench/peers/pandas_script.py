"""The whole job as an analyst would write it in an afternoon: pandas and scikit-learn, start to end, in one script.

Need-state shares of each category and external features of each store are scaled, every k from 2 to 10 is fitted and scored by its
silhouette, the best one is taken, both labels are crossed, and crossed clusters that are too small go to the nearest large one.
Writes the segments, a table of means by segment and the scores, as CSV. No check of the data, no ledger, no exact sums; nothing
is kept for the next run. Pictures, profiles, rules, workbooks and a report with `--everything` alone (see `pandas_outputs`).

usage: python benchmarks/bench/peers/pandas_script.py --raw FOLDER --out FOLDER [--silhouette_sample STORES] [--everything]
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_samples
from sklearn.preprocessing import StandardScaler

K = range(2, 11)
MIN_SEGMENT = 20
UNMAPPED = "(unmapped)"


@dataclass
class View:
    """Clusters of one view. labels: of the best k; every: of each k; silhouettes: of the stores at `rows`, of the best k."""

    points: np.ndarray
    labels: np.ndarray
    every: dict[int, np.ndarray]
    scores: dict[int, float]
    rows: np.ndarray
    silhouettes: np.ndarray


def load_sales(raw: Path) -> pd.DataFrame:
    """Sales by store, category and need state."""
    sales = pd.read_parquet(raw / "sales", columns=["STORE_NBR", "SKU_NBR", "CAT_DSC", "TOTAL_SALES"])
    mapped = pd.read_csv(raw / "product_map.csv", dtype=str).drop_duplicates()
    mapped["weight"] = 1 / mapped.groupby(["PRODUCT_ID", "CATEGORY"])["NEED_STATE"].transform("size")
    sales = sales.merge(mapped, how="left", left_on=["SKU_NBR", "CAT_DSC"], right_on=["PRODUCT_ID", "CATEGORY"])
    sales["TOTAL_SALES"] *= sales["weight"].fillna(1)
    sales["NEED_STATE"] = sales["NEED_STATE"].fillna(UNMAPPED)
    sums = sales.groupby(["STORE_NBR", "CAT_DSC", "NEED_STATE"], as_index=False)["TOTAL_SALES"].sum()
    return sums.set_axis(["store_id", "category", "need_state", "sales"], axis="columns")


def load_external(raw: Path) -> pd.DataFrame:
    """External features of each store."""
    stores = pd.read_parquet(raw / "stores.parquet")
    counties = pd.read_parquet(raw / "county_features.parquet")
    features = stores[["STORE_NBR", "COUNTY_FIPS"]].merge(counties, on="COUNTY_FIPS", how="left")
    features = features.drop(columns="COUNTY_FIPS").set_index("STORE_NBR").rename_axis("store_id")
    return features.fillna(features.median())


def shares_of(sales: pd.DataFrame) -> pd.DataFrame:
    """Stores × need states, each row summing to 1."""
    wide = sales.pivot(index="store_id", columns="need_state", values="sales").fillna(0).clip(lower=0)
    wide = wide[wide.sum(axis="columns") > 0]
    return wide.div(wide.sum(axis="columns"), axis="index")


def cluster(points: np.ndarray, sample: int | None) -> View:
    """Labels, from 1, of the k with the best silhouette; and the silhouette of each k. sample: of how many stores."""
    rows = np.arange(len(points))
    if sample is not None and sample < len(points):
        rows = np.random.default_rng(1).choice(rows, sample, replace=False)
    labels = {k: KMeans(k, n_init=10, random_state=1).fit_predict(points) for k in K if k < len(points)}
    silhouettes = {k: silhouette_samples(points[rows], found[rows]) for k, found in labels.items()}
    scores = {k: float(found.mean()) for k, found in silhouettes.items()}
    best = max(scores, key=scores.__getitem__)
    every = {k: found + 1 for k, found in labels.items()}
    return View(points, every[best], every, scores, rows, silhouettes[best])


def dissolve(segments: pd.Series, points: np.ndarray) -> pd.Series:
    """Segments with the stores of small ones moved to the nearest large one."""
    sizes = segments.value_counts()
    small = segments.isin(sizes[sizes < MIN_SEGMENT].index).to_numpy()
    if small.all() or not small.any():
        return segments
    centres = pd.DataFrame(points[~small], index=segments[~small]).groupby(level=0).mean()
    distances = ((points[small][:, None, :] - centres.to_numpy()[None]) ** 2).sum(axis=2)
    segments = segments.copy()
    segments[small] = centres.index.to_numpy()[distances.argmin(axis=1)]
    return segments


def main() -> None:
    """Everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--silhouette_sample", type=int, help="stores; by default all of them")
    parser.add_argument("--everything", action="store_true", help="also what the pipeline makes of segments for people")
    args = parser.parse_args()
    outputs = None
    if args.everything:
        # Matplotlib takes a moment to load.
        from pandas_outputs import Outputs

        outputs = Outputs(args.out)
    args.out.mkdir(parents=True, exist_ok=True)
    sales = load_sales(args.raw)
    sales.to_csv(args.out / "need_state_sales.csv", index=False)

    external = load_external(args.raw)
    places = StandardScaler().fit_transform(np.log1p(external))
    view = cluster(places, args.silhouette_sample)
    place = pd.Series(view.labels, external.index, name="external_cluster")
    score_rows = [{"view": "external", "k": k, "silhouette": score} for k, score in view.scores.items()]
    if outputs:
        outputs.add_view("external", view, external)

    segments, summaries = [], []
    for category, of_category in sales.groupby("category"):
        shares = shares_of(of_category)
        points = np.sqrt(shares.to_numpy())
        view = cluster(points, args.silhouette_sample)
        score_rows += [{"view": category, "k": k, "silhouette": score} for k, score in view.scores.items()]
        found = pd.DataFrame({"category": category, "internal_cluster": view.labels}, index=shares.index)
        found = found.join(place, how="inner")
        crossed = found["internal_cluster"].astype(str) + "x" + found["external_cluster"].astype(str)
        joint = np.hstack([points[shares.index.isin(found.index)], places[external.index.get_indexer(found.index)]])
        found["segment"] = dissolve(crossed, joint)
        segments.append(found.reset_index())
        means = shares.groupby(found["segment"].reindex(shares.index)).mean()
        means = means.melt(var_name="need_state", value_name="mean", ignore_index=False).reset_index()
        summaries.append(means.assign(category=category))
        if outputs:
            outputs.add_view(str(category), view, shares)
            outputs.add_category(str(category), found, shares, external, of_category)
    if outputs:
        every = pd.concat(segments)
        of_chain = pd.get_dummies(every.set_index("store_id")[["category", "segment"]].agg(" ".join, axis=1))
        chain = of_chain.groupby(level=0).max().astype(float)
        outputs.add_chain(chain.index, cluster(chain.to_numpy(), args.silhouette_sample))
        outputs.write_report(every)
    pd.concat(segments).to_csv(args.out / "segments.csv", index=False)
    pd.concat(summaries).to_csv(args.out / "summary.csv", index=False)
    pd.DataFrame(score_rows).to_csv(args.out / "k_scores.csv", index=False)
    print(f"total {sales['sales'].sum():.2f}")


if __name__ == "__main__":
    main()
