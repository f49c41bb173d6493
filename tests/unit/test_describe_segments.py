"""What a segment is: effects, names, rules, typical stores; numbers worked out by hand."""

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import describe_segments
from describe_segments import kept_names
from storelib.errors import DataError
from storelib.method.effects import LARGEST, counted, effects_of, notable
from storelib.method.tree_rules import Condition, Rule, fewest_digits, fidelity, holds, imputed, rules_of
from storelib.method.typical import fit_of
from storelib.pages.naming import Difference, names_of, part_labels
from storelib.pages.rule_texts import rule_words

MONEY = pa.decimal128(38, 2)


def series(*values: Any) -> pd.Series:
    return pd.Series(values, index=[f"s{i}" for i in range(len(values))])


def effects(values: list[float], groups: list[int]) -> pd.DataFrame:
    groups_of = series(*groups)
    return effects_of(pd.DataFrame({"x": values}, index=groups_of.index), groups_of).set_index("group")


class TestEffects:
    def test_cohens_d_of_two_groups_by_hand(self) -> None:
        # 1, 2, 3 against 5, 7: means 2 and 6; squares within 2 + 2 = 4 over 5 - 2; d = -4 / sqrt(4 / 3) = -2 sqrt(3)
        found = effects([1, 2, 3, 5, 7], [1, 1, 1, 2, 2])
        assert found["effect"].tolist() == pytest.approx([-2 * math.sqrt(3), 2 * math.sqrt(3)])
        assert found[["mean", "rest_mean"]].to_numpy().tolist() == [[2, 6], [6, 2]]
        # 1 / 3 + 1 / 2 = 5 / 6
        assert found["error"].tolist() == pytest.approx([math.sqrt(5 / 6)] * 2)

    def test_a_group_is_compared_with_all_others(self) -> None:
        # 0, 2 against 4, 6, 5, 5: means 1 and 5, squares 2 + 2 over 4, d = -4
        assert effects([0, 2, 4, 6, 5, 5], [1, 1, 2, 2, 3, 3])["effect"][1] == pytest.approx(-4)

    def test_unknown_values_count_on_neither_side(self) -> None:
        found = effects([1, 2, 3, math.nan, 5, 7, math.nan], [1, 1, 1, 1, 2, 2, 2])
        assert found["effect"][1] == pytest.approx(-2 * math.sqrt(3))
        assert found["stores"].tolist() == [3, 2]
        assert effects([math.nan, math.nan, 1, 2], [1, 1, 2, 2])["effect"].isna().all()

    def test_no_feature_is_no_effect(self) -> None:
        groups = series(1, 2, 2)
        assert effects_of(pd.DataFrame(index=groups.index), groups).empty

    @pytest.mark.parametrize(("values", "effect"), [([1, 1, 5, 5], -LARGEST), ([3, 3, 3, 3], 0.0)])
    def test_values_without_any_spread(self, values: list[float], effect: float) -> None:
        assert effects(values, [1, 1, 2, 2])["effect"][1] == effect

    def test_neither_unit_nor_origin_matters(self) -> None:
        values = np.array([1.0, 2, 3, 5, 7])
        for changed in (values * 1e200, values * 1e-200, 1e6 + values):
            assert effects(changed.tolist(), [1, 1, 1, 2, 2])["effect"][1] == pytest.approx(-2 * math.sqrt(3), rel=1e-6)

    def test_worth_a_word_is_what_is_large_and_hardly_chance(self) -> None:
        # three standard errors are 3 x 0.2 = 0.6 for the second, and 0.15 for the third
        found = pd.DataFrame(
            {"effect": [0.7, 0.55, 0.55, -0.7, 0.4, math.nan], "error": [0.2, 0.2, 0.05, 0.2, 0.05, 0.1]}
        )
        assert notable(found, 0.5).tolist() == [True, False, True, True, False, False]

    def test_stores_that_do_not_train_describe_nothing_but_a_segment_of_them_alone(self) -> None:
        assert counted(series(1, 1, 2, 2), series(True, False, False, False)).tolist() == [True, False, True, True]


