"""Segments: crossed, small ones dissolved to the nearest, numbered as in the baseline."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import merge_segments
from merge_segments import flags_of
from storelib.configuration.weights import least_stores, view_shares
from storelib.contracts.views import MEMBERSHIPS
from storelib.errors import DataError
from storelib.method.joint import dissolve_small, explained, merged, merges, weighted
from storelib.method.scan import clusters_by_rule
from storelib.method.segment_confidence import probabilities_of, sureness
from unit.conftest import MERGING

MONEY = pa.decimal128(38, 2)


def dissolved(
    segments: Sequence[int], points: Sequence[float], smallest: int, outliers: Sequence[int] = ()
) -> list[int]:
    """`dissolve_small` on a line; outliers are positions that do not train."""
    trains = np.array([position not in outliers for position in range(len(segments))])
    column = np.array(points, dtype="float64")[:, None]
    return dissolve_small(np.array(segments, dtype=np.int32), column, trains, smallest).tolist()


class TestDissolveSmall:
    def test_large_enough_segments_stay(self) -> None:
        assert dissolved([1, 1, 2, 2], [0, 1, 50, 51], 2) == [1, 1, 2, 2]

    def test_small_segment_goes_to_the_nearest_centre(self) -> None:
        # centres 0 and 10: 4 is nearer to 0, 6 to 10
        assert dissolved([1, 1, 1, 2, 2, 3], [0, 0, 0, 10, 10, 4], 2) == [1, 1, 1, 2, 2, 1]
        assert dissolved([1, 1, 1, 2, 2, 3], [0, 0, 0, 10, 10, 6], 2) == [1, 1, 1, 2, 2, 2]

    def test_store_by_store(self) -> None:
        # the stores of segment 3 part: 1 to centre 0, 9 to centre 10
        assert dissolved([1, 1, 1, 2, 2, 2, 3, 3], [0, 0, 0, 10, 10, 10, 1, 9], 3) == [1, 1, 1, 2, 2, 2, 1, 2]

    def test_nearest_is_by_distance_not_by_label_or_order_of_text(self) -> None:
        # label 10 lies at 100, 2 at 0: '10' < '2' as text; the small segment 7, at 3, belongs to 2
        assert dissolved([10, 10, 2, 2, 7], [100, 100, 0, 0, 3], 2) == [10, 10, 2, 2, 2]
        # and 11 is no neighbour of 10 because of its number
        assert dissolved([10, 10, 2, 2, 11], [100, 100, 0, 0, 3], 2) == [10, 10, 2, 2, 2]

    def test_the_smallest_goes_first_and_may_save_another(self) -> None:
        # C (8) goes to B (6): B has 3 and stays. At once, both would have gone to A.
        assert dissolved([1] * 5 + [2, 2] + [3], [0] * 5 + [6, 6] + [8], 3) == [1] * 5 + [2, 2, 2]

    def test_centres_are_taken_anew_after_each(self) -> None:
        # 4 (8) goes to 2, whose centre moves from 10 to (30 + 8) / 4 = 9.5. Then 4.8 of segment 3 is 4.8 from 0 and
        # 4.7 from 9.5; from the old centre it would be 5.2.
        segments = [1] * 4 + [2] * 3 + [3] * 2 + [4]
        points = [0.0] * 4 + [10.0] * 3 + [4.8] * 2 + [8.0]
        assert dissolved(segments, points, 3) == [1] * 4 + [2] * 3 + [2] * 2 + [2]

    def test_of_equal_size_the_lower_label_goes_first(self) -> None:
        # 2 (at 4) goes first: to 3 at 5, which then has 2. Had 3 gone first, both would be 2.
        assert dissolved([1, 1, 2, 3], [0, 0, 4, 5], 2) == [1, 1, 3, 3]

    def test_outliers_do_not_move_a_centre(self) -> None:
        # centre of 2 is 10 without the outlier at 40 (17.5 with it): 6 is 4 from 10, and 6 from 0
        segments, points = [1] * 4 + [2] * 4 + [3], [0, 0, 0, 0, 10, 10, 10, 40, 6]
        assert dissolved(segments, points, 2, outliers=[7]) == [1] * 4 + [2] * 5
        assert dissolved(segments, points, 2) == [1] * 4 + [2] * 4 + [1]

    def test_outlier_of_a_small_segment_is_placed_too(self) -> None:
        assert dissolved([1, 1, 2, 2, 3], [0, 0, 10, 10, 900], 2, outliers=[4]) == [1, 1, 2, 2, 2]

    def test_segment_of_outliers_alone_has_a_centre(self) -> None:
        # 2 is all outliers, centre 10; 3 at 8 goes there
        assert dissolved([1, 1, 2, 2, 3], [0, 0, 10, 10, 8], 2, outliers=[2, 3]) == [1, 1, 2, 2, 2]

    def test_all_too_few_make_one_segment(self) -> None:
        result = dissolved([1, 2, 3, 3], [0, 5, 20, 21], 5)
        assert len(set(result)) == 1
        assert len(result) == 4

    def test_input_is_left_alone(self) -> None:
        segments = np.array([1, 1, 2], dtype=np.int32)
        dissolve_small(segments, np.array([[0.0], [0.0], [1.0]]), np.ones(3, dtype=bool), 2)
        assert segments.tolist() == [1, 1, 2]


@pytest.mark.parametrize(
    ("points", "share", "expected"),
    [
        # variances 1 and 0: total 1; of a joint variance of 2 a half is 1
        pytest.param([[0, 5], [2, 5]], 0.5, [[0, 5], [2, 5]], id="half"),
        # 0.02 of 2 is a variance of 0.04, a fifth of the distance
        pytest.param([[0, 5], [2, 5]], 0.02, [[0, 1], [0.4, 1]], id="share of variance"),
        # variances 9 and 16: total 25, divided by 5
        pytest.param([[0, 0], [6, 8]], 0.5, [[0, 0], [1.2, 1.6]], id="unit variance"),
        # no spread: the share alone
        pytest.param([[3, 3], [3, 3]], 0.5, [[3, 3], [3, 3]], id="no variance"),
    ],
)
def test_views_are_weighted_in_units_of_their_spread(points: Any, share: float, expected: Any) -> None:
    found = weighted(np.array(points, dtype="float64"), np.array([True, True]), share)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_spread_is_of_stores_that_train() -> None:
    points = np.array([[0.0], [2.0], [1000.0]])
    np.testing.assert_allclose(weighted(points, np.array([True, True, False]), 0.5)[:, 0], [0, 2, 1000])


@pytest.mark.parametrize(
    ("weights", "shares"),
    [((50, 50), (0.5, 0.5)), ((70, 30), (0.7, 0.3)), ((0.1, 0.9), (0.1, 0.9)), ((99.9, 0.1), (0.999, 0.001))],
)
def test_weights_are_percentages_or_shares(weights: tuple[float, float], shares: tuple[float, float]) -> None:
    assert view_shares(*weights) == pytest.approx(shares)


@pytest.mark.parametrize("weights", [(1, 1), (50, 49), (0.5, 50), (0.3, 0.6)])
def test_weights_that_are_no_whole_are_refused(weights: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=rf"{weights[0]} and external_weight {weights[1]} add to {sum(weights):g}; "):
        view_shares(*weights)


# 2 % of 150 are 3; 7 % of 100 are 7, though 0.07 * 100 is a little more in binary; 2 % of 151 are 3.02, so 4
@pytest.mark.parametrize(
    ("asked", "stores", "least"),
    [("20", 150, 20), ("0.02", 150, 3), ("0.07", 100, 7), ("0.02", 151, 4), ("0.02", 10, 1)],
)
def test_minimum_size_may_be_a_share(asked: str, stores: int, least: int) -> None:
    assert least_stores(merge_segments.size(asked), stores) == least


class TestWard:
    """Four segments on a line: 1 at 0 (3 stores), 2 at 4 (1 store), 3 at 10 (2 stores), 4 at 11 (2 stores)."""

    SEGMENTS = np.array([1, 1, 1, 2, 3, 3, 4, 4], dtype=np.int32)
    POINTS = np.array([0, 0, 0, 4, 10, 10, 11, 11], dtype="float64")[:, None]
    TRAINS = np.ones(8, dtype=bool)

    def test_steps_and_what_is_lost(self) -> None:
        # Mean 46/8 = 5.75; total 3*33.0625 + 3.0625 + 2*18.0625 + 2*27.5625 = 193.5; all lies between the segments.
        # 3 and 4: 2*2/4 * 1 = 1. Then 1 and 2: 3*1/4 * 16 = 12. Then (1, 2) at 1 with (3, 4) at 10.5: 4*4/8 * 90.25 = 180.5.
        steps = merges(self.SEGMENTS, self.POINTS, self.TRAINS)
        assert [(s.kept, s.gone) for s in steps] == [(3, 4), (1, 2), (1, 3)]
        assert [s.explained for s in steps] == pytest.approx([1 - 1 / 193.5, 1 - 13 / 193.5, 0])
        assert explained(merged(self.SEGMENTS, steps[:2]), self.POINTS, self.TRAINS) == pytest.approx(1 - 13 / 193.5)
        assert merged(self.SEGMENTS, steps[:1]).tolist() == [1, 1, 1, 2, 3, 3, 3, 3]

    def test_size_counts_and_not_distance_alone(self) -> None:
        # 1 (100 stores, at 0) and 2 (100, at 2): 50 * 4 = 200; 2 and 3 (1 store, at 5): 100/101 * 9 = 8.9
        segments = np.repeat(np.array([1, 2, 3], dtype=np.int32), [100, 100, 1])
        points = np.repeat([0.0, 2.0, 5.0], [100, 100, 1])[:, None]
        (first, _) = merges(segments, points, np.ones(201, dtype=bool))
        assert (first.kept, first.gone) == (2, 3)

    def test_segment_without_a_store_that_trains_goes_first_and_moves_nothing(self) -> None:
        # 3 at 3 holds outliers alone: its union costs nothing, and 2 at 4 is nearer than 1 at 0. 2 stays at 4 for what follows.
        segments = np.array([1, 1, 2, 2, 3, 3, 3], dtype=np.int32)
        points = np.array([-1, 1, 3, 5, 3, 3, 3], dtype="float64")[:, None]
        trains = np.array([True] * 4 + [False] * 3)
        steps = merges(segments, points, trains)
        # mean 2; total 9 + 1 + 1 + 9 = 20, within 2 + 2
        assert [(s.kept, s.gone, s.explained) for s in steps] == [(3, 2, pytest.approx(0.8)), (3, 1, 0)]

    def test_stores_that_are_all_alike_leave_nothing_to_explain(self) -> None:
        points = np.zeros((4, 2))
        segments = np.array([1, 1, 2, 2], dtype=np.int32)
        assert explained(segments, points, np.ones(4, dtype=bool)) == 1
        assert [s.explained for s in merges(segments, points, np.ones(4, dtype=bool))] == [1]


def test_rule_chooses_k_and_every_store_is_placed() -> None:
    # Two heaps far apart; the last store is an outlier, next to the second heap.
    points = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1], [50, 50], [50, 51], [51, 50], [51, 51], [40, 40]])
    trains = np.array([True] * 8 + [False])
    options: dict[str, Any] = {"max_clusters": 3, "bic_coarsening": 0, "n_init": 3, "seed": 1}
    found = clusters_by_rule(points, trains, rule="silhouette", **options)
    assert len(set(found[:4])) == len(set(found[4:])) == 1
    assert found[0] != found[8]
    # Where no store trains, and where there is one point, there is one cluster.
    assert clusters_by_rule(points, ~np.ones(9, dtype=bool), rule="bic", **options).tolist() == [1] * 9
    assert clusters_by_rule(points[:1], trains[:1], rule="bic_tied", **options).tolist() == [1]


def test_flags_name_the_view() -> None:
    found = flags_of(pd.Series(["", "thin", "", "thin"]), pd.Series(["", "", "outlier", "no_data"]))
    assert found.tolist() == ["", "internal:thin", "external:outlier", "internal:thin external:no_data"]


def clusters(bench: Any, name: str, labels: dict[str, int], excluded: dict[str, str] | None = None) -> None:
    reasons = excluded or {}
    schema = pa.schema(
        [("store_id", pa.string()), ("cluster", pa.int32()), ("is_outlier", pa.bool_()), ("exclusion", pa.string())]
    )
    columns = {
        "store_id": list(labels),
        "cluster": list(labels.values()),
        "is_outlier": [reasons.get(store) == "outlier" for store in labels],
        "exclusion": [reasons.get(store, "") for store in labels],
    }
    bench.parquet(name, columns, schema)


def view(bench: Any, name: str, stores: dict[str, tuple[int, float]], excluded: dict[str, str] | None = None) -> None:
    """A view's clusters and points: store -> (cluster, coordinate)."""
    clusters(bench, f"{name}_clusters.parquet", {s: cluster for s, (cluster, _) in stores.items()}, excluded)
    bench.features(f"{name}_features.parquet", {s: (x,) for s, (_, x) in stores.items()}, excluded)


