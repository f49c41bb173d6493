"""Wide tables made long: each cell of the columns that are periods becomes a line, with the day of its column.

Which columns are periods, and what day each means, follows from their names alone. A column of the pattern whose name is none stops
the run: a total would be counted twice, and a misspelt week would be lost. An empty cell is no line; a zero is one.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import duckdb

from storelib.configuration.place import CELL_COLUMNS, SalesSource, Wide
from storelib.errors import ConfigError, DataError, shown
from storelib.raw.days import NO_WEEKS, day_of, iso_forms
from storelib.sql import identifier, literal


def long_query(
    connection: duckdb.DuckDBPyConnection,
    view: str,
    types: Mapping[str, str],
    source: SalesSource,
    wide: Wide,
    where: str,
    *,
    months: bool,
) -> str:
    """SQL of a view as a long table: the columns that are no periods, and day, value and column of each cell.

    types: SQL types of the view's columns; where: the file, for messages; months: whether a month counts as a period.
    Raises DataError where no column is a period, or one of the pattern is none.
    """
    days = period_days(connection, list(types), source, wide, where, months=months)
    # A list has one type: beside a text, numbers are texts.
    are_texts = "VARCHAR" in {types[name] for name in days}
    cells = [f"CAST({identifier(name)} AS VARCHAR)" if are_texts else identifier(name) for name in days]
    lists = {
        "date": [f"DATE {literal(day.isoformat())}" for day in days.values()],
        "value": cells,
        "cell": [literal(name) for name in days],
    }
    unnested = ", ".join(
        f"unnest([{', '.join(parts)}]) AS {identifier(CELL_COLUMNS[kind])}" for kind, parts in lists.items()
    )
    others = "".join(f"{identifier(name)}, " for name in types if name not in days)
    return f"SELECT {others}{unnested} FROM {identifier(view)}"  # noqa: S608 (quoted)


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
    for name in days.keys() - known.keys():
        refuse(name, texts[name], source, wide, where, months=months)
    return known


def period_texts(columns: Sequence[str], source: SalesSource, wide: Wide) -> dict[str, str]:
    """What stands for `*` in the name of each column of the pattern, but for those that are named elsewhere or left out."""
    before, _, after = wide.columns.partition("*")
    pattern = re.compile(f"{re.escape(before)}(.+){re.escape(after)}", re.DOTALL)
    others = {"_file", *source.columns.model_dump(exclude_none=True).values(), *wide.leave_out}
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
