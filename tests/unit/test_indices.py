"""Indices and BIC of a partition: by hand, as in scikit-learn, and as a Gaussian density says."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score

from storelib.method.indices import (
    SHRINKAGE,
    bic,
    calinski_harabasz,
    davies_bouldin,
    distinct_points,
    moments_of,
    principal_axes,
)

PAIRS = np.array([1, 1, 2, 2], dtype=np.int32)


def partition(stores: int, k: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.permutation(np.r_[np.arange(k), rng.integers(0, k, stores - k)]).astype(np.int32) + 1


@pytest.mark.parametrize("k", [2, 3, 9])
def test_indices_as_scikit_learn(k: int) -> None:
    points = np.random.default_rng(k).normal(size=(200, 5)) * [1, 2, 3, 4, 50]
    labels = partition(200, k)
    moments = moments_of(points, labels)
    assert calinski_harabasz(moments) == pytest.approx(calinski_harabasz_score(points, labels), abs=1e-9)
    assert davies_bouldin(moments) == pytest.approx(davies_bouldin_score(points, labels), abs=1e-9)


@pytest.mark.parametrize(
    "points",
    [
        pytest.param([[0.0], [0.0], [5.0], [5.0]], id="clusters are points"),
        pytest.param([[0.0], [2.0], [0.0], [2.0]], id="centres are one point"),
        pytest.param([[3.0], [3.0], [3.0], [3.0]], id="all is one point"),
    ],
)
def test_edge_cases_as_scikit_learn(points: list[list[float]]) -> None:
    moments = moments_of(np.array(points), PAIRS)
    assert calinski_harabasz(moments) == calinski_harabasz_score(points, PAIRS)
    assert davies_bouldin(moments) == davies_bouldin_score(points, PAIRS)


def test_bic_by_hand() -> None:
    # 0, 2 | 10, 12: centres 1 and 11, sum of squares 4, variance 1, each cluster half of the stores.
    axes = np.array([[0.0], [2.0], [10.0], [12.0]])
    likelihood = 4 * np.log(1 / 2) - 4 / 2 * np.log(2 * np.pi) - 4 / 2
    # two means, one share, one variance
    expected = 2 * likelihood - 4 * np.log(4)
    assert bic(axes, PAIRS, "spherical", 0, 4) == pytest.approx(expected)
    # in one dimension every covariance is a sphere
    assert bic(axes, PAIRS, "tied", 0, 4) == pytest.approx(expected)
    # coarsened to 4 stores, the likelihood counts half, as of 2 stores
    assert bic(axes, PAIRS, "tied", 4, 4) == pytest.approx(likelihood - 4 * np.log(2))


@pytest.mark.parametrize("shape", ["spherical", "tied"])
def test_bic_is_that_of_the_density(shape: str) -> None:
    points = np.random.default_rng(3).normal(size=(60, 3)) @ np.array([[2, 0, 0], [1, 1, 0], [0, 0.5, 0.3]])
    labels = partition(60, 4)
    centres = np.array([points[labels == label].mean(axis=0) for label in (1, 2, 3, 4)])
    residuals = points - centres[labels - 1]
    covariance = residuals.T @ residuals / 60
    sphere = np.trace(covariance) / 3 * np.eye(3)
    covariance = sphere if shape == "spherical" else (1 - SHRINKAGE) * covariance + SHRINKAGE * sphere
    likelihood = sum(
        multivariate_normal(centres[label - 1], covariance).logpdf(point) + np.log((labels == label).sum() / 60)
        for point, label in zip(points, labels, strict=True)
    )
    free = 4 * 3 + 3 + (1 if shape == "spherical" else 6)
    assert bic(points, labels, shape, 0, 60) == pytest.approx(2 * likelihood - free * np.log(60))
    # turning the axes changes nothing
    assert bic(principal_axes(points), labels, shape, 0, 60) == pytest.approx(2 * likelihood - free * np.log(60))


def test_stores_that_share_a_point_are_one_observation() -> None:
    # Each store of a county has the county's point: three stores instead of one tell nothing new.
    counties = np.array([[0.0], [2.0], [10.0], [12.0]])
    once, thrice = (bic(np.repeat(counties, n, axis=0), np.repeat(PAIRS, n), "tied", 4, 4) for n in (1, 3))
    assert thrice == pytest.approx(once)


def test_equal_points_stay_equal_when_they_are_rotated() -> None:
    counties = np.random.default_rng(5).normal(size=(40, 6)) * 1e3
    stores = np.repeat(counties, 37, axis=0)
    assert distinct_points(stores) == distinct_points(principal_axes(stores)) == 40
    assert distinct_points(np.zeros((3, 2))) == 1


def test_bic_of_clusters_that_are_points_is_infinite() -> None:
    assert bic(np.array([[0.0], [0.0], [5.0], [5.0]]), PAIRS, "tied", 0, 2) == np.inf


def test_directions_in_which_stores_do_not_differ_are_left_out() -> None:
    points = np.random.default_rng(4).normal(size=(50, 2)) @ np.array([[1.0, 2.0, 3.0], [0.0, 1.0, 1.0]])
    axes = principal_axes(points)
    assert axes.shape == (50, 2)
    assert (axes**2).sum() == pytest.approx(((points - points.mean(axis=0)) ** 2).sum())
