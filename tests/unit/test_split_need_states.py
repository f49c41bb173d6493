"""Sales split over need states: evenly, exactly, nothing lost."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import split_need_states
from storelib.accounts.selection import category_named
from storelib.errors import DataError
from storelib.names import MONTHS


@pytest.fixture
def split(bench: Any) -> Callable[..., None]:
    def run(
        unmapped_skus: str = "own_need_state",
        stores_without_net_sales: str = "place",
        name: str = "BEAUTY",
        skus_of_other_categories: str = "keep",
        measure: str = "sales",
    ) -> None:
        if bench.sold:
            bench.write_sums("category_sales", "category_skus")
            bench.category_totals(*sorted({category for category, *_ in bench.sold}))
        outputs = ("need_state_sales", "shares", "store_sales", "ledger")
        bench.run(
            split_need_states, category="beauty", name=name, category_totals=bench / "category_totals.parquet",
            category_sales=bench / "category_sales.parquet", category_skus=bench / "category_skus.parquet",
            map_entries=bench / "product_map.parquet", **{output: bench / f"{output}.parquet" for output in outputs},
            unmapped_skus=unmapped_skus, skus_of_other_categories=skus_of_other_categories,
            stores_without_net_sales=stores_without_net_sales, measure=measure,
        )  # fmt: skip

    return run


def test_sku_in_two_need_states_is_split_once(bench: Any, split: Callable[..., None]) -> None:
    bench.category_sales(("BEAUTY", "1", "a", "10.00", 4), ("BEAUTY", "1", "b", "6.00", 1))
    bench.product_map(("a", "BEAUTY", "dry"), ("a", "BEAUTY", "oily"), ("b", "BEAUTY", "dry"))
    split()
    # dry: 10/2 + 6 = 11; oily: 10/2 = 5
    assert bench.rows("need_state_sales.parquet") == [("1", "dry", 11.0), ("1", "oily", 5.0)]
    assert bench.rows("shares.parquet") == [("1", 11 / 16, 5 / 16)]
    assert bench.rows("store_sales.parquet") == [("1", 5, Decimal("16.00"), True, 0.0, *[None] * 14)]


def test_repeated_map_rows_weigh_once(bench: Any, split: Callable[..., None]) -> None:
    bench.category_sales(("BEAUTY", "1", "a", "9.00", 1))
    # dry three times, oily once: still a half each
    bench.product_map(*[("a", "BEAUTY", "dry")] * 3, ("a", "BEAUTY", "oily"))
    split()
    assert bench.rows("need_state_sales.parquet") == [("1", "dry", 4.5), ("1", "oily", 4.5)]


def test_need_state_given_under_two_categories_weighs_once(bench: Any, split: Callable[..., None]) -> None:
    bench.category_sales(("BEAUTY", "1", "a", "8.00", 1))
    bench.product_map(("a", "BEAUTY", "dry"), ("a", None, "dry"), ("a", "BEAUTY", "oily"))
    split()
    assert bench.rows("need_state_sales.parquet", "need_state", "sales") == [("dry", 4.0), ("oily", 4.0)]


def test_sku_in_many_weeks_is_not_divided_again(bench: Any, split: Callable[..., None]) -> None:
    """From raw lines: three weeks and two receipts of one SKU, and a map with repeated rows."""
    bench.csv(
        "raw/sales.csv", "STORE,SKU,CAT,AMOUNT,DAY",
        "1,a,BEAUTY,1.00,2024-01-01", "1,a,BEAUTY,2.00,2024-01-01", "1,a,BEAUTY,3.00,2024-02-01", "1,a,BEAUTY,4.00,2024-03-01",
    )  # fmt: skip
    bench.csv("raw/map.csv", "SKU,NEED,CAT", "a,dry,BEAUTY", "a,oily,BEAUTY", "a,dry,BEAUTY")
    source = {"config": bench.place(), "raw": bench.raw}
    bench.run(
        "ingest_product_map", **source, spelling="fail",
        product_map=bench / "product_map.parquet", files=bench / "f.parquet",
    )  # fmt: skip
    bench.run(
        "ingest_sales", **source, product_map=bench / "product_map.parquet", sales=bench / "sales.parquet",
        sku_sales=bench / "sku_sales.parquet", period_sales=bench / "p.parquet", files=bench / "f.parquet",
        ledger=bench / "l.parquet", period="month", negative_sales="keep", invalid_lines="fail",
    )  # fmt: skip
    bench.run("ingest_stores", **source, stores=bench / "stores.parquet", files=bench / "f.parquet")
    bench.run(
        "assign_categories", sales=bench / "sales.parquet", sku_sales=bench / "sku_sales.parquet",
        product_map=bench / "product_map.parquet", stores=bench / "stores.parquet",
        category_sales=bench / "category_sales.parquet", category_skus=bench / "category_skus.parquet",
        selling_stores=bench / "s.parquet", map_entries=bench / "e.parquet", category_totals=bench / "category_totals.parquet",
        ledger=bench / "a.parquet", unknown_stores="fail", skus_without_category="fail",
        spelling="fail",
    )  # fmt: skip
    split()
    # 1 + 2 + 3 + 4 = 10, halved once
    assert bench.rows("need_state_sales.parquet") == [("1", "dry", 5.0), ("1", "oily", 5.0)]
    assert bench.ledger()["in", ""] == (1, 4, Decimal("10.00"))


def test_thirds_of_a_cent_balance_exactly(bench: Any, split: Callable[..., None]) -> None:
    # a: 0.01 over 3, b: 0.01 over 2, in 7 stores; the unit is a sixth of a cent: dry 2 + 3 = 5, oily 5, new 2, of 12
    bench.category_sales(*[("BEAUTY", f"{s}", sku, "0.01", 1) for s in range(7) for sku in "ab"])
    bench.product_map(*[("a", None, n) for n in ("dry", "oily", "new")], ("b", None, "dry"), ("b", None, "oily"))
    split()
    assert bench.ledger() == {("in", ""): (7, 14, Decimal("0.14")), ("out", ""): (7, 14, Decimal("0.14"))}
    for store, *shares in bench.rows("shares.parquet", "store_id", "dry", "new", "oily"):
        assert shares == pytest.approx([5 / 12, 2 / 12, 5 / 12], abs=1e-15), store


def test_big_sums_of_many_parts_balance(bench: Any, split: Callable[..., None]) -> None:
    # 2, 3, 5, 7, 11 and 13 need states: lcm 30030 units to the cent
    parts = {"a": 2, "b": 3, "c": 5, "d": 7, "e": 11, "f": 13}
    bench.category_sales(*[("BEAUTY", "1", sku, "9999999999999.99", 1) for sku in parts])
    bench.product_map(*[(sku, None, f"n{i:02d}") for sku, count in parts.items() for i in range(count)])
    split()
    assert bench.ledger()["out", ""] == (1, 6, Decimal("59999999999999.94"))
    shares = bench.frame("shares.parquet")
    # n12 is served by f alone: 1/13 of 1/6
    assert shares.loc["1", "n12"] == pytest.approx(1 / 78, abs=1e-15)
    assert shares.loc["1", "n00"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 5 + 1 / 7 + 1 / 11 + 1 / 13) / 6, abs=1e-15)


@pytest.mark.parametrize(("largest", "amount"), [(61, "0.01"), (800, "9.99"), (61, "0.00")])
def test_sales_balance_however_many_numbers_of_need_states_there_are(
    bench: Any, split: Callable[..., None], largest: int, amount: str
) -> None:
    """SKUs that serve 1, 2, 3 … need states: the least common multiple of 1 to 43 is beyond 64 bits, that of 1 to 800 beyond a float."""
    numbers = range(1, largest + 1)
    bench.category_sales(("BEAUTY", "2", "1", "5.00", 1), *[("BEAUTY", "1", f"{n}", amount, 1) for n in numbers])
    bench.product_map(*[(f"{n}", None, f"n{i:03d}") for n in numbers for i in range(n)])
    split()
    whole = Decimal("5.00") + largest * Decimal(amount)
    assert bench.ledger()["out", ""] == (2, largest + 1, whole)
    # the last need state is served by the last SKU alone, and the first by all of them
    sales = {(store, need): sold for store, need, sold in bench.rows("need_state_sales.parquet")}
    assert sales["1", f"n{largest - 1:03d}"] == pytest.approx(float(amount) / largest, rel=1e-12)
    assert sales["1", "n000"] == pytest.approx(float(amount) * sum(1 / n for n in numbers), rel=1e-12)
    assert sales["2", "n000"] == 5.0


def test_other_categories_do_not_enter(bench: Any, split: Callable[..., None]) -> None:
    bench.category_sales(
        ("BEAUTY", "1", "a", "10.00", 1), ("SNACKS", "1", "a", "90.00", 1), ("SNACKS", "2", "c", "5.00", 1)
    )
    bench.product_map(("a", None, "dry"), ("c", None, "sweet"))
    split()
    assert bench.rows("need_state_sales.parquet") == [("1", "dry", 10.0)]


class TestUnmappedSkus:
    """Store 1 sells a (mapped, 6.00) and z (unmapped, 2.00); store 2 sells z alone (5.00)."""

    @pytest.fixture(autouse=True)
    def inputs(self, bench: Any) -> None:
        bench.category_sales(
            ("BEAUTY", "1", "a", "6.00", 3), ("BEAUTY", "1", "z", "2.00", 2), ("BEAUTY", "2", "z", "5.00", 1)
        )
        bench.product_map(("a", "BEAUTY", "dry"), ("z", "BEAUTY", None))

    def test_they_make_a_need_state_of_their_own(self, bench: Any, split: Callable[..., None]) -> None:
        split("own_need_state")
        assert bench.rows("shares.parquet", "store_id", "(unmapped)", "dry") == [("1", 0.25, 0.75), ("2", 1.0, 0.0)]
        assert bench.ledger() == {
            ("in", ""): (2, 6, Decimal("13.00")),
            ("out", ""): (2, 6, Decimal("13.00")),
            ("noted", "unmapped_sku"): (2, 3, Decimal("7.00")),
        }

    def test_they_are_dropped_into_the_ledger(self, bench: Any, split: Callable[..., None]) -> None:
        split("drop")
        assert bench.rows("shares.parquet") == [("1", 1.0)]
        # store 2 has nothing left; store 1 has, so that it is not set aside
        assert bench.ledger() == {
            ("in", ""): (2, 6, Decimal("13.00")),
            ("out", ""): (1, 3, Decimal("6.00")),
            ("set_aside", "unmapped_sku"): (1, 3, Decimal("7.00")),
        }
        assert bench.rows("store_sales.parquet") == [("1", 3, Decimal("6.00"), True, 0.0, *[None] * 14)]

    def test_they_stop_the_stage(self, bench: Any, split: Callable[..., None]) -> None:
        with pytest.raises(
            DataError, match=r"1 SKUs of category 'BEAUTY' have no need state.*'z' \(sales 7.00\)"
        ) as caught:
            split("fail")
        assert "internal.split_need_states.unmapped_skus" in caught.value.solution
        assert not (bench / "shares.parquet").exists()

    def test_a_sku_that_the_map_lacks_is_unmapped_too(self, bench: Any, split: Callable[..., None]) -> None:
        bench.product_map(("a", "BEAUTY", "dry"))
        split("drop")
        assert bench.ledger()["set_aside", "unmapped_sku"] == (1, 3, Decimal("7.00"))


class TestStoresWithoutNetSales:
    """Stores 1 and 2 sell; store 9's returns outweigh its sales in each need state."""

    @pytest.fixture(autouse=True)
    def inputs(self, bench: Any) -> None:
        bench.category_sales(
            ("BEAUTY", "1", "a", "3.00", 1), ("BEAUTY", "1", "b", "1.00", 1), ("BEAUTY", "2", "a", "4.00", 1),
            ("BEAUTY", "9", "a", "-2.00", 2), ("BEAUTY", "9", "b", "0.00", 1),
        )  # fmt: skip
        bench.product_map(("a", None, "dry"), ("b", None, "oily"))

    def test_they_get_the_chains_shares(self, bench: Any, split: Callable[..., None]) -> None:
        split(stores_without_net_sales="place")
        # chain: dry 3 + 4 = 7, oily 1
        assert bench.rows("shares.parquet") == [("1", 0.75, 0.25), ("2", 1.0, 0.0), ("9", 7 / 8, 1 / 8)]
        assert [row[3] for row in bench.rows("store_sales.parquet")] == [True, True, False]
        ledger = bench.ledger()
        assert ledger["in", ""] == ledger["out", ""] == (3, 6, Decimal("6.00"))
        assert ledger["noted", "no_net_sales"] == (1, 3, Decimal("-2.00"))
        assert ledger["noted", "negative_need_state"] == (1, 0, Decimal("-2.00"))

    def test_they_are_dropped_into_the_ledger(self, bench: Any, split: Callable[..., None]) -> None:
        split(stores_without_net_sales="drop")
        assert bench.rows("shares.parquet", "store_id") == ["1", "2"]
        assert bench.rows("store_sales.parquet", "store_id") == ["1", "2"]
        assert bench.rows("need_state_sales.parquet", "store_id") == ["1", "1", "2"]
        assert bench.ledger() == {
            ("in", ""): (3, 6, Decimal("6.00")),
            ("out", ""): (2, 3, Decimal("8.00")),
            ("set_aside", "no_net_sales"): (1, 3, Decimal("-2.00")),
        }

    def test_they_stop_the_stage(self, split: Callable[..., None]) -> None:
        with pytest.raises(DataError, match="1 stores have no net sales in category 'BEAUTY', such as '9'"):
            split(stores_without_net_sales="fail")


