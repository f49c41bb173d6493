"""Each algorithm by hand, what it starts from, and how it places other stores."""

from itertools import product

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from storelib.method.algorithms import ALGORITHMS, Algorithm, Fitted, Mixture, log_posteriors
from storelib.method.partitions import Matrix

GROUPS = np.concatenate([np.random.default_rng(4).normal(c, 1, size=(20, 2)) for c in ((0, 0), (12, 0), (0, 12))])


def line(*values: float) -> Matrix:
    return np.array(values)[:, None]


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_finds_groups_far_apart_whatever_the_order_of_the_rows(name: str) -> None:
    algorithm = Algorithm(name, 3, 1, 0.1, 0.5)
    fitted = algorithm.fit(GROUPS, 3)
    assert {tuple(fitted.labels[start : start + 20]) for start in (0, 20, 40)} == {(1,) * 20, (2,) * 20, (3,) * 20}
    assert fitted.place(GROUPS).tolist() == fitted.labels.tolist()
    # 60 stores at 2 dimensions of variance 1 each
    assert 80 < fitted.inertia < 160
    order = np.random.default_rng(5).permutation(60)
    assert algorithm.fit(GROUPS[order], 3).labels.tolist() == fitted.labels[order].tolist()
    again = algorithm.refit(GROUPS[::2], fitted)
    assert again.place(GROUPS).tolist() == fitted.labels.tolist()
    assert algorithm.fit(GROUPS, 1).labels.tolist() == [1] * 60


def test_ward_joins_what_costs_least_and_may_leave_a_store_nearer_to_another_centre() -> None:
    # 0 and 2 cost 2 * 2 / 2 = 2; 5 and 9 cost 4 * 4 / 2 = 8, less than {0, 2} and 5 with 2 / 3 * 16; then {5, 9} and 14 cost
    # 2 / 3 * 49 = 32.7, less than {0, 2} and {5, 9} with 36.
    fitted = Algorithm("ward", 1, 1).fit(line(0, 2, 5, 9, 14), 2)
    assert fitted.labels.tolist() == [2, 2, 1, 1, 1]
    assert fitted.centres.ravel().tolist() == pytest.approx([28 / 3, 1])
    assert fitted.inertia == pytest.approx(2 + (13**2 + 1 + 14**2) / 9)
    # 5 is 4 from the centre 1, and 13 / 3 from its own
    assert fitted.place(line(5, 14)).tolist() == [2, 1]


def test_a_medoid_is_a_store_and_one_far_store_does_not_make_a_cluster() -> None:
    points = line(0, 1, 2, 3, 10, 11, 12, 28)
    # k-means takes the far store for a cluster: a sum of squares of 162, and of 224 for the two groups.
    assert sorted(Algorithm("kmeans", 5, 1).fit(points, 2).labels.tolist()) == [1] * 7 + [2]
    fitted = Algorithm("kmedoids", 5, 1).fit(points, 2)
    assert fitted.labels.tolist() in ([1] * 4 + [2] * 4, [2] * 4 + [1] * 4)
    # Sums of distances: 4 to 1 or to 2, and 1 + 0 + 1 + 17 to 11; with 28 alone it would be 30, to 3.
    assert cdist(points, fitted.centres).min(axis=1).sum() == 23
    assert 11.0 in fitted.centres


def test_no_swap_of_a_medoid_lowers_the_sum_of_distances() -> None:
    points = np.random.default_rng(6).normal(size=(150, 3))
    fitted = Algorithm("kmedoids", 3, 1).fit(points, 4)
    distances = cdist(points, points)
    chosen = [int((points == centre).all(axis=1).argmax()) for centre in fitted.centres]
    assert len(set(chosen)) == 4
    total = distances[chosen].min(axis=0).sum()
    for medoid, store in product(range(4), range(150)):
        swapped = [*chosen[:medoid], store, *chosen[medoid + 1 :]]
        assert distances[swapped].min(axis=0).sum() > total - 1e-9


