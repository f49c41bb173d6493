"""k-means partitions, their centres, and the way from a point to its nearest centres."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from storelib.method.labels import canonical_labels

Matrix = NDArray[np.float64]
Labels = NDArray[np.int32]


class Partition(NamedTuple):
    """labels: (n_stores,), 1 to k in canonical order; inertia: sum of squared distances to the centres."""

    labels: Labels
    inertia: float


def fit_partition(points: Matrix, k: int, n_init: int, seed: int) -> Partition:
    """Lloyd's k-means, the best of `n_init` starts by k-means++ (Lloyd 1982; Arthur and Vassilvitskii 2007).

    points: (n_stores, n_features), with at least k distinct rows.
    """
    model = KMeans(n_clusters=k, n_init=n_init, random_state=seed, algorithm="lloyd", tol=0.0, max_iter=1000)
    model.fit(points)
    return Partition(canonical_labels(model.labels_, points), float(model.inertia_))


def centres_of(points: Matrix, labels: Labels) -> Matrix:
    """Means of the clusters 1..k: (k, n_features)."""
    return np.vstack([points[labels == label].mean(axis=0) for label in range(1, int(labels.max()) + 1)])


def distances_to(points: Matrix, centres: Matrix) -> Matrix:
    """Euclidean distances (n_stores, k), computed without BLAS so that each is exact in its own right."""
    distances: Matrix = np.sqrt(np.stack([((points - centre) ** 2).sum(axis=1) for centre in centres], axis=1))
    return distances


def nearest_centre(points: Matrix, centres: Matrix) -> Labels:
    """Label 1..k of the nearest centre of each point."""
    nearest: Labels = (distances_to(points, centres).argmin(axis=1) + 1).astype(np.int32)
    return nearest


def sizes_of(labels: Labels) -> NDArray[np.int64]:
    """Stores in each of the clusters 1..k."""
    return np.bincount(labels)[1:]
