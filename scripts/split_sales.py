"""Split raw sales lines into two halves, the odd and the even weeks, with every column as delivered.

Weeks begin on Monday and are counted without a break from the one of Monday, 5 January 1970, which is week 0. The numbers
of ISO weeks would not do: week 53 is followed by week 1, two odd weeks in a row. A line whose date cannot be read is in
neither half, and is counted. `clustering split-half` clusters both halves and compares.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storelib.configuration.place import SalesSource, load_place
from storelib.database import database
from storelib.errors import ConfigError, DataError
from storelib.raw.days import iso_forms
from storelib.raw.sources import day_query, open_source, require_columns, unreadable
from storelib.tables import ROW_GROUP, moved_together, write_text

HALVES = ("even", "odd")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this program."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="configs/<env>.yml")
    parser.add_argument("--raw", type=Path, required=True, help="folder of raw files")
    parser.add_argument("--odd", type=Path, required=True, help="output: sales lines of odd weeks, as Parquet")
    parser.add_argument("--even", type=Path, required=True, help="output: sales lines of even weeks, as Parquet")
    parser.add_argument("--counts", type=Path, required=True, help="output: weeks and lines of each half, as JSON")
    return parser.parse_args(argv)


def week_of(day: str) -> str:
    """SQL: whole weeks from Monday, 5 January 1970 to a day that is given as SQL; null where there is none."""
    days = f"date_diff('day', DATE '1970-01-05', {day})"
    return f"CAST(floor({days} / 7) AS BIGINT)"


def batches_of(lines: pa.RecordBatchReader, source: SalesSource, raw: Path) -> Iterator[pa.RecordBatch]:
    """The batches of a query over raw files. DuckDB's errors come through Arrow, which calls them something else."""
    while True:
        try:
            batch = lines.read_next_batch()
        except StopIteration:
            return
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise unreadable(source, raw, error) from None
        yield batch


def write_halves(batches: Iterable[pa.RecordBatch], schema: pa.Schema, paths: dict[str, Path]) -> dict[str, Any]:
    """Write each line to the half of its week, which is the last column and is left out. Returns the counts.

    schema: of the batches.
    """
    columns = list(range(len(schema) - 1))
    delivered = pa.schema([schema.field(position) for position in columns])
    weeks: dict[str, set[int]] = {half: set() for half in HALVES}
    counts: dict[str, Any] = {half: {"weeks": 0, "lines": 0} for half in HALVES} | {"lines_without_date": 0}
    with moved_together() as beside, ExitStack() as stack:
        temporary = {half: beside(path) for half, path in paths.items()}
        writers = {
            half: stack.enter_context(pq.ParquetWriter(path, delivered, compression="zstd"))
            for half, path in temporary.items()
        }
        for batch in batches:
            week = batch.column(len(columns))
            counts["lines_without_date"] += week.null_count
            for parity, half in enumerate(HALVES):
                # A null, where there is no date, is filtered out.
                chosen = pc.equal(pc.bit_wise_and(week, 1), parity)
                part = batch.filter(chosen)
                counts[half]["lines"] += part.num_rows
                weeks[half].update(pc.unique(part.column(len(columns))).to_pylist())
                writers[half].write_batch(part.select(columns))
    for half, found in weeks.items():
        counts[half]["weeks"] = len(found)
    return counts


def main(argv: Sequence[str] | None = None) -> None:
    """Read once, split, count."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    place = load_place(args.config)
    source, _ = place.sources.sold
    if "date" not in source.named:
        raise ConfigError(
            f"{args.config}: sources.sales.columns names no date, so the sales cannot be split by week",
            solution="add `date: <column>` under sources.sales.columns: the day, or the first day of the week, of a line",
        )
    with database(place.compute) as connection:
        types = open_source(connection, source, args.raw, "raw_lines", months=False)
        require_columns(types, source.named.values(), source, args.raw)
        date = str(source.named["date"])
        day, _ = day_query(date, types[date], source, months=False)
        week = week_of(day)
        query = f"SELECT * EXCLUDE (_file), {week} AS week FROM raw_lines"  # noqa: S608 (names by way of `identifier`)
        try:
            lines = connection.sql(query).to_arrow_reader(ROW_GROUP)
        except duckdb.Error as error:
            raise unreadable(source, args.raw, error) from None
        batches = batches_of(lines, source, args.raw)
        counts = write_halves(batches, lines.schema, {"odd": args.odd, "even": args.even})
    write_text(json.dumps(counts, indent=2) + "\n", args.counts)
    summary = ", ".join(f"{counts[half]['lines']} lines in {counts[half]['weeks']} {half} weeks" for half in HALVES)
    log.info("%s, %d lines without a date that can be read", summary, counts["lines_without_date"])
    written = " or ".join(source.date_formats) or iso_forms(months=False)
    for half in HALVES:
        if not counts[half]["lines"]:
            raise DataError(
                f"{args.raw / source.path} has no sales line in an {half} week: {summary}, "
                f"{counts['lines_without_date']} without a date that can be read",
                solution=f"give sales of several weeks, with dates written {written} in column {source.named['date']!r}",
            )


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
