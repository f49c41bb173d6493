"""Halves of the weeks: each line is in the half of its week, with every column as delivered."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import split_sales
from storelib.errors import ConfigError, DataError

HEADER = "STORE;SKU;CAT;AMOUNT;DAY;NOTE"
CSV = {
    "reader": "csv",
    "path": "sales",
    "delimiter": ";",
    "missing": ["n/a"],
    "columns": {"store_id": "STORE", "sku": "SKU", "category": "CAT", "sales": "AMOUNT", "date": "DAY"},
}
PARQUET = {"reader": "parquet", "path": "sales.parquet", "columns": CSV["columns"]}


@pytest.fixture
def split(bench: Any) -> Callable[..., dict[str, Any]]:
    def run(**sales: Any) -> dict[str, Any]:
        source = sales if sales.get("reader") == "parquet" else CSV | sales
        bench.run(
            split_sales, config=bench.place(sales=source), raw=bench.raw, odd=bench / "odd", even=bench / "even",
            counts=bench / "counts.json",
        )  # fmt: skip
        counts: dict[str, Any] = json.loads((bench / "counts.json").read_text())
        return counts

    return run


@pytest.mark.parametrize(
    ("day", "week"),
    [
        ("1970-01-05", 0),  # a Monday
        ("1970-01-11", 0),  # the Sunday after it
        ("1970-01-12", 1),
        ("1970-01-04", -1),  # the Sunday before
        ("1969-12-29", -1),
        ("1969-12-28", -2),
        ("2020-12-28", 2660),  # 18,620 days; Monday of ISO week 53, an odd number
        ("2021-01-03", 2660),
        ("2021-01-04", 2661),  # Monday of ISO week 1, an odd number too
        ("2024-13-01", None),
        ("infinity", None),
        ("", None),
    ],
)
def test_weeks_are_counted_from_a_monday_without_a_break(day: str, week: int | None) -> None:
    with duckdb.connect() as connection:
        assert connection.execute("SELECT " + split_sales.week_of("TRY_CAST(? AS DATE)"), [day]).fetchall() == [(week,)]
    if week is not None:
        assert week == (date.fromisoformat(day) - date(1970, 1, 5)).days // 7


def test_lines_go_to_the_half_of_their_week_text_for_text(bench: Any, split: Callable[..., dict[str, Any]]) -> None:
    # weeks of 2023-12-25 (2816), 2024-01-01 (2817), 2024-01-08 (2818)
    even = ["007;a ;BEAUTY;1.10;2023-12-31;x", "7;b;BEAUTY;1,5;2024-01-08;", "7;b;BEAUTY;-2;2024-01-14;"]
    odd = ['n/a;"a;b";BEAUTY;1e2;2024-01-01;y', "8;b;;;2024-01-07;y"]
    neither = ["8;b;BEAUTY;3;n/a;", "8;b;BEAUTY;3;;", "8;b;BEAUTY;3;07.01.2024;"]
    bench.csv("raw/sales/one.csv", HEADER, even[0], neither[0], odd[0])
    bench.csv("raw/sales/two.csv", HEADER, odd[1], *neither[1:], *even[1:])
    assert split() == {"even": {"weeks": 2, "lines": 3}, "odd": {"weeks": 1, "lines": 2}, "lines_without_date": 3}
    assert pq.read_schema(bench / "odd").names == HEADER.split(";")
    assert set(bench.rows("odd")) == {
        ("n/a", "a;b", "BEAUTY", "1e2", "2024-01-01", "y"), ("8", "b", None, None, "2024-01-07", "y"),
    }  # fmt: skip
    assert set(bench.rows("even")) == {
        ("007", "a ", "BEAUTY", "1.10", "2023-12-31", "x"), ("7", "b", "BEAUTY", "1,5", "2024-01-08", None),
        ("7", "b", "BEAUTY", "-2", "2024-01-14", None),
    }  # fmt: skip


def test_types_of_parquet_are_kept(bench: Any, split: Callable[..., dict[str, Any]]) -> None:
    columns = {
        "STORE": pa.array([1, 2, 3], pa.int16()),
        "SKU": pa.array(["a", None, "c"]).dictionary_encode(),
        "CAT": pa.array([1.5, 2.0, float("nan")], pa.float32()),
        "AMOUNT": pa.array([Decimal("1.005"), None, Decimal(-1)], pa.decimal128(12, 3)),
        "DAY": pa.array([date(2024, 1, 1), date(2024, 1, 8), None], pa.date32()),
        "WEEK": pa.array([[1], [2, 3], None], pa.list_(pa.int64())),
    }
    bench.parquet("raw/sales.parquet", columns)
    counts = split(**PARQUET)
    assert counts == {"even": {"weeks": 1, "lines": 1}, "odd": {"weeks": 1, "lines": 1}, "lines_without_date": 1}
    types = {name: str(array.type) for name, array in columns.items()} | {"SKU": "string"}
    assert {field.name: str(field.type).replace("l: int64", "element: int64") for field in pq.read_schema(bench / "odd")} == {
        **types, "WEEK": "list<element: int64>",
    }  # fmt: skip
    assert bench.rows("odd") == [(1, "a", 1.5, Decimal("1.005"), date(2024, 1, 1), [1])]
    assert bench.rows("even") == [(2, None, 2.0, None, date(2024, 1, 8), [2, 3])]


def test_halves_of_the_demo_add_up_to_all_of_it(bench: Any, split: Callable[..., dict[str, Any]]) -> None:
    bench.run("make_demo_data", raw=bench.raw, seed=3, stores=40, categories=2, weeks=5, lines_per_store=60)
    columns = {"store_id": "STORE_NBR", "sku": "SKU_NBR", "category": "CAT_DSC", "sales": "TOTAL_SALES", "date": "WEEK"}
    source = {**PARQUET, "path": "sales", "columns": columns}
    counts = split(**source)
    assert (counts["odd"]["weeks"], counts["even"]["weeks"]) in {(2, 3), (3, 2)}

    def ingested(raw: Path, path: str) -> tuple[Counter[tuple[str, ...]], tuple[int, Decimal]]:
        """Cents by key, and lines and sales in, as the pipeline reads them."""
        bench.run(
            "ingest_sales", config=bench.place(sales=source | {"path": path}), raw=raw, sales=bench / "sums.parquet",
            product_map=bench.product_map(), sku_sales=bench / "skus.parquet", period_sales=bench / "periods.parquet",
            files=bench / "files.parquet", ledger=bench / "ledger.parquet", period="week", negative_sales="keep",
            invalid_lines="drop",
        )  # fmt: skip
        sums: Counter[tuple[str, ...]] = Counter()
        for table, name in (("sums", "store_id"), ("skus", "sku"), ("periods", "period")):
            for *key, sales in bench.rows(f"{table}.parquet", "category", name, "sales"):
                sums[table, *key] += int(sales * 100)
        _, lines, sales = bench.ledger()["in", ""]
        return sums, (lines, sales)

    whole, (lines, sales) = ingested(bench.raw, "sales")
    odd, (odd_lines, odd_sales) = ingested(bench.folder, "odd")
    even, (even_lines, even_sales) = ingested(bench.folder, "even")
    assert (odd_lines + even_lines, odd_sales + even_sales) == (lines, sales)
    weeks = [{key[2] for key in half if key[0] == "periods"} for half in (odd, even)]
    assert all(weeks)
    assert not weeks[0] & weeks[1]
    odd.update(even)
    assert odd == whole
    assert lines > 2000


def test_no_date_column_is_a_configuration_error(bench: Any, split: Callable[..., dict[str, Any]]) -> None:
    bench.csv("raw/sales/one.csv", HEADER, "1;a;BEAUTY;1;2024-01-01;")
    with pytest.raises(ConfigError, match="names no date"):
        split(columns={"store_id": "STORE", "sku": "SKU", "category": "CAT", "sales": "AMOUNT"})


@pytest.mark.parametrize(
    ("days", "half", "without"), [(["2024-01-01", "2024-01-15"], "even", 0), (["2024-01-08", "x"], "odd", 1)]
)
def test_half_without_a_line_is_refused(
    bench: Any, split: Callable[..., dict[str, Any]], days: list[str], half: str, without: int
) -> None:
    bench.csv("raw/sales/one.csv", HEADER, *(f"1;a;BEAUTY;1;{day};" for day in days))
    with pytest.raises(DataError, match=rf"no sales line in an {half} week.*, {without} without a date"):
        split()


def test_broken_file_is_told_and_leaves_no_half(bench: Any, split: Callable[..., dict[str, Any]]) -> None:
    lines = ["1;a;BEAUTY;1;2024-01-01;"] * 60_000
    bench.csv("raw/sales/one.csv", HEADER, *lines, "1;a;BEAUTY;1;2024-01-08;x;y;z", *lines)
    with pytest.raises(DataError, match="line 60002: 8 values, where the header has 6 columns"):
        split()
    assert [path.name for path in bench.folder.glob("*") if path.is_file()] == []
