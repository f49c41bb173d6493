"""k by the configured rule, canonical clusters, every store at its nearest centre."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import cluster_stores
from cluster_stores import choose_k, place_stores, range_of_k
from storelib.errors import ConfigError, DataError
from storelib.method.algorithms import ALGORITHMS, Fitted
from storelib.method.partitions import centres_of, distances_to
from storelib.method.scan import score_partitions

# All, 0, 1 | 10, 11 and 0, 1 | 10 | 11
LINE = np.array([[0.0], [1.0], [10.0], [11.0]])
CHEAP = ("silhouette", "calinski_harabasz", "davies_bouldin", "consensus", "bic", "bic_tied")
PARTITIONS = {
    k: Fitted(np.array(labels, dtype=np.int32), inertia, centres_of(LINE, np.array(labels)))
    for k, labels, inertia in ((1, [1, 1, 1, 1], 101.0), (2, [1, 1, 2, 2], 1.0), (3, [1, 1, 2, 3], 0.5))
}


def score(**options: float) -> pd.DataFrame:
    plain = {"coarsening": 0, "min_cluster_share": 0}
    return score_partitions(LINE, PARTITIONS, **(plain | options))[0].set_index("k")


def test_indices_are_those_of_the_books() -> None:
    scores = score()
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
    assert scores.loc[[2, 3], "consensus"].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert scores["smallest"].tolist() == [4, 2, 1]
    assert scores["inertia"].tolist() == [101.0, 1.0, 0.5]
    # of one cluster the indices know nothing, BIC does
    assert scores.loc[1, ["silhouette", "calinski_harabasz", "davies_bouldin", "consensus"]].isna().all()
    assert np.isfinite(scores["bic"]).all()


@pytest.mark.parametrize(
    ("rule", "k"), [("silhouette", 2), ("calinski_harabasz", 2), ("davies_bouldin", 3), ("consensus", 2)]
)
def test_rules_may_disagree(rule: str, k: int) -> None:
    assert choose_k(score().reset_index(), rule) == k


def test_smallest_cluster_has_a_share_of_the_stores_that_train() -> None:
    # 2 of 4 stores are half of them; one cluster is always large enough
    assert score(min_cluster_share=0.5)["eligible"].tolist() == [True, True, False]
    assert score(min_cluster_share=0.51)["eligible"].tolist() == [True, False, False]


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
        ([5], "1 stores train, with 1 distinct points: at most 1 are possible"),
    ],
)
def test_k_that_the_data_do_not_allow_is_told(values: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        range_of_k(np.array(values, dtype="float64")[:, None], 3, 10)
    assert "min_clusters" in caught.value.solution


@pytest.mark.parametrize("values", [[5.0], [5.0, 5.0, 5.0], [1.0, 2.0]])
def test_one_cluster_is_always_possible(values: list[float]) -> None:
    assert list(range_of_k(np.array(values)[:, None], 1, 10)) == [1]


def test_no_training_store_is_told() -> None:
    with pytest.raises(DataError, match="at most 0 are possible"):
        range_of_k(np.empty((0, 2)), 2, 3)


def test_range_upside_down_is_told() -> None:
    with pytest.raises(DataError, match="min_clusters 4 is above max_clusters 3"):
        range_of_k(np.arange(9.0)[:, None], 4, 3)


def test_nearest_means_nearest() -> None:
    # twelve centres at 0, 10, ... 110: the tenth (90) must not be taken for the second (10)
    centres = np.arange(12.0)[:, None] * 10
    placed = place_stores(distances_to(np.array([[12.0], [91.0], [109.0], [-500.0]]), centres))
    assert placed["cluster"].tolist() == [2, 10, 12, 1]
    assert placed["distance"].tolist() == [2.0, 1.0, 1.0, 500.0]
    assert placed["runner_up"].tolist() == [3, 11, 11, 2]
    assert placed["runner_up_distance"].tolist() == [8.0, 9.0, 9.0, 510.0]


def test_distance_is_euclidean_and_a_tie_goes_to_the_lower_number() -> None:
    centres = np.array([[3.0, 4.0], [-3.0, -4.0], [6.0, 8.0]])
    placed = place_stores(distances_to(np.array([[0.0, 0.0], [6.0, 8.0]]), centres))
    assert placed["cluster"].tolist() == [1, 3]
    assert placed["distance"].tolist() == [5.0, 0.0]
    assert placed["runner_up"].tolist() == [2, 1]


@pytest.fixture
def cluster(bench: Any) -> Callable[..., dict[str, Any]]:
    def run(
        low: int = 2, high: int = 5, rule: str = "silhouette", view: str = "beauty", **options: Any
    ) -> dict[str, Any]:
        plain = {
            "algorithm": "kmeans", "least_stores": 0, "most_stores": 0, "min_cluster_share": 0, "bic_coarsening": 0, "resamples": 5,
            "refits": 5, "n_init": 5, "seed": 1,
        }  # fmt: skip
        bench.run(
            cluster_stores, view=view, features=bench / "features.parquet", baseline=bench / "baseline.parquet",
            clusters=bench / "clusters.parquet", k_scores=bench / "k_scores.parquet", memberships=bench / "memberships.parquet",
            stability=bench / "stability.parquet",
        model=bench / "model.json", min_clusters=low, max_clusters=high, rule=rule, **(plain | options),
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
        "k", "silhouette", "calinski_harabasz", "davies_bouldin", "consensus", "bic", "bic_tied", "gap",
        "prediction_strength", "stability", "gap_error", "bootstrap_ari", "inertia", "smallest", "eligible", "chosen_by",
        "chosen",
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
    # the same points under names that put them in the opposite order
    renamed = dict(zip(GROUPS, reversed(GROUPS), strict=True))
    bench.features("features.parquet", points_of({renamed[s]: GROUPS[s] for s in reversed(GROUPS)}))
    assert {s: row["cluster"] for s, row in cluster().items()} == {renamed[s]: c for s, c in expected.items()}


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


def test_silhouettes_are_kept_of_stores_that_train(bench: Any, cluster: Callable[..., dict[str, Any]]) -> None:
    bench.features("features.parquet", points_of(GROUPS | {"x": 900.0}), {"x": "outlier"})
    found = cluster()
    # h: 1 from i; 50, 49, 48, 49 from a to d (49 on average), 50, 51, 52 from e to g
    assert found["h"]["silhouette"] == pytest.approx((49 - 1) / 49)
    assert np.isnan(found["x"]["silhouette"])
    mean = np.mean([row["silhouette"] for store, row in found.items() if store != "x"])
    assert dict(bench.rows("k_scores.parquet", "k", "silhouette"))[3] == pytest.approx(mean)


def test_where_there_is_no_structure_one_cluster_is_found_and_said(
    bench: Any, cluster: Callable[..., dict[str, Any]]
) -> None:
    values = np.random.default_rng(1).normal(size=(200, 3))
    bench.features("features.parquet", {f"s{i:03d}": tuple(point) for i, point in enumerate(values)})
    found = cluster(low=1, rule="bic_tied")
    assert {row["cluster"] for row in found.values()} == {1}
    # there is no other centre to be nearest to
    assert all(row["runner_up"] is None or np.isnan(row["runner_up"]) for row in found.values())
    assert all(np.isnan(row["runner_up_distance"]) for row in found.values())
    assert "no structure was found" in bench.log(cluster_stores)


@pytest.mark.parametrize("rule", ["gap", "prediction_strength", "stability", "bic", "bic_tied"])
def test_every_rule_finds_three_groups_far_apart(bench: Any, cluster: Callable[..., dict[str, Any]], rule: str) -> None:
    rng = np.random.default_rng(7)
    points = np.concatenate([rng.normal(centre, 1, size=(30, 2)) for centre in ((0, 0), (30, 0), (0, 30))])
    bench.features("features.parquet", {f"s{i:02d}": tuple(point) for i, point in enumerate(points)})
    found = cluster(low=1, rule=rule)
    assert [row["cluster"] for row in found.values()][::30] in (
        [1, 2, 3],
        [1, 3, 2],
        [2, 1, 3],
        [2, 3, 1],
        [3, 1, 2],
        [3, 2, 1],
    )
    assert len({(i // 30, row["cluster"]) for i, row in enumerate(found.values())}) == 3
    chosen = {k: by.split() for k, by in bench.rows("k_scores.parquet", "k", "chosen_by")}
    assert rule in chosen[3]
    # the costly ones are computed only where they are asked for
    assert {r for by in chosen.values() for r in by} == {*CHEAP, rule}


def test_all_rules_are_computed_where_asked(bench: Any, cluster: Callable[..., dict[str, Any]]) -> None:
    bench.features("features.parquet", points_of(GROUPS))
    bench.run(
        cluster_stores, view="beauty", features=bench / "features.parquet", baseline=bench / "baseline.parquet",
        clusters=bench / "clusters.parquet", k_scores=bench / "k_scores.parquet", memberships=bench / "memberships.parquet",
        stability=bench / "stability.parquet",
        model=bench / "model.json", algorithm="kmeans", least_stores=0, most_stores=0, min_clusters=1, max_clusters=4,
        rule="silhouette", all_rules=[], min_cluster_share=0, bic_coarsening=0, resamples=3, refits=2, n_init=2, seed=1,
    )  # fmt: skip
    rows = bench.rows("k_scores.parquet", "gap", "gap_error", "bootstrap_ari", "stability")
    assert not np.isnan(np.array(rows, dtype=float)[:3]).any()


def test_a_cluster_that_is_too_small_is_never_chosen(bench: Any, cluster: Callable[..., dict[str, Any]]) -> None:
    # ten stores about 0, ten about 10, and one far away: silhouette alone would make it a cluster
    values = [i / 10 for i in range(10)] + [10 + i / 10 for i in range(10)] + [500.0]
    bench.features("features.parquet", {f"s{i:02d}": (value,) for i, value in enumerate(values)})
    cluster()
    assert bench.rows("k_scores.parquet", "k", "eligible", "chosen")[0] == (2, True, True)
    assert bench.rows("k_scores.parquet", "smallest")[0] == 1
    with pytest.raises(DataError, match="each of k = 2 to 5 has a cluster of fewer stores"):
        cluster(min_cluster_share=0.1)
    cluster(low=1, min_cluster_share=0.1)
    assert [row for row in bench.rows("k_scores.parquet", "k", "chosen") if row[1]] == [(1, True)]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_same_bytes_whatever_the_threads(bench: Any, algorithm: str) -> None:
    """Every rule, in processes of their own: what the runner exports about threads is overruled."""
    rng = np.random.default_rng(3)
    points = rng.normal(size=(700, 6)) + 4 * rng.integers(0, 3, size=(700, 1))
    bench.features("features.parquet", {f"s{i:03d}": tuple(point) for i, point in enumerate(points)})
    bench.labels()
    made = []
    for threads in ("1", "4"):
        out = [
            bench / f"{name}_{threads}.parquet"
            for name in ("clusters", "k_scores", "memberships", "stability", "model")
        ]
        flags = {
            "view": "beauty", "features": bench / "features.parquet", "baseline": bench / "baseline.parquet",
            "clusters": out[0], "k_scores": out[1], "memberships": out[2], "stability": out[3], "model": out[4], "algorithm": algorithm,
            "least_stores": 0, "most_stores": 0, "min_clusters": 1, "max_clusters": 5, "rule": "bic_tied",
            "min_cluster_share": 0.02, "bic_coarsening": 250, "resamples": 3, "refits": 3, "n_init": 3, "seed": 1,
            "log": bench / "log.txt",
        }  # fmt: skip
        words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
        variables = {f"{library}_NUM_THREADS": threads for library in ("OMP", "OPENBLAS", "MKL")}
        script = Path(cluster_stores.__file__)
        subprocess.run(
            [sys.executable, str(script), *words, "--all_rules"],
            env={**os.environ, **variables},
            check=True,
            capture_output=True,
        )
        made.append([path.read_bytes() for path in out])
    assert made[0] == made[1]
    assert {k for k, chosen in bench.rows("k_scores_1.parquet", "k", "chosen") if chosen} == {3}


def test_membership_margin_and_stability_are_written(bench: Any, cluster: Callable[..., dict[str, Any]]) -> None:
    rng = np.random.default_rng(1)
    groups = {f"a{i:02d}": (x,) for i, x in enumerate(rng.normal(0, 1, 40))}
    groups |= {f"b{i:02d}": (x,) for i, x in enumerate(rng.normal(20, 1, 40))}
    middle = float(np.mean([x for (x,) in groups.values()]))
    bench.features("features.parquet", groups | {"m": (middle,)}, {"m": "thin"})
    bench.labels(*[("beauty", f"a{i:02d}", 7, 1, 1) for i in range(40)])
    found = cluster(low=1, rule="bic_tied", bic_coarsening=250)
    # Half way between equal groups a store is as near to the one as to the other, and may be of either.
    assert found["m"]["margin"] == pytest.approx(0, abs=1e-9)
    assert found["m"]["is_borderline"]
    assert 0.5 <= found["m"]["membership"] < 0.7
    # A store 1 from its centre and 19 from the other: 18 / 19.
    a = found["a00"]
    assert a["margin"] == pytest.approx(1 - a["distance"] / a["runner_up_distance"])
    assert not any(row["is_borderline"] for store, row in found.items() if store != "m")
    # The clusters are called as in the baseline, 7, and 8 for the new one.
    memberships = bench.rows("memberships.parquet", "store_id", "cluster", "share", "probability")
    assert memberships[:2] == [("a00", 7, 1.0, pytest.approx(1)), ("a00", 8, 0.0, pytest.approx(0, abs=1e-9))]
    own = {(store, number): probability for store, number, _, probability in memberships}
    assert all(own[store, row["cluster"]] == row["membership"] for store, row in found.items())
    assert bench.rows("stability.parquet") == [(7, 40, 1.0, 0.0), (8, 40, 1.0, 0.0)]
    assert "1 of 81 stores are on a border" in bench.log(cluster_stores)


def test_one_cluster_is_sure_and_has_no_margin(bench: Any, cluster: Callable[..., dict[str, Any]]) -> None:
    bench.features("features.parquet", points_of(GROUPS))
    found = cluster(low=1, high=1, rule="bic_tied")
    assert {(row["membership"], row["is_borderline"]) for row in found.values()} == {(1.0, False)}
    assert all(np.isnan(row["margin"]) for row in found.values())


def test_ward_keeps_the_stores_that_trained_where_the_tree_has_them(
    bench: Any, cluster: Callable[..., dict[str, Any]]
) -> None:
    # See test_algorithms: c is 13 / 3 from its own centre 28 / 3, and 4 from the other, 1.
    points = points_of({"a": 0.0, "b": 2.0, "c": 5.0, "d": 9.0, "e": 14.0, "x": 5.0})
    bench.features("features.parquet", points, {"x": "thin"})
    found = cluster(high=2, algorithm="ward")
    assert [row["cluster"] for row in found.values()] == [2, 2, 1, 1, 1, 2]
    assert found["c"]["margin"] == pytest.approx((4 - 13 / 3) / (13 / 3))
    assert found["x"]["margin"] == pytest.approx((13 / 3 - 4) / (13 / 3))


def test_stores_that_did_not_train_do_not_break_the_largest_size(
    bench: Any, cluster: Callable[..., dict[str, Any]]
) -> None:
    # Those that train are {0, 1, 2} and {10, 11}; of 8 stores at most 4 may be in one cluster. x and z are nearest to 1, y is
    # too: x is the nearest and takes the last place, z and y go to the other cluster.
    points = points_of({"a": 0.0, "b": 1.0, "c": 2.0, "d": 10.0, "e": 11.0, "x": 1.5, "y": 4.0, "z": -3.0})
    bench.features("features.parquet", points, dict.fromkeys("xyz", "thin"))
    found = cluster(high=2, algorithm="constrained_kmeans", most_stores=4)
    assert {store: row["cluster"] for store, row in found.items()} == dict(
        zip("abcdexyz", [1, 1, 1, 2, 2, 1, 2, 2], strict=True)
    )
    assert found["y"]["margin"] == pytest.approx((3 - 6.5) / 6.5)
    # The same as a share of all; and at least 3 of the five that train cannot be twice.
    again = cluster(high=2, algorithm="constrained_kmeans", most_stores=0.5)
    assert {store: row["cluster"] for store, row in again.items()} == {s: row["cluster"] for s, row in found.items()}
    with pytest.raises(
        DataError, match="5 stores that train, of 8, cannot be parted into 2 to 2 clusters of at least 3"
    ):
        cluster(high=2, algorithm="constrained_kmeans", least_stores=3)
    # Three clusters of two hold six of eight.
    cluster(high=4, algorithm="constrained_kmeans", most_stores=2)
    assert bench.rows("k_scores.parquet", "k") == [4]
    assert "k = 2, 3: constrained_kmeans gives fewer clusters, or none of the sizes allowed" in bench.log(
        cluster_stores
    )


def test_sizes_mean_nothing_to_other_algorithms(bench: Any, cluster: Callable[..., dict[str, Any]]) -> None:
    bench.features("features.parquet", points_of(GROUPS))
    with pytest.raises(ConfigError, match="least_stores 3 and most_stores 0 mean nothing to kmeans"):
        cluster(least_stores=3)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_k_is_chosen_for_the_algorithm_that_is_fitted(
    bench: Any, cluster: Callable[..., dict[str, Any]], algorithm: str
) -> None:
    rng = np.random.default_rng(7)
    points = np.concatenate([rng.normal(centre, 1, size=(30, 2)) for centre in ((0, 0), (30, 0), (0, 30))])
    bench.features("features.parquet", {f"s{i:02d}": tuple(point) for i, point in enumerate(points)})
    # The largest stable k is chosen, and a part of a round group may be stable by chance.
    for rule, high in (("bic_tied", 4), ("prediction_strength", 4), ("stability", 3)):
        found = cluster(low=1, high=high, rule=rule, algorithm=algorithm, resamples=3, n_init=2)
        assert [[row["cluster"] for row in found.values()].count(k) for k in (1, 2, 3)] == [30, 30, 30], rule
