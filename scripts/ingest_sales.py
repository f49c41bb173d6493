"""Sum raw sales lines exactly by store, SKU, category and period.

Streams the files of the `sales` source once, within the configured memory limit. Amounts are rounded to the cent line
by line and summed as decimals, so neither the order of lines nor the number of threads changes a byte. Writes one row
per sum, with counts of lines, of negative and of zero lines, and the ledger of what came in.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import duckdb

from storelib.accounts.counting import count_entries
from storelib.accounts.ledger import Entry, balanced, log_entries
from storelib.configuration.place import SalesSource, load_place
from storelib.contracts.contract import outputs
from storelib.contracts.ledger import LEDGER
from storelib.contracts.sales import SALES
from storelib.database import database, one_row
from storelib.errors import DataError, shown
from storelib.raw.formats import day_of
from storelib.raw.sources import (
    DATES,
    day_query,
    number_of,
    number_repairs,
    number_text,
    open_source,
    require_columns,
    text_of,
    unreadable,
    where_is,
)

PERIODS = {"week": "%G-W%V", "month": "%Y-%m"}
INVALID = {
    "missing_store": "no store",
    "missing_sku": "no SKU",
    "missing_sales": "no sales amount",
    "invalid_sales": "a sales amount that is no number, or is too large",
    "invalid_date": "no date, or one that is not written",
    "ambiguous_date": "a date that two formats read as two different days",
}
ADVICE = {
    "invalid_sales": "mend the file, set `decimal`, `thousands` or `currency` of sources.sales",
    "invalid_date": "mend the file, set `date_format` of sources.sales",
}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="configs/<env>.yml")
    parser.add_argument("--raw", type=Path, required=True, help="folder of raw files")
    parser.add_argument("--sales", type=Path, required=True, help="output: exact sums")
    parser.add_argument("--ledger", type=Path, required=True, help="output: what came in and what was set aside")
    parser.add_argument("--period", choices=["week", "month", "all"], required=True)
    parser.add_argument("--negative_sales", choices=["keep", "drop", "fail"], required=True)
    parser.add_argument("--invalid_lines", choices=["drop", "fail"], required=True)
    return parser.parse_args(argv)


def line_query(types: dict[str, str], source: SalesSource, period: str, negative_sales: str) -> str:
    """SQL: one row per raw line, as text, amount and the reason why it is set aside (empty: kept)."""

    def text(column: str | None) -> str:
        return text_of(column, types[column], source) if column else "CAST(NULL AS VARCHAR)"

    columns = source.columns
    dated = columns.date is not None and period != "all"
    day, unclear = day_query(types, source)
    amount = (columns.sales, types[columns.sales], source)
    flags = "".join(f", {condition} AS {reason}" for reason, condition in repairs_in(types, source, period).items())
    negative = "WHEN amount < 0 THEN 'negative_sales'" if negative_sales != "keep" else ""
    return f"""
        SELECT *,
            CASE
                WHEN store_id IS NULL THEN 'missing_store'
                WHEN sku IS NULL THEN 'missing_sku'
                WHEN amount_text IS NULL THEN 'missing_sales'
                WHEN amount IS NULL THEN 'invalid_sales'
                WHEN {dated} AND is_ambiguous THEN 'ambiguous_date'
                WHEN {dated} AND day IS NULL THEN 'invalid_date'
                {negative}
                ELSE ''
            END AS reason,
            {f"strftime(day, '{PERIODS[period]}')" if dated else "''"} AS period
        FROM (
            SELECT _file,
                {text(columns.store_id)} AS store_id,
                {text(columns.sku)} AS sku,
                {text(columns.category)} AS category,
                {number_text(*amount)} AS amount_text,
                TRY_CAST({number_of(*amount)} AS DECIMAL(18, 2)) AS amount,
                TRY_CAST({number_of(*amount)} AS DOUBLE) AS unrounded,
                {text(columns.date)} AS date_text,
                {day} AS day,
                {unclear} AS is_ambiguous
                {flags}
            FROM raw_lines
        )
    """  # noqa: S608 (names by way of `identifier`)


def repairs_in(types: dict[str, str], source: SalesSource, period: str) -> dict[str, str]:
    """SQL conditions on a raw line, by the ledger's word for what was repaired in it."""
    sales, date = source.columns.sales, source.columns.date
    found = number_repairs(sales, types[sales], source)
    if date is not None and period != "all" and source.date_formats and types[date] not in DATES:
        text = text_of(date, types[date], source)
        found["date_rewritten"] = f"{day_of(text, [])} IS NULL AND {day_of(text, source.date_formats)} IS NOT NULL"
    return found