def store_sales(bench: Any, stores: Sequence[str]) -> None:
    schema = pa.schema(
        [("store_id", pa.string()), ("lines", pa.int64()), ("sales", MONEY), ("has_net_sales", pa.bool_())]
    )
    columns = {"store_id": stores, "lines": [2] * len(stores), "sales": [Decimal("1.50")] * len(stores)}
    bench.parquet("store_sales.parquet", columns | {"has_net_sales": [True] * len(stores)}, schema)


@pytest.fixture
def merge(bench: Any) -> Callable[..., dict[str, Any]]:
    def run(smallest: float | str, **settings: Any) -> dict[str, Any]:
        for view in ("internal", "external"):
            if not (bench / f"{view}_memberships.parquet").exists():
                certain(bench, view)
        bench.run(
            merge_segments, category="beauty",
            internal_memberships=bench / "internal_memberships.parquet",
            external_memberships=bench / "external_memberships.parquet", internal_clusters=bench / "internal_clusters.parquet",
            internal_features=bench / "internal_features.parquet", external_clusters=bench / "external_clusters.parquet",
            external_features=bench / "external_features.parquet", store_sales=bench / "store_sales.parquet",
            baseline=bench / "baseline.parquet", segments=bench / "segments.parquet", ledger=bench / "ledger.parquet",
            explained=bench / "explained.parquet", **MERGING | {"min_cluster_size": smallest} | settings,
        )  # fmt: skip
        return bench.frame("segments.parquet").to_dict("index")

    return run