def test_negative_need_state_counts_as_nothing_and_stays_in_the_sums(bench: Any, split: Callable[..., None]) -> None:
    bench.category_sales(
        ("BEAUTY", "1", "a", "6.00", 1), ("BEAUTY", "1", "b", "-2.00", 1), ("BEAUTY", "1", "c", "2.00", 1)
    )
    bench.product_map(("a", None, "dry"), ("b", None, "oily"), ("c", None, "new"))
    split()
    # shares are of the positive part, 6 + 2; net sales stay 6 - 2 + 2
    assert bench.rows("shares.parquet", "dry", "new", "oily") == [(0.75, 0.25, 0.0)]
    assert bench.rows("need_state_sales.parquet", "need_state", "sales") == [("dry", 6.0), ("new", 2.0), ("oily", -2.0)]
    assert bench.rows("store_sales.parquet", "sales") == [Decimal("6.00")]
    assert bench.ledger()["noted", "negative_need_state"] == (1, 0, Decimal("-2.00"))


def test_returns_and_sales_of_a_need_state_are_netted_first(bench: Any, split: Callable[..., None]) -> None:
    bench.category_sales(
        ("BEAUTY", "1", "a", "5.00", 1), ("BEAUTY", "1", "b", "-2.00", 1), ("BEAUTY", "1", "c", "1.00", 1)
    )
    bench.product_map(("a", None, "dry"), ("b", None, "dry"), ("c", None, "oily"))
    split()
    # dry 5 - 2 = 3, oily 1
    assert bench.rows("shares.parquet", "dry", "oily") == [(0.75, 0.25)]


