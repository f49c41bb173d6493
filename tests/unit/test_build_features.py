"""A table of stores to points: outliers and thin stores train nothing, and lose nothing."""

import math
from collections.abc import Callable
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import build_features
from storelib.configuration.params import BuildFeatures, BuildInternalFeatures
from storelib.errors import ConfigError, DataError, PipelineError
from storelib.method.features import (
    IMPUTATIONS,
    OUTLIERS,
    SCALINGS,
    TRANSFORMS,
    FeatureOptions,
    Features,
    fit_features,
    level_of,
    price_of,
    season_of,
)
from storelib.method.outliers import find_outliers
from storelib.names import MONTHS
from storelib.tables import MONEY

# Everything off but imputation, which cannot be.
PLAIN = {
    "transform": "none",
    "winsorise_iqr": 0,
    "scaling": "none",
    "imputation": "median",
    "max_correlation": 1,
    "outliers": "isolation_forest",
    "outlier_share": 0,
    "pca_variance": 1,
    "pca_components": 0,
    "seed": 1,
}


@pytest.fixture
def build(bench: Any) -> Callable[..., dict[str, Any]]:
    def run(table: dict[str, list[float | None]], **flags: Any) -> dict[str, Any]:
        stores = [f"s{i:02d}" for i in range(len(next(iter(table.values()))))]
        columns = {name: pa.array(values, pa.float64()) for name, values in table.items()}
        bench.parquet("table.parquet", {"store_id": stores} | columns)
        files = {name: bench / f"{name}.parquet" for name in ("table", "features", "feature_report")}
        bench.run(build_features, **(files | PLAIN | flags))
        return bench.frame("features.parquet").to_dict("list")

    return run


def store_sales(
    bench: Any, lines: list[int], has_net_sales: list[bool] | None = None, sales: list[str] | None = None
) -> Any:
    stores = [f"s{i:02d}" for i in range(len(lines))]
    amounts = [Decimal(amount) for amount in sales or ["1.00"] * len(lines)]
    columns = {
        "store_id": stores,
        "lines": lines,
        "sales": amounts,
        "has_net_sales": has_net_sales or [True] * len(lines),
    }
    schema = pa.schema(
        [("store_id", pa.string()), ("lines", pa.int64()), ("sales", MONEY), ("has_net_sales", pa.bool_())]
    )
    # rows in another order than the table's: they are joined by store
    return bench.parquet("store_sales.parquet", {name: values[::-1] for name, values in columns.items()}, schema)


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
    with pytest.raises(
        DataError, match=r"no feature tells the stores that train apart \(of 1: 1 the same in every store\)"
    ):
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


# Limits of history -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "thin"),
    [
        ({"min_lines": 10}, [1]),  # 10 lines are enough, 9 are not
        ({"min_sales": "50.01"}, [0, 2]),  # 50.01 is enough, 50.00 is not
        ({"min_need_states": 2}, [3]),  # of 2, 2, 3, 1, 3, 3 need states
        ({"min_need_states": 3}, [0, 1, 3]),
        ({"min_need_states": 9}, [0, 1, 3]),  # no store can sell more than the three that any store sells
        ({"min_lines": 10, "min_sales": "50.01", "min_need_states": 2}, [0, 1, 2, 3]),
        ({}, []),
    ],
)
def test_thin_stores_are_placed_but_do_not_train(
    bench: Any, build: Callable[..., dict[str, Any]], limits: dict[str, Any], thin: list[int]
) -> None:
    sales = store_sales(bench, [10, 9, 30, 30, 30, 30], sales=["50.00", "50.01", "-3.00", "90.00", "90.00", "90.00"])
    shares: dict[str, list[float | None]] = {
        "a": [0.5, 0.5, 0.2, 1, 0.1, 0.3],
        "b": [0.5, 0, 0.2, 0, 0.3, 0.6],
        "c": [0, 0.5, 0.6, 0, 0.6, 0.1],
        "never": [0, 0, 0, 0, 0, 0],
    }
    found = build(shares, store_sales=sales, **limits)
    assert found["exclusion"] == ["thin" if i in thin else "" for i in range(6)]
    assert found["trains"] == [i not in thin for i in range(6)]
    assert found["a"] == shares["a"]


# The numeric core ------------------------------------------------------------------------------------------


def fit(table: dict[str, list[float]], thin: int = 0, **options: Any) -> Features:
    """Features of a table whose last `thin` rows do not train."""
    frame = pd.DataFrame(table, dtype="float64")
    return fit_features(frame, np.arange(len(frame)) < len(frame) - thin, FeatureOptions(**options))


