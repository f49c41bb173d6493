"""Transforms, by numbers worked by hand: they learn from the rows that train and put every row through."""

import math

import numpy as np
import pytest

from storelib.errors import DataError
from storelib.method.transforms import clr, hellinger, log1p, replace_zeros, replaceable_parts, skewness, yeo_johnson


def matrix(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype="float64")


def test_hellinger_is_the_square_root() -> None:
    assert hellinger(matrix([0.25, 0.75], [1, 0])).tolist() == [[0.5, 0.75**0.5], [1, 0]]


@pytest.mark.parametrize("transform", [hellinger, lambda s: clr(s, np.ones(2), np.ones(2, dtype=bool))])
def test_shares_below_zero_are_refused(transform: object) -> None:
    with pytest.raises(DataError, match=r"needs values of at least 0, found -0\.25"):
        transform(matrix([0.5, 0.5], [1.25, -0.25]))  # type: ignore[operator]


def test_zero_becomes_its_posterior_mean() -> None:
    # Counts of row 0: 0, 3, 1, n = 4. The others' sums are 1+1, 0+4, 3+5 = 2, 4, 8: prior mean t = 1/7, 2/7, 4/7.
    # The geometric mean of t is (8 / 343)^(1/3) = 2/7, strength s = 7/2. The zero becomes t * s / (n + s) =
    # 1/7 * 3.5 / 7.5 = 1/15; the others, 3/4 and 1/4, make room: times 14/15 they are 7/10 and 7/30.
    shares = matrix([0, 3 / 4, 1 / 4], [1 / 4, 0, 3 / 4], [0.1, 0.4, 0.5])
    found = replace_zeros(shares, np.array([4.0, 4, 10]), np.ones(3, dtype=bool))
    assert found[0] == pytest.approx([1 / 15, 7 / 10, 7 / 30])
    # Row 2 has no zeros, and stays.
    assert found[2] == pytest.approx([0.1, 0.4, 0.5])
    assert found.sum(axis=1) == pytest.approx([1, 1, 1])


def test_prior_of_a_row_that_does_not_train_is_of_all_that_do() -> None:
    # The sums of those that train are 2, 4, 8 as above. Row 2: n = 2, the zero becomes 1/7 * 3.5 / 5.5 = 1/11, the others
    # 1/2 * 10/11. Row 3 sells nothing in these parts: n = 0, and it gets the prior mean.
    shares = matrix([1 / 7, 2 / 7, 4 / 7], [1 / 7, 2 / 7, 4 / 7], [0, 0.5, 0.5], [0, 0, 0])
    found = replace_zeros(shares, np.array([7.0, 7, 2, 9]), np.array([True, True, False, False]))
    assert found[2] == pytest.approx([1 / 11, 5 / 11, 5 / 11])
    assert found[3] == pytest.approx([1 / 7, 2 / 7, 4 / 7])


def test_replacement_keeps_ratios_of_what_is_sold() -> None:
    draw = np.random.default_rng(3)
    shares = draw.dirichlet([0.3] * 6, size=40)
    shares[shares < 0.05] = 0
    found = replace_zeros(shares, draw.integers(5, 90, size=40).astype(float), np.arange(40) % 4 > 0)
    assert (found > 0).all()
    assert found.sum(axis=1) == pytest.approx(np.ones(40))
    for before, after in zip(shares, found, strict=True):
        sold = before > 0
        assert after[sold] / after[sold].sum() == pytest.approx(before[sold] / before[sold].sum())


def test_part_sold_by_one_training_row_alone_cannot_be_replaced() -> None:
    shares = matrix([0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0, 1])
    assert replaceable_parts(shares, np.array([True, True, False])).tolist() == [True, False, False]
    assert replaceable_parts(shares, np.array([True, True, True])).tolist() == [True, False, True]


def test_clr_is_the_log_over_the_geometric_mean() -> None:
    # 1/7, 2/7, 4/7 have the geometric mean 2/7: logarithms of 1/2, 1, 2. The row that is missing stays so.
    shares = matrix([1 / 7, 2 / 7, 4 / 7], [1 / 7, 2 / 7, 4 / 7], [math.nan] * 3, [0, 0.5, 0.5])
    found = clr(shares, np.array([7.0, 7, 0, 2]), np.array([True, True, False, False]))
    assert found[0] == pytest.approx([-math.log(2), 0, math.log(2)])
    assert np.isnan(found[2]).all()
    # 1/11, 5/11, 5/11: the geometric mean is 25^(1/3) / 11.
    assert found[3] == pytest.approx([math.log(x / 25 ** (1 / 3)) for x in (1, 5, 5)])


def test_clr_does_not_depend_on_the_sum_of_a_row() -> None:
    shares = matrix([0.2, 0.8], [0.4, 0.6], [0.1, 0.9])
    plain, double = (clr(s, np.full(3, 9.0), np.ones(3, dtype=bool)) for s in (shares, 2 * shares))
    assert double == pytest.approx(plain)


def test_composition_known_in_part_is_refused() -> None:
    with pytest.raises(DataError, match="needs every part"):
        clr(matrix([0.5, math.nan], [0.5, 0.5]), np.ones(2), np.ones(2, dtype=bool))


