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

from lib.errors import DataError

Matrix = NDArray[np.float64]
NEIGHBOURS = 20
# A principal component with less than this part of the largest one's variance is rounding, not data.
NEGLIGIBLE = 1e-9


def isolation_forest(points: Matrix, seed: int) -> Matrix:
    """How many random cuts it takes to isolate each row, as a score (Liu, Ting and Zhou 2008)."""
    scores: Matrix = IsolationForest(random_state=seed, n_jobs=1).fit(points).score_samples(points)
    return scores


def elliptic_envelope(points: Matrix, seed: int) -> Matrix:
    """Minus the squared Mahalanobis distance under the minimum covariance determinant (Rousseeuw and Van Driessen 1999).

    It is taken on the principal components whose variance is not negligible: shares that sum to 1 and features that
    repeat each other have no invertible covariance in their own axes, and the distance is the same in any others.
    Raises DataError where there are too few rows, or where most of them lie in a plane, which leaves it undefined.
    """
    whole = PCA(svd_solver="full").fit(points)
    kept = whole.explained_variance_ > NEGLIGIBLE * whole.explained_variance_[0]
    components = whole.transform(points)[:, kept] / np.sqrt(whole.explained_variance_[kept])
    n, dimensions = components.shape
    if n <= 2 * dimensions:
        raise DataError(
            f"elliptic_envelope needs more than two stores per dimension, found {n} stores that train in "
            f"{dimensions} dimensions",
            solution="choose outliers: isolation_forest, or lower max_correlation",
        )
    with warnings.catch_warnings(record=True) as caught:
        # Every warning of the search says that the determinant it minimises is 0, or so near that rounding misleads it.
        warnings.simplefilter("always")
        model = MinCovDet(random_state=seed).fit(components)
    spread = np.linalg.eigvalsh(model.raw_covariance_)
    if caught or not spread[0] > NEGLIGIBLE * spread[-1]:
        raise DataError(
            "elliptic_envelope is undefined: in some direction more than half of the stores do not differ",
            solution="choose outliers: isolation_forest or local_outlier_factor",
        )
    scores: Matrix = -model.mahalanobis(components)
    return scores


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