def points_of(features: Features, name: str) -> list[float]:
    return features.points[:, features.names.index(name)].tolist()


def reported(features: Features, name: str) -> dict[str, Any]:
    return features.report.set_index("feature").loc[name].to_dict()


def test_values_beyond_the_fences_are_set_to_them() -> None:
    # Quartiles of 0..4 are 1 and 3: fences at 1 - 0.25 * 2 and 3 + 0.25 * 2, for rows that do not train too.
    found = fit({"x": [0, 1, 2, 3, 4, 100, -100]}, thin=2, winsorise_iqr=0.25)
    assert points_of(found, "x") == [0.5, 1, 2, 3, 3.5, 3.5, 0.5]
    row = reported(found, "x")
    assert (row["lower_fence"], row["upper_fence"]) == (0.5, 3.5)
    assert (row["clipped_low"], row["clipped_high"]) == (2, 2)


def test_column_without_interquartile_range_is_not_clipped() -> None:
    found = fit({"x": [5, 5, 5, 5, 9], "y": [0, 1, 2, 3, 4]}, winsorise_iqr=3)
    assert points_of(found, "x") == [5, 5, 5, 5, 9]
    row = reported(found, "x")
    assert math.isnan(row["lower_fence"])
    assert math.isnan(row["upper_fence"])
    assert (row["clipped_low"], row["clipped_high"]) == (0, 0)


def test_fences_are_of_transformed_values() -> None:
    # Roots are 0..4 with fences at 0.5 and 3.5; of the squares themselves they would be at 1 - 2 and 9 + 2.
    found = fit({"x": [0, 1, 4, 9, 16]}, transform="hellinger", winsorise_iqr=0.25)
    assert points_of(found, "x") == [0.5, 1, 2, 3, 3.5]


def test_log_is_reported_by_feature() -> None:
    found = fit({"skewed": [0, 0, 3], "even": [1, 2, 3]}, transform="log1p")
    assert points_of(found, "skewed") == pytest.approx([0, 0, math.log(4)])
    assert points_of(found, "even") == [1, 2, 3]
    assert found.report["transformed"].tolist() == [True, False]
    assert found.report["skewness"].tolist() == pytest.approx([3**0.5, 0])


def test_quantile_scaling_gives_normal_quantiles() -> None:
    # Of five values the ranks are 0, 1/4, 1/2, 3/4, 1; the normal quantile of 3/4 is 0.6745. The ends are cut at 5.2.
    found = points_of(fit({"x": [1, 10, 100, 1000, 10000, 1e9]}, thin=1, scaling="quantile"), "x")
    assert found[1:4] == pytest.approx([-0.67449, 0, 0.67449], abs=1e-5)
    assert [found[0], found[5]] == pytest.approx([-found[4], found[4]])
    assert found[4] > 5


@pytest.mark.parametrize("scaling", SCALINGS)
def test_gaps_pass_scaling_and_are_filled_after_it(scaling: str) -> None:
    # The median of 1, 2, 3 is 2, which robust and quantile scaling put at 0, and so does the mean of standard scaling.
    found = fit({"x": [1, 2, 3, math.nan], "y": [1, 2, 3, 4]}, scaling=scaling)
    assert points_of(found, "x")[3] == pytest.approx(2 if scaling == "none" else 0, abs=1e-9)
    row = reported(found, "x")
    assert row["missing"] == 1
    assert row["imputed_value"] == points_of(found, "x")[3]


def test_scale_is_reported() -> None:
    found = fit({"x": [0, 1, 2, 3, 4]}, scaling="robust")
    assert (reported(found, "x")["centre"], reported(found, "x")["scale"]) == (2, 2)


def test_knn_takes_the_mean_of_the_five_nearest() -> None:
    # By x the nearest to 0 are 1 to 5, with a mean y of 30; the sixth is far away.
    found = fit({"x": [0, 1, 2, 3, 4, 5, 100], "y": [math.nan, 10, 20, 30, 40, 50, 1000]}, imputation="knn")
    assert points_of(found, "y")[0] == pytest.approx(30)
    assert math.isnan(reported(found, "y")["imputed_value"])


def test_knn_asks_rows_that_train_alone() -> None:
    # The rows at 0.1 do not train: the nearest that do are 1 to 5.
    table = {"x": [1, 2, 3, 4, 5, 6, 0, 0.1], "y": [10, 20, 30, 40, 50, 60, math.nan, 7000]}
    assert points_of(fit(table, thin=2, imputation="knn"), "y")[6] == pytest.approx(30)