def test_every_row_of_shares_sums_to_one_and_none_is_negative(bench: Any, split: Callable[..., None]) -> None:
    amounts = [(s * 37 + k * 11) % 101 - 8 for s in range(40) for k in range(5)]
    bench.category_sales(
        *[("BEAUTY", f"{s:02d}", f"k{k}", f"{amounts[5 * s + k] / 100:.2f}", 1) for s in range(40) for k in range(5)]
    )
    bench.product_map(*[(f"k{k}", None, f"n{n}") for k in range(5) for n in range(k + 1)])
    split()
    shares = bench.frame("shares.parquet")
    assert len(shares) == 40
    assert shares.sum(axis="columns").to_numpy() == pytest.approx(1.0, abs=1e-12)
    assert (shares >= 0).all(axis=None)
    assert shares.index.is_monotonic_increasing
    assert list(shares.columns) == sorted(shares.columns)


def test_shares_of_nothing_positive_are_refused() -> None:
    sales = pd.DataFrame({"store_id": ["1", "2"], "need_state": ["dry", "dry"], "sales": [0.0, -1.0]})
    with pytest.raises(DataError, match="no store has positive net sales"):
        split_need_states.shares_of(sales, "BEAUTY")


def test_misspelt_category_is_told_with_the_nearest(bench: Any, split: Callable[..., None]) -> None:
    bench.category_sales(("BEAUTY", "1", "a", "1.00", 1), ("SNACKS", "1", "b", "1.00", 1))
    bench.product_map(("a", None, "dry"))
    with pytest.raises(DataError, match=r"no sales in category 'BEUTY' \(nearest: 'BEAUTY'\).*BEAUTY, SNACKS"):
        split(name="BEUTY")


