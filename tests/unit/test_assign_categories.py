"""Each sale gets a category, or a row in the ledger."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

import assign_categories
import select_categories
from storelib.errors import ConfigError, DataError
from storelib.names import MONTHS


def sales(bench: Any, *rows: tuple[str | None, str, str, str, int]) -> None:
    """(category, store_id, sku, sales, lines); they are written when the product map is there."""
    bench.sold = [(*row[:3], Decimal(row[3]), row[4]) for row in rows]


@pytest.fixture
def assign(bench: Any) -> Callable[..., None]:
    def run(unknown_stores: str = "keep", skus_without_category: str = "drop", spelling: str = "unify") -> None:
        bench.write_sums("sales", "sku_sales")
        bench.run(
            assign_categories, sales=bench / "sales.parquet", sku_sales=bench / "sku_sales.parquet",
            product_map=bench / "product_map.parquet", stores=bench / "stores.parquet",
            category_sales=bench / "category_sales.parquet", category_skus=bench / "category_skus.parquet",
            selling_stores=bench / "selling_stores.parquet", ledger=bench / "ledger.parquet", unknown_stores=unknown_stores,
            skus_without_category=skus_without_category, spelling=spelling, map_entries=bench / "map_entries.parquet",
            category_totals=bench / "category_totals.parquet",
        )  # fmt: skip

    bench.parquet("stores.parquet", {"store_id": pa.array([], pa.string())})
    return run


def test_category_comes_from_the_map_where_the_sale_has_none(bench: Any, assign: Callable[..., None]) -> None:
    sales(bench, (None, "1", "a", "2.00", 1), ("SNACKS", "1", "a", "3.00", 1), ("SNACKS", "1", "b", "4.00", 1))
    bench.product_map(("a", "BEAUTY", "dry"), ("a", "BEAUTY", "oily"), ("b", "BEAUTY", "dry"))
    assign()
    # the sale's own category wins over the map's
    a, b = (bench.entries()[sku] for sku in "ab")
    assert sorted(bench.rows("category_sales.parquet", "category", "store_id", "entry", "sales", "lines")) == [
        ("BEAUTY", "1", a, Decimal("2.00"), 1),
        *sorted([("SNACKS", "1", a, Decimal("3.00"), 1), ("SNACKS", "1", b, Decimal("4.00"), 1)]),
    ]
    # the map has neither in SNACKS
    assert bench.rows("category_skus.parquet", "category", "sku", "sales") == [
        ("SNACKS", "a", Decimal("3.00")), ("SNACKS", "b", Decimal("4.00")),
    ]  # fmt: skip


def test_periods_are_summed_and_map_rows_do_not_multiply(bench: Any, assign: Callable[..., None]) -> None:
    sales(bench, *[(None, "1", "a", "1.10", 2) for _ in range(4)])
    bench.product_map(("a", "BEAUTY", "dry"), ("a", "BEAUTY", "oily"), ("a", "BEAUTY", "new"))
    assign()
    # 4 * 1.10 in 4 * 2 lines
    assert bench.rows("category_sales.parquet", "category", "store_id", "entry", "sales", "lines") == [
        ("BEAUTY", "1", 1, Decimal("4.40"), 8)
    ]
    assert bench.rows("selling_stores.parquet") == [("1", Decimal("4.40"), 8)]


def test_sums_of_both_kinds_meet(bench: Any, assign: Callable[..., None]) -> None:
    sales(bench, (None, "1", "a", "1.00", 1), ("BEAUTY", "1", "a", "2.00", 1))
    bench.product_map(("a", "BEAUTY", "dry"))
    assign()
    assert bench.rows("category_sales.parquet", "sales", "lines") == [(Decimal("3.00"), 2)]


class TestSkusWithoutCategory:
    """b is in no map; c lies in two categories, so that its sale's cannot be told."""

    @pytest.fixture(autouse=True)
    def inputs(self, bench: Any) -> None:
        sales(
            bench, (None, "1", "a", "1.00", 1), (None, "1", "b", "2.00", 1), (None, "2", "c", "4.00", 1),
            ("SNACKS", "1", "c", "8.00", 1),
        )  # fmt: skip
        bench.product_map(("a", "BEAUTY", "dry"), ("c", "BEAUTY", "dry"), ("c", "SNACKS", "sweet"))

    def test_they_are_dropped_into_the_ledger(self, bench: Any, assign: Callable[..., None]) -> None:
        assign(skus_without_category="drop")
        entries = bench.entries()
        assert bench.rows("category_sales.parquet", "category", "entry") == [
            ("BEAUTY", entries["a"]), ("SNACKS", entries["c"]),
        ]  # fmt: skip
        # 2.00 + 4.00 of b and c; store 2 has nothing else
        assert bench.ledger(stage="assign_categories") == {
            ("in", ""): (2, 4, Decimal("15.00")),
            ("out", ""): (1, 2, Decimal("9.00")),
            ("set_aside", "no_category"): (1, 2, Decimal("6.00")),
        }

    def test_they_stop_the_stage(self, bench: Any, assign: Callable[..., None]) -> None:
        with pytest.raises(DataError, match=r"2 lines of sales \(6.00\).*category.*store '1' or SKU 'b'") as caught:
            assign(skus_without_category="fail")
        assert "skus_without_category" in caught.value.solution
        assert not (bench / "category_sales.parquet").exists()