def certain(bench: Any, view: str) -> None:
    """Memberships of stores that are sure of their clusters."""
    placed = bench.frame(f"{view}_clusters.parquet")["cluster"]
    rows = [(store, k, float(k == own)) for store, own in sorted(placed.items()) for k in sorted(set(placed))]
    memberships(bench, view, rows)


def memberships(bench: Any, view: str, rows: list[tuple[str, int, float]]) -> None:
    """Store, cluster and probability, as `cluster_stores` writes them."""
    stores, clusters, probabilities = (list(column) for column in zip(*rows, strict=True))
    columns = {"store_id": stores, "cluster": clusters, "share": probabilities, "probability": probabilities}
    bench.parquet(f"{view}_memberships.parquet", columns, MEMBERSHIPS.schema())


class TestMerging:
    """a1..a4 are 1x1, b1..b3 2x2; c is 1x2: like a in sales, like b in place."""

    @pytest.fixture(autouse=True)
    def inputs(self, bench: Any) -> None:
        a, b = [f"a{i}" for i in range(1, 5)], [f"b{i}" for i in range(1, 4)]
        inside = dict.fromkeys(a, (1, 0.0)) | dict.fromkeys(b, (2, 10.0)) | {"c": (1, 1.0)}
        outside = dict.fromkeys(a, (1, 0.0)) | dict.fromkeys(b, (2, 10.0)) | {"c": (2, 9.0)}
        view(bench, "internal", inside)
        # rows of another order, and a store that does not sell the category
        view(bench, "external", dict(reversed(outside.items())) | {"zz": (1, 0.0)})
        store_sales(bench, sorted(inside))
        bench.labels()

    def test_crossed_clusters_are_segments_by_size(self, merge: Callable[..., dict[str, Any]]) -> None:
        found = merge(1)
        assert {s: (r["merged_cluster"], r["segment"]) for s, r in found.items()} == {
            "a1": ("1x1", 1), "a2": ("1x1", 1), "a3": ("1x1", 1), "a4": ("1x1", 1),
            "b1": ("2x2", 2), "b2": ("2x2", 2), "b3": ("2x2", 2), "c": ("1x2", 3),
        }  # fmt: skip

    @pytest.mark.parametrize(("internal_weight", "external_weight", "segment"), [(80, 20, 1), (0.2, 0.8, 2)])
    def test_weights_say_which_view_is_near(
        self, merge: Callable[..., dict[str, Any]], internal_weight: float, external_weight: float, segment: int
    ) -> None:
        # c is 1 of 10 from a and 9 from b in sales, 9 from a and 1 from b in place: the heavier view decides
        found = merge(2, internal_weight=internal_weight, external_weight=external_weight)["c"]
        assert (found["merged_cluster"], found["segment"]) == ("1x2", segment)
        assert (found["internal_cluster"], found["external_cluster"]) == (1, 2)

    def test_ledger_counts_every_store_and_notes_those_that_moved(
        self, bench: Any, merge: Callable[..., dict[str, Any]]
    ) -> None:
        merge(2)
        # 8 stores of 2 lines and 1.50
        assert bench.ledger() == {
            ("in", ""): (8, 16, Decimal("12.00")),
            ("out", ""): (8, 16, Decimal("12.00")),
            ("noted", "small_segment"): (1, 2, Decimal("1.50")),
        }

    def test_no_more_segments_than_asked_for_and_what_that_loses(
        self, bench: Any, merge: Callable[..., dict[str, Any]]
    ) -> None:
        found = merge(1, max_segments=2)
        # Variances: sales 22.609, place 23.859. From c to a 1/22.609 + 81/23.859 = 3.439, times 4*1/5 is 2.75; to b
        # 81/22.609 + 1/23.859 = 3.625, times 3*1/4 is 2.72: though a is nearer, the union with b loses less.
        assert {found[s]["segment"] for s in ("b1", "b2", "b3", "c")} == {found["c"]["segment"]}
        assert bench.ledger()["noted", "merged_segment"] == (1, 2, Decimal("1.50"))
        rows = bench.rows("explained.parquet", "segments", "step", "chosen")
        assert rows == [(1, "merged", False), (2, "merged", True), (3, "views", False)]
        shares = bench.rows("explained.parquet", "explained")
        assert shares[0] == 0
        assert shares[2] == 1
        # of the total, 8 stores times the joint variance of 2
        assert shares[1] == pytest.approx(1 - 2.7185 / 16, abs=1e-4)

    def test_minimum_size_as_a_share_and_a_word_where_it_dissolves_many(
        self, bench: Any, merge: Callable[..., dict[str, Any]]
    ) -> None:
        # a quarter of 8 stores is 2: c alone dissolves, an eighth of the stores
        assert len({row["segment"] for row in merge("0.25").values()}) == 2
        assert "dissolves the segments" not in bench.log(merge_segments)
        # 0.45 of 8 is 3.6, so 4: c and the three of b dissolve
        assert len({row["segment"] for row in merge("0.45").values()}) == 1
        assert "min_cluster_size 0.45 (4 stores) dissolves the segments of 4 of 8 stores" in bench.log(merge_segments)

    def test_nested_clusters_one_view_within_each_cluster_of_the_other(
        self, merge: Callable[..., dict[str, Any]]
    ) -> None:
        # Within the internal cluster of a and c, c lies far from a by place; b are one place.
        settings = {"method": "nested", "rule": "bic", "bic_coarsening": 0, "max_clusters": 2}
        found = merge(1, **settings, inner_view="external")
        assert [{found[s]["segment"] for s in names} for names in (("a1", "a4"), ("b1", "b3"), ("c",))] == [
            {1},
            {2},
            {3},
        ]
        # Within the external cluster of b and c, c sells otherwise.
        assert merge(1, **settings, inner_view="internal")["c"]["segment"] == 3

    def test_joint_clusters_both_views_side_by_side(self, merge: Callable[..., dict[str, Any]]) -> None:
        found = merge(1, method="joint", rule="silhouette", max_clusters=3)
        assert {found[s]["segment"] for s in ("a1", "a2", "a3", "a4")} == {1}
        assert {found[s]["segment"] for s in ("b1", "b2", "b3")} == {2}
        # what the two views say of a store is kept
        assert {row["merged_cluster"] for row in found.values()} == {"1x1", "2x2", "1x2"}

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            (
                {"min_cluster_size": "0"},
                "a whole number of at least 1, or a share above 0 and below 1 is expected, not '0'",
            ),
            ({"min_cluster_size": "1.5"}, "not '1.5'"),
            ({"internal_weight": 60}, "internal_weight 60.0 and external_weight 50.0 add to 110"),
        ],
    )
    def test_wrong_settings_are_refused(
        self,
        merge: Callable[..., dict[str, Any]],
        capsys: pytest.CaptureFixture[str],
        settings: dict[str, Any],
        message: str,
    ) -> None:
        with pytest.raises(SystemExit):
            merge(1, **settings)
        assert message in capsys.readouterr().err

    def test_contract_of_the_columns(self, bench: Any, merge: Callable[..., dict[str, Any]]) -> None:
        merge(2)
        schema = pa.parquet.read_schema(bench / "segments.parquet")
        wanted = {
            "category": "string", "store_id": "string", "internal_cluster": "int32", "external_cluster": "int32",
            "merged_cluster": "string", "segment": "int32", "is_outlier": "bool",
        }  # fmt: skip
        assert wanted.items() <= {field.name: str(field.type) for field in schema}.items()
        assert set(bench.rows("segments.parquet", "category")) == {"beauty"}
        assert bench.rows("segments.parquet", "store_id") == ["a1", "a2", "a3", "a4", "b1", "b2", "b3", "c"]

    def test_segments_keep_the_baselines_numbers(self, bench: Any, merge: Callable[..., dict[str, Any]]) -> None:
        # last month a was 5 and b was 3; c was not there: it gets the next number, 6. Other categories say nothing.
        bench.labels(
            *[("beauty", s, 1, 1, 5) for s in ("a1", "a2", "a3")], *[("beauty", s, 1, 1, 3) for s in ("b1", "b2")],
            *[("snacks", f"b{i}", 1, 1, 9) for i in range(1, 4)],
        )  # fmt: skip
        found = merge(1)
        assert [found[s]["segment"] for s in ("a1", "a4", "b1", "b3", "c")] == [5, 5, 3, 3, 6]

    def test_excluded_stores_are_flagged_and_have_a_segment(
        self, bench: Any, merge: Callable[..., dict[str, Any]]
    ) -> None:
        a, b = [f"a{i}" for i in range(1, 5)], [f"b{i}" for i in range(1, 4)]
        inside = dict.fromkeys(a, (1, 0.0)) | dict.fromkeys(b, (2, 10.0)) | {"c": (1, 1.0)}
        view(bench, "internal", inside, {"a4": "thin", "c": "outlier"})
        found = merge(2)
        assert (found["a4"]["is_outlier"], found["a4"]["flags"]) == (False, "internal:thin")
        assert (found["c"]["is_outlier"], found["c"]["flags"]) == (True, "internal:outlier")
        assert all(row["segment"] in (1, 2) for row in found.values())
        assert bench.ledger()["noted", "internal:outlier"] == (1, 2, Decimal("1.50"))
        assert bench.ledger()["noted", "internal:thin"] == (1, 2, Decimal("1.50"))

    def test_stores_that_are_all_too_few_make_one_segment_with_a_warning(
        self, bench: Any, merge: Callable[..., dict[str, Any]]
    ) -> None:
        assert {row["segment"] for row in merge(20).values()} == {1}
        assert "all 8 stores together are fewer than min_cluster_size 20" in bench.log(merge_segments)

    def test_store_without_an_external_cluster_is_refused(
        self, bench: Any, merge: Callable[..., dict[str, Any]]
    ) -> None:
        clusters(bench, "external_clusters.parquet", {"a1": 1, "a2": 1})
        with pytest.raises(DataError, match="6 stores have no external cluster, such as 'a3'"):
            merge(1)