def names(differences: dict[int, list[tuple[str, str, float]]], kept: dict[int, str] | None = None) -> dict[int, str]:
    found = {segment: [Difference(*parts) for parts in those] for segment, those in differences.items()}
    mix = {d.feature for those in found.values() for d in those if d.kind == "mix"}
    place = {d.feature for those in found.values() for d in those if d.kind == "place"}
    return names_of(found, part_labels(mix, place), kept or {})


class TestNames:
    def test_made_of_the_need_state_most_above_and_the_feature_furthest_from_the_chain(self) -> None:
        apart = [("mix", "sun care", -3.0), ("mix", "nail care", 1.0), ("mix", "lip care", 0.6),
                 ("place", "county.INCOME", 0.9), ("place", "county.AGE", -0.8)]  # fmt: skip
        assert names({1: apart}) == {1: "nail care, high income"}

    def test_what_is_sold_less_and_where_features_are_lower(self) -> None:
        assert names({1: [("mix", "nail care", -1.0), ("place", "county.INCOME", -0.9)]}) == {
            1: "little nail care, low income"
        }

    def test_one_side_alone_gives_both_parts(self) -> None:
        assert names({1: [("place", "a.age", 0.6), ("place", "a.income", 0.9)]}) == {1: "high income, high age"}

    def test_words_of_a_categorical_feature(self) -> None:
        assert names({1: [("place", "store.FORMAT=City", 2.0)], 2: [("place", "store.FORMAT=City", -2.0)]}) == {
            1: "City format", 2: "seldom City format",
        }  # fmt: skip

    def test_nothing_apart_is_like_the_chain(self) -> None:
        assert names({1: []}) == {1: "like the chain"}

    def test_equal_names_get_what_tells_them_apart_then_their_number(self) -> None:
        first, second = ("mix", "a", 2.0), ("place", "b.x", 1.0)
        assert names({1: [first, second, ("mix", "c", 0.9)], 2: [first, second, ("mix", "d", 0.9)], 3: [], 4: []}) == {
            1: "a, high x, c", 2: "a, high x, d", 3: "like the chain (3)", 4: "like the chain (4)",
        }  # fmt: skip

    def test_a_kept_name_stays_and_no_other_segment_gets_it(self) -> None:
        same = [("mix", "a", 2.0), ("place", "b.x", 1.0), ("mix", "c", 0.9)]
        assert names({1: same, 2: same}, {1: "A, HIGH x"}) == {1: "A, HIGH x", 2: "a, high x, c"}


class TestRules:
    def test_three_groups_of_two_features(self) -> None:
        # x parts 1 from the others between 3 and 5, y parts 2 from 3 between 0 and 1
        points = np.array([[3.0, 0]] * 16 + [[5.0, 0]] * 12 + [[5.0, 1]] * 12)
        labels = np.repeat([1, 2, 3], [16, 12, 12]).astype(np.int32)
        assert rules_of(points, labels, depth=2, seed=1) == [
            Rule(1, (Condition(0, -math.inf, 4.0),), 16, 16),
            Rule(2, (Condition(0, 4.0, math.inf), Condition(1, -math.inf, 0.5)), 12, 12),
            Rule(3, (Condition(0, 4.0, math.inf), Condition(1, 0.5, math.inf)), 12, 12),
        ]
        assert fidelity(points, labels, depth=2, seed=1) == 1.0

    def test_each_store_has_one_rule_and_each_rule_tells_how_often_it_is_right(self) -> None:
        rng = np.random.default_rng(3)
        points = rng.normal(size=(300, 4)).astype("float32").astype("float64")
        labels = (1 + (points[:, 0] > 0.3) + (points[:, 1] + rng.normal(size=300) > 0)).astype(np.int32)
        rules = rules_of(points, labels, depth=4, seed=1)
        held = np.array([holds(rule.conditions, points) for rule in rules])
        assert held.sum(axis=0).tolist() == [1] * 300
        for rule, stores in zip(rules, held, strict=True):
            assert (rule.stores, rule.right) == (stores.sum(), (labels[stores] == rule.label).sum())

    def test_fidelity_is_of_stores_that_no_rule_was_learned_from(self) -> None:
        # labels that have nothing to do with the points: a tree knows its own stores better than others
        rng = np.random.default_rng(5)
        points, labels = rng.normal(size=(200, 6)), rng.integers(1, 3, 200).astype(np.int32)
        known = sum(rule.right for rule in rules_of(points, labels, depth=6, seed=1)) / 200
        assert known > 0.65 > fidelity(points, labels, depth=6, seed=1)

    def test_one_segment_is_every_store(self) -> None:
        points, labels = np.zeros((3, 1)), np.ones(3, dtype=np.int32)
        (rule,) = rules_of(points, labels, depth=3, seed=1)
        assert (rule.conditions, rule.stores, rule.right) == ((), 3, 3)
        assert rule_words([rule], [("x", False)]) == "every store"

    def test_a_threshold_has_the_fewest_digits_that_part_the_stores_alike(self) -> None:
        assert fewest_digits(61_234.5, np.array([50_000.0, 70_000])) == 61_200
        assert fewest_digits(61_234.5, np.array([61_231.0, 61_238])) == 61_234

    def test_a_missing_value_is_read_as_the_median_of_the_known(self) -> None:
        points = imputed(np.array([[1.0, math.nan], [2, math.nan], [9, math.nan], [math.nan, math.nan]]))
        assert points.tolist() == [[1, 0], [2, 0], [9, 0], [2, 0]]

    def test_in_words(self) -> None:
        labels = [("Nail Care", True), ("income", False), ("FORMAT=City", False)]
        rules = [
            Rule(1, (Condition(0, 0.125, math.inf), Condition(1, 40_000, 61_200)), 9, 9),
            Rule(1, (Condition(0, -math.inf, 0.07), Condition(2, 0.5, math.inf)), 5, 4),
        ]
        assert rule_words(rules, labels) == (
            "Nail Care above 12.5 %; income above 40,000 and at most 61,200 — or Nail Care at most 7 %; format is City"
        )
        assert rule_words([Rule(1, (Condition(2, -math.inf, 0.5),), 5, 4)], labels) == "format is not City"
        assert rule_words([], labels) == ""