class TestUnknownStores:
    """Store 9 is not in the store table."""

    @pytest.fixture
    def known(self, bench: Any, assign: Callable[..., None]) -> Callable[..., None]:
        sales(bench, ("BEAUTY", "1", "a", "1.00", 1), ("BEAUTY", "9", "a", "2.00", 3))
        bench.product_map(("a", "BEAUTY", "dry"))
        bench.parquet("stores.parquet", {"store_id": ["5", "1"]})
        return assign

    def test_they_are_kept_and_noted(self, bench: Any, known: Callable[..., None]) -> None:
        known("keep")
        assert bench.rows("selling_stores.parquet", "store_id") == ["1", "9"]
        assert bench.ledger(stage="assign_categories") == {
            ("in", ""): (2, 4, Decimal("3.00")),
            ("out", ""): (2, 4, Decimal("3.00")),
            ("noted", "unknown_store"): (1, 3, Decimal("2.00")),
        }

    def test_they_are_dropped_into_the_ledger(self, bench: Any, known: Callable[..., None]) -> None:
        known("drop")
        assert bench.rows("selling_stores.parquet", "store_id") == ["1"]
        assert bench.ledger(stage="assign_categories") == {
            ("in", ""): (2, 4, Decimal("3.00")),
            ("out", ""): (1, 1, Decimal("1.00")),
            ("set_aside", "unknown_store"): (1, 3, Decimal("2.00")),
        }

    def test_they_stop_the_stage(self, known: Callable[..., None]) -> None:
        with pytest.raises(DataError, match=r"3 lines of sales \(2.00\).*not in the store table, such as store '9'"):
            known("fail")

    @pytest.mark.parametrize("policy", ["keep", "drop", "fail"])
    def test_without_a_store_table_every_store_is_known(
        self, bench: Any, known: Callable[..., None], policy: str
    ) -> None:
        bench.parquet("stores.parquet", {"store_id": pa.array([], pa.string())})
        known(policy)
        assert list(bench.ledger(stage="assign_categories")) == [("in", ""), ("out", "")]

    def test_nothing_left_is_told(self, bench: Any, known: Callable[..., None]) -> None:
        bench.parquet("stores.parquet", {"store_id": ["01", "09"]})
        with pytest.raises(DataError, match="no sale has both a category and a known store"):
            known("drop")


