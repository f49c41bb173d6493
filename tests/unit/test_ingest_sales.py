"""Raw sales lines to exact sums: nothing vanishes, and the order of lines is nothing."""

import os
import random
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ingest_sales
from storelib.errors import DataError

HEADER = "STORE,SKU,CAT,AMOUNT,DAY"
PARQUET = {
    "reader": "parquet",
    "path": "sales.parquet",
    "columns": {"store_id": "STORE", "sku": "SKU", "category": "CAT", "sales": "AMOUNT", "date": "DAY"},
}


@pytest.fixture
def ingest(bench: Any) -> Callable[..., None]:
    def run(period: str = "all", negative_sales: str = "keep", invalid_lines: str = "fail", **place: Any) -> None:
        cache = {"cache": place.pop("cache")} if "cache" in place else {}
        bench.run(
            ingest_sales, config=bench.place(**place), raw=bench.raw, product_map=bench / "product_map.parquet",
            sales=bench / "sales.parquet", sku_sales=bench / "sku_sales.parquet", period_sales=bench / "period_sales.parquet",
            files=bench / "files.parquet", ledger=bench / "ledger.parquet", period=period, negative_sales=negative_sales,
            invalid_lines=invalid_lines, **cache,
        )  # fmt: skip

    # a is entry 1, b is 2, c is 3
    bench.product_map(*[(sku, None, f"need {sku}") for sku in "abc"])
    return run


def write_lines(bench: Any, **columns: Any) -> dict[str, Any]:
    """A Parquet file of one sale a row, whose columns may be given another type; returns its source."""
    length = len(next(iter(columns.values())))
    plain = {"STORE": ["1"] * length, "SKU": ["a"] * length, "CAT": ["BEAUTY"] * length, "AMOUNT": [1.0] * length}
    bench.parquet("raw/sales.parquet", plain | {"DAY": ["2024-01-01"] * length} | columns)
    return PARQUET


def test_lines_are_summed_exactly_by_store_category_and_entry_and_by_period(
    bench: Any, ingest: Callable[..., None]
) -> None:
    bench.csv(
        "raw/sales.csv", HEADER,
        "2,a,BEAUTY,0.10,2024-01-05", "1,b,BEAUTY,5,2024-01-05", "1,a,SNACKS,7.00,2024-01-05",
        "1,a,BEAUTY,0.10,2024-01-05", "1,a,BEAUTY,0.20,2024-01-31", "1,a,BEAUTY,0.30,2024-02-01", "1,a,BEAUTY,-0.05,2024-01-06",
        "1,a,BEAUTY,0,2024-01-07",
    )  # fmt: skip
    ingest(period="month")
    # store 1, a, BEAUTY: 0.10 + 0.20 + 0.30 - 0.05 + 0 = 0.55 in 5 lines
    assert bench.rows("sales.parquet", "category", "store_id", "entry", "sales", "lines") == [
        ("BEAUTY", "1", 1, Decimal("0.55"), 5),
        ("BEAUTY", "1", 2, Decimal("5.00"), 1),
        ("BEAUTY", "2", 1, Decimal("0.10"), 1),
        ("SNACKS", "1", 1, Decimal("7.00"), 1),
    ]
    # January, BEAUTY: 0.10 + 5 + 0.10 + 0.20 - 0.05 + 0 = 5.35 in 6 lines
    assert bench.rows("period_sales.parquet", "category", "period", "sales", "lines") == [
        ("BEAUTY", "2024-01", Decimal("5.35"), 6),
        ("BEAUTY", "2024-02", Decimal("0.30"), 1),
        ("SNACKS", "2024-01", Decimal("7.00"), 1),
    ]
    # the map places every SKU
    assert bench.rows("sku_sales.parquet", "sku") == []
    # 0.25 + 0.30 + 5 + 0.10 + 7 = 12.65
    assert bench.ledger() == {
        ("in", ""): (2, 8, Decimal("12.65")),
        ("out", ""): (2, 8, Decimal("12.65")),
        ("noted", "negative_sales"): (1, 1, Decimal("-0.05")),
        ("noted", "zero_sales"): (1, 1, Decimal("0.00")),
    }