def test_units_do_not_decide_who_is_near() -> None:
    # In dollars the rows with y = 2 are nearest to the last; in units of the spread, which two rows far off make wide,
    # those with y = 1.
    table = {
        "dollars": [60.0] * 5 + [0] * 5 + [5000, -5000, 0],
        "share": [0.0] * 5 + [1] * 5 + [0.5, 0.5, 0],
        "y": [1.0] * 5 + [2] * 5 + [1.5, 1.5, math.nan],
    }
    for scaling, nearest in (("none", 5), ("standard", 0)):
        y = points_of(fit(table, imputation="knn", scaling=scaling), "y")
        assert y[12] == pytest.approx(y[nearest])


def test_row_without_a_value_gets_the_mean_from_knn() -> None:
    found = fit({"x": [1, 2, 6, math.nan], "y": [1, 2, 9, math.nan]}, thin=1, imputation="knn")
    assert found.points[3].tolist() == pytest.approx([3, 4])


def test_near_duplicates_are_dropped_by_column_order() -> None:
    # r of u and v: (1 + 0 + 0) / sqrt(2 * 2) = 0.5; w is -2 v, with r = -1 to v and -0.5 to u.
    table = {"u": [-1.0, 0, 1], "v": [-1.0, 1, 0], "w": [2.0, -2, 0]}
    found = fit(table, max_correlation=0.9)
    assert found.names == ("u", "v")
    assert reported(found, "w")["reason"] == "r = -1.00 with v"
    assert not reported(found, "w")["used"]
    assert fit(table, max_correlation=1).names == ("u", "v", "w")
    assert fit(table, max_correlation=0.49).names == ("u",)
    assert reported(fit(table, max_correlation=0.49), "v")["reason"] == "r = 0.50 with u"
    assert fit({name: table[name] for name in "wvu"}, max_correlation=0.9).names == ("w", "u")


def test_twin_that_went_itself_takes_nobody_along() -> None:
    # Angles of 0, 35 and 70 degrees: neighbours have r = 0.82, the ends 0.34.
    axes = np.array([[-1, 0, 1], [1, -2, 1]]) / np.sqrt([[2], [6]])
    table = {str(a): (axes[0] * math.cos(math.radians(a)) + axes[1] * math.sin(math.radians(a))) for a in (0, 35, 70)}
    assert fit(table, max_correlation=0.8).names == ("0", "70")


def test_correlation_is_of_rows_that_train() -> None:
    # Among those that train y is 2 x.
    found = fit({"x": [1, 2, 3, 4, 5], "y": [2, 4, 6, 8, -90]}, thin=1, max_correlation=0.95)
    assert found.names == ("x",)


def test_components_by_number() -> None:
    cross = {"x": [3.0, -3, 0, 0], "y": [0.0, 0, 1, -1]}
    one = fit(cross, pca_components=1)
    assert one.names == ("pc_01",)
    assert sorted(abs(v) for v in points_of(one, "pc_01")) == pytest.approx([0, 0, 3, 3])
    assert fit(cross, pca_components=2).names == ("pc_01", "pc_02")


@pytest.mark.parametrize(
    ("table", "thin", "message"),
    [
        ({"x": [3, -3, 0, 0], "y": [0, 0, 1, -1]}, 0, "3 is more than the 2 that 2 features of 4 stores"),
        # two points lie on a line
        ({"x": [1, 2, 3], "y": [3, 1, 2], "z": [0, 1, 3]}, 1, "3 is more than the 1 that 3 features of 2 stores"),
    ],
)
def test_more_components_than_possible_are_refused(table: Any, thin: int, message: str) -> None:
    with pytest.raises(DataError, match=f"pca_components {message}"):
        fit(table, thin=thin, pca_components=3)


def test_infinite_value_is_refused() -> None:
    with pytest.raises(DataError, match="holds values beyond 1e\\+100 in column 'x' in 1 stores, such as 2"):
        fit({"x": [1, 2, math.inf]})


def test_row_that_overflows_is_refused_or_clipped() -> None:
    table = {"x": [10.0, 10.5, 10.8, 11, 11.05, 11.1, 1e80]}
    with pytest.raises(
        DataError, match="yeo_johnson transform makes values beyond 1e\\+100 in column 'x' in 1 stores, such as 6"
    ):
        fit(table, thin=1, transform="yeo_johnson")
    clipped = fit(table, thin=1, transform="yeo_johnson", winsorise_iqr=3)
    assert points_of(clipped, "x")[6] == reported(clipped, "x")["upper_fence"]


# Compositions ----------------------------------------------------------------------------------------------


