"""How sure a store's segment is, from how sure its clusters are in both views."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storelib.errors import DataError
from storelib.names import SURE

Matrix = NDArray[np.float64]


class Sureness(NamedTuple):
    """Of each store: its probability of being of its segment, and the next one, 0 where no other is possible."""

    confidence: Matrix
    runner_up: NDArray[np.int64]

    @property
    def is_borderline(self) -> NDArray[np.bool_]:
        """Whether a store is not sure of its segment; a probability that is missing says nothing."""
        borderline: NDArray[np.bool_] = self.confidence < SURE
        return borderline


def probabilities_of(memberships: pd.DataFrame, clusters: pd.Series, where: str) -> pd.DataFrame:
    """One row per store of `clusters`, one column per cluster of the view; missing where no refit was possible.

    memberships: as `cluster_stores` writes them. Raises DataError where some stores have none.
    """
    wide = memberships.pivot_table(index="store_id", columns="cluster", values="probability").reindex(clusters.index)
    if wide.empty or not len(wide.columns):
        return pd.DataFrame(np.nan, index=clusters.index, columns=sorted(clusters.unique()))
    missing = wide.index[wide.isna().any(axis="columns")]
    if len(missing):
        raise DataError(
            f"{where}: {len(missing)} stores have no memberships, such as {missing[0]!r}",
            solution="run the earlier stages again",
        )
    return wide


def sureness(
    segments: pd.Series, clusters: tuple[pd.Series, pd.Series], views: tuple[pd.DataFrame, pd.DataFrame]
) -> Sureness:
    """How sure each store's segment is, if what sells there and where it is err independently.

    segments, clusters of both views: by store, in one order. views: each store's probability of each cluster. A pair of clusters
    counts for the segments that its stores went to, in their proportion; pairs that no store is of are left out.
    """
    numbers, totals = segment_probabilities(segments, clusters, views)
    own = np.searchsorted(numbers, segments)
    rows = np.arange(len(segments))
    confidence = np.minimum(totals[rows, own], 1.0)
    others = totals.copy()
    others[rows, own] = -1.0
    others = np.where(np.isnan(others), -1.0, others)
    best = others.argmax(axis=1)
    return Sureness(confidence, np.where(others[rows, best] > 0, numbers[best], 0))


def segment_probabilities(
    segments: pd.Series, clusters: tuple[pd.Series, pd.Series], views: tuple[pd.DataFrame, pd.DataFrame]
) -> tuple[NDArray[np.int64], Matrix]:
    """The segments, sorted, and each store's probability of being of each, (n_stores, n_segments).

    segments, clusters: of the stores that went somewhere; views: probabilities of the same stores, or of others.
    """
    numbers = np.unique(segments)
    cells = [(clusters[0] == i).to_numpy() & (clusters[1] == j).to_numpy() for i in views[0] for j in views[1]]
    went = np.array([[(segments[cell] == number).sum() for number in numbers] for cell in cells], dtype="float64")
    occupied = went.sum(axis=1) > 0
    went[occupied] /= went[occupied].sum(axis=1, keepdims=True)
    joint = (views[0].to_numpy()[:, :, None] * views[1].to_numpy()[:, None, :]).reshape(len(views[0]), -1)
    joint = joint[:, occupied]
    totals = joint @ went[occupied]
    sums = totals.sum(axis=1, keepdims=True)
    return numbers, np.divide(totals, sums, out=np.full_like(totals, np.nan), where=sums > 0)
