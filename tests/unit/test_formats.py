"""Numbers and dates as sources write them, worked out by hand."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from storelib.configuration.place import SalesSource, validated
from storelib.errors import ConfigError
from storelib.raw.date_advice import fitting_formats
from storelib.raw.days import day_of, is_ambiguous
from storelib.raw.formats import plain_number, repairs_of


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
INDIAN = numbers(thousands=",", currency=["£", "₹"])


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
        # what SAP and accountants write for -4.50
        ("4.50-", numbers(), "-4.50"), ("4.50 -", numbers(), "-4.50"), ("(4.50)", numbers(), "-4.50"), ("( 4.50 )", numbers(), "-4.50"),
        ("- 4.50", numbers(), "-4.50"), ("\u22124.50", numbers(), "-4.50"), ("\u2013 4.50", numbers(), "-4.50"),
        ("4.50+", numbers(), "4.50"),
        ("£(4.50)", INDIAN, "-4.50"), ("(£4.50)", INDIAN, "-4.50"), ("£4.50-", INDIAN, "-4.50"), ("4.50- £", INDIAN, "-4.50"),
        ("£ -4.50", INDIAN, "-4.50"), ("\u2212£4.50", INDIAN, "-4.50"), ("£\u00a04.50", INDIAN, "4.50"),
        ("(1.234,50 €)", numbers(decimal=",", thousands=".", currency="€"), "-1234.50"), ("1e-3-", numbers(), "-1e-3"),
        # a sign twice, or nothing else, is no number
        ("(-4.50)", numbers(), None), ("-4.50-", numbers(), None), ("-(4.50)", numbers(), None), ("-", numbers(), None),
        ("()", numbers(), None), ("(4.50", numbers(), None), ("4.50)", numbers(), None), ("4-50", numbers(), None),
        # lakhs and crores: groups of two, but for the last
        ("1,00,000", INDIAN, "100000"), ("-1,23,456.50", INDIAN, "-123456.50"), ("₹12,34,56,789", INDIAN, "123456789"),
        ("1,2,345", INDIAN, None), ("1,234,56", INDIAN, None), ("1,00,000", numbers(), None),
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
        ("-7", set()),
        ("7-", {"sign_rewritten"}),
        ("(7,50 €)", {"sign_rewritten", "currency_symbol_removed", "decimal_sign_replaced"}),
        ("\u22127", {"sign_rewritten"}),
        ("x-", set()),
    ],
)
def test_what_was_repaired_is_told(text: str, repaired: set[str]) -> None:
    found = repairs_of("x", numbers(decimal=",", thousands=".", currency="€"))
    assert {reason for reason, sql in found.items() if evaluated(sql, text)} == repaired


CHICAGO = "America/Chicago"


@pytest.mark.parametrize(
    ("text", "zone", "day"),
    [
        # an instant is on the day of the zone that is stated, whatever its own zone; 23:30 in Chicago is 05:30 of the next day in UTC
        ("2026-01-05T00:30:00Z", "UTC", "2026-01-05"), ("2026-01-05T00:30:00Z", CHICAGO, "2026-01-04"),
        ("2026-01-05 00:30:00+05:30", "UTC", "2026-01-04"), ("2026-01-05 00:30:00.123+0530", "Asia/Kolkata", "2026-01-05"),
        ("2026-01-05 23:30 -06:00", "UTC", "2026-01-06"), ("2026-01-05 23:30 -06:00", CHICAGO, "2026-01-05"),
        ("2026-01-05 23:30:00 America/Chicago", "UTC", "2026-01-06"), ("2026-01-05 23:30:00 Nowhere/Else", "UTC", None),
        # without a zone it is the day that is written
        ("2026-01-05 23:30:00", CHICAGO, "2026-01-05"), ("2026-01-05", CHICAGO, "2026-01-05"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("machine", ["UTC", "Asia/Tokyo"])
def test_instant_is_on_the_day_of_one_zone_whatever_the_machines(
    text: str, zone: str, day: str | None, machine: str
) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"SET TimeZone = '{machine}'")
        for formats in [[], ["%Y-%m-%d %H:%M:%S%z", "%Y-%m-%d %H:%M %z"]]:
            query = f"SELECT {day_of('x', formats, zone)} FROM (SELECT CAST(? AS VARCHAR) AS x)"  # noqa: S608 (a test's own)
            (row,) = connection.execute(query, [text]).fetchall()
            assert (row[0] and row[0].isoformat()) in ((day,) if not formats else (day, None))


@pytest.mark.parametrize(
    ("text", "day", "in_weeks"),
    [
        ("2026-03", "2026-03-01", None), ("2026-3", "2026-03-01", None), ("2026/03", "2026-03-01", None), ("202603", "2026-03-01", None),
        ("2026-13", None, None), ("202613", None, None), ("2026", None, None),
        # Monday of the fifth week; 2026 has 53 weeks, 2025 has not
        ("2026-W05", "2026-01-26", "2026-01-26"), ("2026W05", "2026-01-26", "2026-01-26"), ("2026-W05-7", "2026-02-01", "2026-02-01"),
        ("2026-W53", "2026-12-28", "2026-12-28"), ("2025-W53", None, None), ("2026-W00", None, None),
    ],
)  # fmt: skip
def test_month_or_week_counts_as_its_first_day(text: str, day: str | None, in_weeks: str | None) -> None:
    found = [evaluated(day_of("x", [], months=months), text) for months in (True, False)]
    assert [None if one is None else one.isoformat() for one in found] == [day, in_weeks]


def test_six_digits_that_may_be_a_month_or_a_day_are_neither() -> None:
    # May 2011, or 5 November 2020; 1305 is no month and day
    assert evaluated(day_of("x", []), "201105") is None
    assert evaluated(is_ambiguous("x", []), "201105")
    assert evaluated(day_of("x", []), "201305").isoformat() == "2013-05-01"
    assert evaluated(day_of("x", ["%Y%m"]), "201105").isoformat() == "2011-05-01"


@pytest.mark.parametrize(
    ("texts", "formats"),
    [
        (["31.12.2024", "01.02.2024"], ["%d.%m.%Y"]),
        (["01/02/2024", "03/04/2024"], ["%d/%m/%Y", "%m/%d/%Y"]),
        (["01/02/2024", "03/14/2024"], ["%m/%d/%Y"]),
        (["20260105", "20260112"], ["%Y%m%d"]),
        (["12/31/24 5:30 PM"], ["%m/%d/%y %I:%M %p"]),
        (["Jan 5, 2026"], ["%b %d, %Y"]),
        (["W05 2026"], ["W%V %G"]),
        (["201105"], ["%y%m%d", "%Y%m", "%G%V"]),
        (["202601", "202652"], ["%G%V"]),
        (["45292"], []),
        (["yesterday"], []),
        (["31.12.2024", "01.02.2024", "02.02.2024", "unknown"], ["%d.%m.%Y"]),
    ],
)
def test_format_that_fits_dates_is_proposed_and_all_where_more_do(texts: list[str], formats: list[str]) -> None:
    with duckdb.connect() as connection:
        assert [fit.form for fit in fitting_formats(connection, texts)] == formats


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
        ({"date_format": "%Q"}, "a format of year, month and day such as %m/%d/%Y is expected (or %Y%m, or %G-W%V), not '%Q'"),
        ({"date_format": "%d/%m"}, "not '%d/%m'"),
        ({"date_format": ["%m/%d/%Y", "YYYY-MM-DD"]}, "not 'YYYY-MM-DD'"),
        ({"date_format": "%H:%M"}, "not '%H:%M'"),
        ({"date_format": "%Y"}, "not '%Y'"),
        ({"time_zone": "Chicago"}, "a zone such as UTC, Europe/Berlin or America/Chicago is expected, found 'Chicago'"),
    ],
)  # fmt: skip
def test_format_that_cannot_be_meant_is_refused(options: dict[str, Any], message: str) -> None:
    plain = {"reader": "csv", "path": "a.csv", "columns": {"store_id": "S", "sku": "K", "sales": "A", "date": "D"}}
    with pytest.raises(ConfigError) as caught:
        validated(SalesSource, plain | options, Path("configs/dev.yml"))
    assert message in str(caught.value)