def test_clr_needs_lines(build: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(DataError, match="clr transform needs the number of sales lines"):
        build({"a": [0.5, 0.25], "b": [0.5, 0.75]}, transform="clr")


def test_clr_counts_lines(bench: Any, build: Callable[..., dict[str, Any]]) -> None:
    # The last store does not train and has n = 2; worked out in test_transforms: its parts are 1/11, 5/11, 5/11.
    shares: dict[str, list[float | None]] = {
        "a": [1 / 7, 1 / 7, 0.25, 0.0],
        "b": [2 / 7, 2 / 7, 0.25, 0.5],
        "c": [4 / 7, 4 / 7, 0.5, 0.5],
    }
    # A third store of next to no weight lets the parts differ.
    table = pd.DataFrame(shares)
    options = FeatureOptions(transform="clr")
    found = fit_features(table, np.array([True, True, True, False]), options, np.array([7, 7, 1e-9, 2]))
    assert found.points[3] == pytest.approx([math.log(x / 25 ** (1 / 3)) for x in (1, 5, 5)])
    sales = store_sales(bench, [7, 7, 9, 2])
    written = build(shares, transform="clr", store_sales=sales, min_lines=3)
    assert written["exclusion"] == ["", "", "", "thin"]
    assert written["a"][0] == pytest.approx(-math.log(2))
    # More lines, more certainty that nothing is sold.
    more = build(shares, transform="clr", store_sales=store_sales(bench, [7, 7, 9, 2000]), min_lines=3)
    assert more["a"][3] < written["a"][3]


def test_need_state_of_one_training_store_is_left_out_of_compositions() -> None:
    table = pd.DataFrame({"a": [0.5, 0.4, 0.2, 0.0], "rare": [0.0, 0.2, 0.0, 1.0], "b": [0.5, 0.4, 0.8, 0.0]})
    trains = np.array([True, True, True, False])
    found = fit_features(table, trains, FeatureOptions(transform="clr"), np.full(4, 20.0))
    assert found.names == ("a", "b")
    assert reported(found, "rare")["reason"] == "above 0 in fewer than two stores"
    # Of a, b alone: the second store is even, the third log(0.2 / sqrt(0.2 * 0.8)) = -log(2).
    assert points_of(found, "a")[:3] == pytest.approx([0, 0, -math.log(2)])
    # The last sells nothing of these: what the others sell, 22 of 20 * (0.5 + 0.4 + 0.2 = 1.1) to 34 of 1.7.
    assert points_of(found, "a")[3] == pytest.approx(math.log((1.1 / 1.7) ** 0.5))


# Outliers --------------------------------------------------------------------------------------------------


def cloud(**more: list[float]) -> dict[str, list[float]]:
    """39 stores around 0 and one, number 17, far off."""
    draw = np.random.default_rng(11)
    x, y = draw.normal(size=(2, 40))
    x[17], y[17] = 30, -30
    return {"x": x.tolist(), "y": y.tolist()} | more


@pytest.mark.parametrize("method", [m for m in OUTLIERS if m != "none"])
def test_each_method_finds_the_store_far_off(method: str) -> None:
    found = fit(cloud(), outliers=method, outlier_share=1 / 40, scaling="standard")
    assert np.flatnonzero(found.outliers).tolist() == [17]
    # The spread is of the others.
    assert np.delete(found.points, 17, axis=0).std(axis=0) == pytest.approx([1, 1])
    assert np.abs(found.points[17]).min() > 20


@pytest.mark.parametrize("options", [{"outliers": "none", "outlier_share": 0.1}, {"outliers": "isolation_forest"}])
def test_outliers_can_be_off(options: dict[str, Any]) -> None:
    assert not fit(cloud(), **options).outliers.any()


def test_envelope_takes_features_that_repeat_each_other() -> None:
    # The third is the sum of the others: the covariance is singular, and the distances are the same as without it.
    table = cloud()
    total = [a + b for a, b in zip(table["x"], table["y"], strict=True)]
    share = 0.1
    plain, singular = (
        fit(t, outliers="elliptic_envelope", outlier_share=share).outliers for t in (table, table | {"z": total})
    )
    assert plain.sum() == 4
    assert singular.tolist() == plain.tolist()


def test_envelope_leaves_out_what_most_stores_share() -> None:
    # 30 of 40 stores do not sell z, so that it has no ellipse.
    table = cloud()
    plain, sparse = (
        fit(t, outliers="elliptic_envelope", outlier_share=0.1).outliers
        for t in (table, table | {"z": [0.0] * 30 + [1, 2, 3, 4, 5] * 2})
    )
    assert plain[17]
    assert sparse[17]


def test_envelope_does_not_depend_on_units() -> None:
    table = cloud()
    small = {"x": table["x"], "y": [1e-9 * value for value in table["y"]]}
    plain, units = (fit(t, outliers="elliptic_envelope", outlier_share=0.1).outliers for t in (table, small))
    assert units.tolist() == plain.tolist()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"x": [1, 2, 3, 4], "y": [2, 1, 5, 3]}, r"more than two stores per dimension, found 4 .* 2 dimensions"),
        ({"x": [0.0] * 30 + [1] * 10}, "more than half of the stores are equal"),
        ({"x": [0.0] * 30 + [1, 3] * 5, "y": [0.0] * 31 + [2] * 9}, "more than half of the stores are equal"),
        # so near to it that the search for the least determinant comes to grief
        (
            {"x": [0.0] * 30 + [1] * 10, "y": list(range(40))},
            "in some direction about half of the stores do not differ",
        ),
    ],
)
def test_envelope_that_is_undefined_is_told(table: dict[str, list[float]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(table, outliers="elliptic_envelope", outlier_share=0.1)


def test_equal_stores_do_not_break_the_local_outlier_factor() -> None:
    # 30 stores in each of 25 places, whose neighbours would all be at a distance of 0, and one on its own.
    x = [float(place % 5) for place in range(25)] * 30 + [60]
    y = [float(place // 5) for place in range(25)] * 30 + [60]
    found = fit({"x": x, "y": y}, outliers="local_outlier_factor", outlier_share=0.001)
    assert np.flatnonzero(found.outliers).tolist() == [750]


def test_outliers_decide_no_transform() -> None:
    # The skewness comes of the outlier alone; the fences, without it, are those of the others.
    even = [float(i) for i in range(40)]
    even[17] = 1e6
    found = fit(cloud(even=even), transform="log1p", outliers="isolation_forest", outlier_share=1 / 40, winsorise_iqr=3)
    assert np.flatnonzero(found.outliers).tolist() == [17]
    row = reported(found, "even")
    assert not row["transformed"]
    assert row["skewness"] == pytest.approx(0, abs=0.1)
    others = [v for v in even if v < 100]
    first, third = np.quantile(others, [0.25, 0.75])
    assert row["upper_fence"] == pytest.approx(third + 3 * (third - first))
    assert points_of(found, "even")[17] == row["upper_fence"]


def test_outliers_fill_no_gaps() -> None:
    gappy = [1.0] * 40
    gappy[17], gappy[3], gappy[4] = 1e6, 2.0, math.nan
    found = fit(cloud(gappy=gappy), imputation="mean", outliers="isolation_forest", outlier_share=1 / 40)
    assert points_of(found, "gappy")[4] == pytest.approx((37 + 2) / 38)


@pytest.mark.parametrize("method", [m for m in OUTLIERS if m != "none"])
def test_share_of_outliers_is_met(method: str) -> None:
    points = np.random.default_rng(5).normal(size=(200, 3))
    assert find_outliers(points, method, 0.05, 1).sum() == 10
    assert find_outliers(points, method, 0.05, 1).tolist() == find_outliers(points, method, 0.05, 1).tolist()


# What holds whatever is chosen -----------------------------------------------------------------------------

CHOICES: list[dict[str, Any]] = [
    {"transform": "hellinger", "outliers": "isolation_forest"},
    {"transform": "clr", "winsorise_iqr": 1.5, "outliers": "local_outlier_factor", "pca_components": 2},
    {"transform": "log1p", "scaling": "quantile", "imputation": "knn", "outliers": "elliptic_envelope"},
    {
        "transform": "yeo_johnson",
        "scaling": "standard",
        "imputation": "knn",
        "max_correlation": 0.4,
        "pca_variance": 0.9,
    },
    {"scaling": "robust", "imputation": "mean", "winsorise_iqr": 1.5, "outliers": "isolation_forest"},
    {"scaling": "quantile", "imputation": "most_frequent", "outliers": "local_outlier_factor"},
]


def compositions(seed: int, rows: int, gaps: bool) -> tuple[pd.DataFrame, np.ndarray]:
    """Shares of five need states by store, and counts; every 7th store lacks a value where there are gaps."""
    draw = np.random.default_rng(seed)
    table = pd.DataFrame(draw.dirichlet([2, 1, 1, 3, 0.5], size=rows), columns=list("abcde"))
    table = table.where(table > 0.04, 0.0).set_axis([f"s{i:03d}" for i in range(rows)])
    if gaps:
        table.iloc[::7, 2] = math.nan
    return table, draw.integers(10, 99, size=rows).astype("float64")


@pytest.mark.parametrize("choice", CHOICES)
def test_order_of_rows_changes_nothing(choice: dict[str, Any]) -> None:
    table, totals = compositions(1, 80, gaps=choice.get("transform") != "clr")
    trains = np.arange(80) % 9 > 0
    options = FeatureOptions(**{"outlier_share": 0.05} | choice)
    plain = fit_features(table, trains, options, totals)
    order = np.random.default_rng(2).permutation(80)
    shuffled = fit_features(table.iloc[order], trains[order], options, totals[order])
    assert shuffled.points.tobytes() == plain.points[order].tobytes()
    assert shuffled.outliers.tolist() == plain.outliers[order].tolist()
    assert shuffled.report.equals(plain.report)
    assert np.isfinite(plain.points).all()
    assert plain.outliers.sum() == (0 if "outliers" not in choice else math.ceil(0.05 * trains.sum()))


@pytest.mark.parametrize("choice", CHOICES)
def test_rows_that_do_not_train_change_nobody_else(choice: dict[str, Any]) -> None:
    table, totals = compositions(1, 80, gaps=choice.get("transform") != "clr")
    other, more = compositions(7, 20, gaps=False)
    other = (other**3 * 5).set_axis([f"t{i:03d}" for i in range(20)])
    options = FeatureOptions(**{"outlier_share": 0.05} | choice)
    alone = fit_features(table, np.ones(80, dtype=bool), options, totals)
    both = fit_features(pd.concat([table, other]), np.arange(100) < 80, options, np.concatenate([totals, more]))
    assert both.names == alone.names
    assert both.outliers[:80].tolist() == alone.outliers.tolist()
    assert not both.outliers[80:].any()
    assert both.points[:80] == pytest.approx(alone.points, abs=1e-12)
    assert np.isfinite(both.points).all()


@pytest.mark.parametrize("choice", CHOICES)
def test_outliers_are_as_good_as_excluded(choice: dict[str, Any]) -> None:
    table, totals = compositions(3, 80, gaps=choice.get("transform") != "clr")
    options = FeatureOptions(**{"outlier_share": 0.05} | choice)
    found = fit_features(table, np.ones(80, dtype=bool), options, totals)
    without = fit_features(table, ~found.outliers, replace(options, outliers="none"), totals)
    assert found.points.tobytes() == without.points.tobytes()
    assert found.report.equals(without.report)


def test_shuffled_files_give_the_same_bytes(bench: Any, build: Callable[..., dict[str, Any]]) -> None:
    table, _ = compositions(4, 60, gaps=True)
    table.index = [f"s{i:02d}" for i in range(60)]
    flags = {"outlier_share": 0.05, "imputation": "knn", "scaling": "robust", "pca_variance": 0.9}
    build({str(name): column.tolist() for name, column in table.items()}, **flags)
    written = [(bench / f"{name}.parquet").read_bytes() for name in ("features", "feature_report")]
    rows = table.sample(frac=1, random_state=1)
    columns = {str(name): pa.array(column.tolist(), pa.float64(), from_pandas=True) for name, column in rows.items()}
    shuffled = bench.parquet("shuffled.parquet", {"store_id": list(rows.index)} | columns)
    build({"x": [1, 2]}, **flags | {"pca_variance": 1, "outlier_share": 0})
    files = {name: bench / f"{name}.parquet" for name in ("features", "feature_report")}
    bench.run(build_features, table=shuffled, **(files | PLAIN | flags))
    assert [(bench / f"{name}.parquet").read_bytes() for name in ("features", "feature_report")] == written


def test_report_tells_every_feature_in_order(bench: Any, build: Callable[..., dict[str, Any]]) -> None:
    build({"b": [1, 2, 4, None], "same": [7, 7, 7, 7], "a": [4, 5, 9, 7], "unknown": [None] * 4}, scaling="standard")
    report = pq.read_table(bench / "feature_report.parquet").to_pylist()
    assert [(row["feature"], row["used"], row["reason"], row["missing"]) for row in report] == [
        ("b", True, "", 1),
        ("same", False, "the same in every store", 0),
        ("a", True, "", 0),
        ("unknown", False, "no value known", 4),
    ]
    # deviations of 1, 2, 4 from 7/3: -4/3, -1/3, 5/3; their mean square is 14/9
    assert report[0]["centre"] == pytest.approx(7 / 3)
    assert report[0]["scale"] == pytest.approx((14 / 9) ** 0.5)
    # what does not apply is missing, not NaN
    assert report[1]["centre"] is None
    assert report[0]["lower_fence"] is None


# Options ---------------------------------------------------------------------------------------------------


def test_options_are_those_of_the_params() -> None:
    names = {field.name for field in fields(FeatureOptions)}
    assert names == set(BuildFeatures.model_fields)
    assert set(BuildInternalFeatures.model_fields) - names == {
        "min_lines",
        "min_sales",
        "min_need_states",
        "level_weight",
        "price_weight",
        "season_weight",
    }
    choices = {"transform": TRANSFORMS, "scaling": SCALINGS, "imputation": IMPUTATIONS, "outliers": OUTLIERS}
    for name, known in choices.items():
        assert get_args(BuildFeatures.model_fields[name].annotation) == known


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"transform": "sqrt"}, "transform 'sqrt' is not one of none, hellinger, clr"),
        ({"winsorise_iqr": -1}, "winsorise_iqr -1 is not at least 0"),
        ({"max_correlation": 0}, "max_correlation 0 is not above 0 and at most 1"),
        ({"outlier_share": 0.6}, "outlier_share 0.6 is not between 0 and 0.5"),
        ({"pca_components": -1}, "pca_components -1 is not at least 0"),
        ({"pca_variance": 0.9, "pca_components": 2}, "pca_variance 0.9 and pca_components 2 are both set"),
    ],
)
def test_options_that_make_no_sense_are_refused(option: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        FeatureOptions(**option)
    assert message in caught.value.args[0]


# Weights ---------------------------------------------------------------------------------------------------


def test_weights_are_applied_after_scaling() -> None:
    # Mean 1 and standard deviation 1, mean 20 and standard deviation 20.
    found = fit(
        {"a.income": [0, 2, 0, 2], "a.area": [0, 40, 40, 0], "b.age": [1, 1, 3, 3]},
        scaling="standard",
        feature_weights=["income=2", "a.area=0.5"],
    )
    assert found.names == ("a.income", "a.area", "b.age")
    assert found.points.T.tolist() == [[-2, 2, -2, 2], [-0.5, 0.5, 0.5, -0.5], [-1, -1, 1, 1]]
    assert found.report["weight"].tolist() == [2, 0.5, 1]


def test_feature_without_weight_counts_nowhere() -> None:
    table: dict[str, list[float]] = {"x": [0, 1, 2, 3], "area": [9, 1, 5, float("nan")], "y": [0, 2, 4, 6]}
    # x and y repeat each other; area would decide which stores are near, and be imputed.
    found = fit(table, feature_weights=["area=0"], max_correlation=0.9)
    assert found.names == ("x",)
    assert reported(found, "area")["reason"] == "its weight is 0"
    assert reported(found, "y")["reason"] == "r = 1.00 with x"
    assert fit(table, feature_weights=["x=0"], max_correlation=0.9).names == ("area", "y")


def test_no_weights_change_no_bit() -> None:
    table = {"x": [0.1, 0.2, 0.7], "y": [0.3, 0.3, 0.1]}
    assert fit(table).points.tobytes() == fit(table, feature_weights=["x=1"]).points.tobytes()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (["incme=2"], "'incme' is no feature of this view (nearest: 'income'); features: a.income, a.age, b.age"),
        (["age=2"], "'age' is no feature of this view, but 'a.age' and 'b.age'"),
        (["income=2", "a.income=1"], "feature 'a.income' has two weights"),
        (
            ["a.income=0", "a.age=0", "b.age=0"],
            "no feature tells the stores that train apart (of 3: 3 its weight is 0)",
        ),
    ],
)
def test_weights_that_mean_nothing_are_refused(weights: list[str], message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        fit({"a.income": [0, 1], "a.age": [1, 2], "b.age": [2, 1]}, feature_weights=weights)
    assert message in caught.value.args[0]


def test_need_state_with_an_equals_sign_has_a_weight() -> None:
    assert fit({"a=b": [0, 1], "c": [0, 1]}, feature_weights=["a=b=3"]).points.T.tolist() == [[0, 3], [0, 1]]


# Level of sales --------------------------------------------------------------------------------------------


def test_level_counts_beside_shares_by_its_weight(bench: Any, build: Callable[..., dict[str, Any]]) -> None:
    sales = ["1.00", "7.389056", "54.59815", "403.428793"]
    store_sales(bench, [9] * 4, sales=[f"{float(amount):.2f}" for amount in sales])
    found = build({"x": [0, 1, 0, 1], "y": [0, 0, 3, 3]}, store_sales=bench / "store_sales.parquet", level_weight=2)
    # Variances 1/4 and 9/4: the total is 5/2.
    assert found["x"] == pytest.approx([0, 0.4**0.5, 0, 0.4**0.5])
    assert found["y"] == pytest.approx([0, 0, 3 * 0.4**0.5, 3 * 0.4**0.5])
    # Logarithms 0, 2, 4, 6 have the variance 5, and get a standard deviation of 2.
    level = np.array(found["level.log_sales"])
    assert level - level[0] == pytest.approx(np.array([0, 2, 4, 6]) * 2 / 5**0.5, abs=1e-3)
    assert found.keys() == {"trains", "exclusion", "x", "y", "level.log_sales"}


def test_level_of_a_store_without_net_sales_is_the_median() -> None:
    trains = np.array([True, True, True, False, False])
    block = level_of(np.exp([1.0, 2.0, 3.0, 90.0, 0.0]) * [1, 1, 1, 1, -1], trains, 1.0)
    # Quartiles 1.5 and 2.5; nothing lies beyond three ranges from them, which is 5.5.
    assert block.values[:, 0] == pytest.approx([-1, 0, 1, 3.5, 0])


def test_price_of_a_unit_counts_beside_the_shares(bench: Any, build: Callable[..., dict[str, Any]]) -> None:
    store_sales(bench, [9] * 4, sales=["10.00", "20.00", "40.00", "80.00"])
    table = pq.read_table(bench / "store_sales.parquet")
    # Its rows come in the order of the stores, the last one first.
    units = pa.array([Decimal(-5), Decimal(10), Decimal(10), Decimal(10)]).cast(MONEY)
    pq.write_table(table.append_column("units", units), bench / "store_sales.parquet")
    found = build({"x": [0, 0, 1, 1]}, store_sales=bench / "store_sales.parquet", price_weight=2)
    # Prices 1, 2 and 4: their logarithms are one interquartile range, ln 2, apart; the last store has none, and is the median, 2.
    # The four -1, 0, 1, 0 have a variance of 1/2, and those of x 1/4: each part counts with 1 in all, the price twice.
    assert found["price.log_price"] == pytest.approx([-2 * 2**0.5, 0, 2 * 2**0.5, 0])
    assert found["x"] == pytest.approx([0, 0, 2, 2])


def test_price_needs_units(bench: Any, build: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(DataError, match="price_weight needs --store_sales"):
        build({"x": [0, 1]}, price_weight=1)
    with pytest.raises(DataError, match="no store that trains has a price"):
        price_of(np.array([1.0, 2.0]), np.array([0.0, 5.0]), np.array([True, False]), 1.0)


def test_season_counts_beside_the_shares(bench: Any, build: Callable[..., dict[str, Any]]) -> None:
    store_sales(bench, [9] * 4)
    table = pq.read_table(bench / "store_sales.parquet")
    # Its rows come in the order of the stores, the last one first: it has nothing but a return, the one before sells in January alone.
    amounts = {name: [Decimal(0)] * 4 for name in MONTHS}
    amounts["month_01"] = [Decimal(amount) for amount in (-7, 30, 9, 16)]
    amounts["month_12"] = [Decimal(amount) for amount in (0, -5, 16, 9)]
    for name, column in amounts.items():
        table = table.append_column(name, pa.array(column).cast(MONEY))
    pq.write_table(table, bench / "store_sales.parquet")
    found = build({"x": [0, 0, 1, 1]}, store_sales=bench / "store_sales.parquet", season_weight=2)
    january, december = (np.array(found[f"season.{name}"]) for name in ("month_01", "month_12"))
    # Of 25 in each of two stores, 16 and 9 are of January; all of the third; of the chain 55 of 80, which the last one has.
    plain = np.sqrt([[16 / 25, 9 / 25], [9 / 25, 16 / 25], [1, 0], [55 / 80, 25 / 80]])
    scale = 2 / np.sqrt(plain.var(axis=0).sum())
    assert january == pytest.approx(plain[:, 0] * scale)
    assert december == pytest.approx(plain[:, 1] * scale)
    assert found["season.month_06"] == [0, 0, 0, 0]
    assert found["x"] == pytest.approx([0, 0, 2, 2])


def test_season_needs_sales_by_month() -> None:
    with pytest.raises(DataError, match="season_weight: no store that trains has sales in any month") as caught:
        season_of(np.array([[0.0] * 12, [5.0] + [0.0] * 11]), np.array([True, False]), 1.0)
    assert "internal.ingest_sales.seasons" in caught.value.solution


def test_level_is_off_by_default(bench: Any, build: Callable[..., dict[str, Any]]) -> None:
    store_sales(bench, [9, 9])
    assert build({"x": [0.1, 0.7]}, store_sales=bench / "store_sales.parquet")["x"] == [0.1, 0.7]


def test_level_needs_sales(build: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(DataError, match="level_weight needs --store_sales"):
        build({"x": [0, 1]}, level_weight=1)
    with pytest.raises(DataError, match="no store that trains has net sales above 0"):
        level_of(np.array([-1.0, 0.0, 5.0]), np.array([True, True, False]), 1.0)
