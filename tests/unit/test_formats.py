"""Numbers and dates as sources write them, worked out by hand."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from storelib.configuration.place import SalesSource, validated
from storelib.errors import ConfigError
from storelib.raw.formats import day_of, is_ambiguous, plain_number, repairs_of


def evaluated(sql: str, text: str) -> Any:
    with duckdb.connect() as connection:
        query = f"SELECT {sql} FROM (SELECT CAST(? AS VARCHAR) AS x)"  # noqa: S608 (a test's own)
        (row,) = connection.execute(query, [text]).fetchall()
    return row[0]


def numbers(**options: Any) -> Any:
    return SimpleNamespace(**{"decimal": ".", "thousands": None, "currency": []} | options)


DOLLARS = numbers(currency=["$", "US$", "€"])
GERMAN = numbers(decimal=",", thousands=".")
FRENCH = numbers(decimal=",", thousands=" ")
SWISS = numbers(thousands="'")


@pytest.mark.parametrize(
    ("text", "written", "number"),
    [
        ("-1.5", numbers(), "-1.5"), ("1e3", numbers(), "1e3"), (".5", numbers(), ".5"),
        ("1_000", numbers(), None), ("nan", numbers(), None), ("inf", numbers(), None), ("0x1", numbers(), None),
        ("١٢", numbers(), None), ("1,5", numbers(), None), ("$5", numbers(), None), ("--5", numbers(), None),
        ("$162.84", DOLLARS, "162.84"), ("-$1.50", DOLLARS, "-1.50"), ("$-2", DOLLARS, "-2"), ("5 €", DOLLARS, "5"),
        ("US$ 5", DOLLARS, "5"), ("$", DOLLARS, None), ("$$1", DOLLARS, None), ("$1,000", DOLLARS, None),
        ("1.234,56", GERMAN, "1234.56"), ("1234,5", GERMAN, "1234.5"), ("1.234", GERMAN, "1234"), (",5", GERMAN, ".5"),
        # not 1250: a point before two digits separates no thousands
        ("12.50", GERMAN, None), ("12.34.567", GERMAN, None), ("1.234.56", GERMAN, None),
        ("1 234,5", FRENCH, "1234.5"), ("1\u202f234,5", FRENCH, "1234.5"), ("1\u00a0234", FRENCH, "1234"),
        ("1'234.5", SWISS, "1234.5"), ("1’234.5", SWISS, "1234.5"), ("1'23", SWISS, None),
    ],
)  # fmt: skip
def test_number_is_read_as_it_is_written_or_not_at_all(text: str, written: Any, number: str | None) -> None:
    assert evaluated(plain_number("x", written), text) == number


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        ("1.234,50 €", {"currency_symbol_removed", "thousands_separator_removed", "decimal_sign_replaced"}),
        ("12,50", {"decimal_sign_replaced"}),
        ("1.234", {"thousands_separator_removed"}),
        ("7", set()),
    ],
)
def test_what_was_repaired_is_told(text: str, repaired: set[str]) -> None:
    found = repairs_of("x", numbers(decimal=",", thousands=".", currency="€"))
    assert {reason for reason, sql in found.items() if evaluated(sql, text)} == repaired


BOTH = ["%m/%d/%Y", "%d/%m/%Y"]


@pytest.mark.parametrize(
    ("text", "formats", "day"),
    [
        ("2024-01-05", [], "2024-01-05"), ("2024-1-5 10:00", [], "2024-01-05"), ("2024/01/05", [], "2024-01-05"),
        ("24-01-05", [], None), ("2024-02-30", [], None), ("01/05/2024", [], None), ("infinity", [], None), ("epoch", [], None),
        ("11/20/2015", ["%m/%d/%Y"], "2015-11-20"), ("20/11/2015", ["%m/%d/%Y"], None), ("infinity", ["%m/%d/%Y"], None),
        ("13/02/2024", BOTH, "2024-02-13"), ("02/13/2024", BOTH, "2024-02-13"), ("03/03/2024", BOTH, "2024-03-03"),
        # 2 January or 1 February
        ("01/02/2024", BOTH, None),
        ("5 Jan 2024", ["%d %b %Y"], "2024-01-05"), ("01/05/24", ["%m/%d/%y"], "2024-01-05"), ("01/05/24", ["%m/%d/%Y"], None),
    ],
)  # fmt: skip
def test_day_is_read_as_it_is_written_or_not_at_all(text: str, formats: list[str], day: str | None) -> None:
    found = evaluated(day_of("x", formats), text)
    assert (None if found is None else found.isoformat()) == day
    assert evaluated(is_ambiguous("x", formats), text) == (text == "01/02/2024" and formats == BOTH)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decimal": ",", "thousands": ","}, "decimal and thousands are both ','"),
        ({"decimal": ";"}, "'.' or ',', found ';'"),
        ({"currency": "-"}, "currency symbols such as $ or EUR are expected, not '-'"),
        ({"currency": ["$", "5"]}, "not '5'"),
        ({"date_format": "%Q"}, "a format of year, month and day such as %m/%d/%Y is expected, not '%Q'"),
        ({"date_format": "%d/%m"}, "not '%d/%m'"),
        ({"date_format": ["%m/%d/%Y", "YYYY-MM-DD"]}, "not 'YYYY-MM-DD'"),
        ({"date_format": "%H:%M"}, "not '%H:%M'"),
    ],
)  # fmt: skip
def test_format_that_cannot_be_meant_is_refused(options: dict[str, Any], message: str) -> None:
    plain = {"reader": "csv", "path": "a.csv", "columns": {"store_id": "S", "sku": "K", "sales": "A", "date": "D"}}
    with pytest.raises(ConfigError) as caught:
        validated(SalesSource, plain | options, Path("configs/dev.yml"))
    assert message in str(caught.value)