def test_a_thousand_dimes_are_a_hundred(bench: Any, ingest: Callable[..., None]) -> None:
    # as doubles, 0.1 a thousand times is 99.9999999999986
    ingest(sales=write_lines(bench, AMOUNT=[0.1] * 1000))
    assert bench.rows("sales.parquet", "sales", "lines") == [(Decimal("100.00"), 1000)]
    assert ("noted", "rounded_to_cent") not in bench.ledger()


def test_fractions_of_a_cent_are_rounded_line_by_line_and_noted(bench: Any, ingest: Callable[..., None]) -> None:
    # 0.333 -> 0.33 three times is 0.99, where the sum of the unrounded is 1.00
    ingest(sales=write_lines(bench, AMOUNT=[0.333, 0.333, 0.333, 2.0]))
    assert bench.rows("sales.parquet", "sales") == [Decimal("2.99")]
    # three times 0.003 is left out
    assert bench.ledger()["noted", "rounded_to_cent"] == (1, 3, Decimal("0.01"))
    assert "fractions of a cent come to 0.009 in all" in bench.log(ingest_sales)


@pytest.mark.parametrize("reader", ["csv", "parquet", "decimal"])
def test_what_rounding_leaves_out_is_the_same_by_every_way_of_reading(
    bench: Any, ingest: Callable[..., None], reader: str
) -> None:
    texts = ["1.004", "1.004", "2.999", "-0.127", "3.00", "0.0049"]
    if reader == "csv":
        bench.csv("raw/sales.csv", HEADER, *(f"1,a,B,{text},2024-01-01" for text in texts))
        ingest()
    else:
        kind = pa.decimal128(12, 4) if reader == "decimal" else pa.float64()
        ingest(sales=write_lines(bench, AMOUNT=pa.array([Decimal(t) for t in texts]).cast(kind)))
    # 1.00 + 1.00 + 3.00 - 0.13 + 3.00 + 0.00 = 7.87; left out: 0.004 + 0.004 - 0.001 + 0.003 + 0.0049 = 0.0149
    assert bench.ledger()["out", ""] == (1, 6, Decimal("7.87"))
    assert bench.ledger()["noted", "rounded_to_cent"] == (1, 5, Decimal("0.01"))
    assert "fractions of a cent come to 0.0149 in all" in bench.log(ingest_sales)


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ("all", [("", Decimal("7.00"))]),
        ("month", [("2024-12", Decimal("3.00")), ("2025-01", Decimal("4.00"))]),
        # Monday 2024-12-30 begins the first ISO week of 2025
        ("week", [("2024-W52", Decimal("1.00")), ("2025-W01", Decimal("6.00"))]),
    ],
)
def test_period(bench: Any, ingest: Callable[..., None], period: str, expected: list[tuple[str, Decimal]]) -> None:
    bench.csv("raw/sales.csv", HEADER, "1,a,B,1,2024-12-29", "1,a,B,2,2024-12-30", "1,a,B,4,2025-01-05")
    ingest(period=period)
    assert bench.rows("period_sales.parquet", "period", "sales") == expected


@pytest.mark.parametrize(
    "days",
    [
        pytest.param(pa.array([date(2024, 3, 4)] * 2), id="date"),
        pytest.param(pa.array([datetime(2024, 3, 4)] * 2), id="timestamp"),  # noqa: DTZ001 (as pandas writes it)
        pytest.param(pa.array([datetime(2024, 3, 4, tzinfo=UTC)] * 2), id="timestamp with zone"),
        pytest.param(pa.array(["2024-03-04", "2024-03-04 00:00:00"]), id="text"),
    ],
)
def test_dates_of_any_type(bench: Any, ingest: Callable[..., None], days: pa.Array) -> None:
    ingest(period="week", sales=write_lines(bench, DAY=days))
    assert bench.rows("period_sales.parquet", "period", "sales") == [("2024-W10", Decimal("2.00"))]


