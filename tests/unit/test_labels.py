"""Labels that are stable: canonical, and matched to a baseline."""

import itertools

import numpy as np
import pandas as pd
import pytest

from storelib.errors import DataError
from storelib.method.labels import canonical_labels, known_labels, match_to_baseline


def test_canonical_order_is_by_size() -> None:
    labels, points = np.array([7, 7, 3, 3, 3, 9]), np.arange(6.0)[:, None]
    assert canonical_labels(labels, points).tolist() == [2, 2, 1, 1, 1, 3]


def test_equal_sizes_are_ordered_by_their_centres_from_the_first_coordinate() -> None:
    # centres (1, 5), (1, 2), (0, 9)
    points = np.array([[1, 5], [1, 2], [0, 9]], dtype="float64")
    assert canonical_labels(np.array([0, 1, 2]), points).tolist() == [3, 2, 1]


def test_canonical_labels_do_not_depend_on_the_solvers() -> None:
    points = np.array([[0.0], [0.1], [5.0], [5.1], [9.0], [9.1], [9.2]])
    partition = np.array([0, 0, 1, 1, 2, 2, 2])
    for names in itertools.permutations([10, 2, 33]):
        found = canonical_labels(np.array(names)[partition], points)
        assert found.tolist() == [2, 2, 3, 3, 1, 1, 1]
        assert found.dtype == np.int32


def labels_of(text: str) -> pd.Series:
    """'111' -> stores s0, s1, s2 in cluster 1; a dot is a store that is not there."""
    pairs = {f"s{i:02d}": int(digit) for i, digit in enumerate(text) if digit != "."}
    return pd.Series(pairs, dtype="int64")


@pytest.mark.parametrize(
    ("now", "then", "expected"),
    [
        pytest.param("1122", "....", {1: 1, 2: 2}, id="no baseline"),
        pytest.param("1122", "2211", {1: 2, 2: 1}, id="exchanged"),
        pytest.param("1122", "5599", {1: 5, 2: 9}, id="other numbers"),
        # 1 shares 5 with old 1 and 4 with old 2; 2 shares 4 with old 1. Greedy takes 1-1 (5 + 0); the best is 1-2, 2-1 (8).
        pytest.param("1111111112222", "1111122221111", {1: 2, 2: 1}, id="better than greedy"),
        # 3 is new: 1 and 2 are taken, the baseline's highest is 2
        pytest.param("112233", "1122..", {1: 1, 2: 2, 3: 3}, id="new cluster"),
        # a number that was ever used is not given again, though 2 is free: 4 may be a segment of other stores
        pytest.param("112233", "1144..", {1: 1, 2: 4, 3: 5}, id="new cluster after a gap"),
        pytest.param("11223344", "11......", {1: 1, 2: 2, 3: 3, 4: 4}, id="three new"),
        # old 3 is gone
        pytest.param("11122", "11233", {1: 1, 2: 3}, id="one less"),
        # 2 came out of 1's stores: the larger part keeps the number
        pytest.param("11122", "11111", {1: 1, 2: 2}, id="split"),
        pytest.param("1122....", "....3344", {1: 5, 2: 6}, id="no store in common"),
    ],
)
def test_numbers_are_kept_from_the_baseline(now: str, then: str, expected: dict[int, int]) -> None:
    assert match_to_baseline(labels_of(now), labels_of(then)) == expected


def test_matching_joins_by_store_not_by_position() -> None:
    now, then = labels_of("111222"), labels_of("444777")
    assert match_to_baseline(now.iloc[::-1], then.sample(frac=1, random_state=1)) == {1: 4, 2: 7}


def known(*rows: tuple[str, str, int, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["category", "store_id", "external_cluster", "segment"])


def test_known_labels_are_of_one_category() -> None:
    table = known(("beauty", "1", 1, 4), ("snacks", "1", 1, 5), ("beauty", "2", 2, 6))
    assert known_labels(table, "segment", "beauty").to_dict() == {"1": 4, "2": 6}
    assert known_labels(table, "segment", "drinks").empty


def test_external_labels_are_of_every_category() -> None:
    table = known(("beauty", "1", 1, 4), ("snacks", "1", 1, 5), ("snacks", "3", 2, 5))
    assert known_labels(table, "external_cluster", "external").to_dict() == {"1": 1, "3": 2}


def test_external_labels_that_differ_by_category_are_refused() -> None:
    with pytest.raises(DataError, match="store '1' has several values of external_cluster"):
        known_labels(known(("beauty", "1", 1, 4), ("snacks", "1", 2, 5)), "external_cluster", "external")
