"""Wide tables made long: each cell of the columns that are periods becomes a line, with the day of its column.

Which columns are periods, and what day each means, follows from their names alone. A column of the pattern whose name is none stops
the run: a total would be counted twice, and a misspelt week would be lost. An empty cell is no line; a zero is one.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storelib.configuration.place import CELL_COLUMNS, SalesSource, Wide
from storelib.errors import ConfigError, DataError, shown
from storelib.raw.days import NO_WEEKS, day_of, iso_forms
from storelib.sql import identifier

# Columns of cells that are read at a time, and rows of them: the memory of both is bounded, whatever the file.
COLUMNS = 250
ROWS = 4096


def write_long(
    connection: duckdb.DuckDBPyConnection,
    view: str,
    source: SalesSource,
    wide: Wide,
    where: str,
    target: Path,
    *,
    months: bool,
) -> None:
    """Write a view anew as a long table: the columns that the source names, `_file`, and day, column and value of each cell.

    SQL's UNPIVOT takes memory for all cells of thousands of rows at once. Here some columns are read at a time, and the file several
    times where it has many.
    where: the file, for messages; months: whether a month counts as a period. Raises DataError where no column is a period, or one of
    the pattern is none.
    """
    types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE {identifier(view)}").fetchall()}
    days = period_days(connection, list(types), source, wide, where, months=months)
    others = [name for name in types if name in {"_file", *source.columns_used}]
    kind = common_type(connection, view, {name: types[name] for name in days})
    names = list(days)
    parts = [names[start : start + COLUMNS] for start in range(0, len(names), COLUMNS)]
    schema = long_schema(cells_of(connection, view, others, parts[0], kind).schema, others, names[0])
    with pq.ParquetWriter(target, schema) as writer:
        for part in parts:
            for batch in cells_of(connection, view, others, part, kind):
                writer.write_table(long_table(batch, others, {name: days[name] for name in part}, schema))


def cells_of(
    connection: duckdb.DuckDBPyConnection, view: str, others: Sequence[str], part: Sequence[str], kind: str
) -> pa.RecordBatchReader:
    """Some columns of cells, of one type, with the columns that are no periods."""
    cells = [f"CAST({identifier(name)} AS {kind}) AS {identifier(name)}" for name in part]
    query = f"SELECT {', '.join([*map(identifier, others), *cells])} FROM {identifier(view)}"  # noqa: S608 (quoted)
    return connection.sql(query).to_arrow_reader(ROWS)


def long_schema(delivered: pa.Schema, others: Sequence[str], cell: str) -> pa.Schema:
    """The columns of the long table. cell: a column of cells."""
    made = [(CELL_COLUMNS["date"], pa.date32()), (CELL_COLUMNS["cell"], pa.string())]
    return pa.schema(
        [*(delivered.field(name) for name in others), *made, (CELL_COLUMNS["value"], delivered.field(cell).type)]
    )


def long_table(rows: pa.RecordBatch, others: Sequence[str], days: Mapping[str, date], schema: pa.Schema) -> pa.Table:
    """Some rows as cells, column after column, without those that are empty."""
    size = rows.num_rows
    columns = [pa.chunked_array([rows.column(name)] * len(days)) for name in others]
    columns.append(pa.chunked_array([pa.repeat(pa.scalar(day, pa.date32()), size) for day in days.values()]))
    columns.append(pa.chunked_array([pa.repeat(name, size) for name in days]))
    columns.append(pa.chunked_array([rows.column(name) for name in days]))
    table = pa.table(columns, schema=schema)
    return table.filter(pc.is_valid(columns[-1]))


def common_type(connection: duckdb.DuckDBPyConnection, view: str, types: Mapping[str, str]) -> str:
    """The SQL type of all cells: text where one column is text, else what DuckDB makes of a list of them."""
    if "VARCHAR" in types.values():
        return "VARCHAR"
    cells = ", ".join(map(identifier, types))
    (described,) = connection.execute(f"DESCRIBE SELECT [{cells}] FROM {identifier(view)}").fetchall()  # noqa: S608 (quoted)
    return str(described[1]).removesuffix("[]")


def period_days(
    connection: duckdb.DuckDBPyConnection,
    columns: Sequence[str],
    source: SalesSource,
    wide: Wide,
    where: str,
    *,
    months: bool,
) -> dict[str, date]:
    """The day of each column that is a period: the first day of a week or a month."""
    texts = period_texts(columns, source, wide)
    if not texts:
        raise DataError(
            f"{where}: no column is like {shown(wide.columns)}; columns: {', '.join(columns)[:600]}",
            solution="mend `wide.columns` of sources.sales",
        )
    if wide.first_day is not None and wide.unit == "month" and not months:
        raise ConfigError(f"{where}: {NO_WEEKS}", solution="set internal.ingest_sales.period to month")
    if wide.first_day is not None:
        days = {name: numbered_day(text, wide, date.fromisoformat(wide.first_day)) for name, text in texts.items()}
    else:
        day = day_of("text", source.date_formats, source.time_zone, months=months)
        query = f"SELECT {day} FROM (SELECT unnest(?) AS text, unnest(?) AS place) ORDER BY place"  # noqa: S608 (ours)
        found = connection.execute(query, [list(texts.values()), list(range(len(texts)))]).fetchall()
        days = {name: row[0] for name, row in zip(texts, found, strict=True)}
    known = {name: day for name, day in days.items() if day is not None}
    # In the order of the file, so that the message is the same each time.
    for name in [name for name in days if name not in known]:
        refuse(name, texts[name], source, wide, where, months=months)
    return known


def period_texts(columns: Sequence[str], source: SalesSource, wide: Wide) -> dict[str, str]:
    """What stands for `*` in the name of each column of the pattern, but for those that are named elsewhere or left out."""
    before, _, after = wide.columns.partition("*")
    pattern = re.compile(f"{re.escape(before)}(.+){re.escape(after)}", re.DOTALL)
    others = {"_file", *source.columns_used, *wide.leave_out}
    found = {name: pattern.fullmatch(name) for name in columns if name not in others}
    return {name: match.group(1).strip() for name, match in found.items() if match}


def numbered_day(text: str, wide: Wide, first: date) -> date | None:
    """The first day of a period by its number; None where the text is no number, or that day is not of our time."""
    if not re.fullmatch("[0-9]{1,7}", text):
        return None
    number = int(text) - 1
    try:
        if wide.unit == "month":
            months = first.year * 12 + first.month - 1 + number
            return first.replace(year=months // 12, month=months % 12 + 1)
        return first + timedelta(days=number * (7 if wide.unit == "week" else 1))
    except (ValueError, OverflowError):
        return None


def refuse(name: str, text: str, source: SalesSource, wide: Wide, where: str, *, months: bool) -> None:
    """Raise an error about a column of the pattern that is no period."""
    if wide.first_day is not None:
        expected = f"a number of {wide.unit}s from {wide.first_day}"
    else:
        expected = f"a date written {' or '.join(source.date_formats) or iso_forms(months=months)}"
    number = re.fullmatch("[0-9]{1,7}", text) and wide.first_day is None
    raise (ConfigError if number else DataError)(
        f"{where}: column {shown(name)} is like {shown(wide.columns)}, but {shown(text)} is not {expected}",
        solution="set `wide.first_day` of sources.sales to the first day of number 1"
        if number
        else "set `date_format` of sources.sales, or list the column under `wide.leave_out`",
    )