class TestNegativeSales:
    """Store 1: 5.00 and -2.00; store 2: -1.00 alone."""

    @pytest.fixture(autouse=True)
    def inputs(self, bench: Any) -> None:
        bench.csv("raw/sales.csv", HEADER, "1,a,B,5,2024-01-01", "1,a,B,-2,2024-01-01", "2,a,B,-1,2024-01-01")

    def test_they_are_kept_and_noted(self, bench: Any, ingest: Callable[..., None]) -> None:
        ingest(negative_sales="keep")
        assert bench.rows("sales.parquet", "store_id", "sales") == [("1", Decimal("3.00")), ("2", Decimal("-1.00"))]
        assert bench.ledger() == {
            ("in", ""): (2, 3, Decimal("2.00")),
            ("out", ""): (2, 3, Decimal("2.00")),
            ("noted", "negative_sales"): (2, 2, Decimal("-3.00")),
        }

    def test_they_are_dropped_into_the_ledger(self, bench: Any, ingest: Callable[..., None]) -> None:
        ingest(negative_sales="drop")
        assert bench.rows("sales.parquet", "store_id", "sales", "lines") == [("1", Decimal("5.00"), 1)]
        # in 2.00 = out 5.00 + set aside -3.00; store 1 is still there
        assert bench.ledger() == {
            ("in", ""): (2, 3, Decimal("2.00")),
            ("out", ""): (1, 1, Decimal("5.00")),
            ("set_aside", "negative_sales"): (1, 2, Decimal("-3.00")),
        }

    def test_they_stop_the_stage_with_an_example(self, bench: Any, ingest: Callable[..., None]) -> None:
        with pytest.raises(
            DataError, match=r"sales\.csv, line 3: negative sales, on 2 lines.*store '1', SKU 'a', sales '-2'"
        ) as caught:
            ingest(negative_sales="fail")
        assert "internal.ingest_sales.negative_sales" in caught.value.solution
        assert not (bench / "sales.parquet").exists()


INVALID = [
    pytest.param(
        "NA,a,B,4.00,2024-01-01", "missing_store", "no store, on 1 lines.*SKU 'a', sales '4.00'", "4.00", id="store"
    ),
    pytest.param("7, ,B,4.00,2024-01-01", "missing_sku", "no SKU, on 1 lines.*store '7'", "4.00", id="sku"),
    pytest.param(
        "7,a,B,,2024-01-01", "missing_sales", "no sales amount, on 1 lines.*store '7'", "0.00", id="no amount"
    ),
    pytest.param("7,a,B,four,2024-01-01", "invalid_sales", "store '7', SKU 'a', sales 'four'", "0.00", id="a word"),
    pytest.param('7,a,B,"1,000.00",2024-01-01', "invalid_sales", "sales '1,000.00'", "0.00", id="thousands"),
    pytest.param("7,a,B,nan,2024-01-01", "invalid_sales", "sales 'nan'", "0.00", id="nan"),
    pytest.param("7,a,B,inf,2024-01-01", "invalid_sales", "sales 'inf'", "0.00", id="infinite"),
    pytest.param(
        "7,a,B,4.00,01/02/2024", "invalid_date", "YYYY-MM-DD.*, on 1 lines.*date '01/02/2024'", "4.00", id="date"
    ),
    pytest.param("7,a,B,4.00,", "invalid_date", "no date.*, on 1 lines.*date None", "4.00", id="no date"),
]