def test_crossed_labels_of_two_digits_are_different_segments(bench: Any, merge: Callable[..., dict[str, Any]]) -> None:
    # 1x11 and 11x1 are not one segment; 10 sorts before 2 as text
    stores = {
        "a": (1, 0.0),
        "b": (1, 0.0),
        "c": (11, 9.0),
        "d": (11, 9.0),
        "e": (10, 5.0),
        "f": (2, 50.0),
        "g": (2, 50.0),
    }
    other = {"a": (11, 1.0), "b": (11, 1.0), "c": (1, 8.0), "d": (1, 8.0), "e": (1, 8.0), "f": (1, 8.0), "g": (1, 8.0)}
    view(bench, "internal", stores)
    view(bench, "external", other)
    store_sales(bench, sorted(stores))
    bench.labels()
    found = {store: row["segment"] for store, row in merge(2).items()}
    # e (10x1; at 5 | 8) is as far in place from c and f, and nearer to c in sales (4 of 9) than to f (45)
    assert len({found["a"], found["c"], found["f"]}) == 3
    assert found["e"] == found["c"] == found["d"]


def test_view_without_structure_leaves_the_other_views_clusters(
    bench: Any, merge: Callable[..., dict[str, Any]]
) -> None:
    # All stores are one external cluster: segments are the internal clusters, and the small one dissolves among them.
    stores = {"a": (1, 0.0), "b": (1, 1.0), "c": (2, 9.0), "d": (2, 10.0), "e": (3, 8.0)}
    view(bench, "internal", stores)
    view(
        bench,
        "external",
        {store: (1, place) for store, (_, place) in zip(stores, [(0, 5.0), (0, 4.0)] * 2 + [(0, 5.0)], strict=True)},
    )
    store_sales(bench, sorted(stores))
    bench.labels()
    found = merge(2)
    assert {s: row["merged_cluster"] for s, row in found.items()} == {
        "a": "1x1",
        "b": "1x1",
        "c": "2x1",
        "d": "2x1",
        "e": "3x1",
    }
    # by size: c, d and e make the larger one
    assert [row["segment"] for row in found.values()] == [2, 2, 1, 1, 1]


