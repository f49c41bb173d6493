"""A table of stores to points: outliers and thin stores train nothing, and lose nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import build_features
from lib.errors import DataError


@pytest.fixture
def build(bench: Any) -> Callable[..., dict[str, Any]]:
    def run(table: dict[str, list[float | None]], **flags: Any) -> dict[str, Any]:
        stores = [f"s{i:02d}" for i in range(len(next(iter(table.values()))))]
        columns = {name: pa.array(values, pa.float64()) for name, values in table.items()}
        bench.parquet("table.parquet", {"store_id": stores} | columns)
        plain = {
            "imputation": "median",
            "transform": "none",
            "outlier_share": 0,
            "scaling": "none",
            "pca_variance": 1,
            "seed": 1,
        }
        bench.run(build_features, table=bench / "table.parquet", features=bench / "features.parquet", **(plain | flags))
        return bench.frame("features.parquet").to_dict("list")

    return run


def store_sales(bench: Any, lines: list[int], has_net_sales: list[bool]) -> Any:
    stores = [f"s{i:02d}" for i in range(len(lines))]
    # rows in another order than the table's: they are joined by store
    columns = {"store_id": stores[::-1], "lines": lines[::-1], "has_net_sales": has_net_sales[::-1]}
    return bench.parquet("store_sales.parquet", columns)


def test_points_are_the_table_where_nothing_is_asked_for(bench: Any, build: Callable[..., dict[str, Any]]) -> None:
    found = build({"b": [1, 2, 3], "a": [4, 5, 7]})
    assert found == {"trains": [True] * 3, "exclusion": [""] * 3, "b": [1, 2, 3], "a": [4, 5, 7]}
    assert pq.read_schema(bench / "features.parquet").names == ["store_id", "trains", "exclusion", "b", "a"]


@pytest.mark.parametrize(("imputation", "value"), [("mean", 4.0), ("median", 2.0), ("most_frequent", 1.0)])
def test_missing_values_are_imputed(build: Callable[..., dict[str, Any]], imputation: str, value: float) -> None:
    # of 1, 1, 2, 3, 13: mean 20 / 5, median 2, most frequent 1
    assert build({"x": [1, 1, 2, 3, 13, None], "y": [1, 2, 3, 4, 5, 6]}, imputation=imputation)["x"][5] == value


def test_imputed_values_come_from_stores_that_train(bench: Any, build: Callable[..., dict[str, Any]]) -> None:
    sales = store_sales(bench, [9, 9, 9, 1], [True] * 4)
    found = build({"x": [1, 3, None, 100], "y": [1, 2, 3, 4]}, imputation="mean", store_sales=sales, min_lines=5)
    # the mean of 1 and 3, without the thin store's 100
    assert found["x"] == [1, 3, 2, 100]


def test_stores_say_why_they_do_not_train(bench: Any, build: Callable[..., dict[str, Any]]) -> None:
    sales = store_sales(bench, [10, 9, 10, 10, 2, 11], [True, True, False, True, False, True])
    found = build({"x": [1, 2, 3, None, 5, 6], "y": [1, 2, 4, None, 5, 6]}, store_sales=sales, min_lines=10)
    # 10 lines are enough, 9 are not
    assert found["exclusion"] == ["", "thin", "no_net_sales", "no_data", "no_net_sales", ""]
    assert found["trains"] == [True, False, False, False, False, True]
    assert not np.isnan(found["x"]).any()


def test_store_without_a_history_is_refused(bench: Any, build: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(DataError, match="store 's02' has shares but no sales"):
        build({"x": [1, 2, 3]}, store_sales=store_sales(bench, [9, 9], [True, True]), min_lines=1)


def test_no_store_that_trains_is_told(bench: Any, build: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(DataError, match="no store can train"):
        build({"x": [1, 2]}, store_sales=store_sales(bench, [1, 1], [True, True]), min_lines=2)


def test_features_that_tell_nothing_apart_are_left_out(bench: Any, build: Callable[..., dict[str, Any]]) -> None:
    found = build({"x": [1, 2, 3], "same": [7, 7, 7], "unknown": [None, None, None]})
    assert list(found) == ["trains", "exclusion", "x"]
    log = bench.log(build_features)
    assert "'same' is left out: the same in every store" in log
    assert "'unknown' is left out: no value known" in log


def test_no_feature_left_is_told(build: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(DataError, match=r"no feature tells stores apart \(of 1\)"):
        build({"same": [7, 7, 7]})


def test_hellinger_takes_square_roots(build: Callable[..., dict[str, Any]]) -> None:
    assert build({"a": [0.25, 1.0, 0.0], "b": [0.75, 0.0, 1.0]}, transform="hellinger")["a"] == [0.5, 1.0, 0.0]


def test_hellinger_of_a_negative_value_is_refused(build: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(DataError, match="hellinger transform needs values of at least 0"):
        build({"a": [0.25, -1.0]}, transform="hellinger")


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        # mean 2, population variance (4 + 1 + 0 + 1 + 4) / 5 = 2
        ("standard", [-2 / 2**0.5, -1 / 2**0.5, 0, 1 / 2**0.5, 2 / 2**0.5, 98 / 2**0.5]),
        # median 2, quartiles 1 and 3
        ("robust", [-1, -0.5, 0, 0.5, 1, 49]),
        ("none", [0, 1, 2, 3, 4, 100]),
    ],
)
def test_scale_is_of_stores_that_train(
    bench: Any, build: Callable[..., dict[str, Any]], scaling: str, expected: list[float]
) -> None:
    sales = store_sales(bench, [9] * 5 + [1], [True] * 6)
    found = build({"x": [0, 1, 2, 3, 4, 100]}, scaling=scaling, store_sales=sales, min_lines=2)
    assert found["x"] == pytest.approx(expected)


def test_outliers_do_not_train_but_keep_their_row(build: Callable[..., dict[str, Any]]) -> None:
    # 20 stores, 5 % of 20 is one: the one at 1000
    values = [float(i % 5) for i in range(19)] + [1000.0]
    found = build({"x": values, "y": [*values[::-1][1:], -500.0]}, outlier_share=0.05, scaling="standard")
    assert found["exclusion"] == [""] * 19 + ["outlier"]
    assert found["trains"] == [True] * 19 + [False]
    # mean and spread are of the 19 alone
    scaled = np.array(found["x"])
    assert scaled[:19].mean() == pytest.approx(0)
    assert scaled[:19].std() == pytest.approx(1)
    assert scaled[19] > 100


def test_outliers_are_sought_among_stores_that_train(bench: Any, build: Callable[..., dict[str, Any]]) -> None:
    sales = store_sales(bench, [9] * 20 + [1], [True] * 21)
    values = [float(i % 5) for i in range(19)] + [1000.0, 9000.0]
    found = build({"x": values}, outlier_share=0.05, store_sales=sales, min_lines=2)
    assert found["exclusion"][18:] == ["", "outlier", "thin"]


@pytest.mark.parametrize(("variance", "names"), [(0.9, ["pc_01"]), (0.99, ["pc_01", "pc_02"])])
def test_principal_components_hold_the_share_of_variance(
    build: Callable[..., dict[str, Any]], variance: float, names: list[str]
) -> None:
    # a cross: variances 2 * 9 / 4 = 4.5 and 2 * 1 / 4 = 0.5, so that the first holds 0.9
    found = build({"x": [3, -3, 0, 0], "y": [0, 0, 1, -1]}, pca_variance=variance - 0.001)
    assert [name for name in found if name.startswith("pc")] == names
    assert sorted(abs(v) for v in found["pc_01"]) == pytest.approx([0, 0, 3, 3])


def test_components_are_of_stores_that_train(bench: Any, build: Callable[..., dict[str, Any]]) -> None:
    # of those that train all the variance is in x; the thin store at y = 50 changes nothing
    sales = store_sales(bench, [9, 9, 9, 9, 1], [True] * 5)
    found = build(
        {"x": [3, -3, 1, -1, 0], "y": [0, 0.001, 0, 0.001, 50]}, pca_variance=0.9, store_sales=sales, min_lines=2
    )
    assert abs(found["pc_01"][4]) < 0.1


@pytest.mark.parametrize("name", ["trains", "exclusion"])
def test_need_state_named_like_a_column_is_refused(build: Callable[..., dict[str, Any]], name: str) -> None:
    with pytest.raises(DataError, match=name):
        build({name: [0.5, 0.25], "dry": [0.5, 0.75]})