@pytest.mark.parametrize(("line", "reason", "message", "amount"), INVALID)
class TestInvalidLines:
    """One good line of store 1, and one that cannot be used."""

    @pytest.fixture
    def source(self, bench: Any) -> dict[str, Any]:
        return {**PARQUET, "reader": "csv", "path": "parts", "missing": ["NA"]}

    def test_one_stops_the_stage(
        self,
        bench: Any,
        ingest: Callable[..., None],
        source: dict[str, Any],
        line: str,
        reason: str,
        message: str,
        amount: str,
    ) -> None:
        bench.csv("raw/parts/good.csv", HEADER, "1,a,B,1.00,2024-01-01")
        bench.csv("raw/parts/bad.csv", HEADER, line)
        with pytest.raises(DataError, match=rf"bad\.csv, line 2: .*{message}"):
            ingest(period="month", sales=source)

    def test_dropped_ones_are_in_the_ledger(
        self,
        bench: Any,
        ingest: Callable[..., None],
        source: dict[str, Any],
        line: str,
        reason: str,
        message: str,
        amount: str,
    ) -> None:
        bench.csv("raw/parts/all.csv", HEADER, "1,a,B,1.00,2024-01-01", line)
        ingest(period="month", sales=source, invalid_lines="drop")
        assert bench.rows("sales.parquet", "store_id", "sales") == [("1", Decimal("1.00"))]
        stores = 0 if reason == "missing_store" else 1
        assert bench.ledger() == {
            ("in", ""): (1 + stores, 2, Decimal("1.00") + Decimal(amount)),
            ("out", ""): (1, 1, Decimal("1.00")),
            ("set_aside", reason): (stores, 1, Decimal(amount)),
        }


def test_store_that_is_lost_for_two_reasons_counts_once(bench: Any, ingest: Callable[..., None]) -> None:
    bench.csv(
        "raw/sales.csv", HEADER, "1,a,B,1,2024-01-01", "2,a,B,x,2024-01-01", "2,,B,3,2024-01-01", "1,a,B,y,2024-01-01"
    )
    ingest(invalid_lines="drop")
    # by name, invalid_sales comes before missing_sku; store 1 is not lost
    assert bench.ledger() == {
        ("in", ""): (2, 4, Decimal("4.00")),
        ("out", ""): (1, 1, Decimal("1.00")),
        ("set_aside", "invalid_sales"): (1, 2, Decimal("0.00")),
        ("set_aside", "missing_sku"): (0, 1, Decimal("3.00")),
    }


def test_date_is_not_asked_for_where_the_period_is_all(bench: Any, ingest: Callable[..., None]) -> None:
    bench.csv("raw/sales.csv", HEADER, "1,a,B,1,", "1,a,B,2,whenever")
    ingest(period="all")
    assert bench.rows("sales.parquet", "sales") == [Decimal("3.00")]


def test_no_usable_line_is_refused(bench: Any, ingest: Callable[..., None]) -> None:
    bench.csv("raw/sales.csv", HEADER, ",a,B,1,2024-01-01")
    with pytest.raises(DataError, match="holds no usable sales line"):
        ingest(invalid_lines="drop")


def test_missing_category_is_kept_for_the_product_map_to_fill(bench: Any, ingest: Callable[..., None]) -> None:
    bench.csv("raw/sales.csv", HEADER, "1,a,,1,2024-01-01", "1,a,B,2,2024-01-01")
    ingest()
    assert bench.rows("sales.parquet", "category", "sales") == [("B", Decimal("2.00")), (None, Decimal("1.00"))]


@pytest.mark.parametrize(
    ("stores", "expected"),
    [
        pytest.param(["007", "7", " x904631\t"], ["007", "7", "x904631"], id="text"),
        pytest.param(pa.array([7, 904631, 12], pa.int32()), ["12", "7", "904631"], id="whole numbers"),
        pytest.param(pa.array([123.0, 7.0, 904631.0]), ["123", "7", "904631"], id="doubles"),
        pytest.param(pa.array([123.0, 7.0, 8.0], pa.float32()), ["123", "7", "8"], id="floats"),
        pytest.param(pa.array([123, 7, 8], pa.int64()).cast(pa.decimal128(20, 0)), ["123", "7", "8"], id="decimals"),
        pytest.param(pa.array(["007", "007", "x"]).dictionary_encode(), ["007", "x"], id="categorical"),
        pytest.param(pa.array([b"007", b"x", b"y"], pa.binary()), ["007", "x", "y"], id="bytes"),
    ],
)
def test_ids_are_text_whatever_their_type(
    bench: Any, ingest: Callable[..., None], stores: Any, expected: list[str]
) -> None:
    ingest(sales=write_lines(bench, STORE=stores))
    assert bench.rows("sales.parquet", "store_id") == expected
    assert pq.read_schema(bench / "sales.parquet").field("store_id").type == pa.string()