def sum_lines(connection: duckdb.DuckDBPyConnection, repaired: Iterable[str]) -> None:
    """The one pass over raw sales: table `sums`, small enough to be read again. `repaired` are flags of a line."""
    flags = "".join(f", CAST(count_if({flag}) AS BIGINT) AS {flag}" for flag in repaired)
    connection.execute(
        f"""
        CREATE TABLE sums AS
        SELECT reason, store_id, sku, category, period,
            coalesce(sum(amount), 0) AS sales,
            count(*) AS lines,
            CAST(count_if(amount < 0) AS BIGINT) AS negative_lines,
            coalesce(sum(amount) FILTER (amount < 0), 0) AS negative_sales,
            CAST(count_if(amount = 0) AS BIGINT) AS zero_lines,
            CAST(count_if(abs(unrounded - amount) > 1e-6) AS BIGINT) AS rounded_lines
            {flags}
        FROM lines
        GROUP BY ALL
        """  # noqa: S608 (names above)
    )


def refuse(
    connection: duckdb.DuckDBPyConnection, source: SalesSource, raw: Path, reasons: Sequence[str], policy: str
) -> None:
    """Raise DataError for the first of `reasons` that occurs, with one line as an example."""
    for reason in reasons:
        (count,) = one_row(connection, "SELECT sum(lines) FROM sums WHERE reason = ?", [reason])
        if not count:
            continue
        file, store, sku, amount, date = one_row(
            connection,
            "SELECT _file, store_id, sku, amount_text, date_text FROM lines WHERE reason = ? ORDER BY ALL LIMIT 1",
            [reason],
        )
        columns = source.columns
        row = {columns.store_id: store, columns.sku: sku, columns.sales: amount}
        written = INVALID.get(reason, "negative sales")
        if columns.date is not None:
            row[columns.date] = date
        if reason == "invalid_date":
            written += f" {' or '.join(source.date_formats) or 'YYYY-MM-DD'}"
        raise DataError(
            f"{where_is(source, raw, row, file)}: {written}, on {count} lines of sales, "
            f"such as store {shown(store)}, SKU {shown(sku)}, sales {shown(amount)}, date {shown(date)}",
            solution=f"{ADVICE.get(reason, 'mend the file')}, or set internal.ingest_sales.{policy} to drop "
            "(each is kept in the ledger)",
        )


def notes(connection: duckdb.DuckDBPyConnection, repaired: Iterable[str]) -> list[Entry]:
    """Ledger rows for lines that stay in but deserve a word: what they are, and what was repaired in them."""
    found = []
    for reason, count, amount in (
        ("negative_sales", "negative_lines", "negative_sales"),
        ("zero_sales", "zero_lines", "0"),
        ("rounded_to_cent", "rounded_lines", "0"),
        *((flag, flag, "0") for flag in repaired),
    ):
        stores, lines, sales = one_row(
            connection,
            f"""SELECT count(DISTINCT store_id), coalesce(sum({count}), 0), coalesce(sum({amount}), 0)
            FROM sums WHERE reason = '' AND {count} > 0""",  # noqa: S608 (names above)
        )
        if stores:
            found.append(Entry("ingest_sales", "", "noted", reason, stores, int(lines), Decimal(sales)))
    return found


def refuse_nothing(entries: Sequence[Entry], path: Path) -> None:
    """Raise DataError where no line came in, or none is left."""
    lines = {entry.flow: entry.lines for entry in entries if entry.flow in ("in", "out")}
    if not lines["in"]:
        raise DataError(f"{path} holds no sales line, only a header", solution="deliver the file again")
    if not lines["out"]:
        aside = ", ".join(f"{e.lines} lines {e.reason}" for e in sorted(entries) if e.flow == "set_aside")
        raise DataError(
            f"{path} holds no usable sales line: {aside}",
            solution="look at the columns of sources.sales, and at the policies of internal.ingest_sales",
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Read, sum, account, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    place = load_place(args.config)
    source = place.sources.sales
    with database(place.compute.memory_limit, place.compute.threads) as connection:
        types = open_source(connection, source, args.raw, "raw_lines")
        require_columns(types, source.columns.model_dump(exclude_none=True).values(), source, args.raw)
        repaired = list(repairs_in(types, source, args.period))
        connection.execute(f"CREATE VIEW lines AS {line_query(types, source, args.period, args.negative_sales)}")
        try:
            sum_lines(connection, repaired)
        except duckdb.Error as error:
            raise unreadable(source, args.raw, error) from None
        if args.invalid_lines == "fail":
            refuse(connection, source, args.raw, list(INVALID), "invalid_lines")
        if args.negative_sales == "fail":
            refuse(connection, source, args.raw, ["negative_sales"], "negative_sales")
        entries = [*count_entries(connection, "sums", "ingest_sales", ""), *notes(connection, repaired)]
        refuse_nothing(entries, args.raw / source.path)
        kept = connection.sql(
            """SELECT category, store_id, sku, period, sales, lines, negative_lines, negative_sales, zero_lines
            FROM sums WHERE reason = '' ORDER BY category NULLS FIRST, store_id, sku, period"""
        ).to_arrow_reader(100_000)
        with outputs() as write:
            write(kept, SALES, args.sales)
            write(balanced(entries), LEDGER, args.ledger)
    log_entries(log, entries)


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
