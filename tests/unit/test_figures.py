"""Sales without an amount, tables with a column for each period, and dates that are no days: read exactly, or refused."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
import yaml

import ingest_sales
from storelib.errors import ConfigError, DataError
from storelib.raw.wide import COLUMNS as COLUMNS_AT_A_TIME

COLUMNS = {"store_id": "STORE", "sku": "SKU", "category": "CAT"}
FACTORS = COLUMNS | {"quantity": "QTY", "price": "PRICE"}
LEFT_OUT = "fractions of a cent come to "


@pytest.fixture
def ingest(bench: Any) -> Callable[..., None]:
    def run(period: str = "all", negative_sales: str = "keep", invalid_lines: str = "fail", **sales: Any) -> None:
        config = bench.place(sales={"reader": "csv", "path": "sales.csv"} | sales)
        outputs = ("sales", "sku_sales", "period_sales", "files", "ledger")
        bench.run(
            ingest_sales, config=config, raw=bench.raw, product_map=bench / "product_map.parquet",
            **{name: bench / f"{name}.parquet" for name in outputs}, period=period, negative_sales=negative_sales,
            invalid_lines=invalid_lines,
        )  # fmt: skip

    bench.product_map(*[(sku, None, f"need {sku}") for sku in "abc"])
    return run


def sums(bench: Any) -> list[Any]:
    rows: list[Any] = bench.rows("sales.parquet", "store_id", "entry", "sales", "lines")
    return rows


def periods(bench: Any) -> list[Any]:
    rows: list[Any] = bench.rows("period_sales.parquet", "period", "sales", "lines")
    return rows


class TestQuantityTimesPrice:
    """0.345 kg at 12.90 is 4.4505, 3 at 0.335 is 1.005, a return of 1 at 2.50 is -2.50, and 5 at 0.001 is half a cent."""

    LINES = ("1,a,B,0.345,12.90", "1,a,B,3,0.335", "1,b,B,-1,2.50", "2,a,B,5,0.001")
    # 4.45 + 1.01 in two lines; half a cent is rounded away from zero
    SUMS = (("1", 1, Decimal("5.46"), 2), ("1", 2, Decimal("-2.50"), 1), ("2", 1, Decimal("0.01"), 1))
    # 0.0005 - 0.005 - 0.005
    LEFT_OUT = LEFT_OUT + "-0.0095 in all"

    def check(self, bench: Any) -> None:
        assert sums(bench) == list(self.SUMS)
        assert bench.ledger() == {
            ("in", ""): (2, 4, Decimal("2.97")),
            ("out", ""): (2, 4, Decimal("2.97")),
            ("noted", "negative_sales"): (1, 1, Decimal("-2.50")),
            ("noted", "rounded_to_cent"): (2, 3, Decimal("-0.01")),
        }
        assert self.LEFT_OUT in bench.log(ingest_sales)

    def test_of_text(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/sales.csv", "STORE,SKU,CAT,QTY,PRICE", *self.LINES)
        ingest(columns=FACTORS)
        self.check(bench)

    @pytest.mark.parametrize("kind", [pa.float64(), pa.decimal128(9, 3), pa.string()])
    def test_of_any_type(self, bench: Any, ingest: Callable[..., None], kind: pa.DataType) -> None:
        rows = [line.split(",") for line in self.LINES]
        texts = [pa.array([row[n] for row in rows]) for n in range(5)]
        figures = {name: pa.array([Decimal(t.as_py()) for t in texts[n]]) for n, name in ((3, "QTY"), (4, "PRICE"))}
        cast = {name: column.cast(pa.string()).cast(kind) for name, column in figures.items()}
        bench.parquet("raw/sales.parquet", dict(zip(("STORE", "SKU", "CAT"), texts, strict=False)) | cast)
        ingest(reader="parquet", path="sales.parquet", columns=FACTORS)
        self.check(bench)

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            (
                "7,a,B,,2.00",
                "no quantity or no price, on 1 lines of sales, such as store '7', SKU 'a', quantity None, price '2.00'",
            ),
            (
                "7,a,B,2,two",
                "a quantity or a price that is no number, or is too large, on 1 lines of sales, .*price 'two'",
            ),
            ("7,a,B,999999999999,999999999999", "a quantity or a price that is no number, or is too large"),
        ],
    )
    def test_one_without_the_other_is_told_with_its_line(
        self, bench: Any, ingest: Callable[..., None], line: str, message: str
    ) -> None:
        bench.csv("raw/sales.csv", "STORE,SKU,CAT,QTY,PRICE", "1,a,B,1,1.00", line)
        with pytest.raises(DataError, match=rf"sales\.csv, line 3: {message}"):
            ingest(columns=FACTORS)
        ingest(columns=FACTORS, invalid_lines="drop")
        assert sums(bench) == [("1", 1, Decimal("1.00"), 1)]
        assert bench.ledger()["in", ""] == (2, 2, Decimal("1.00"))

    def test_numbers_are_written_as_the_source_says(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/sales.csv", "STORE;SKU;CAT;QTY;PRICE", "1;a;B;2-;1.000,50 €")
        ingest(columns=FACTORS, delimiter=";", decimal=",", thousands=".", currency="€")
        assert sums(bench) == [("1", 1, Decimal("-2001.00"), 1)]
        notes = {reason for flow, reason in bench.ledger() if flow == "noted"}
        assert notes == {
            "negative_sales", "sign_rewritten", "currency_symbol_removed", "thousands_separator_removed", "decimal_sign_replaced",
        }  # fmt: skip


class TestWideTable:
    """Two stores; store 1 sold 1.50 of a on 29 January 2011 and 2.00 on the 31st, and gave 0.25 back of b on the 31st."""

    LINES = ("1,a,B,x,1.50,,2.00", "1,b,B,x,0,,-0.25", "2,c,B,x,3,,")
    SUMS = (("1", 1, Decimal("3.50"), 2), ("1", 2, Decimal("-0.25"), 2), ("2", 3, Decimal("3.00"), 1))

    @pytest.mark.parametrize(
        ("names", "wide", "more"),
        [
            (("d_1", "d_2", "d_3"), {"columns": "d_*", "first_day": "2011-01-29"}, {}),
            (("2011-01-29", "2011-01-30", "2011-01-31"), {"columns": "2*"}, {}),
            (("29.01.11 EUR", "30.01.11 EUR", "31.01.11 EUR"), {"columns": "* EUR"}, {"date_format": "%d.%m.%y"}),
            (
                ("29.01.11", "30.01.11", "31.01.11"),
                {"columns": "*", "leave_out": ["STATE"]},
                {"date_format": "%d.%m.%y"},
            ),
        ],
    )
    @pytest.mark.parametrize("reader", ["csv", "parquet", "json"])
    def test_each_cell_that_is_not_empty_is_a_line_of_its_columns_day(
        self, bench: Any, ingest: Callable[..., None], names: Any, wide: Any, more: Any, reader: str
    ) -> None:
        if wide["columns"] == "2*":
            wide = {"columns": "*", "leave_out": ["STATE"]}
        header = ["STORE", "SKU", "CAT", "STATE", *names]
        if reader == "csv":
            bench.csv("raw/sales.csv", ",".join(header), *self.LINES)
        else:
            rows = [[cell or None for cell in line.split(",")] for line in self.LINES]
            columns = {name: [row[n] for row in rows] for n, name in enumerate(header)}
            for name in names:
                columns[name] = [None if cell is None else float(cell) for cell in columns[name]]
            table = pa.table(columns)
            if reader == "parquet":
                bench.parquet("raw/sales.parquet", table.to_pydict(), table.schema)
            else:
                table.to_pandas().to_json(bench / "raw/sales.json", orient="records", lines=True)
        source = {"reader": reader, "path": f"sales.{reader}", "columns": COLUMNS, "wide": wide}
        ingest(period="month", **source, **more)
        assert sums(bench) == list(self.SUMS)
        assert periods(bench) == [("2011-01", Decimal("6.25"), 5)]
        ingest(period="week", **source, **more)
        # 29 January 2011 was a Saturday, the 31st a Monday: 1.50 + 0 + 3 and 2.00 - 0.25
        assert periods(bench) == [("2011-W04", Decimal("4.50"), 3), ("2011-W05", Decimal("1.75"), 2)]

    @pytest.mark.parametrize(
        ("names", "wide", "expected"),
        [
            (("2011-01", "2011-02"), {"columns": "*"}, ["2011-01", "2011-02"]),
            (("m 1", "m 14"), {"columns": "m *", "first_day": "2011-01-01", "unit": "month"}, ["2011-01", "2012-02"]),
            (("W1", "W53"), {"columns": "W*", "first_day": "2011-01-03", "unit": "week"}, ["2011-01", "2012-01"]),
            (("2011-W01", "2011-W10"), {"columns": "*"}, ["2011-01", "2011-03"]),
        ],
    )
    def test_months_and_weeks(
        self, bench: Any, ingest: Callable[..., None], names: Any, wide: Any, expected: list[str]
    ) -> None:
        bench.csv("raw/sales.csv", f"STORE,SKU,CAT,{','.join(names)}", "1,a,B,1.00,2.00")
        ingest(period="month", columns=COLUMNS, wide=wide)
        assert [period for period, *_ in periods(bench)] == expected

    def test_cells_may_be_quantities(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/sales.csv", "STORE,SKU,CAT,PRICE,d_1,d_2", "1,a,B,0.335,3,", "1,b,B,2.00,1,-1")
        wide = {"columns": "d_*", "first_day": "2011-01-29", "holds": "quantity"}
        ingest(columns=COLUMNS | {"price": "PRICE"}, wide=wide)
        assert sums(bench) == [("1", 1, Decimal("1.01"), 1), ("1", 2, Decimal("0.00"), 2)]

    def test_files_may_have_other_periods(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/sales/2011.csv", "STORE,SKU,CAT,2011-12", "1,a,B,1.00")
        bench.csv("raw/sales/2012.csv", "STORE,SKU,CAT,2012-01,2012-02", "1,a,B,2.00,4.00")
        ingest(
            period="month", path="sales", columns=COLUMNS, wide={"columns": "20*", "leave_out": []} | {"columns": "*"}
        )
        assert [(period, sales) for period, sales, _ in periods(bench)] == [
            ("2011-12", Decimal("1.00")), ("2012-01", Decimal("2.00")), ("2012-02", Decimal("4.00")),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("header", "wide", "error", "message"),
        [
            (
                "2011-01,Total",
                {"columns": "*"},
                DataError,
                "column 'Total' is like '\\*', but 'Total' is not a date written YYYY-MM-DD",
            ),
            (
                "d_1,d_x",
                {"columns": "d_*", "first_day": "2011-01-29"},
                DataError,
                "'x' is not a number of days from 2011-01-29",
            ),
            ("d_1,d_2", {"columns": "d_*"}, ConfigError, "column 'd_1' .* is not a date.*"),
            ("a1,a2", {"columns": "d_*"}, DataError, "no column is like 'd_\\*'; columns: STORE, SKU, CAT, a1, a2"),
        ],
    )
    def test_column_of_the_pattern_that_is_no_period_stops_the_stage(
        self, bench: Any, ingest: Callable[..., None], header: str, wide: Any, error: type[Exception], message: str
    ) -> None:
        bench.csv("raw/sales.csv", f"STORE,SKU,CAT,{header}", "1,a,B,1.00,1.00")
        with pytest.raises(error, match=message):
            ingest(columns=COLUMNS, wide=wide)

    def test_cell_that_is_no_number_is_told_with_its_line_and_column(
        self, bench: Any, ingest: Callable[..., None]
    ) -> None:
        bench.csv("raw/sales.csv", "STORE,SKU,CAT,d_1,d_2", "1,a,B,1.00,", "2,a,B,NA,many")
        source = {"columns": COLUMNS, "wide": {"columns": "d_*", "first_day": "2011-01-29"}, "missing": ["NA"]}
        message = r"sales\.csv, line 3: .* such as store '2', SKU 'a', sales 'many', date '2011-01-30'"
        with pytest.raises(DataError, match=message):
            ingest(**source)
        ingest(**source, invalid_lines="drop")
        assert bench.ledger()["set_aside", "invalid_sales"] == (1, 1, Decimal("0.00"))

    def test_more_columns_than_are_read_at_a_time(self, bench: Any, ingest: Callable[..., None]) -> None:
        days = 2 * COLUMNS_AT_A_TIME + 3
        header = ",".join(["STORE", "SKU", "CAT", *(f"d_{n}" for n in range(1, days + 1))])
        bench.csv("raw/sales.csv", header, f"1,a,B{',0.01' * days}", f"2,b,B{',' * days}5")
        ingest(columns=COLUMNS, wide={"columns": "d_*", "first_day": "2011-01-29"})
        assert sums(bench) == [("1", 1, days * Decimal("0.01"), days), ("2", 2, Decimal("5.00"), 1)]

    def test_row_with_too_many_cells_is_told_with_its_line(self, bench: Any, ingest: Callable[..., None]) -> None:
        bench.csv("raw/sales.csv", "STORE,SKU,CAT,2011-01", "1,a,B,1.00", "2,a,B,1.00,2.00")
        with pytest.raises(DataError, match=r"sales\.csv, line 3: 5 values, where the header has 4 columns"):
            ingest(columns=COLUMNS, wide={"columns": "*"})

    @pytest.mark.parametrize(
        "source",
        [
            {"columns": COLUMNS, "wide": {"columns": "*"}},
            {"columns": COLUMNS | {"sales": "2011-01", "date": "DAY"}, "date_format": "%Y-%m"},
            {"columns": COLUMNS, "wide": {"columns": "2011-*", "first_day": "2011-01-01", "unit": "month"}},
        ],
    )
    def test_months_make_no_weeks(self, bench: Any, ingest: Callable[..., None], source: Any) -> None:
        bench.csv("raw/sales.csv", "STORE,SKU,CAT,2011-01", "1,a,B,1.00")
        with pytest.raises(
            (DataError, ConfigError), match=r"'2011-01' is not a date written YYYY-MM-DD or|makes no weeks"
        ):
            ingest(period="week", **source)


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("UTC", [("2026-01", Decimal("3.00"))]),
        ("America/Chicago", [("2025-12", Decimal("1.00")), ("2026-01", Decimal("2.00"))]),
    ],
)
@pytest.mark.parametrize(
    "kind", [pa.timestamp("us", "UTC"), pa.timestamp("ms", "Asia/Tokyo"), pa.timestamp("ns", "UTC"), None]
)
def test_instants_fall_on_the_day_of_the_sources_zone(
    bench: Any,
    ingest: Callable[..., None],
    kind: pa.DataType | None,
    zone: str,
    expected: Any,
) -> None:
    """Half past midnight of New Year's Day in London is the evening of New Year's Eve in Chicago."""
    days = [datetime(2026, 1, 1, 0, 30, tzinfo=UTC), datetime(2026, 1, 1, 12, tzinfo=UTC)]
    plain = {"STORE": ["1", "1"], "SKU": ["a", "a"], "CAT": ["B", "B"], "AMOUNT": [1.0, 2.0]}
    bench.parquet(
        "raw/sales.parquet",
        plain | {"DAY": pa.array([d.isoformat() for d in days]) if kind is None else pa.array(days, kind)},
    )
    source = {
        "reader": "parquet", "path": "sales.parquet", "columns": COLUMNS | {"sales": "AMOUNT", "date": "DAY"}, "time_zone": zone,
    }  # fmt: skip
    ingest(period="month", **source)
    assert [(period, sales) for period, sales, _ in periods(bench)] == expected


def test_periods_do_not_depend_on_the_zone_of_the_machine(bench: Any, ingest: Callable[..., None]) -> None:
    """DuckDB takes the zone of its process, once: a process of its own with another one."""
    days = [datetime(2026, 1, 1, 0, 30, tzinfo=UTC), datetime(2026, 1, 31, 23, 30, tzinfo=UTC)]
    plain = {"STORE": ["1", "1"], "SKU": ["a", "a"], "CAT": ["B", "B"], "AMOUNT": [1.0, 2.0]}
    bench.parquet("raw/sales.parquet", plain | {"DAY": pa.array(days, pa.timestamp("us", "UTC"))})
    ingest(period="month", reader="parquet", path="sales.parquet", columns=COLUMNS | {"sales": "AMOUNT", "date": "DAY"})
    assert periods(bench) == [("2026-01", Decimal("3.00"), 2)]
    names = ("sales", "sku_sales", "files", "ledger")
    flags = [flag for name in names for flag in (f"--{name}", str(bench / f"{name}.parquet"))]
    flags += ["--raw", str(bench.raw), "--config", str(bench / "configs/dev.yml"), "--log", str(bench / "l.log")]
    flags += ["--product_map", str(bench / "product_map.parquet"), "--period", "month", "--negative_sales", "keep"]
    for zone in ("Asia/Tokyo", "America/Chicago"):
        made = bench / f"{zone}.parquet"
        command = [
            sys.executable,
            ingest_sales.__file__,
            *flags,
            "--invalid_lines",
            "fail",
            "--period_sales",
            str(made),
        ]
        subprocess.run(command, check=True, env=os.environ | {"TZ": zone}, capture_output=True)
        assert made.read_bytes() == (bench / "period_sales.parquet").read_bytes()


@pytest.mark.parametrize(
    ("dates", "formats", "proposed"),
    [
        (["31.12.2024", "01.02.2024"], [], ["%d.%m.%Y"]),
        (["2024-12-31", "01.02.2024", "13.02.2024"], [], ["%Y-%m-%d", "%d.%m.%Y"]),
        (["12/31/2024"], ["%d/%m/%Y"], ["%m/%d/%Y"]),
        # 31 January shows which of the two is meant
        (["31/01/2024", "01/02/2024"], ["%m/%d/%Y", "%d/%m/%Y"], ["%d/%m/%Y"]),
    ],
)
def test_date_mistake_proposes_the_format_that_fits(
    bench: Any, ingest: Callable[..., None], dates: list[str], formats: list[str], proposed: list[str]
) -> None:
    bench.csv("raw/sales.csv", "STORE,SKU,CAT,AMOUNT,DAY", *(f"1,a,B,1.00,{day}" for day in dates))
    columns = COLUMNS | {"sales": "AMOUNT", "date": "DAY"}
    with pytest.raises(DataError) as caught:
        ingest(period="month", columns=columns, date_format=formats)
    _, _, advice = caught.value.solution.partition("set `date_format` of sources.sales to ")
    setting, _, rest = advice.partition(", which reads all of them, or set ")
    assert rest
    told = yaml.safe_load(setting)
    assert told == (proposed if len(proposed) > 1 else proposed[0])
    ingest(period="month", columns=columns, date_format=told)
    assert bench.ledger()["out", ""] == (1, len(dates), Decimal(len(dates)))


def test_date_that_may_be_two_days_names_both_formats(bench: Any, ingest: Callable[..., None]) -> None:
    bench.csv("raw/sales.csv", "STORE,SKU,CAT,AMOUNT,DAY", "1,a,B,1.00,01/02/2024")
    both = r'to "%d/%m/%Y" or "%m/%d/%Y": each reads all of them, but as different days'
    with pytest.raises(DataError, match=both):
        ingest(period="month", columns=COLUMNS | {"sales": "AMOUNT", "date": "DAY"})