def test_leading_zeros_of_csv_ids_survive(bench: Any, ingest: Callable[..., None]) -> None:
    bench.csv("raw/sales.csv", HEADER, "007,0010,B,1,2024-01-01", "7,0010,B,1,2024-01-01", "x904631,10,B,1,2024-01-01")
    ingest()
    assert bench.rows("sales.parquet", "store_id") == ["007", "7", "x904631"]
    # none is in the map
    assert bench.rows("sku_sales.parquet", "sku", "entry", "lines") == [("0010", 0, 2), ("10", 0, 1)]


@pytest.mark.parametrize(
    "stores",
    [
        pytest.param(pa.array([1.0, -1.0]), id="double"),
        pytest.param(pa.array([1, -1]), id="whole"),
        pytest.param(["1", "-1"], id="text"),
        pytest.param(["1", "NA"], id="word"),
        pytest.param(["1", "  "], id="blank"),
        pytest.param(["1", None], id="null"),
        pytest.param(pa.array(np.array([1.0, np.nan])), id="not a number"),
        pytest.param(pa.array([Decimal("1.00"), Decimal("-1.00")]), id="decimal"),
    ],
)
def test_values_that_mean_not_known(bench: Any, ingest: Callable[..., None], stores: Any) -> None:
    ingest(sales=write_lines(bench, STORE=stores) | {"missing": ["", "NA", -1]}, invalid_lines="drop")
    assert bench.rows("sales.parquet", "store_id", "lines")[0][1] == 1
    assert bench.ledger()["set_aside", "missing_store"] == (0, 1, Decimal("1.00"))


@pytest.mark.parametrize(
    "amounts",
    [
        pytest.param(pa.array([3.0, -1.0]), id="double"),
        pytest.param(["3", "-1"], id="text"),
        pytest.param(pa.array([Decimal("3.00"), Decimal("-1.00")]), id="decimal"),
    ],
)
def test_amount_that_means_not_known_is_no_negative_sale(bench: Any, ingest: Callable[..., None], amounts: Any) -> None:
    ingest(sales=write_lines(bench, AMOUNT=amounts) | {"missing": [-1]}, invalid_lines="drop")
    assert bench.rows("sales.parquet", "sales") == [Decimal("3.00")]
    assert bench.ledger()["set_aside", "missing_sales"][1] == 1


@pytest.mark.parametrize("amounts", [[1, 2], [1.0, 2.0], ["1", "2.00"], [Decimal(1), Decimal(2)], ["1e0", "2E0"]])
def test_amounts_of_any_type(bench: Any, ingest: Callable[..., None], amounts: Any) -> None:
    ingest(sales=write_lines(bench, AMOUNT=amounts))
    assert bench.rows("sales.parquet", "sales") == [Decimal("3.00")]


@pytest.mark.parametrize("path", ["parts", "parts/*.csv", "parts/week-*.csv"])
def test_parts_in_a_folder_or_by_a_glob(bench: Any, ingest: Callable[..., None], path: str) -> None:
    bench.csv("raw/parts/week-1.csv", HEADER, "1,a,B,1,2024-01-01")
    bench.csv("raw/parts/week-2.csv", "DAY,AMOUNT,CAT,SKU,STORE", "2024-01-01,2,B,a,1")
    bench.csv("raw/parts/notes.md", "not data")
    ingest(sales={**PARQUET, "reader": "csv", "path": path})
    assert bench.rows("sales.parquet", "sales") == [Decimal("3.00")]


def test_missing_file_is_told_with_what_is_there(bench: Any, ingest: Callable[..., None]) -> None:
    bench.csv("raw/sale.csv", HEADER)
    with pytest.raises(DataError, match=r"sales\.csv does not exist") as caught:
        ingest()
    assert "sale.csv" in caught.value.solution