def test_category_is_found_by_another_spelling_of_its_name(bench: Any, split: Callable[..., None]) -> None:
    bench.category_sales(("DAIRY", "1", "a", "3.00", 1), ("SNACKS", "1", "b", "1.00", 1))
    bench.product_map(("a", "DAIRY", "milk"), ("b", None, "salty"))
    split(name=" Dairy")
    assert bench.rows("need_state_sales.parquet") == [("1", "milk", 3.0)]
    assert "category ' Dairy' is spelt 'DAIRY' in the data" in bench.log(split_need_states)


def test_spellings_that_are_kept_are_other_categories() -> None:
    totals = pa.table({"category": ["DAIRY"], "lines": [1], "takes_other_spellings": [False]})
    with pytest.raises(DataError, match="no sales in category 'Dairy'; categories in the data: DAIRY"):
        category_named("Dairy", totals)


def test_category_of_unmapped_skus_alone_is_refused_when_they_are_dropped(
    bench: Any, split: Callable[..., None]
) -> None:
    bench.category_sales(("BEAUTY", "1", "a", "1.00", 1))
    bench.product_map(("x", None, "dry"))
    with pytest.raises(DataError, match="every sale of category 'BEAUTY' was set aside"):
        split("drop")


def test_need_state_called_like_the_key_is_refused(bench: Any, split: Callable[..., None]) -> None:
    bench.category_sales(("BEAUTY", "1", "a", "1.00", 1))
    bench.product_map(("a", None, "store_id"))
    with pytest.raises(DataError, match="called 'store_id'"):
        split()