class TestTypicalStores:
    def test_distances_to_both_centres_and_ranks(self) -> None:
        # centres: 1 at 2 (0, 1, 2, 5), 2 at 10 (9, 11)
        points = np.array([[0.0], [1], [2], [5], [9], [11]])
        fit = fit_of(points, series(1, 1, 1, 1, 2, 2), np.ones(6, dtype=bool), most=2).set_index("store_id")
        assert fit["distance"].tolist() == [2, 1, 0, 3, 1, 1]
        assert fit["nearest_other"].tolist() == [2, 2, 2, 2, 1, 1]
        assert fit["nearest_other_distance"].tolist() == [10, 9, 8, 5, 7, 9]
        assert fit["typical_rank"].dropna().to_dict() == {"s2": 1, "s1": 2, "s4": 1, "s5": 2}
        assert fit["odd_rank"].dropna().to_dict() == {"s3": 1, "s0": 2}

    def test_a_store_that_does_not_train_moves_no_centre_and_is_not_typical(self) -> None:
        # centre 1 without the store at 100; it is the oddest, though the one at 1 were the medoid otherwise
        points = np.array([[0.0], [1], [2], [100]])
        fit = fit_of(points, series(1, 1, 1, 1), np.array([True, False, True, False]), most=3).set_index("store_id")
        assert fit["distance"].tolist() == [1, 0, 1, 99]
        assert fit["typical_rank"].dropna().to_dict() == {"s0": 1, "s2": 2}
        assert fit["odd_rank"].dropna().to_dict() == {"s3": 1, "s1": 2}
        assert fit["nearest_other"].isna().all()


class TestKeptNames:
    baseline = pd.DataFrame(
        {"category": ["a", "a", "b"], "segment": [1, 1, 1], "segment_name": ["old", "old", "other"]}
    )
    given = pd.DataFrame({"category": ["a", "a"], "segment": [2, 1], "name": ["two", "new"]})

    def test_a_persons_name_comes_before_the_baselines(self) -> None:
        assert kept_names(self.baseline, self.given.iloc[:1], "a") == {1: ("old", "baseline"), 2: ("two", "given")}
        assert kept_names(self.baseline, self.given, "a") == {1: ("new", "given"), 2: ("two", "given")}

    def test_two_names_of_one_segment_and_one_name_of_two_are_refused(self) -> None:
        torn = self.baseline.assign(segment_name=["old", "older", "other"])
        with pytest.raises(DataError, match="segment 1 of a is called 'old' and 'older' in the baseline"):
            kept_names(torn, self.given, "a")
        with pytest.raises(DataError, match="segments 1 and 2 of a are both called 'OLD'"):
            kept_names(self.baseline, self.given.assign(name=["OLD", "x"]).iloc[:1], "a")