class TestSpelling:
    """DAIRY on 3 lines and for one SKU of the map, Dairy on 5 lines, dairy on 1, and SNACKS."""

    @pytest.fixture(autouse=True)
    def inputs(self, bench: Any) -> None:
        sales(
            bench, ("DAIRY", "1", "a", "2.00", 3), ("Dairy", "1", "a", "3.00", 5), ("dairy", "2", "a", "4.00", 1),
            ("SNACKS", "2", "b", "8.00", 1),
        )  # fmt: skip
        bench.product_map(("a", "DAIRY", "milk"), ("b", "SNACKS", "salty"))

    def test_most_frequent_spelling_is_taken_and_noted(self, bench: Any, assign: Callable[..., None]) -> None:
        assign()
        assert bench.rows("category_sales.parquet", "category", "store_id", "entry", "sales", "lines") == [
            ("Dairy", "1", 1, Decimal("5.00"), 8), ("Dairy", "2", 1, Decimal("4.00"), 1), ("SNACKS", "2", 2, Decimal("8.00"), 1),
        ]  # fmt: skip
        # 3 lines of 2.00 in store 1 and 1 line of 4.00 in store 2 were spelt in another way
        assert bench.ledger(stage="assign_categories")["noted", "category_respelt"] == (2, 4, Decimal("6.00"))
        assert bench.ledger(stage="assign_categories")["out", ""] == (2, 10, Decimal("17.00"))
        assert "category 'DAIRY' is taken for 'Dairy' (4 times)" in bench.log(assign_categories)
        # what the map says is spelt so too, and so a is placed in its category
        assert bench.rows("map_entries.parquet") == [(1, "Dairy", "milk"), (2, "SNACKS", "salty")]

    def test_a_category_of_the_map_alone_is_spelt_like_the_sales(self, bench: Any, assign: Callable[..., None]) -> None:
        # 1 line + 0 SKUs of snacks, 1 line + 1 SKU of SNACKS; the sale without a category takes its product's
        sales(bench, ("snacks", "1", "b", "1.00", 1), ("SNACKS", "1", "b", "2.00", 1), (None, "1", "b", "4.00", 1))
        bench.product_map(("b", "SNACKS", "salty"), ("b", "snacks ", "sweet"))
        assign()
        assert bench.rows("category_sales.parquet", "category", "sales") == [("SNACKS", Decimal("7.00"))]
        assert bench.rows("map_entries.parquet") == [(1, "SNACKS", "salty"), (1, "SNACKS", "sweet")]

    def test_spellings_are_kept_on_demand(self, bench: Any, assign: Callable[..., None]) -> None:
        assign(spelling="keep")
        assert sorted(set(bench.rows("category_sales.parquet", "category"))) == ["DAIRY", "Dairy", "SNACKS", "dairy"]
        assert ("noted", "category_respelt") not in bench.ledger(stage="assign_categories")
        assert set(bench.rows("category_totals.parquet", "takes_other_spellings")) == {False}

    def test_two_spellings_stop_the_stage_on_demand(self, bench: Any, assign: Callable[..., None]) -> None:
        with pytest.raises(
            DataError, match=r"category 'DAIRY' \(4 times\) is also spelt 'Dairy' \(5 times\), and so are 2 names"
        ):
            assign(spelling="fail")
        assert not (bench / "category_sales.parquet").exists()


class TestSkuInTwoCategories:
    """a lies in BEAUTY and in SNACKS; whether it has need states there does not matter."""

    @pytest.fixture(autouse=True, params=[("dry", "sweet"), (None, "sweet"), (None, None)])
    def inputs(self, bench: Any, request: pytest.FixtureRequest) -> None:
        first, second = request.param
        bench.product_map(("a", "BEAUTY", first), ("a", "SNACKS", second), ("b", "BEAUTY", "dry"))

    def test_it_is_refused_where_no_sale_carries_a_category(self, bench: Any, assign: Callable[..., None]) -> None:
        sales(bench, (None, "1", "b", "1.00", 1))
        with pytest.raises(
            DataError, match=r"1 SKUs lie in more than one category, such as 'a' in \['BEAUTY', 'SNACKS'\]"
        ):
            assign()

    def test_it_is_fine_where_sales_carry_one(self, bench: Any, assign: Callable[..., None]) -> None:
        sales(bench, ("BEAUTY", "1", "a", "1.00", 1))
        assign()
        assert bench.rows("category_sales.parquet", "category") == ["BEAUTY"]