def test_category_name_with_quotes_is_taken_as_it_is(bench: Any, split: Callable[..., None]) -> None:
    name = 'Men\'s "Care"; DROP TABLE x'
    bench.category_sales((name, "1", "a", "1.00", 1))
    bench.product_map(("a", None, "it's"))
    split(name=name)
    assert bench.rows("need_state_sales.parquet") == [("1", "it's", 1.0)]


class TestSkusOfOtherCategories:
    """a is mapped in BEAUTY; s is mapped in SNACKS alone, and sold in BEAUTY by store 2."""

    @pytest.fixture(autouse=True)
    def inputs(self, bench: Any) -> None:
        bench.category_sales(
            ("BEAUTY", "1", "a", "6.00", 3), ("BEAUTY", "2", "a", "1.00", 1), ("BEAUTY", "2", "s", "5.00", 2)
        )
        bench.product_map(("a", "BEAUTY", "dry"), ("s", "SNACKS", "sweet"))

    def test_they_keep_their_need_states_and_are_noted(self, bench: Any, split: Callable[..., None]) -> None:
        split(skus_of_other_categories="keep")
        assert bench.rows("need_state_sales.parquet") == [("1", "dry", 6.0), ("2", "dry", 1.0), ("2", "sweet", 5.0)]
        assert bench.ledger()["noted", "sku_of_other_category"] == (1, 2, Decimal("5.00"))
        assert ("noted", "unmapped_sku") not in bench.ledger()

    def test_they_are_unmapped_on_demand(self, bench: Any, split: Callable[..., None]) -> None:
        split(skus_of_other_categories="unmapped")
        assert ("2", "(unmapped)", 5.0) in bench.rows("need_state_sales.parquet")
        split(skus_of_other_categories="unmapped", unmapped_skus="drop")
        assert bench.ledger()["set_aside", "unmapped_sku"] == (0, 2, Decimal("5.00"))

    def test_they_stop_the_stage_on_demand(self, bench: Any, split: Callable[..., None]) -> None:
        with pytest.raises(
            DataError, match=r"1 SKUs of category 'BEAUTY' are in the product map for other.*'s' \(sales 5.00\)"
        ):
            split(skus_of_other_categories="fail")

    def test_a_row_without_category_counts_in_every_category(self, bench: Any, split: Callable[..., None]) -> None:
        bench.product_map(("a", "BEAUTY", "dry"), ("s", "SNACKS", "sweet"), ("s", None, "new"))
        split(skus_of_other_categories="unmapped")
        assert ("2", "new", 5.0) in bench.rows("need_state_sales.parquet")


