"""How near stores are to the centres of segments: the typical ones, the odd ones, and where each would go otherwise."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storelib.method.standing import standing_for

Matrix = NDArray[np.float64]


def fit_of(points: Matrix, segments: pd.Series, trains: NDArray[np.bool_], most: int) -> pd.DataFrame:
    """One row per store: its distance to the centre of its segment, and to the nearest other one.

    points: (n_stores, n_features); segments: by the same stores; trains: which of them make a segment's centre, all of its
    stores where none does. The `most` that are nearest to the centre and make it are typical (the first is the medoid of
    k-medoids after Park and Jun 2009), the `most` that are furthest are odd; of equals the earlier store comes first.
    A store is not both: a segment's typical stores are taken first.
    """
    labels, of_store = np.unique(segments.to_numpy(), return_inverse=True)
    makes = np.empty(len(points), dtype=bool)
    distances = np.empty((len(points), len(labels)))
    for position in range(len(labels)):
        members = of_store == position
        makers = standing_for(members, trains)
        makes[members] = makers[members]
        # Not by the expanded square: a store at the centre is at distance 0.
        distances[:, position] = np.sqrt(((points - points[makers].mean(axis=0)) ** 2).sum(axis=1))
    rows = np.arange(len(points))
    own = distances[rows, of_store]
    distances[rows, of_store] = np.inf
    other = distances.argmin(axis=1)
    alone = np.full(len(points), len(labels) == 1)
    ranks = np.zeros((2, len(points)), dtype="int64")
    for position in range(len(labels)):
        members = np.flatnonzero(of_store == position)
        outwards = members[np.argsort(own[members], kind="stable")]
        near = outwards[makes[outwards]][:most]
        inwards = members[np.argsort(-own[members], kind="stable")]
        odd = inwards[~np.isin(inwards, near)][:most]
        for rank, stores in zip(ranks, (near, odd), strict=True):
            rank[stores] = np.arange(1, len(stores) + 1)
    return pd.DataFrame(
        {
            "store_id": segments.index,
            "segment": segments.to_numpy(),
            "distance": own,
            "nearest_other": pd.Series(labels[other]).astype("Int32").mask(alone),
            "nearest_other_distance": np.where(alone, np.nan, distances[rows, other]),
            "typical_rank": pd.Series(ranks[0]).astype("Int32").mask(ranks[0] == 0),
            "odd_rank": pd.Series(ranks[1]).astype("Int32").mask(ranks[1] == 0),
        }
    )
