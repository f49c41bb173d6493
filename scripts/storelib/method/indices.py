"""What a partition is worth, from its points alone: Calinski-Harabasz, Davies-Bouldin, and two forms of BIC.

All are sums over the same few moments (sizes, centres, dispersion within clusters), so they cost next to nothing beside the
partition itself.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storelib.method.partitions import centres_of, distances_to, sizes_of

Matrix = NDArray[np.float64]
# Part of the tied covariance that is replaced by a sphere of the same total variance.
SHRINKAGE = 0.2
# Directions with less than this part of the total variance are rounding, or as good as.
NEGLIGIBLE = 1e-6


@dataclass(frozen=True)
class Moments:
    """Of one partition into k clusters: sizes (k,), centres (k, n_features), sum of squared distances to the centres, and
    mean distance to the own centre by cluster (k,).
    """

    sizes: NDArray[np.int64]
    centres: Matrix
    inertia: float
    mean_distances: NDArray[np.float64]


def moments_of(points: Matrix, labels: NDArray[np.int32]) -> Moments:
    """points: (n_stores, n_features); labels: (n_stores,) from 1 without gaps."""
    centres = centres_of(points, labels)
    squares = ((points - centres[labels - 1]) ** 2).sum(axis=1)
    sizes = sizes_of(labels)
    distances = np.bincount(labels, weights=np.sqrt(squares))[1:]
    return Moments(sizes, centres, float(squares.sum()), distances / sizes)


def calinski_harabasz(moments: Moments) -> float:
    """(B / (k - 1)) / (W / (n - k)), dispersion between clusters over within; 1 where nothing varies within.

    Source: Calinski and Harabasz 1974. For 2 clusters or more.
    """
    count, stores = len(moments.sizes), int(moments.sizes.sum())
    mean = np.average(moments.centres, axis=0, weights=moments.sizes)
    between = float((moments.sizes * ((moments.centres - mean) ** 2).sum(axis=1)).sum())
    if moments.inertia == 0:
        return 1.0
    return between / (count - 1) / (moments.inertia / (stores - count))


def davies_bouldin(moments: Moments) -> float:
    """Mean over clusters of the worst (s_i + s_j) / d_ij; lower is better; 0 where all centres or all clusters are points.

    s: mean distance to the own centre; d: distance between centres. Source: Davies and Bouldin 1979. For 2 clusters or more.
    """
    apart = distances_to(moments.centres, moments.centres)
    spread = moments.mean_distances
    if np.allclose(apart, 0) or np.allclose(spread, 0):
        return 0.0
    apart[apart == 0] = np.inf
    ratios = (spread[:, None] + spread[None, :]) / apart
    np.fill_diagonal(ratios, -np.inf)
    return float(ratios.max(axis=1).mean())


def principal_axes(points: Matrix) -> Matrix:
    """Centred points in their principal axes, without directions in which stores hardly differ: (n_stores, rank)."""
    centred = points - points.mean(axis=0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    variances = singular**2
    rotated: Matrix = centred @ axes[variances > NEGLIGIBLE * variances.sum()].T
    return rotated


def distinct_points(points: Matrix) -> int:
    """How many stores differ, but for rounding: rotating equal points may leave them equal to the last digits only."""
    largest = np.abs(points).max(initial=0)
    return len(np.unique(np.round(points / (largest or 1), 12), axis=0))


def sphere_of(pooled: Matrix) -> Matrix:
    """The covariance of a sphere with as much variance in all."""
    dimensions = len(pooled)
    sphere: Matrix = np.trace(pooled) / dimensions * np.eye(dimensions)
    return sphere


def tied_covariance(pooled: Matrix) -> Matrix:
    """The covariance that clusters share, a fifth of it shrunk to a sphere, so that it can be inverted."""
    return (1 - SHRINKAGE) * pooled + SHRINKAGE * sphere_of(pooled)


def bic(axes: Matrix, labels: NDArray[np.int32], shape: str, coarsening: float, distinct: int) -> float:
    """Bayesian information criterion of a partition as Gaussian clusters of one covariance; more is better.

    2 z L - q ln(z n). L is the classification likelihood: each store belongs to its cluster alone, whose share of stores is
    its prior. q counts the free parameters, for clusters in p dimensions. shape: `spherical`, as k-means itself supposes
    (Pelleg and Moore 2000, with the variance of maximum likelihood), or `tied`, any covariance that the clusters share
    (Friedman and Rubin 1967; Celeux and Govaert 1995), a fifth of which is shrunk to the sphere so that it can be inverted.

    coarsening: how many stores it would take to tell the data from clusters that are exactly Gaussian. They never are, and
    with enough stores plain BIC splits them for that alone. The likelihood is raised to the power
    z = coarsening / (coarsening + m) x m / n, where m = `distinct` of the n points: the posterior of data known only to about
    that accuracy (Miller and Dunson 2019), in which stores that share a point, such as all of a county, are one observation.
    0 is plain BIC of m observations, z = m / n.

    axes: from `principal_axes`; labels: (n_stores,) from 1 without gaps. Infinite where clusters are single points.
    """
    stores, dimensions = axes.shape
    sizes = sizes_of(labels)
    residuals = axes - centres_of(axes, labels)[labels - 1]
    pooled = residuals.T @ residuals / stores
    if np.trace(pooled) == 0:
        return np.inf
    if shape == "spherical":
        covariance, free = sphere_of(pooled), 1
    else:
        covariance, free = tied_covariance(pooled), dimensions * (dimensions + 1) // 2
    _, log_determinant = np.linalg.slogdet(covariance)
    # The stores' squared distances in units of the covariance add up to n times this trace.
    quadratic = np.trace(np.linalg.solve(covariance, pooled))
    likelihood = float((sizes * np.log(sizes / stores)).sum())
    likelihood -= stores * (dimensions * np.log(2 * np.pi) + log_determinant + quadratic) / 2
    power = distinct / stores * (coarsening / (coarsening + distinct) if coarsening else 1.0)
    parameters = len(sizes) * dimensions + len(sizes) - 1 + free
    return float(2 * power * likelihood - parameters * np.log(power * stores))