def test_misspelt_column_is_told_with_the_nearest(bench: Any, ingest: Callable[..., None]) -> None:
    bench.csv("raw/sales.csv", "STORES,SKU,CAT,AMOUNT,DAY", "1,a,B,1,2024-01-01")
    with pytest.raises(
        DataError, match=r"no column 'STORE' \(nearest: 'STORES'\); columns: STORES, SKU, CAT, AMOUNT, DAY"
    ):
        ingest()


def test_file_that_is_no_parquet_is_told_in_one_line(bench: Any, ingest: Callable[..., None]) -> None:
    bench.csv("raw/sales.parquet", "STORE,SKU")
    with pytest.raises(DataError, match="cannot be read as parquet") as caught:
        ingest(sales=PARQUET)
    assert "\n" not in caught.value.args[0]


class TestSameBytes:
    """300 lines with thirds, returns and zeros."""

    @pytest.fixture
    def lines(self) -> list[str]:
        draw = random.Random(3)  # noqa: S311 (made-up data)
        return [
            f"{draw.randrange(9):02d},{draw.choice('abc')},{draw.choice(['B', 'S', ''])},"
            f"{draw.randrange(-50, 900) / 100},2024-0{draw.randrange(1, 5)}-01"
            for _ in range(300)
        ]

    @pytest.fixture
    def outputs(self, bench: Any, ingest: Callable[..., None]) -> Callable[..., tuple[bytes, bytes]]:
        def run(*parts: list[str], threads: int = 2) -> tuple[bytes, bytes]:
            for file in bench.raw.glob("parts/*"):
                file.unlink()
            for number, part in enumerate(parts):
                bench.csv(f"raw/parts/{number}.csv", HEADER, *part)
            source = {**PARQUET, "reader": "csv", "path": "parts"}
            ingest(period="month", sales=source, compute={"threads": threads}, negative_sales="drop")
            return (bench / "sales.parquet").read_bytes(), (bench / "ledger.parquet").read_bytes()

        return run

    def test_whatever_the_order_of_lines(self, lines: list[str], outputs: Callable[..., tuple[bytes, bytes]]) -> None:
        first = outputs(lines)
        for seed in range(3):
            random.Random(seed).shuffle(lines)  # noqa: S311 (an order)
            assert outputs(lines) == first

    def test_whatever_the_number_of_threads(
        self, lines: list[str], outputs: Callable[..., tuple[bytes, bytes]]
    ) -> None:
        assert outputs(lines, threads=1) == outputs(lines, threads=2)

    def test_whatever_the_cut_into_files(self, lines: list[str], outputs: Callable[..., tuple[bytes, bytes]]) -> None:
        assert outputs(lines) == outputs(lines[200:], lines[:50], lines[50:200])


@pytest.mark.parametrize(("amount", "config", "code"), [("x", "dev", 4), ("1", "missing", 3)])
def test_mistake_of_the_user_is_told_in_two_lines_with_its_exit_code(
    bench: Any, amount: str, config: str, code: int
) -> None:
    bench.csv("raw/sales.csv", HEADER, f"1,a,B,{amount},2024-01-01")
    bench.place()
    script = Path(ingest_sales.__file__)
    flags = {
        "config": bench / f"configs/{config}.yml", "raw": bench.raw, "sales": bench / "s.parquet", "ledger": bench / "l.parquet",
        "product_map": bench.product_map(("a", None, "n")), "sku_sales": bench / "k.parquet",
        "period_sales": bench / "p.parquet", "files": bench / "f.parquet",
        "log": bench / "logs/x.log", "period": "all", "negative_sales": "keep", "invalid_lines": "fail",
    }  # fmt: skip
    command = [sys.executable, str(script), *(str(w) for name, value in flags.items() for w in (f"--{name}", value))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert ["Error: " in lines[0], "Solution: " in lines[1], len(lines)] == [True, True, 2]
    assert (bench / "logs/x.log").read_text(encoding="utf-8") == done.stderr
    assert not (bench / "s.parquet").exists()