def test_shares_of_lines_do_not_see_a_large_receipt(bench: Any, split: Callable[..., None]) -> None:
    bench.category_sales(
        ("BEAUTY", "1", "a", "900.00", 3), ("BEAUTY", "1", "b", "4.00", 2), ("BEAUTY", "2", "b", "-1.00", 1)
    )
    bench.product_map(("a", "BEAUTY", "dry"), ("a", "BEAUTY", "oily"), ("b", "BEAUTY", "dry"))
    split(measure="lines")
    # Of five lines dry has 3/2 + 2 and oily 3/2; a return is a line too.
    assert bench.rows("shares.parquet") == [("1", 0.7, 0.3), ("2", 1.0, 0.0)]
    # Money stays as it is.
    assert bench.rows("need_state_sales.parquet") == [("1", "dry", 454.0), ("1", "oily", 450.0), ("2", "dry", -1.0)]
    assert bench.rows("store_sales.parquet", "sales") == [Decimal("904.00"), Decimal("-1.00")]


def test_sales_in_large_lines_are_told(bench: Any, split: Callable[..., None]) -> None:
    rows = [("BEAUTY", store, "a", "20.00", 10) for store in "123"]
    rows += [("BEAUTY", "4", "a", "1020.00", 10), ("BEAUTY", "4", "b", "200.00", 1), ("BEAUTY", "5", "a", "60.00", 10)]
    bench.category_sales(*rows)
    bench.product_map(("a", "BEAUTY", "dry"), ("b", "BEAUTY", "oily"))
    split()
    # A usual line of `a` is 2.00, so ten lines are far above usual beyond 3 x 20.00; the only line of `b` is usual.
    assert bench.rows("store_sales.parquet", "large_lines") == [0.0, 0.0, 0.0, 960 / 1220, 0.0]


