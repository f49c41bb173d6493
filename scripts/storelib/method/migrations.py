"""Where stores went: from the segments of a baseline to those of now."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["category", "before", "after", "stores", "share"]


def migrations(segments: "pd.DataFrame", baseline: "pd.DataFrame") -> "pd.DataFrame":
    """How many stores of each segment of the baseline are in each of now, of every category that both have.

    segments, baseline: `category`, `store_id`, `segment`. `before` is missing for stores that the baseline does not have,
    `after` for those that are gone; `share` is of the stores that `before` had in the baseline.
    """
    both = sorted(set(segments["category"]) & set(baseline["category"]))
    key = ["category", "store_id", "segment"]
    old, new = (table.loc[table["category"].isin(both), key] for table in (baseline, segments))
    joined = old.merge(new, on=key[:2], how="outer", suffixes=("_before", "_after"))
    labels = joined.rename(columns={"segment_before": "before", "segment_after": "after"})
    labels = labels.astype({"before": "Int32", "after": "Int32"})
    counts = labels.groupby(["category", "before", "after"], dropna=False).size().rename("stores").reset_index()
    whole = counts.groupby(["category", "before"])["stores"].transform("sum")
    counts["share"] = counts["stores"] / whole.where(counts["before"].notna())
    return counts.sort_values(["category", "before", "after"], ignore_index=True)[COLUMNS]


def moved(table: "pd.DataFrame", category: str) -> tuple[int, int]:
    """Stores of a category that changed their segment, and stores that are in both. table: from `migrations`."""
    own = table[(table["category"] == category) & table["before"].notna() & table["after"].notna()]
    return int(own.loc[own["before"] != own["after"], "stores"].sum()), int(own["stores"].sum())