class TestSelection:
    """What `select_categories` makes of the categories of the data."""

    @pytest.fixture
    def select(self, bench: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[Any, ...]]]:
        monkeypatch.chdir(bench.folder)  # it deletes files of other categories, below the working folder

        def run(**names: str) -> list[tuple[Any, ...]]:
            bench.run(
                select_categories, category_totals=bench / "category_totals.parquet",
                overrides=bench.overrides(), ledger=bench / "ledger.parquet", settings=bench / "settings",
                categories=bench / "categories.parquet", **{f"{key}.name": name for key, name in names.items()},
            )  # fmt: skip
            columns = ("category", "flow", "reason", "stores", "lines", "sales")
            return list(bench.rows("ledger.parquet", *columns))

        return run

    def totals(self, bench: Any, assign: Callable[..., None], *rows: tuple[str, str, str, int]) -> None:
        """(category, store_id, sales, lines)."""
        sales(bench, *((category, store, "x", amount, lines) for category, store, amount, lines in rows))
        bench.product_map(("x", None, "dry"))
        assign()

    def test_it_is_a_stage_of_the_ledger(
        self, bench: Any, assign: Callable[..., None], select: Callable[..., Any]
    ) -> None:
        self.totals(bench, assign, ("A/B", "1", "1.00", 1), ("A/B", "2", "2.00", 2), ("OTHER", "1", "4.00", 4))
        assert select(a_b="A/B") == [
            ("OTHER", "in", "", 1, 4, Decimal("4.00")), ("OTHER", "not_selected", "category_not_selected", 1, 4, Decimal("4.00")),
            ("a_b", "in", "", 2, 3, Decimal("3.00")), ("a_b", "out", "", 2, 3, Decimal("3.00")),
        ]  # fmt: skip
        assert bench.rows("categories.parquet") == [("a_b", "A/B")]

    def test_a_category_that_is_called_like_the_key_of_another(
        self, bench: Any, assign: Callable[..., None], select: Callable[..., Any]
    ) -> None:
        self.totals(
            bench, assign, ("Care & Beauty", "1", "1.00", 1), ("beauty", "1", "2.00", 1), ('"beauty"', "1", "4.00", 1)
        )
        assert [(row[0], row[1], row[5]) for row in select(beauty="Care & Beauty")] == [
            ('"\\"beauty\\""', "in", Decimal("4.00")), ('"\\"beauty\\""', "not_selected", Decimal("4.00")),
            ('"beauty"', "in", Decimal("2.00")), ('"beauty"', "not_selected", Decimal("2.00")),
            ("beauty", "in", Decimal("1.00")), ("beauty", "out", Decimal("1.00")),
        ]  # fmt: skip

    def test_two_keys_of_one_category_are_refused(
        self, bench: Any, assign: Callable[..., None], select: Callable[..., Any]
    ) -> None:
        self.totals(bench, assign, ("DAIRY", "1", "1.00", 1))
        with pytest.raises(ConfigError, match="categories milk and dairy both name 'dairy'"):
            select(milk="DAIRY", dairy="dairy")

    def test_a_name_that_is_not_in_the_data_is_told(
        self, bench: Any, assign: Callable[..., None], select: Callable[..., Any]
    ) -> None:
        self.totals(bench, assign, ("BEAUTY", "1", "1.00", 1))
        with pytest.raises(DataError, match=r"no sales in category 'BEUTY' \(nearest: 'BEAUTY'\)"):
            select(beauty="BEUTY")


def test_sums_by_month_follow_the_sales(bench: Any, assign: Callable[..., None]) -> None:
    sales(bench, ("BEAUTY", "1", "a", "5.00", 2), ("Beauty", "1", "a", "3.00", 1), (None, "1", "a", "2.00", 1))
    bench.product_map(("a", "BEAUTY", "dry"))
    (entry,) = bench.entries().values()
    none = dict.fromkeys(MONTHS, Decimal(0))
    bench.beside = {
        ("BEAUTY", "1", entry): none | {"month_01": Decimal(1), "month_12": Decimal(4)},
        ("Beauty", "1", entry): none | {"month_01": Decimal(3)},
        (None, "1", entry): none | {"month_05": Decimal(2)},
    }
    assign()
    zero = [Decimal("0.00")] * 12
    expected = (Decimal("4.00"), *zero[1:4], Decimal("2.00"), *zero[5:11], Decimal("4.00"))
    assert bench.rows("category_sales.parquet", "sales", *MONTHS) == [(Decimal("10.00"), *expected)]
