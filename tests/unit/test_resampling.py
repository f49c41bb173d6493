"""Gap, prediction strength and bootstrap stability: by hand, as published, and on the designs of their papers."""

import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist

from storelib.method import resampling
from storelib.method.algorithms import Algorithm, Fitted, kmeans
from storelib.method.k_rules import RULES, choices_of
from storelib.method.partitions import Labels, Matrix
from storelib.method.resampling import bootstrap, gap, jaccards_of, prediction_strength, reference_points, strength_of

RUSPINI = np.loadtxt(Path(__file__).parents[1] / "data" / "ruspini.csv", delimiter=",", skiprows=1)
# R, package cluster: clusGap(ruspini, FUN = pam1, K.max = 8, B = 500) prints for k = 1 to 4, with distances unsquared:
LOG_W = [7.187997, 6.628498, 6.261660, 5.692736]
EXPECTED_LOG_W = {1: 7.135307, 4: 6.384584}
STANDARD_ERROR = {1: 0.03729363, 4: 0.04346588}


def log_w(points: Matrix, labels: Labels) -> float:
    """As `clusGap` has it with d.power = 1: half the sum of distances within clusters, each over its size."""
    parts = [points[labels == label] for label in np.unique(labels)]
    return float(np.log(0.5 * sum(pdist(part).sum() / len(part) for part in parts)))


def labels_of(*labels: int) -> Labels:
    return np.array(labels, dtype=np.int32)


def test_reference_sets_have_the_dispersion_that_r_publishes() -> None:
    for k, published in enumerate(LOG_W, start=1):
        assert log_w(RUSPINI, kmeans(RUSPINI, k, 20, 1).labels) == pytest.approx(published, abs=5e-7)
    rng = np.random.default_rng(1)
    sets = [reference_points(RUSPINI, rng) for _ in range(200)]
    for k, expected in EXPECTED_LOG_W.items():
        found = [log_w(drawn, kmeans(drawn, k, 5, 1).labels) for drawn in sets]
        # The mean of 200 sets is known to a fourteenth of one set's error; k-means finds other clusters than PAM.
        assert np.mean(found) == pytest.approx(
            expected, abs=4 * STANDARD_ERROR[k] / np.sqrt(200) + (0.01 if k > 1 else 0)
        )
        assert np.std(found) == pytest.approx(STANDARD_ERROR[k], rel=0.25)


def test_gap_finds_four_clusters_in_ruspini() -> None:
    inertias = {k: kmeans(RUSPINI, k, 10, 1).inertia for k in range(1, 9)}
    gaps, errors = gap(RUSPINI, inertias, 50, Algorithm("kmeans", 3, 1))
    scores = scores_of(gap=gaps, gap_error=errors)
    assert choices_of(scores)["gap"] == 4


def scores_of(**columns: dict[int, float]) -> pd.DataFrame:
    scores = pd.DataFrame(columns).rename_axis("k").reset_index().assign(eligible=True)
    return scores.reindex(columns=[*RULES, "gap_error", "k", "eligible"])


def test_gap_is_the_difference_to_data_without_clusters() -> None:
    # Data that are uniform in a box differ from their own reference by chance alone, where the box's axes can be told apart.
    points = np.random.default_rng(2).uniform(size=(150, 2)) * [1, 10]
    gaps, errors = gap(points, {1: ((points - points.mean(axis=0)) ** 2).sum()}, 50, Algorithm("kmeans", 1, 1))
    assert abs(gaps[1]) < 4 * errors[1]
    # Half the dispersion, the same reference: the gap grows by ln 2.
    halved, _ = gap(points, {1: ((points - points.mean(axis=0)) ** 2).sum() / 2}, 50, Algorithm("kmeans", 1, 1))
    assert halved[1] - gaps[1] == pytest.approx(np.log(2))


def test_gap_holds_one_reference_set_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref[Matrix]] = []
    most = 0

    def drawn(points: Matrix, rng: np.random.Generator) -> Matrix:
        nonlocal most
        made = reference_points(points, rng)
        most = max(most, sum(known() is not None for known in alive))
        alive.append(weakref.ref(made))
        return made

    monkeypatch.setattr(resampling, "reference_points", drawn)
    gap(RUSPINI, {1: 1.0, 2: 1.0}, 6, Algorithm("kmeans", 1, 1))
    # The one before is let go when the next one is there.
    assert (len(alive), most) == (6, 1)


