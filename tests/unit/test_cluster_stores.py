"""k by the configured rule, canonical clusters, every store at its nearest centre."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import cluster_stores
from cluster_stores import choose_k, place_stores, range_of_k, score_partitions
from lib.errors import DataError

# 0, 1 | 10, 11 and 0, 1 | 10 | 11
LINE = np.array([[0.0], [1.0], [10.0], [11.0]])
PARTITIONS = {2: np.array([1, 1, 2, 2], dtype=np.int32), 3: np.array([1, 1, 2, 3], dtype=np.int32)}


def scores_of(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"k": [2, 3, 4, 5][: len(next(iter(columns.values())))]} | columns)


def test_indices_are_those_of_the_books() -> None:
    scores = score_partitions(LINE, PARTITIONS, {2: 1.0, 3: 0.5}).set_index("k")
    # Silhouette, k = 2: store 0: a = 1, b = (10 + 11) / 2 = 10.5; store 1: a = 1, b = (9 + 10) / 2 = 9.5; mirrored.
    assert scores.at[2, "silhouette"] == pytest.approx((9.5 / 10.5 + 8.5 / 9.5) / 2)
    # k = 3: store 0: a = 1, b = 10; store 1: a = 1, b = 9; clusters of one store count 0.
    assert scores.at[3, "silhouette"] == pytest.approx((9 / 10 + 8 / 9) / 4)
    # Calinski-Harabasz, mean 5.5; k = 2: between 4 * 25 = 100 / 1, within 4 * 0.25 = 1 / 2
    assert scores.at[2, "calinski_harabasz"] == pytest.approx(200)
    # k = 3: between 2 * 25 + 4.5^2 + 5.5^2 = 100.5 / 2, within 0.5 / 1
    assert scores.at[3, "calinski_harabasz"] == pytest.approx(100.5)
    # Davies-Bouldin, k = 2: (0.5 + 0.5) / 10
    assert scores.at[2, "davies_bouldin"] == pytest.approx(0.1)
    # k = 3: centres 0.5, 10, 11 with spreads 0.5, 0, 0: the worst pairs are 0.5 / 9.5, 0.5 / 9.5, 0.5 / 10.5
    assert scores.at[3, "davies_bouldin"] == pytest.approx((0.5 / 9.5 * 2 + 0.5 / 10.5) / 3)
    # k = 2 is best of two indices, k = 3 of one
    assert scores["consensus"].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert scores["smallest"].tolist() == [2, 1]
    assert scores["inertia"].tolist() == [1.0, 0.5]


@pytest.mark.parametrize(
    ("rule", "k"), [("silhouette", 2), ("calinski_harabasz", 2), ("davies_bouldin", 3), ("consensus", 2)]
)
def test_rules_may_disagree(rule: str, k: int) -> None:
    assert choose_k(score_partitions(LINE, PARTITIONS, {2: 1.0, 3: 0.5}), rule) == k


@pytest.mark.parametrize("rule", ["silhouette", "calinski_harabasz", "consensus"])
def test_more_is_better(rule: str) -> None:
    assert choose_k(scores_of(**{rule: [0.1, 0.2, 0.9, 0.3]}), rule) == 4


def test_less_is_better_for_davies_bouldin() -> None:
    assert choose_k(scores_of(davies_bouldin=[0.9, 0.8, 0.7, 0.1]), "davies_bouldin") == 5


@pytest.mark.parametrize(
    ("rule", "values"), [("silhouette", [0.1, 0.7, 0.7, 0.2]), ("davies_bouldin", [0.9, 0.2, 0.2, 0.5])]
)
def test_of_equals_the_smallest_k(rule: str, values: list[float]) -> None:
    assert choose_k(scores_of(**{rule: values}), rule) == 3


def test_index_that_cannot_be_computed_is_told_and_nothing_is_chosen_instead() -> None:
    with pytest.raises(DataError, match=r"silhouette cannot be computed for k = \[3\]"):
        choose_k(scores_of(silhouette=[0.1, math.nan, 0.3]), "silhouette")


def test_consensus_scales_each_index_over_the_k_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "silhouette_score": {2: 0.2, 3: 0.4, 4: 0.3},  # scaled 0, 1, 1/2
        "calinski_harabasz_score": {2: 500.0, 3: 100.0, 4: 400.0},  # scaled 1, 0, 3/4
        "davies_bouldin_score": {2: 1.0, 3: 1.0, 4: 1.0},  # equal for all: 0
    }
    for name, by_k in values.items():
        monkeypatch.setattr(cluster_stores, name, lambda _points, labels, by_k=by_k: by_k[int(labels.max())])
    partitions = {k: np.arange(1, k + 1, dtype=np.int32) for k in (2, 3, 4)}
    scores = score_partitions(np.zeros((4, 1)), partitions, dict.fromkeys(partitions, 0.0))
    # (0 + 1 + 0) / 3, (1 + 0 + 0) / 3, (1/2 + 3/4 + 0) / 3: k = 4, second in each, wins
    assert scores["consensus"].tolist() == pytest.approx([1 / 3, 1 / 3, 5 / 12])
    assert choose_k(scores, "consensus") == 4


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([0, 1, 2, 3, 4, 5], [2, 3, 4], id="as asked"),
        # the indices need more stores than clusters
        pytest.param([0, 1, 2, 3], [2, 3], id="few stores"),
        pytest.param([0, 0, 0, 1, 1, 2, 2], [2, 3], id="few distinct points"),
    ],
)
def test_k_is_tried_as_far_as_the_data_allow(values: list[float], expected: list[int]) -> None:
    assert list(range_of_k(np.array(values, dtype="float64")[:, None], 2, 4)) == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0, 1, 2], "3 clusters are asked for, but 3 stores train, with 3 distinct points: at most 2 are possible"),
        ([0, 0, 0, 0, 1], "5 stores train, with 2 distinct points: at most 2 are possible"),
        ([5], "1 stores train, with 1 distinct points: at most 0 are possible"),
    ],
)
def test_k_that_the_data_do_not_allow_is_told(values: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        range_of_k(np.array(values, dtype="float64")[:, None], 3, 10)
    assert "min_clusters" in caught.value.solution


def test_no_training_store_is_told() -> None:
    with pytest.raises(DataError, match="at most 0 are possible"):
        range_of_k(np.empty((0, 2)), 2, 3)


def test_range_upside_down_is_told() -> None:
    with pytest.raises(DataError, match="min_clusters 4 is above max_clusters 3"):
        range_of_k(np.arange(9.0)[:, None], 4, 3)


def test_nearest_means_nearest() -> None:
    # twelve centres at 0, 10, ... 110: the tenth (90) must not be taken for the second (10)
    centres = np.arange(12.0)[:, None] * 10
    placed = place_stores(np.array([[12.0], [91.0], [109.0], [-500.0]]), centres)
    assert placed["cluster"].tolist() == [2, 10, 12, 1]
    assert placed["distance"].tolist() == [2.0, 1.0, 1.0, 500.0]
    assert placed["runner_up"].tolist() == [3, 11, 11, 2]
    assert placed["runner_up_distance"].tolist() == [8.0, 9.0, 9.0, 510.0]


def test_distance_is_euclidean_and_a_tie_goes_to_the_lower_number() -> None:
    centres = np.array([[3.0, 4.0], [-3.0, -4.0], [6.0, 8.0]])
    placed = place_stores(np.array([[0.0, 0.0], [6.0, 8.0]]), centres)
    assert placed["cluster"].tolist() == [1, 3]
    assert placed["distance"].tolist() == [5.0, 0.0]
    assert placed["runner_up"].tolist() == [2, 1]


@pytest.fixture
def cluster(bench: Any) -> Callable[..., dict[str, Any]]:
    def run(low: int = 2, high: int = 5, rule: str = "silhouette", view: str = "beauty") -> dict[str, Any]:
        bench.run(
            cluster_stores, view=view, features=bench / "features.parquet", baseline=bench / "baseline.parquet",
            clusters=bench / "clusters.parquet", k_scores=bench / "k_scores.parquet", algorithm="kmeans", min_clusters=low,
            max_clusters=high, rule=rule, n_init=5, seed=1,
        )  # fmt: skip
        return bench.frame("clusters.parquet").to_dict("index")

    bench.labels()
    return run


# Three groups on a line: four stores about 0, three about 100, two about 50.
GROUPS = {"a": 0.0, "b": 1.0, "c": 2.0, "d": 1.0, "e": 100.0, "f": 101.0, "g": 102.0, "h": 50.0, "i": 51.0}


def points_of(groups: dict[str, float]) -> dict[str, tuple[float]]:
    return {store: (value,) for store, value in groups.items()}


def test_three_groups_are_found_not_the_first_k(bench: Any, cluster: Callable[..., dict[str, Any]]) -> None:
    bench.features("features.parquet", points_of(GROUPS))
    found = cluster()
    # by size: four about 0, three about 100, two about 50
    assert {s: row["cluster"] for s, row in found.items()} == dict(
        zip("abcdefghi", [1] * 4 + [2] * 3 + [3] * 2, strict=True)
    )
    # e is 1 from its centre 101, and 49.5 from 50.5
    assert found["e"]["distance"] == pytest.approx(1)
    assert (found["e"]["runner_up"], found["e"]["runner_up_distance"]) == (3, pytest.approx(49.5))
    scores = bench.rows("k_scores.parquet", "k", "chosen")
    assert scores == [(2, False), (3, True), (4, False), (5, False)]
    assert pq.read_schema(bench / "k_scores.parquet").names == [
        "k", "silhouette", "calinski_harabasz", "davies_bouldin", "consensus", "inertia", "smallest", "chosen",
    ]  # fmt: skip


def test_stores_that_do_not_train_are_placed_and_flagged_and_move_nothing(
    bench: Any, cluster: Callable[..., dict[str, Any]]
) -> None:
    bench.features("features.parquet", points_of(GROUPS))
    before = cluster()
    extra = GROUPS | {"x": 900.0, "y": 55.0, "z": 1.25}
    bench.features("features.parquet", points_of(extra), {"x": "outlier", "y": "thin", "z": "no_net_sales"})
    found = cluster()
    assert {store: found[store] for store in before} == before
    # 900 is nearest to 101, 55 to 50.5, 1.25 to 1
    assert [(found[s]["cluster"], found[s]["is_outlier"], found[s]["exclusion"]) for s in "xyz"] == [
        (2, True, "outlier"), (3, False, "thin"), (1, False, "no_net_sales"),
    ]  # fmt: skip
    assert found["x"]["distance"] == pytest.approx(799)


def test_clusters_do_not_depend_on_the_names_or_the_order_of_the_groups(
    bench: Any, cluster: Callable[..., dict[str, Any]]
) -> None:
    bench.features("features.parquet", points_of(GROUPS))
    expected = {s: row["cluster"] for s, row in cluster().items()}
    bench.features("features.parquet", points_of(dict(reversed(GROUPS.items()))))
    assert {s: row["cluster"] for s, row in cluster().items()} == expected


def test_clusters_keep_the_baselines_numbers(bench: Any, cluster: Callable[..., dict[str, Any]]) -> None:
    bench.features("features.parquet", points_of(GROUPS))
    # last month: a..d were 7, e..g were 2; h and i are new and get 8
    rows = [("beauty", s, 7, 1, 1) for s in "abcd"] + [("beauty", s, 2, 1, 1) for s in "efg"]
    bench.labels(*rows, ("snacks", "h", 1, 1, 1))
    found = cluster()
    assert [found[s]["cluster"] for s in "adeghi"] == [7, 7, 2, 2, 8, 8]
    assert found["e"]["runner_up"] == 8


def test_external_view_takes_the_external_labels(bench: Any, cluster: Callable[..., dict[str, Any]]) -> None:
    bench.features("features.parquet", points_of(GROUPS))
    bench.labels(*[("beauty", s, 1, 9, 1) for s in "abcd"], *[("snacks", s, 1, 4, 1) for s in "efg"])
    assert [row["cluster"] for row in cluster(view="external").values()] == [9] * 4 + [4] * 3 + [10] * 2


def test_k_beyond_the_data_is_logged(bench: Any, cluster: Callable[..., dict[str, Any]]) -> None:
    bench.features("features.parquet", points_of(dict(list(GROUPS.items())[:4])))
    # 0, 1, 2, 1: three distinct points, four stores
    cluster(high=10)
    assert bench.rows("k_scores.parquet", "k") == [2, 3]
    assert "k is tried up to 3 only: 4 stores train" in bench.log(cluster_stores)


def test_more_clusters_than_the_data_allow_write_nothing(bench: Any, cluster: Callable[..., dict[str, Any]]) -> None:
    bench.features("features.parquet", points_of({"a": 0.0, "b": 0.0, "c": 5.0}))
    with pytest.raises(DataError, match="3 clusters are asked for"):
        cluster(low=3)
    assert not (bench / "clusters.parquet").exists()
