"""Which of several spellings of a name is used."""

import pytest

from storelib.raw.spellings import folded, respelt


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (" DAIRY", "Dairy", True), ("sour  cream", "Sour\tcream", True), ("Café", "Cafe\u0301", True), ("STRASSE", "straße", True),
        ("\u200fDairy", "Dairy", True), ("\uff24airy", "Dairy", True), ("Dairy", "Diary", False), ("Café", "Cafe", False),
        ("0 sugar", "O sugar", False), ("a-b", "a b", False),
    ],
)  # fmt: skip
def test_what_counts_as_one_name(first: str, second: str, same: bool) -> None:
    assert (folded(first) == folded(second)) == same


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"Dairy": 5, "DAIRY": 3, "dairy": 1, "Snacks": 1}, {"DAIRY": "Dairy", "dairy": "Dairy"}),
        # as frequent: by code point capitals come first
        ({"dairy": 3, "DAIRY": 3}, {"dairy": "DAIRY"}),
        ({"a": 1, "b": 1}, {}),
        ({}, {}),
    ],
)
def test_spelling_that_is_frequent_then_first(counts: dict[str, int], expected: dict[str, str]) -> None:
    assert respelt(counts) == expected
    assert respelt(dict(reversed(counts.items()))) == expected
