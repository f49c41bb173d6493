"""Sentences and figures, by hand."""

import math
from decimal import Decimal

import pytest

from storelib.pages import words
from storelib.pages.words import Trait

NAN = math.nan


def need_state(name: str, mean: float, chain: float) -> Trait:
    return Trait(name, mean, chain, 100 * mean / chain, NAN)


def place(name: str, mean: float, chain: float, distance: float) -> Trait:
    return Trait(name, mean, chain, NAN, distance)


def test_sentence_of_a_profile() -> None:
    mix = [
        need_state("Hard Seltzer", 0.36, 0.20),  # 16 points over
        need_state("Whiskey Highball", 0.10, 0.20),  # 10 points under
        need_state("Bitters", 0.02, 0.001),  # 20 times, of next to nothing
        need_state("Gin & Tonic", 0.29, 0.30),
    ]
    where = [
        place("foot traffic", 9870.4, 8127, 1.2),
        place("median age", 38.2, 40, -0.5),
        place("parking", 1, 2, -0.1),
    ]
    assert words.sentence("Segment 3", 214, 0.12, words.mix_words(mix), words.place_words(where)) == (
        "Segment 3: 214 stores, 12 % of sales; "
        "sells 1.8 times the chain’s share of Hard Seltzer and 20 times that of Bitters, "
        "but only half the chain’s share of Whiskey Highball; "
        "lies in places with much higher foot traffic (9,870 against 8,127) and lower median age (38.2 against 40)."
    )


def test_a_profile_like_the_chain_says_so() -> None:
    assert words.mix_words([need_state("a", 0.5, 0.5)]) == "sells much the same mix as the chain"
    assert words.place_words([place("x", 1, 1, 0.0)]) == "lies in places much like the chain’s"


def test_only_what_is_less() -> None:
    assert words.mix_words([need_state("a", 0.1, 0.2)]) == "sells only half the chain’s share of a"


def test_a_group_without_a_mean_says_so() -> None:
    assert words.mix_words([Trait("a", NAN, 0.2, NAN, NAN)]) == "has no store with sales enough to tell what sells"
    assert words.place_words([]) == "has no store with external data to tell where it lies"


@pytest.mark.parametrize(
    ("index", "expected"),
    [(180, "1.8 times"), (200, "twice"), (1234, "12 times"), (50, "half"), (33, "a third of"), (25, "a quarter of"),
     (62, "62 % of"), (2, "2 % of"), (0, "under 1 % of")],
)  # fmt: skip
def test_ratios(index: float, expected: str) -> None:
    assert words.ratio(index) == expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0, "0 %"), (1, "100 %"), (0.123, "12 %"), (0.008, "0.8 %"), (0.0001, "under 0.1 %"), (0.99999, "over 99.9 %"),
     (0.995, "99.5 %"), (NAN, "–"), (-0.05, "-5 %")],
)  # fmt: skip
def test_shares_do_not_round_to_nothing_or_to_all(share: float, expected: str) -> None:
    assert words.percent(share) == expected


@pytest.mark.parametrize(
    ("amount", "expected"),
    [("11167080.67", "11.2 million"), ("2782541.58", "2.78 million"), ("1234567890", "1.23 billion"), ("0", "0"),
     ("12.5", "12.50"), ("-56763.92", "-56,764"), ("412000000", "412 million")],
)  # fmt: skip
def test_money(amount: str, expected: str) -> None:
    assert words.money(Decimal(amount)) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(90425.2, "90,425"), (2.5312, "2.53"), (40, "40"), (39.98, "40.0"), (0.0769, "0.0769"), (0, "0"), (NAN, "–"),
     (1e15, "1.00e+15"), (-94.9, "-94.9")],
)  # fmt: skip
def test_figures(value: float, expected: str) -> None:
    assert words.figure(value) == expected


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [("2025-01", "2025-06", "January 2025 to June 2025"), ("2025-W01", "2025-W01", "week 1 of 2025"),
     ("", "", "not recorded"), ("2025-13", "x", "2025-13 to x")],
)  # fmt: skip
def test_dates(first: str, last: str, expected: str) -> None:
    assert words.period(first, last) == expected


def test_names_from_data_stay_on_one_line_and_in_their_direction() -> None:
    assert words.printable(" a\tb\nc\x00") == "a b c\ufffd"
    assert words.printable("a\u202eb") == "ab"  # an override turns no text around
    assert words.printable("שמש") == "\u2068שמש\u2069"
    assert words.short("x" * 10_000) == "x" * 59 + "…"


def test_features_are_told_apart_by_source() -> None:
    assert words.labels_of(["county.MEDIAN_INCOME", "county.AGE", "store.AGE", "total_pop"]) == {
        "county.MEDIAN_INCOME": "median income",
        "county.AGE": "age (county)",
        "store.AGE": "age (store)",
        "total_pop": "total pop",
    }


def test_how_many_rules_agree() -> None:
    assert words.choice_words({"a": 4, "b": 3, "c": None}, 4) == "1 of 3 rules chooses 4"
    assert words.count(1, "category") == "1 category"
    assert words.count(2_000, "category") == "2,000 categories"
