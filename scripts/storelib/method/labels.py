"""Labels that do not depend on the solver, and that keep their numbers from one run to the next."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storelib.errors import DataError

# In place of a category, of a label that is the same in all of them: the external view's cluster, and the chain's segment.
EVERY = "external"


def canonical_labels(labels: NDArray[np.integer], points: NDArray[np.float64]) -> NDArray[np.int32]:
    """The same partition numbered 1, 2, ... by size, largest first; equal sizes by their centres' coordinates.

    labels: (n_stores,); points: (n_stores, n_features).
    """
    number = {name: position for position, name in enumerate(order_of(labels, points), start=1)}
    return np.array([number[label] for label in labels], dtype=np.int32)


def order_of(labels: NDArray[np.integer], points: NDArray[np.float64]) -> list[int]:
    """The labels in canonical order: by size, largest first; equal sizes by their centres' coordinates."""
    names = np.unique(labels).tolist()
    return sorted(names, key=lambda name: (-int((labels == name).sum()), *points[labels == name].mean(axis=0)))


def crosstab(first: pd.Series, second: pd.Series) -> pd.DataFrame:
    """How many things have each pair of labels, as pandas counts them, in a fiftieth of the time.

    first, second: labels of the same things, in one order. Rows and columns are those that occur, ascending.
    """
    (rows, row), (columns, column) = (np.unique(part.to_numpy(), return_inverse=True) for part in (first, second))
    counts = np.zeros((len(rows), len(columns)), np.int64)
    np.add.at(counts, (row, column), 1)
    return pd.DataFrame(counts, pd.Index(rows, name=first.name), pd.Index(columns, name=second.name))


def match_to_baseline(labels: pd.Series, baseline: pd.Series) -> dict[int, int]:
    """New numbers for labels, so that the stores shared with the baseline keep as many labels as possible.

    labels, baseline: int labels indexed by store_id. The pairs are the optimal assignment of the table of shared stores
    (Kuhn 1955); a label that shares no store with its pair gets the next number that the baseline has not used. Without
    a baseline the labels stay as they are.
    """
    names = sorted(labels.unique())
    if baseline.empty:
        return {name: name for name in names}
    from scipy.optimize import linear_sum_assignment  # an import that is spared where there is no baseline

    both = pd.concat([labels.rename("new"), baseline.rename("old")], axis="columns", join="inner")
    table = crosstab(both["new"], both["old"]).reindex(index=names, fill_value=0)
    shared = table.to_numpy()
    rows, columns = linear_sum_assignment(shared, maximize=True)
    numbers = {
        names[row]: int(table.columns[column])
        for row, column in zip(rows, columns, strict=True)
        if shared[row, column] > 0
    }
    free = int(baseline.max()) + 1
    for name in names:
        if name not in numbers:
            numbers[name] = free
            free += 1
    return numbers


def known_labels(table: pd.DataFrame, label: str, category: str) -> pd.Series:
    """One label of a baseline or reference, by store. category: its key; of EVERY one the labels must agree.

    table: category, store_id and labels, as `ingest_labels` writes it.
    """
    rows = table if category == EVERY else table[table["category"] == category]
    pairs = rows[["store_id", label]].drop_duplicates()
    repeated = pairs[pairs["store_id"].duplicated()]
    if len(repeated):
        store = repeated["store_id"].iloc[0]
        raise DataError(
            f"store {store!r} has several values of {label} in the known labels",
            solution=f"give each store one {label}, the same in every category",
        )
    return pairs.set_index("store_id")[label].astype("int64")
