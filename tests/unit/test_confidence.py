"""How sure clusters and stores are, by hand and on planted worlds."""

import numpy as np
import pandas as pd
import pytest

from storelib.method import confidence
from storelib.method.algorithms import ALGORITHMS, Algorithm, Fitted
from storelib.method.confidence import Refits, matched, refit, tempered
from storelib.method.partitions import Labels, Matrix, centres_of


def line(*values: float) -> Matrix:
    return np.array(values, dtype="float64")[:, None]


def labels_of(*labels: int) -> Labels:
    return np.array(labels, dtype=np.int32)


def fitted_of(points: Matrix, *labels: int) -> Fitted:
    return Fitted(labels_of(*labels), 0.0, centres_of(points, labels_of(*labels)))


def test_clusters_of_a_refit_are_those_they_share_most_stores_with() -> None:
    # The refit's 1 shares 2 and 3 stores with clusters 1 and 2, its 2 shares 0 and 4: 2 + 4 is more than 3 + 0.
    assert matched(labels_of(1, 1, 2, 2, 2, 2, 2, 2, 2), labels_of(1, 1, 1, 1, 1, 2, 2, 2, 2), 2).tolist() == [0, 1]
    # A refit that has lost a cluster: the one that is left is the larger.
    assert matched(labels_of(1, 2, 2), labels_of(1, 1, 1), 2).tolist() == [1]


def test_probability_is_of_gaussian_clusters_of_one_shape_with_half_the_log_odds() -> None:
    # Clusters -1, 1 and 3, 5: centres 0 and 4, variance within 1, as many stores. At 1 the log-odds are (9 - 1) / 2 = 4,
    # halved 2; at the middle both are as likely.
    points = line(-1, 1, 3, 5)
    found = tempered(line(1, 2), points, fitted_of(points, 1, 1, 2, 2))
    sure = 1 / (1 + np.exp(-2))
    assert found == pytest.approx(np.array([[sure, 1 - sure], [0.5, 0.5]]))


def test_where_each_cluster_is_a_point_a_store_is_of_the_nearest() -> None:
    points = line(0, 0, 5)
    assert tempered(line(1, 4), points, fitted_of(points, 1, 1, 2)).tolist() == [[1, 0], [0, 1]]


def test_tables_of_the_refits_by_hand() -> None:
    refits = Refits(
        shares=np.array([[1.0, 0.0], [0.5, 0.5]]),
        probabilities=np.array([[0.9, 0.1], [0.6, 0.4]]),
        jaccards=np.array([[1.0, 0.5], [0.8, np.nan], [0.6, 1.0], [0.4, 0.6]]),
    )
    # Clusters 1 and 2 are called 7 and 3.
    memberships = refits.memberships(pd.Series(["s1", "s2"]), [7, 3])
    assert list(memberships.itertuples(index=False, name=None)) == [
        ("s1", 3, 0.0, 0.1), ("s1", 7, 1.0, 0.9), ("s2", 3, 0.5, 0.4), ("s2", 7, 0.5, 0.6),
    ]  # fmt: skip
    # Of the first 2.8 / 4, one of four dissolved (0.4); of the second 2.1 / 3, one of three (0.5).
    stability = refits.stability(fitted_of(line(0, 1, 5), 1, 1, 2), [7, 3])
    assert stability.to_numpy().tolist() == [[3, 1, pytest.approx(0.7), pytest.approx(1 / 3)], [7, 2, 0.7, 0.25]]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_groups_far_apart_are_sure_and_a_store_between_them_is_not(name: str) -> None:
    rng = np.random.default_rng(2)
    groups = np.concatenate([rng.normal(0, 1, size=(60, 2)), rng.normal((9, 0), 1, size=(60, 2))])
    middle = (groups[:60].mean(axis=0) + groups[60:].mean(axis=0)) / 2
    points = np.vstack([groups, middle])
    trains = np.arange(121) < 120
    algorithm = Algorithm(name, 3, 1, 0.1, 0.9)
    fitted = algorithm.fit(points[trains], 2)
    placed = fitted.place(points)
    refits = refit(points, trains, placed, fitted, algorithm, 10)
    assert refits.shares.sum(axis=1) == pytest.approx(np.ones(121))
    assert refits.probabilities.sum(axis=1) == pytest.approx(np.ones(121))
    own = refits.probabilities[np.arange(121), placed - 1]
    assert own[:120].min() > 0.9
    assert 0.2 < own[120] < 0.8
    assert refits.shares[np.arange(120), placed[:120] - 1].min() > 0.9
    assert np.nanmean(refits.jaccards, axis=0).min() > 0.95


def test_samples_of_too_few_distinct_stores_say_nothing() -> None:
    points = line(0, 1)
    fitted = fitted_of(points, 1, 2)
    algorithm = Algorithm("kmeans", 1, 1)
    refits = refit(points, np.array([True, True]), labels_of(1, 2), fitted, algorithm, 30)
    # Half of the samples draw one of both twice. The others are as the whole.
    assert refits.shares.tolist() == [[1, 0], [0, 1]]
    assert 5 < np.isnan(refits.jaccards).any(axis=1).sum() < 25
    none = refit(points, np.array([True, False]), labels_of(1, 1), Fitted(labels_of(1), 0.0, points[:1]), algorithm, 3)
    assert none.probabilities.tolist() == [[1], [1]]


def test_where_no_sample_says_anything_there_are_no_memberships(monkeypatch: pytest.MonkeyPatch) -> None:
    class Once:
        def integers(self, low: int, high: int, size: int) -> np.ndarray:
            return np.zeros(size, dtype=int)

    monkeypatch.setattr(confidence.np.random, "default_rng", lambda _: Once())
    points = line(0, 1)
    refits = refit(
        points, np.array([True, True]), labels_of(1, 2), fitted_of(points, 1, 2), Algorithm("kmeans", 1, 1), 3
    )
    assert np.isnan(refits.probabilities).all()
    assert refits.memberships(pd.Series(["a", "b"]), [1, 2]).empty
