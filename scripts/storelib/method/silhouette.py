"""Silhouettes of many partitions of the same points, from one computation of the distances.

A store's silhouette needs the sum of its distances to the stores of each cluster. With one column per cluster of every
partition, 1 for its stores and 0 for others, those sums are the distances times that matrix. So the distances, which take
the time, are computed once for all numbers of clusters, block by block, and never held as a whole.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
# Rows and columns of a block of distances: 1.3 MB, which stays in a core's cache.
BLOCK = 400


def silhouettes(points: Matrix, partitions: Sequence[NDArray[np.int32]]) -> list[NDArray[np.float64]]:
    """Silhouette of each store in each partition: (b - a) / max(a, b), each (n_stores,).

    points: (n_stores, n_features), compared by Euclidean distance. partitions: each (n_stores,) labels from 1 without
    gaps, of 2 to n_stores - 1 clusters. a is the mean distance to the other stores of the own cluster, b to those of the
    nearest other cluster. A store alone in its cluster has 0. Raises ValueError for another number of clusters.
    Source: Rousseeuw 1987. Memory: n_stores x (sum of the numbers of clusters) numbers, and one block of distances.
    """
    stores = len(points)
    counts = [int(labels.max()) for labels in partitions]
    for count in counts:
        if not 2 <= count < stores:
            raise ValueError(f"silhouettes need 2 to {stores - 1} clusters of {stores} stores, not {count}")
    if not partitions:
        return []
    # The first cluster of a partition has what the others leave of each store's sum over all stores.
    columns = [
        np.ones((stores, 1)),
        *(np.eye(k)[labels - 1][:, 1:] for k, labels in zip(counts, partitions, strict=True)),
    ]
    sums = sums_of_distances(points, np.hstack(columns))
    found = []
    start = 1
    for k, labels in zip(counts, partitions, strict=True):
        others = sums[:, start : start + k - 1]
        found.append(from_sums(np.column_stack([sums[:, 0] - others.sum(axis=1), others]), labels))
        start += k - 1
    return found


def sums_of_distances(points: Matrix, members: Matrix) -> Matrix:
    """Distances (n_stores, n_stores) times members (n_stores, n_groups), without holding the distances.

    Squared distances are the products of (-2 x, x.x, 1) and (y, 1, y.y), around the mean, where the least is lost to
    rounding. Of each pair of blocks the distances are computed once and used for both.
    """
    stores = len(points)
    centred = points - points.mean(axis=0)
    squares, ones = (centred**2).sum(axis=1), np.ones(stores)
    left = np.column_stack([-2 * centred, squares, ones])
    right = np.column_stack([centred, ones, squares])
    sums = np.zeros((stores, members.shape[1]))
    for first in range(0, stores, BLOCK):
        rows = slice(first, first + BLOCK)
        for second in range(first, stores, BLOCK):
            columns = slice(second, second + BLOCK)
            distances = left[rows] @ right[columns].T
            np.maximum(distances, 0, out=distances)
            if first == second:
                np.fill_diagonal(distances, 0)
            np.sqrt(distances, out=distances)
            sums[rows] += distances @ members[columns]
            if first != second:
                sums[columns] += distances.T @ members[rows]
    return sums


def from_sums(sums: Matrix, labels: NDArray[np.int32]) -> NDArray[np.float64]:
    """Silhouettes of one partition. sums: (n_stores, k), of each store's distances to each cluster's stores."""
    own = labels - 1
    rows = np.arange(len(labels))
    sizes = np.bincount(own)
    alone = sizes[own] == 1
    within = sums[rows, own] / np.where(alone, 1, sizes[own] - 1)
    means = sums / sizes
    means[rows, own] = np.inf
    between = means.min(axis=1)
    larger = np.maximum(within, between)
    # Where both are 0, all those stores are one point: neither nearer to its own cluster nor to another.
    settled = alone | (larger == 0)
    return np.where(settled, 0.0, (between - within) / np.where(settled, 1.0, larger))