def test_shares_of_units_do_not_see_what_a_unit_costs(bench: Any, split: Callable[..., None]) -> None:
    bench.product_map(("both", "BEAUTY", "dry"), ("both", "BEAUTY", "oily"), ("one", "BEAUTY", "dry"))
    bench.category_sales(("BEAUTY", "1", "both", "900.00", 1), ("BEAUTY", "1", "one", "4.00", 2))
    entries = bench.entries()
    bench.beside = {
        ("BEAUTY", "1", entries[sku]): {"units": Decimal(units)} for sku, units in (("both", 3), ("one", 2))
    }
    split(measure="units")
    # 3 units of dry and oily skin, 2 of dry skin: 1.5 + 2 of 5, whatever they cost
    assert bench.rows("shares.parquet") == [("1", 0.7, 0.3)]
    assert bench.rows("need_state_sales.parquet", "sales") == [454.0, 450.0]


def test_shares_of_units_need_units(bench: Any, split: Callable[..., None]) -> None:
    bench.product_map(("one", "BEAUTY", "dry"))
    bench.category_sales(("BEAUTY", "1", "one", "4.00", 2))
    with pytest.raises(DataError, match="category 'BEAUTY': measure is units, and the sales have none"):
        split(measure="units")


def test_largest_line_is_told_as_a_part_of_the_stores_sales(bench: Any, split: Callable[..., None]) -> None:
    bench.product_map(("a", "BEAUTY", "dry"), ("b", "BEAUTY", "oily"))
    bench.category_sales(
        ("BEAUTY", "1", "a", "30.00", 3), ("BEAUTY", "1", "b", "10.00", 1), ("BEAUTY", "2", "a", "5.00", 2),
        ("BEAUTY", "2", "b", "-1.00", 1),
    )  # fmt: skip
    entries = bench.entries()
    largest = {("1", "a"): "20.00", ("1", "b"): "10.00", ("2", "a"): "7.00", ("2", "b"): "0.00"}
    bench.beside = {
        ("BEAUTY", store, entries[sku]): {"largest": Decimal(cents)} for (store, sku), cents in largest.items()
    }
    split()
    # 20 of 40; in store 2 a line of 7 of which 2 came back is all there is
    assert bench.rows("store_sales.parquet", "largest_line") == [0.5, 1.0]


def test_shares_are_of_capped_sales_where_there_is_a_cap(bench: Any, split: Callable[..., None]) -> None:
    bench.product_map(("a", "BEAUTY", "dry"), ("b", "BEAUTY", "oily"))
    bench.category_sales(("BEAUTY", "1", "a", "900.00", 1), ("BEAUTY", "1", "b", "10.00", 2))
    entries = bench.entries()
    bench.beside = {
        ("BEAUTY", "1", entries[sku]): {"capped": Decimal(amount)} for sku, amount in (("a", 30), ("b", 10))
    }
    split()
    # a line of 900 counts as 30 in shares, and whole in sales
    assert bench.rows("shares.parquet") == [("1", 0.75, 0.25)]
    assert bench.rows("store_sales.parquet", "sales") == [Decimal("910.00")]


def test_sales_of_a_store_by_month_are_of_what_is_kept(bench: Any, split: Callable[..., None]) -> None:
    bench.product_map(("a", "BEAUTY", "dry"), ("a", "BEAUTY", "oily"))
    bench.category_sales(
        ("BEAUTY", "1", "a", "9.00", 3), ("BEAUTY", "1", "new", "5.00", 1), ("BEAUTY", "2", "a", "1.00", 1)
    )
    entry = bench.entries()["a"]
    none = dict.fromkeys(MONTHS, Decimal(0))
    bench.beside = {
        ("BEAUTY", "1", entry): none | {"month_03": Decimal(6), "month_04": Decimal(3)},
        ("BEAUTY", "1", 0): none | {"month_03": Decimal(5)},
        ("BEAUTY", "2", entry): none | {"month_12": Decimal(1)},
    }
    split(unmapped_skus="drop")
    rows = bench.rows("store_sales.parquet", "store_id", "sales", "month_03", "month_04", "month_12")
    assert rows == [
        ("1", Decimal("9.00"), Decimal("6.00"), Decimal("3.00"), Decimal("0.00")),
        ("2", Decimal("1.00"), Decimal("0.00"), Decimal("0.00"), Decimal("1.00")),
    ]
