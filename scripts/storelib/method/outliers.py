"""Rows that lie apart from the others, by one of three methods.

Each scores rows (higher is more ordinary) and takes those below the quantile `share` of the scores.
"""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import MinCovDet
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor

from storelib.errors import DataError

Matrix = NDArray[np.float64]
NEIGHBOURS = 20
# Parts of the largest variance: below ROUNDING a singular value is not data; below FLAT most of the stores are equal.
ROUNDING = 1e-20
FLAT = 1e-12


def isolation_forest(points: Matrix, seed: int) -> Matrix:
    """How many random cuts it takes to isolate each row, as a score (Liu, Ting and Zhou 2008)."""
    scores: Matrix = IsolationForest(random_state=seed, n_jobs=1).fit(points).score_samples(points)
    return scores


def elliptic_envelope(points: Matrix, seed: int) -> Matrix:
    """Minus the squared Mahalanobis distance under the minimum covariance determinant (Rousseeuw and Van Driessen 1999).

    It is taken along principal components, without those that hold nothing but rounding: shares that sum to 1 and
    features that repeat each other have no invertible covariance, and the distance is the same in any axes. A direction in
    which more than half of the rows do not differ, such as a need state that most do not sell, has no ellipse and is left out.
    Raises DataError where there are too few rows, where no direction is left, or where rounding defeats the search.
    """
    components = independent(points)
    while True:
        n, dimensions = components.shape
        if n <= 2 * dimensions:
            raise DataError(
                f"elliptic_envelope needs more than two stores per dimension, found {n} stores that train in "
                f"{dimensions} dimensions",
                solution="choose outliers: isolation_forest, or lower max_correlation",
            )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                model = MinCovDet(random_state=seed).fit(components)
            except ValueError:
                # In one dimension the search says itself that it found equal rows alone.
                raise undefined_envelope("more than half of the stores are equal") from None
        variances, axes = np.linalg.eigh(model.raw_covariance_)
        differ = variances > FLAT * max(variances[-1], FLAT)
        if differ.all():
            break
        if not differ.any():
            raise undefined_envelope("more than half of the stores are equal")
        components = components @ axes[:, differ]
    if caught:
        # Every warning of the search says that the determinant it minimises is so near 0 that rounding misleads it.
        raise undefined_envelope("in some direction about half of the stores do not differ")
    scores: Matrix = -model.mahalanobis(components)
    return scores


def independent(points: Matrix) -> Matrix:
    """Principal components, in units of their spread, without those whose variance is rounding."""
    components: Matrix = PCA(svd_solver="full").fit_transform(points / spread(points))
    variances = components.var(axis=0)
    components = components[:, variances > ROUNDING * variances[0]]
    return components / spread(components)


def spread(points: Matrix) -> Matrix:
    """Interquartile range of each column, which outliers do not stretch; where that is 0, the standard deviation."""
    first, third = np.quantile(points, [0.25, 0.75], axis=0)
    units: Matrix = np.where(third > first, third - first, points.std(axis=0))
    return units


def undefined_envelope(why: str) -> DataError:
    """The elliptic envelope of points that have none."""
    return DataError(
        f"elliptic_envelope is undefined: {why}",
        solution="choose outliers: isolation_forest or local_outlier_factor",
    )


def local_outlier_factor(points: Matrix, seed: int) -> Matrix:  # noqa: ARG001 (as the others; nothing is drawn)
    """Minus the density of the neighbours over the row's own, of 20 neighbours (Breunig, Kriegel, Ng and Sander 2000).

    Neighbours are distinct points: among equal rows, such as stores of one county, the density would be infinite.
    """
    distinct, place = np.unique(points, axis=0, return_inverse=True)
    model = LocalOutlierFactor(n_neighbors=min(NEIGHBOURS, len(distinct) - 1), n_jobs=1).fit(distinct)
    scores: Matrix = model.negative_outlier_factor_[place.reshape(-1)]
    return scores


SCORES: dict[str, Callable[[Matrix, int], Matrix]] = {
    "isolation_forest": isolation_forest,
    "elliptic_envelope": elliptic_envelope,
    "local_outlier_factor": local_outlier_factor,
}


def find_outliers(points: Matrix, method: str, share: float, seed: int) -> NDArray[np.bool_]:
    """The `share` of rows with the lowest scores; equal scores at the limit count as ordinary.

    points: (n, d), all finite, not all equal. method: a key of SCORES, or none. share: 0 to 0.5, 0 is off.
    """
    if method == "none" or share == 0:
        return np.zeros(len(points), dtype=bool)
    scores = SCORES[method](points, seed)
    return np.asarray(scores < np.percentile(scores, 100 * share))
