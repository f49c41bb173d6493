"""Segments: crossed, small ones dissolved to the nearest, numbered as in the baseline."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import merge_segments
from merge_segments import dissolve_small, flags_of, weighted
from storelib.errors import DataError

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
    ("points", "weight", "expected"),
    [
        # variances 1 and 0: total 1
        pytest.param([[0, 5], [2, 5]], 2, [[0, 10], [4, 10]], id="weight"),
        # variances 9 and 16: total 25, divided by 5
        pytest.param([[0, 0], [6, 8]], 1, [[0, 0], [1.2, 1.6]], id="unit variance"),
        # no spread: the weight alone
        pytest.param([[3, 3], [3, 3]], 2, [[6, 6], [6, 6]], id="no variance"),
    ],
)
def test_views_are_weighted_in_units_of_their_spread(points: Any, weight: float, expected: Any) -> None:
    found = weighted(np.array(points, dtype="float64"), np.array([True, True]), weight)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_spread_is_of_stores_that_train() -> None:
    points = np.array([[0.0], [2.0], [1000.0]])
    np.testing.assert_allclose(weighted(points, np.array([True, True, False]), 1)[:, 0], [0, 2, 1000])


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
    def run(smallest: int, internal_weight: float = 1, external_weight: float = 1) -> dict[str, Any]:
        bench.run(
            merge_segments, category="beauty", internal_clusters=bench / "internal_clusters.parquet",
            internal_features=bench / "internal_features.parquet", external_clusters=bench / "external_clusters.parquet",
            external_features=bench / "external_features.parquet", store_sales=bench / "store_sales.parquet",
            baseline=bench / "baseline.parquet", segments=bench / "segments.parquet", ledger=bench / "ledger.parquet",
            min_cluster_size=smallest, internal_weight=internal_weight, external_weight=external_weight,
        )  # fmt: skip
        return bench.frame("segments.parquet").to_dict("index")

    return run


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

    @pytest.mark.parametrize(("internal_weight", "external_weight", "segment"), [(2, 1, 1), (1, 2, 2)])
    def test_weights_say_which_view_is_near(
        self, merge: Callable[..., dict[str, Any]], internal_weight: float, external_weight: float, segment: int
    ) -> None:
        # c is 1 of 10 from a and 9 from b in sales, 9 from a and 1 from b in place: the heavier view decides
        found = merge(2, internal_weight, external_weight)["c"]
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
