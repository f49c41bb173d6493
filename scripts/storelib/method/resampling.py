"""What a number of clusters is worth, from made-up and resampled stores: gap, prediction strength, bootstrap stability.

Each clusters anew some dozens of times what the scan clusters once: they cost that much more.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix

from storelib.method.algorithms import Algorithm
from storelib.method.partitions import Labels, Matrix


def reference_points(points: Matrix, rng: np.random.Generator) -> Matrix:
    """As many points, drawn uniformly from the box around the points in their principal axes: data without clusters.

    In those axes, since distances are all that k-means looks at. Source: Tibshirani, Walther and Hastie 2001, section 4, b.
    """
    centred = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    rotated = centred @ axes.T
    drawn: Matrix = rng.uniform(rotated.min(axis=0), rotated.max(axis=0), size=rotated.shape)
    return drawn


def log_dispersion(inertia: float) -> float:
    """Logarithm of the pooled within-cluster sum of squares; minus infinity where clusters are single points."""
    return float(np.log(inertia)) if inertia > 0 else -np.inf


def gap(
    points: Matrix, inertias: dict[int, float], resamples: int, algorithm: Algorithm
) -> tuple[dict[int, float], dict[int, float]]:
    """Gap statistic of each k and its standard error s_k: how much tighter the clusters are than in data without any.

    inertias: of the points' own partitions, by k. Source: Tibshirani, Walther and Hastie 2001.
    """
    rng = np.random.default_rng([algorithm.seed, 1])
    dispersions: dict[int, list[float]] = {k: [] for k in inertias}
    # One made-up set at a time: each is as large as the points.
    for _ in range(resamples):
        drawn = reference_points(points, rng)
        for k, found in dispersions.items():
            found.append(log_dispersion(algorithm.fit(drawn, k).inertia))
    gaps, errors = {}, {}
    for k, inertia in inertias.items():
        expected = np.array(dispersions[k])
        gaps[k] = float(expected.mean() - log_dispersion(inertia))
        errors[k] = float(expected.std() * np.sqrt(1 + 1 / resamples))
    return gaps, errors


def strength_of(predicted: Labels, labels: Labels) -> float:
    """The worst, over clusters, of the share of a cluster's pairs of stores that the prediction also puts together.

    A cluster of one store has no pairs and counts 1.
    """
    table = contingency_matrix(labels, predicted)
    sizes = table.sum(axis=1)
    together = (table * (table - 1)).sum(axis=1)
    return float(np.where(sizes > 1, together / np.maximum(sizes * (sizes - 1), 1), 1.0).min())


def prediction_strength(points: Matrix, k: int, resamples: int, algorithm: Algorithm) -> float:
    """How well half of the stores predicts which of the other half belong together; 1 for k = 1.

    Stores are halved `resamples` times. Each half is clustered, and its stores are put to the other half's clusters;
    the mean of both directions' strengths. Source: Tibshirani and Walther 2005, with halves as in Hennig's fpc.
    """
    if k == 1:
        return 1.0
    rng = np.random.default_rng([algorithm.seed, 2])
    strengths = []
    for _ in range(resamples):
        order = rng.permutation(len(points))
        halves = [points[np.sort(part)] for part in (order[: len(order) // 2], order[len(order) // 2 :])]
        if min(len(np.unique(half, axis=0)) for half in halves) < k:
            return np.nan
        fits = [algorithm.fit(half, k) for half in halves]
        for test, train in ((0, 1), (1, 0)):
            strengths.append(strength_of(fits[train].place(halves[test]), fits[test].labels))
    return float(np.mean(strengths))


def jaccards_of(labels: Labels, again: Labels) -> NDArray[np.float64]:
    """Of each cluster 1..k, the largest Jaccard coefficient with a cluster of another partition of the same stores.

    labels may lack some of the clusters 1..k: they have no entry.
    """
    table = contingency_matrix(labels, again)
    union = table.sum(axis=1, keepdims=True) + table.sum(axis=0, keepdims=True) - table
    best: NDArray[np.float64] = (table / union).max(axis=1)
    return best


def bootstrap(
    points: Matrix, labels: Labels, resamples: int, algorithm: Algorithm
) -> tuple[float, NDArray[np.float64]]:
    """Mean adjusted Rand index of the partition with those of bootstrap samples, and each cluster's mean Jaccard (k,).

    A sample is drawn with replacement and clustered; compared are the stores that were drawn, each counted once. A cluster
    of which no store was drawn has no coefficient in that sample; NaN where it has none at all. Source: Hennig 2007.
    """
    k = int(labels.max())
    rng = np.random.default_rng([algorithm.seed, 3])
    agreements = []
    coefficients = np.full((resamples, k), np.nan)
    for sample in range(resamples):
        drawn = np.sort(rng.integers(0, len(points), size=len(points)))
        if len(np.unique(points[drawn], axis=0)) < k:
            return np.nan, np.full(k, np.nan)
        again = algorithm.fit(points[drawn], k).labels
        stores, first = np.unique(drawn, return_index=True)
        agreements.append(adjusted_rand_score(labels[stores], again[first]))
        present = np.unique(labels[stores]) - 1
        coefficients[sample, present] = jaccards_of(labels[stores], again[first])
    return float(np.mean(agreements)), pd.DataFrame(coefficients).mean().to_numpy()
