"""How far two partitions of stores agree, joined by store."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storelib.method.labels import EVERY, crosstab, known_labels, match_to_baseline


class Agreement(NamedTuple):
    """What `compare` says of the stores that are in both partitions."""

    stores: int
    first_k: int
    second_k: int
    ari: float


def shared_labels(first: pd.Series, second: pd.Series) -> pd.DataFrame:
    """Columns `first` and `second`: the labels of the stores in both, by store.

    first, second: labels indexed by store_id, each store once.
    """
    return pd.concat([first.rename("first"), second.rename("second")], axis="columns", join="inner")


def compare(first: pd.Series, second: pd.Series) -> Agreement:
    """Labels in each partition and their adjusted Rand index, over the stores in both.

    first, second: labels indexed by store_id.
    """
    both = shared_labels(first, second)
    if both.empty:
        return Agreement(0, 0, 0, float("nan"))
    shared = crosstab(both["first"], both["second"]).to_numpy()
    return Agreement(len(both), *shared.shape, round(adjusted_rand(shared), 6))


def adjusted_rand(shared: NDArray[np.int64]) -> float:
    """Adjusted Rand index of two partitions (Hubert and Arabie 1985): 1 for the same one, about 0 for chance.

    shared: how many things each part of the first shares with each of the second. It counts, among ordered pairs of things,
    those that are together in both partitions, in one of them, and in neither. scikit-learn has it too, but importing that
    takes longer than all else that a stage does with it.
    """
    things, cells = int(shared.sum()), int((shared**2).sum())
    both = cells - things
    first, second = (int((shared.sum(axis=axis) ** 2).sum()) - cells for axis in (1, 0))
    neither = things**2 - first - second - cells
    if first == second == 0:
        return 1.0
    expected = (both + first) * (first + neither) + (both + second) * (second + neither)
    return 2.0 * (both * neither - first * second) / expected


def parted(segments: pd.DataFrame, known: pd.DataFrame) -> Callable[[str], tuple[pd.DataFrame, pd.DataFrame]]:
    """The rows that `pairs` needs of both tables for a view: to look for them among those of all categories takes long."""
    own, theirs = (dict(tuple(table.groupby("category"))) for table in (segments, known))

    def of(view: str) -> tuple[pd.DataFrame, pd.DataFrame]:
        return (segments, known) if view == EVERY else (own.get(view, segments[:0]), theirs.get(view, known[:0]))

    return of


def pairs(segments: pd.DataFrame, known: pd.DataFrame, view: str, label: str) -> tuple[pd.Series, pd.Series]:
    """One label by store: as it is known, and as it was found.

    segments: of every category. known: as `ingest_labels` writes it. view: a category, or `external`, whose label is the
    same in all of them.
    """
    rows = segments if view == EVERY else segments[segments["category"] == view]
    found = rows[["store_id", label]].drop_duplicates().set_index("store_id")[label]
    return known_labels(known, label, view), found


def crossed(known: pd.Series, found: pd.Series) -> pd.DataFrame:
    """Stores of each known label (rows, by number) in each found one (columns), so ordered that agreement is a diagonal.

    known, found: labels by store. A found label stands where the known one does that it is paired with, by the optimal
    assignment of shared stores; those without a partner come last.
    """
    both = shared_labels(known, found)
    table = crosstab(both["first"], both["second"])
    places = match_to_baseline(both["second"], both["first"])
    return table.reindex(columns=sorted(places, key=places.__getitem__))