@pytest.fixture
def describe(bench: Any) -> Any:
    """20 stores in two segments: nails and rich, lips and poor."""
    stores = [f"s{i:02d}" for i in range(20)]
    nails = [0.70 + 0.01 * i for i in range(10)] + [0.30 + 0.01 * i for i in range(10)]
    income = [float(90 + i) for i in range(10)] + [float(30 + i) for i in range(10)]
    bench.parquet("segments.parquet", {"store_id": stores, "segment": [1] * 10 + [2] * 10})
    bench.parquet("shares.parquet", {"store_id": stores, "Nail Care": nails, "Lip Care": [1 - x for x in nails]})
    bench.parquet("store_features.parquet", {"store_id": stores, "county.INCOME": income})
    schema = pa.schema([("store_id", pa.string()), ("sales", MONEY)])
    bench.parquet("store_sales.parquet", {"store_id": stores, "sales": [Decimal(10)] * 10 + [Decimal(30)] * 10}, schema)
    bench.features("internal.parquet", {s: (x,) for s, x in zip(stores, nails, strict=True)})
    bench.features("external.parquet", {s: (x,) for s, x in zip(stores, income, strict=True)})

    def run(given: list[tuple[str, int, str]], labels: list[tuple[Any, ...]]) -> pd.DataFrame:
        types = pa.schema([("category", pa.string()), ("segment", pa.int32()), ("name", pa.string())])
        columns = list(zip(*given, strict=True)) if given else [(), (), ()]
        bench.labels(*labels)
        bench.run(
            describe_segments, category="beauty", segments=bench / "segments.parquet", shares=bench / "shares.parquet",
            store_sales=bench / "store_sales.parquet", store_features=bench / "store_features.parquet",
            internal_features=bench / "internal.parquet", external_features=bench / "external.parquet",
            names=bench.parquet("names.parquet", dict(zip(types.names, map(list, columns), strict=True)), types),
            baseline=bench / "baseline.parquet", descriptions=bench / "descriptions.parquet",
            traits=bench / "traits.parquet", store_fit=bench / "store_fit.parquet", internal_weight=50, external_weight=50,
            least_effect=0.5, rule_depth=2, typical_stores=2, seed=1,
        )  # fmt: skip
        return pa.parquet.read_table(bench / "descriptions.parquet").to_pandas().set_index("segment")

    return run


def test_a_categorys_segments_are_described(bench: Any, describe: Any) -> None:
    found = describe([], [])
    assert found["name"].to_dict() == {1: "Nail Care, high income", 2: "Lip Care, low income"}
    assert found["name_from"].tolist() == ["made", "made"]
    assert found["share_of_sales"].tolist() == [0.25, 0.75]
    # one condition does, on any of the three columns
    assert found[["rule_stores", "rule_right"]].to_numpy().tolist() == [[10, 10], [10, 10]]
    assert (found["fidelity"].iloc[0], found["chance"].iloc[0]) == (1.0, 0.5)
    fit = bench.frame("store_fit.parquet")
    # centres between the fifth and the sixth: these are nearest, the first and the last furthest
    assert set(fit["typical_rank"].dropna().index) == {"s04", "s05", "s14", "s15"}
    assert set(fit["odd_rank"].dropna().index) == {"s00", "s09", "s10", "s19"}


def test_names_that_are_given_or_kept_stay_with_the_segment(bench: Any, describe: Any) -> None:
    labels = [("beauty", "s00", 1, 1, 1, "Stars"), ("beauty", "s16", 1, 1, 2, "Old"), ("snacks", "s16", 1, 1, 2, "No")]
    found = describe([("beauty", 2, "New"), ("beauty", 9, "Nobody")], labels)
    assert found[["name", "name_from", "made_name"]].to_numpy().tolist() == [
        ["Stars", "baseline", "Nail Care, high income"], ["New", "given", "Lip Care, low income"],
    ]  # fmt: skip
    assert "a name is given for segment 9, which does not exist" in bench.log(describe_segments)