def test_composition_without_counts_is_refused() -> None:
    with pytest.raises(DataError, match="needs a count above 0 for every store, found 0"):
        clr(matrix([0.5, 0.5], [0.5, 0.5]), np.array([3.0, 0]), np.ones(2, dtype=bool))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # deviations -1, -1, 2: m2 = 2, m3 = 2; sqrt(3 * 2) / 1 * 2 / 2^1.5 = sqrt(3)
        ([0, 0, 3], 3**0.5),
        ([3, 3, 0], -(3**0.5)),
        ([0, math.nan, 0, 3], 3**0.5),
        ([1e-200, 1e-200, 4e-200], 3**0.5),
        ([0, 0, 3e250], 3**0.5),
        # deviations -1, -1, -1, 3: m2 = 3, m3 = 6; sqrt(4 * 3) / 2 * 6 / 3^1.5 = 2
        ([0, 0, 0, 4], 2),
        ([1, 2, 3], 0),
    ],
)
def test_skewness(values: list[float], expected: float) -> None:
    assert skewness(np.array(values)) == pytest.approx(expected)


@pytest.mark.parametrize("values", [[1, 2], [4, 4, 4, 4], [], [math.nan, 1, 2]])
def test_skewness_that_is_undefined(values: list[float]) -> None:
    assert math.isnan(skewness(np.array(values, dtype="float64")))


def test_log_is_taken_of_highly_skewed_columns_alone() -> None:
    table = np.column_stack(
        [
            [0, 0, 3, math.nan],  # skewness 1.7
            [1, 2, 3, 9],  # 0 among the rows that train
            [-1, -1, 2, 0],  # 1.7, but below 0
            [3, 3, 0, 0],  # -1.7
        ]
    )
    trains = np.array([True, True, True, False])
    found, changed = log1p(table, trains)
    assert changed.tolist() == [True, False, False, False]
    assert found[:3, 0] == pytest.approx([0, 0, math.log(4)])
    assert np.isnan(found[3, 0])
    assert found[:, 1:].tolist() == table[:, 1:].tolist()


def test_column_of_skewness_one_is_not_highly_skewed(monkeypatch: pytest.MonkeyPatch) -> None:
    table = matrix([0], [0], [0], [4])
    assert log1p(table, np.ones(4, dtype=bool))[1].tolist() == [True]
    # Its skewness is 2, as worked above: at a limit of 2 it is not above.
    monkeypatch.setattr("storelib.method.transforms.HIGHLY_SKEWED", skewness(table[:, 0]))
    assert log1p(table, np.ones(4, dtype=bool))[1].tolist() == [False]


def test_log_mirrors_what_is_below_zero_in_rows_that_do_not_train() -> None:
    found, _ = log1p(matrix([0], [0], [3], [-3]), np.array([True, True, True, False]))
    assert found[:, 0] == pytest.approx([0, 0, math.log(4), -math.log(4)])


def yeo_johnson_formula(x: float, power: float) -> float:
    """Yeo and Johnson 2000, equation 2.1, for powers that are neither 0 nor 2."""
    return ((x + 1) ** power - 1) / power if x >= 0 else -((1 - x) ** (2 - power) - 1) / (2 - power)


def test_yeo_johnson_follows_its_formula() -> None:
    values = np.array([0.0, 1, 2, 5, 20, 90])
    found = yeo_johnson(values[:, None], np.ones(6, dtype=bool), ["x"])[:, 0]
    # In units of the median 3.5 and the quartiles 1.25 and 16.25; the power is found from one value and tried on the others.
    units = (values - 3.5) / 15
    low, high = -3.0, 1.9
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if yeo_johnson_formula(units[5], middle) > found[5] else (middle, high)
    assert found == pytest.approx([yeo_johnson_formula(unit, low) for unit in units], rel=1e-6)
    assert abs(skewness(found)) < 0.8
    assert skewness(values) > 2


def test_units_do_not_change_yeo_johnson() -> None:
    # A year would overflow, and a small spread far from 0 melt into one, if its units were not first taken out.
    values = np.array([0.0, 1, 2, 5, 20, 90])[:, None]
    trains = np.ones(6, dtype=bool)
    assert yeo_johnson(2000 + values / 1000, trains, ["x"]) == pytest.approx(
        yeo_johnson(values, trains, ["x"]), rel=1e-4
    )


def test_yeo_johnson_is_of_the_rows_that_train() -> None:
    values = np.array([0.0, 1, 2, 5, 20, 90, math.nan, -4, 1e6])[:, None]
    trains = np.array([True] * 7 + [False] * 2)
    found = yeo_johnson(values, trains, ["x"])[:, 0]
    alone = yeo_johnson(values[:7], trains[:7], ["x"])[:, 0]
    assert found[:6].tolist() == alone[:6].tolist()
    assert math.isnan(found[6])
    assert found[7] < 0 < found[5] < found[8]


@pytest.mark.parametrize(
    ("values", "why"),
    [([0, 1, 2, 3, 1e200], "overflow"), ([0, 0, 0, 0, 1e300], "melt into one")],
)
def test_power_that_cannot_be_computed_is_told(values: list[float], why: str) -> None:
    with pytest.raises(DataError, match=f"yeo_johnson transform of feature 'built' failed: its values {why}"):
        yeo_johnson(np.array(values, dtype="float64")[:, None], np.ones(5, dtype=bool), ["built"])


def test_row_that_overflows_is_infinite_not_missing() -> None:
    # The best power of these is above 2: of a row that does not train, 1e150 to that power is beyond a float.
    values = np.array([10.0, 10.5, 10.8, 11, 11.05, 11.1, 1e150])[:, None]
    trains = np.array([True] * 6 + [False])
    found = yeo_johnson(values, trains, ["x"])[:, 0]
    assert np.isfinite(found[:6]).all()
    assert found[6] == math.inf