class TestSureness:
    """Stores a, b, c in cell 1x1 and d in 1x2 went to segment 1; e and f of 2x1 went half to 1 and half to 2."""

    SEGMENTS = pd.Series([1, 1, 1, 1, 1, 2], index=list("abcdef"))
    CLUSTERS = (
        pd.Series([1, 1, 1, 1, 2, 2], index=list("abcdef")),
        pd.Series([1, 1, 1, 2, 1, 1], index=list("abcdef")),
    )

    @staticmethod
    def view(*first: float) -> pd.DataFrame:
        return pd.DataFrame({1: first, 2: [1 - p for p in first]}, index=list("abcdef"))

    def test_both_views_err_independently_and_cells_go_where_their_stores_went(self) -> None:
        found = sureness(
            self.SEGMENTS, self.CLUSTERS, (self.view(1, 0.9, 0.6, 0.5, 0.2, 0.2), self.view(1, 0.5, 1, 0.5, 1, 1))
        )
        # a: surely 1. b: of 0.45, 0.45 in 1x1, 1x2 and 0.05 in 2x1; 2x2 has no store, and its 0.05 is left out:
        # (0.9 + 0.025) / 0.95. c: 0.6 + 0.4 / 2. d: (0.25 + 0.25 + 0.125) / 0.75. e: 0.2 + 0.8 / 2; f: 0.8 / 2.
        assert found.confidence.tolist() == pytest.approx([1, 0.925 / 0.95, 0.8, 0.625 / 0.75, 0.6, 0.4])
        assert found.runner_up.tolist() == [0, 2, 2, 2, 2, 1]
        assert found.is_borderline.tolist() == [False, False, True, True, True, True]

    def test_without_refits_nothing_is_known(self) -> None:
        empty = pd.DataFrame({"store_id": [], "cluster": [], "share": [], "probability": []})
        views = tuple(probabilities_of(empty, clusters, "x") for clusters in self.CLUSTERS)
        found = sureness(self.SEGMENTS, self.CLUSTERS, views)
        assert np.isnan(found.confidence).all()
        assert found.runner_up.tolist() == [0] * 6
        assert not found.is_borderline.any()

    def test_a_store_without_memberships_is_told(self) -> None:
        rows = pd.DataFrame({"store_id": ["a"], "cluster": [1], "share": [1.0], "probability": [1.0]})
        with pytest.raises(DataError, match="x: 5 stores have no memberships, such as 'b'"):
            probabilities_of(rows, self.CLUSTERS[0], "x")