def test_resampling_clusters_by_the_algorithm_that_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[str] = []

    def fit(self: Algorithm, points: Matrix, k: int) -> Fitted:
        fitted.append(self.name)
        return kmeans(points, k, 1, 1)

    monkeypatch.setattr(Algorithm, "fit", fit)
    ward = Algorithm("ward", 1, 1)
    # a reference set for each k, two halves, a sample: each twice
    gap(RUSPINI, {1: 1.0, 2: 1.0}, 2, ward)
    prediction_strength(RUSPINI, 2, 2, ward)
    bootstrap(RUSPINI, kmeans(RUSPINI, 2, 1, 1).labels, 2, ward)
    assert fitted == ["ward"] * (4 + 4 + 2)


def test_prediction_strength_by_hand() -> None:
    # A cluster of four is predicted as three and one: 3 * 2 of its 4 * 3 pairs; the cluster of two as it is.
    assert strength_of(labels_of(1, 1, 1, 2, 2, 2), labels_of(1, 1, 1, 1, 2, 2)) == 0.5
    # Joined clusters stay together; a cluster of one store has no pairs to part.
    assert strength_of(labels_of(1, 1, 1, 1, 1), labels_of(1, 1, 2, 2, 3)) == 1
    assert prediction_strength(RUSPINI, 1, 5, Algorithm("kmeans", 1, 1)) == 1


def test_prediction_strength_needs_as_many_distinct_stores_as_clusters() -> None:
    assert np.isnan(prediction_strength(np.arange(6.0)[:, None], 4, 5, Algorithm("kmeans", 1, 1)))


def test_jaccard_by_hand() -> None:
    # {a, b, c} and {a, b} share 2 of 3; {d, e} and {c, d, e} share 2 of 3
    assert jaccards_of(labels_of(1, 1, 1, 2, 2), labels_of(2, 2, 1, 1, 1)).tolist() == pytest.approx([2 / 3, 2 / 3])


def test_stable_clusters_come_back_from_every_sample() -> None:
    agreement, jaccards = bootstrap(RUSPINI, kmeans(RUSPINI, 4, 10, 1).labels, 10, Algorithm("kmeans", 5, 1))
    assert agreement == pytest.approx(1)
    assert jaccards.tolist() == pytest.approx([1] * 4)
    # One more cluster cuts through a group, where each sample cuts it elsewhere
    agreement, jaccards = bootstrap(RUSPINI, kmeans(RUSPINI, 5, 10, 1).labels, 10, Algorithm("kmeans", 5, 1))
    assert agreement < 0.99
    assert jaccards.min() < 0.8


def three_clusters(rng: np.random.Generator) -> Matrix:
    """Scenario 2 of both papers: 25, 25 and 50 standard normal points about (0, 0), (0, 5) and (5, -3)."""
    centres = np.repeat([[0, 0], [0, 5], [5, -3]], [25, 25, 50], axis=0)
    return rng.normal(size=(100, 2)) + centres


def no_clusters(rng: np.random.Generator) -> Matrix:
    """Scenario 1 of both papers: 200 points, uniform in 10 dimensions."""
    return rng.uniform(size=(200, 10))


@pytest.mark.parametrize(("design", "truth"), [(no_clusters, 1), (three_clusters, 3)])
def test_rules_find_what_the_papers_planted(design: Callable[[np.random.Generator], Matrix], truth: int) -> None:
    right = {"gap": 0, "prediction_strength": 0}
    for seed in range(5):
        points = design(np.random.default_rng(seed))
        partitions = {k: kmeans(points, k, 5, 1) for k in range(1, 6)}
        gaps, errors = gap(points, {k: p.inertia for k, p in partitions.items()}, 20, Algorithm("kmeans", 2, seed))
        scores = scores_of(
            gap=gaps,
            gap_error=errors,
            prediction_strength={
                k: prediction_strength(points, k, 5, Algorithm("kmeans", 2, seed)) for k in partitions
            },
        )
        for rule, k in choices_of(scores).items():
            right[rule] += k == truth
    # In the papers' 50 trials both rules are hardly ever wrong on these two.
    assert min(right.values()) >= 4, right
