"""Silhouettes of many partitions at once are those of scikit-learn, one by one."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import silhouette_samples

from storelib.method.algorithms import kmeans
from storelib.method.silhouette import silhouettes

RUSPINI = np.loadtxt(Path(__file__).parents[1] / "data" / "ruspini.csv", delimiter=",", skiprows=1)


def random_partitions(stores: int, counts: list[int], seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.permutation(np.r_[np.arange(k), rng.integers(0, k, stores - k)]).astype(np.int32) + 1 for k in counts]


def test_by_hand() -> None:
    # 0, 1 | 10, 11: of the first store a = 1, b = (10 + 11) / 2; of the second a = 1, b = (9 + 10) / 2; then mirrored.
    points = np.array([[0.0], [1.0], [10.0], [11.0]])
    found = silhouettes(points, [np.array([1, 1, 2, 2], dtype=np.int32)])[0]
    assert found == pytest.approx([9.5 / 10.5, 8.5 / 9.5, 8.5 / 9.5, 9.5 / 10.5], abs=1e-14)


def test_published_value_for_ruspini() -> None:
    # R, package cluster: summary(silhouette(pam(ruspini, 4))): average silhouette width 0.7377; clusters of 20, 23, 17, 15.
    labels = kmeans(RUSPINI, 4, 10, 1).labels
    assert np.bincount(labels)[1:].tolist() == [23, 20, 17, 15]
    widths = silhouettes(RUSPINI, [labels])[0]
    assert widths.mean() == pytest.approx(0.7377, abs=5e-5)
    # by cluster, from the same page: 0.7455, 0.7262, 0.6691, 0.8042 for those of 23, 20, 17 and 15
    by_cluster = [widths[labels == label].mean() for label in (1, 2, 3, 4)]
    assert by_cluster == pytest.approx([silhouette_samples(RUSPINI, labels)[labels == c].mean() for c in (1, 2, 3, 4)])


@pytest.mark.parametrize("stores", [3, 17, 500, 501, 1203])
def test_as_scikit_learn_whatever_the_blocks(stores: int) -> None:
    points = np.random.default_rng(stores).normal(size=(stores, 7)) * [1, 1, 1, 1, 10, 100, 1e-3] + 1e4
    partitions = random_partitions(stores, sorted({2, min(5, stores - 1), min(11, stores - 1)}), stores)
    for found, labels in zip(silhouettes(points, partitions), partitions, strict=True):
        assert np.abs(found - silhouette_samples(points, labels)).max() < 1e-9


def test_store_alone_and_stores_in_one_point_have_none() -> None:
    points = np.array([[0.0], [0.0], [0.0], [0.0], [7.0]])
    partitions = [np.array(labels, dtype=np.int32) for labels in ([1, 1, 2, 2, 3], [1, 1, 1, 1, 2])]
    for found, labels in zip(silhouettes(points, partitions), partitions, strict=True):
        assert found.tolist() == silhouette_samples(points, labels).tolist()
    # alone in its cluster, or as near to the other cluster as to its own: 0; the four against 7: 1
    assert [w.tolist() for w in silhouettes(points, partitions)] == [[0, 0, 0, 0, 0], [1, 1, 1, 1, 0]]


def test_no_partition_has_no_silhouettes() -> None:
    assert silhouettes(np.arange(3.0)[:, None], []) == []


@pytest.mark.parametrize("labels", [[1, 1, 1], [1, 2, 3]])
def test_partitions_that_have_no_silhouette_are_refused(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="2 to 2 clusters of 3 stores"):
        silhouettes(np.arange(3.0)[:, None], [np.array(labels, dtype=np.int32)])


def test_distances_are_never_held_as_a_whole() -> None:
    stores = 4000
    points = np.random.default_rng(1).normal(size=(stores, 2))
    partitions = random_partitions(stores, [2, 3], 1)
    tracemalloc.start()
    silhouettes(points, partitions)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # all distances would be 128 MB
    assert peak < stores * stores * 8 / 20