def test_constrained_clusters_keep_to_their_sizes() -> None:
    # {0, 1, 2} and {3, 10} cost 2 + 24.5; {0, 1} and {2, 3, 10} cost 0.5 + 38.
    fitted = Algorithm("constrained_kmeans", 3, 1, 0.0, 0.6).fit(line(0, 1, 2, 3, 10), 2)
    assert fitted.labels.tolist() == [1, 1, 1, 2, 2]
    assert fitted.inertia == pytest.approx(26.5)
    # Without limits the far store is alone, and with at least 2 stores it is not.
    free, least = (Algorithm("constrained_kmeans", 3, 1, part, 1.0).fit(line(0, 1, 2, 3, 10), 2) for part in (0.0, 0.4))
    assert free.labels.tolist() == [1, 1, 1, 1, 2]
    assert np.bincount(least.labels)[1:].tolist() == [3, 2]


@pytest.mark.parametrize("unit", [1e-30, 1e-3, 1e90])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_units_decide_nothing(name: str, unit: float) -> None:
    algorithm = Algorithm(name, 3, 1, 0.1, 0.5)
    assert algorithm.fit(GROUPS * unit, 3).labels.tolist() == algorithm.fit(GROUPS, 3).labels.tolist()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_one_store_and_equal_stores_are_one_cluster(name: str) -> None:
    for points in (line(7), line(7, 7, 7)):
        fitted = Algorithm(name, 3, 1).fit(points, 1)
        assert (set(fitted.labels.tolist()), fitted.inertia, fitted.place(points).tolist()) == (
            {1},
            0,
            [1] * len(points),
        )


@pytest.mark.parametrize(
    ("least", "most", "training", "every", "k", "allowed"),
    [
        (0.3, 1.0, 10, 10, 3, True),  # 3 x 3 of 10
        (0.3, 1.0, 10, 10, 4, False),  # 4 x 3 of 10
        (0.0, 0.5, 5, 6, 2, True),  # two clusters of 3 hold all 6
        (0.0, 0.5, 5, 7, 2, False),  # of 7 stores 3 is the most in each
        (0.0, 0.34, 100, 101, 3, True),  # 3 x 34
        (0.0, 1.0, 3, 3, 3, True),
    ],
)
def test_sizes_that_k_clusters_cannot_keep_to_are_told(
    least: float, most: float, training: int, every: int, k: int, *, allowed: bool
) -> None:
    assert Algorithm("constrained_kmeans", 1, 1, least, most).allows(training, every, k) == allowed


def test_a_mixture_places_by_posterior_probability_not_by_distance() -> None:
    unit = np.ones((2, 1, 1))
    even = Mixture(np.array([0.5, 0.5]), line(0, 4), unit)
    # At 1 the log-odds are (3^2 - 1^2) / 2 = 4.
    expected = 1 / (1 + np.exp(-4))
    assert np.exp(log_posteriors(line(1, 3, 2), even)) == pytest.approx(
        np.array([[expected, 1 - expected], [1 - expected, expected], [0.5, 0.5]])
    )
    # With nine stores in ten the first component reaches to 2 + ln 9 / 4 = 2.549.
    odd = Mixture(np.array([0.9, 0.1]), line(0, 4), unit)
    fitted = Fitted(np.array([1, 2], dtype=np.int32), 0.0, line(0, 4), odd)
    assert fitted.place(line(2.5, 2.54, 2.56)).tolist() == [1, 1, 2]
    # sqrt(-2 ln p)
    assert Fitted(fitted.labels, 0.0, line(0, 4), even).distances(line(2)) == pytest.approx(np.sqrt(2 * np.log(2)))


def test_stores_far_beyond_all_components_are_as_likely_of_each() -> None:
    tiny = Mixture(np.array([0.5, 0.5]), line(0, 1), np.full((2, 1, 1), 1e150))
    assert np.exp(log_posteriors(line(0, 1, 1e90), tiny)).tolist() == [[1, 0], [0, 1], [0.5, 0.5]]
