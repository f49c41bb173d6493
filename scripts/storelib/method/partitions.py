"""Partitions into clusters 1..k, their centres, and the way from a point to each centre."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Labels = NDArray[np.int32]


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
