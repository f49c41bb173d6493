"""Raw files as DuckDB tables, whatever their format: columns by our names, ids as text, 'missing' values as null."""

import json
import logging
import math
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from storelib.configuration.place import CELL_COLUMNS, NumbersSource, SalesSource, Source, listed
from storelib.database import Limits, database, one_row
from storelib.errors import DataError, nearest_name, shown
from storelib.raw.days import day_in, day_of, in_our_time, is_ambiguous
from storelib.raw.files import folder_keys, partition_values, present_files, source_files
from storelib.raw.formats import plain_number, repairs_of
from storelib.raw.readers import UNNAMED, Headed, Numbered, Request, decimal_of, reader_of
from storelib.raw.spellings import JOINT, WHITE, id_text, parts_of
from storelib.raw.wide import write_long
from storelib.sql import identifier, literal

if TYPE_CHECKING:
    import pandas as pd

FLOATS = {"FLOAT", "DOUBLE"}
WHOLE = {
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
}
TEXT = {"VARCHAR", "BLOB"}
INSTANTS = {"TIMESTAMP WITH TIME ZONE", "TIMESTAMP_NS WITH TIME ZONE"}
DATES = {"DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", *INSTANTS}
# A text of which nothing is trimmed, by far the most: to look costs a tenth of trimming it.
PLAIN = "[!-~]([ -~]*[!-~])?"
# Of a source that is read into memory: ten million products take 200.
MEGABYTES = 512
# Beyond it a float does not tell whole numbers apart.
EXACT = 2**53


def open_source(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    folder: Path,
    view: str,
    files: Sequence[Path] | None = None,
    *,
    months: bool = True,
) -> dict[str, str]:
    """Make `view` over the files of a source, with the columns they have and `_file`; returns their SQL types.

    A wide table is made long, with the columns of CELL_COLUMNS.
    files: those to open; by default all that the source has in `folder`. months: whether a month counts as a date.
    """
    files = present_files(source, folder) if files is None else files
    request = Request(files, source, connection, scratch(connection))
    try:
        scan = reader_of(source.reader).scan(request)
        columns = "* REPLACE (" + original("_file", request.copies) + " AS _file)" if request.copies else "*"
        query = f"SELECT {columns} FROM {scan}"  # noqa: S608 (quoted)
        if source.partitions:
            query = with_partitions(connection, query, files, source, folder)
        wide = source.wide if isinstance(source, SalesSource) else None
        delivered = view if wide is None else f"wide {view}"
        types = view_of(connection, delivered, query)
        if isinstance(source, SalesSource) and wide is not None:
            where = str(files[0] if len(files) == 1 else folder / source.path)
            target = request.scratch / "cells.parquet"
            write_long(connection, delivered, source, wide, where, target, months=months)
            cells = f"cells of {view}"
            types = view_of(connection, cells, f"SELECT * FROM read_parquet({literal(str(target))}, {UNNAMED})")  # noqa: S608 (quoted)
            known = known_figure(CELL_COLUMNS["value"], types[CELL_COLUMNS["value"]], source)
            types = view_of(connection, view, f"SELECT * FROM {identifier(cells)} WHERE ({known}) IS NOT NULL")  # noqa: S608
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        # DuckDB's errors come through Arrow as others, without a number; what the system refuses has one.
        if isinstance(error, OSError) and error.errno:
            raise
        if str(error).startswith("Out of Memory"):
            raise duckdb.OutOfMemoryException(str(error)) from None
        raise unreadable(source, folder, error) from None
    return types


def view_of(connection: duckdb.DuckDBPyConnection, name: str, query: str) -> dict[str, str]:
    """Give a query a name; returns the SQL types of its columns."""
    connection.execute(f"CREATE OR REPLACE VIEW {identifier(name)} AS {query}")
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {identifier(name)}").fetchall()}


def with_partitions(
    connection: duckdb.DuckDBPyConnection, query: str, files: Sequence[Path], source: Source, folder: Path
) -> str:
    """SQL of the same rows, with the keys of their files' folders as columns. Raises DataError where a column has such a name."""
    names = [row[0] for row in connection.execute(f"DESCRIBE {query}").fetchall()]
    for key in source.partitions:
        twice = [name for name in names if name.lower() == key.lower()]
        if twice:
            raise DataError(
                f"{folder / source.path}: {shown(twice[0])} is a column of the files, and {key}=... a key of their folders",
                solution="take the key out of `partitions` of this source: the column then counts; or rename one of them",
            )
    keys = [partition_values(file, source, folder) for file in files]
    rows = ", ".join(
        f"({', '.join([literal(str(file)), *(text_or_null(values[key]) for key in source.partitions)])})"
        for file, values in zip(files, keys, strict=True)
    )
    own = [identifier(key) for key in source.partitions]
    return (
        f"SELECT rows_read.*, {', '.join(f'CAST(keys.{key} AS VARCHAR) AS {key}' for key in own)} FROM ({query}) AS rows_read "  # noqa: S608
        f"JOIN (VALUES {rows}) AS keys(_file, {', '.join(own)}) USING (_file)"
    )


def text_or_null(value: str | None) -> str:
    """A text as SQL."""
    return "NULL" if value is None else literal(value)


def original(column: str, copies: Mapping[Path, Path]) -> str:
    """SQL: the file that a copy was made of, by the copy's path."""
    cases = " ".join(f"WHEN {literal(str(copy))} THEN {literal(str(file))}" for copy, file in copies.items())
    return f"CASE {column} {cases} ELSE {column} END"


def scratch(connection: duckdb.DuckDBPyConnection) -> Path:
    """A new folder that goes when the connection does."""
    (temporary,) = one_row(connection, "SELECT current_setting('temp_directory')")
    return Path(tempfile.mkdtemp(dir=temporary))


def unreadable(source: Source, folder: Path, error: Exception, broken: Path | None = None) -> DataError:
    """What is wrong with the files of a source, by line where the reader can tell; else the library's own words in one line.

    broken: the file, where it is known.
    """
    if isinstance(error, duckdb.OutOfMemoryException):
        raise error
    reader = reader_of(source.reader)
    if isinstance(reader, Numbered):
        for file in source_files(source, folder):
            if fault := reader.fault(file, source):
                return fault
    text = " ".join(str(error).split())[:400]
    return DataError(
        f"{broken or folder / source.path} cannot be read as {source.reader}: {text}",
        solution="mend or replace the file",
    )


def where_is(source: Source, folder: Path, row: Mapping[str, str | None], file: str | None = None) -> str:
    """The file and, where its format counts them, the line of the first row that holds these texts; their column: text."""
    files = [Path(file)] if file else source_files(source, folder)
    reader = reader_of(source.reader)
    marks = decimal_marks(source)
    missing = {"", *(id_text(missing_text(value), marks) for value in source.missing)}
    unknown = {float(value) for value in source.missing if not isinstance(value, str)}

    def known(cell: str) -> str | None:
        text = id_text(cell, marks)
        with suppress(ValueError):
            if unknown and float(text) in unknown:
                return None
        return None if text in missing else text.upper() if source.id_case == "upper" else text

    # Ids are in this form, other texts are brought to it.
    row = {name: text if text is None else known(text) for name, text in row.items()}

    if isinstance(reader, Numbered) and row:
        for path in files:
            if line := reader.locate(path, source, row, known):
                return f"{path}, {line}"
    return file or str(folder / source.path)


def by_their_names(row: Mapping[str, str | None], columns: Mapping[str, str | list[str]]) -> dict[str, str | None]:
    """A row under the source's own names; columns: ours: theirs. An id of several columns is taken apart again."""
    found: dict[str, str | None] = {}
    for ours, theirs in columns.items():
        if ours in row and isinstance(theirs, str):
            found[theirs] = row[ours]
        elif ours in row and (text := row[ours]) is not None:
            found |= dict(zip(theirs, parts_of(text), strict=True))
    return found


def require_columns(types: dict[str, str], wanted: Iterable[str | list[str]], source: Source, folder: Path) -> None:
    """Raise DataError for a configured column that the files, or one of several, do not have."""
    names = [name for columns in wanted for name in listed(columns)]
    reader = reader_of(source.reader)
    files = source_files(source, folder)
    require_in(names, [name for name in types if name != "_file"], str(folder / source.path), files[:1], folder)
    if isinstance(reader, Headed) and len(files) > 1:
        # Those of a wide table are made when it is opened.
        names = [name for name in names if name not in CELL_COLUMNS.values()]
        for file in files:
            require_in(names, [*reader.columns(file, source), *source.partitions], str(file), [file], folder)


def require_in(
    wanted: Iterable[str], known: Sequence[str], where: str, files: Iterable[Path] = (), folder: Path | None = None
) -> None:
    """Raise DataError for a column that is not known. files: whose folders below `folder` may have it as a key."""
    for name in wanted:
        if name not in known:
            keys = set() if folder is None else {key for file in files for key, _ in folder_keys(file, folder)}
            raise DataError(
                f"{where}: no column {shown(name)}{nearest_name(name, known)}; columns: {', '.join(known)[:600]}",
                solution=(
                    f"add {json.dumps(name)} to `partitions` of this source: its folders have it as a key"
                    if name in keys
                    else ""
                )
                or other_delimiter(known)
                or "mend `columns` (or `key`, `features`) of this source in configs/<env>.yml",
            )


def other_delimiter(columns: Sequence[str]) -> str:
    """Advice where a whole header was taken for one column."""
    found = [mark for mark in (";", "\t", "|", ",") if len(columns) == 1 and mark in columns[0]]
    return (
        f"set `delimiter: {json.dumps(found[0])}` of this source, whose header is one column otherwise" if found else ""
    )


def text_of(column: str, sql_type: str, source: Source) -> str:
    """SQL: a column as trimmed text, null where it is empty or one of the source's missing values.

    Numbers that are whole lose their decimals, and a float that is no number is missing.
    """
    return known_text(trimmed(identifier(column), sql_type), map(missing_text, source.missing))


def id_of(column: str, sql_type: str, source: Source) -> str:
    """SQL: a column of ids as `name_of` has it, in capitals where the configuration says so."""
    form = name_of(column, sql_type, source)
    return composed(f"upper({form})") if source.id_case == "upper" else form


def name_of(column: str, sql_type: str, source: Source) -> str:
    """SQL: a column of ids or names in the one form that all tables have them in, null where they are missing.

    The rule is that of `spellings.id_text`: trimmed, in Unicode's NFC, whole numbers without decimals (`123.0`, as pandas writes
    ids beside missing ones, is `123`).
    """
    text, marks = trimmed(identifier(column), sql_type), decimal_marks(source)
    if sql_type in TEXT:
        name, whole = as_text(identifier(column), sql_type), literal(f"(-?[0-9]+)[{marks}]0+")
        bare = f"CASE WHEN regexp_full_match({text}, {whole}) THEN regexp_extract({text}, {whole}, 1) ELSE {composed(text)} END"
        # Of nearly all texts nothing changes, which costs a tenth to see of what it costs to change them.
        unlike = " OR ".join(f"contains({name}, {literal(f'{mark}0')})" for mark in marks)
        text = f"CASE WHEN regexp_full_match({name}, {literal(PLAIN)}) AND NOT ({unlike}) THEN {name} ELSE {bare} END"
    return known_text(text, (id_text(missing_text(value), marks) for value in source.missing))


def composed(text: str) -> str:
    """SQL: a text in Unicode's NFC. One that holds a null character stays what it is: DuckDB would cut it off there."""
    return f"CASE WHEN contains({text}, chr(0)) THEN {text} ELSE nfc_normalize({text}) END"


def trimmed(name: str, sql_type: str) -> str:
    """SQL: a column of any type as trimmed text. name: quoted."""
    if sql_type in FLOATS:
        whole = f"isfinite({name}) AND {name} = trunc({name}) AND abs({name}) <= {EXACT}"
        known = f"CASE WHEN NOT ({is_nan(name)}) THEN CAST({name} AS VARCHAR) END"
        return f"CASE WHEN {whole} THEN CAST(CAST({name} AS BIGINT) AS VARCHAR) ELSE {known} END"
    if sql_type.startswith("DECIMAL"):
        return f"CASE WHEN {name} = trunc({name}) THEN CAST(CAST({name} AS HUGEINT) AS VARCHAR) ELSE CAST({name} AS VARCHAR) END"
    text = as_text(name, sql_type)
    if sql_type not in TEXT:
        return text
    return f"CASE WHEN regexp_full_match({text}, {literal(PLAIN)}) THEN {text} ELSE trim({text}, {literal(WHITE)}) END"


def as_text(name: str, sql_type: str) -> str:
    """SQL: a column as it is written. Bytes are text in UTF-8, as programs write it that do not say so; others are refused."""
    if sql_type != "BLOB":
        return name if sql_type == "VARCHAR" else f"CAST({name} AS VARCHAR)"
    broken = f"error('bytes that are no text in UTF-8, such as ' || CAST({name} AS VARCHAR))"
    return f"coalesce(TRY(decode({name})), CASE WHEN {name} IS NOT NULL THEN {broken} END)"


def known_text(text: str, missing: Iterable[str]) -> str:
    """SQL: a text, null where it is empty or one that means 'not known'."""
    unknown = ", ".join(literal(value) for value in sorted({"", *missing}))
    return f"CASE WHEN {text} IN ({unknown}) THEN NULL ELSE {text} END"


def decimal_marks(source: Source) -> str:
    """The signs that may stand before the decimals of an id: a point, and the source's own, but for the one between thousands."""
    marks = {".", decimal_of(source)} - {getattr(source, "thousands", None)}
    return "".join(sorted(marks))


def is_rewritten(column: str, sql_type: str, form: str) -> str | None:
    """SQL: whether an id or a name is written in another form than it is read in; None for a type of one form.

    form: SQL of that form, by `id_of` or `name_of`.
    """
    if sql_type not in TEXT | FLOATS and not sql_type.startswith("DECIMAL"):
        return None
    return f"{as_text(identifier(column), sql_type)} <> {form}"


Form = Callable[[str, str, Source], str]


def id_of_columns(columns: str | list[str], types: Mapping[str, str], source: Source, form: Form = id_of) -> str:
    """SQL: an id of one column or of several. form: `id_of` or `name_of`."""
    if isinstance(columns, str):
        return form(columns, types[columns], source)
    return joint_of(form(column, types[column], source) for column in columns)


def id_column(columns: str | list[str], types: Mapping[str, str], source: Source) -> tuple[str, str]:
    """SQL and type of what an id is made of: one column as it is, or several joined."""
    if isinstance(columns, str):
        return identifier(columns), types[columns]
    return id_of_columns(columns, types, source), "VARCHAR"


def joint_of(parts: Iterable[str]) -> str:
    """SQL: several ids as one, as `spellings.joined` joins them; null where one is missing."""
    return f" || {literal(JOINT)} || ".join(f"replace({part}, '|', '||')" for part in parts)


def is_nan(name: str) -> str:
    """SQL: whether a float is no number.

    Not `isnan`: DuckDB 2.0 takes it for false in a Parquet file whose statistics, which leave out NaN, have a least and a largest value.
    """
    return f"NOT isfinite({name}) AND NOT isinf({name})"


def is_number(sql_type: str) -> bool:
    """Whether a column holds numbers, whatever a text would say."""
    return sql_type in FLOATS | WHOLE or sql_type.startswith("DECIMAL")


def number_text(column: str, sql_type: str, source: NumbersSource) -> str:
    """SQL: a column of numbers as trimmed text, null where it is missing, in whatever way that is written: -1 as -1.00."""
    text = text_of(column, sql_type, source)
    if is_number(sql_type):
        return f"CASE WHEN {known_number(column, sql_type, source)} IS NOT NULL THEN {text} END"
    unknown = ", ".join(repr(float(value)) for value in source.missing if not isinstance(value, str))
    if not unknown:
        return text
    number = plain_number(text, source)
    return f"CASE WHEN coalesce(TRY_CAST({number} AS DOUBLE) NOT IN ({unknown}), TRUE) THEN {text} END"


def number_of(column: str, sql_type: str, source: NumbersSource) -> str:
    """SQL: a column of numbers as what SQL casts to a number, null where it is missing or none."""
    # A number is cast as it is, not by way of its text, which costs ten times as much and may be in exponent form.
    if is_number(sql_type):
        return known_number(column, sql_type, source)
    return plain_number(number_text(column, sql_type, source), source)


def known_figure(column: str, sql_type: str, source: NumbersSource) -> str:
    """SQL: a column of numbers, whether they are written as such or as text, null where it is missing."""
    return (known_number if is_number(sql_type) else number_text)(column, sql_type, source)


def known_number(column: str, sql_type: str, source: NumbersSource) -> str:
    """SQL: a column of a numeric type, null where it is missing; a missing value that is text counts as the number it says."""
    name = identifier(column)
    missing = [is_nan(name)] if sql_type in FLOATS else []
    finite = ", ".join(map(repr, unknown_numbers(source)))
    if finite:
        missing.append(f"CAST({name} AS DOUBLE) IN ({finite})")
    return f"CASE WHEN {' OR '.join(missing)} THEN NULL ELSE {name} END" if missing else name


def unknown_numbers(source: NumbersSource) -> list[float]:
    """The numbers that mean 'not known', those among texts too."""
    found = set()
    for value in source.missing:
        with suppress(ValueError):
            found.add(float(value))
    return sorted(value for value in found if math.isfinite(value))


def is_rounded(column: str, sql_type: str, source: NumbersSource) -> str | None:
    """SQL: whether an amount holds fractions of a cent; None for a type that cannot hold any."""
    scale = sql_type.removeprefix("DECIMAL(").rstrip(")").rpartition(",")[2] if sql_type.startswith("DECIMAL") else "9"
    if sql_type in WHOLE or int(scale) <= 2:
        return None
    number = number_of(column, sql_type, source)
    return f"abs(TRY_CAST({number} AS DOUBLE) - TRY_CAST({number} AS DECIMAL(18, 2))) > 1e-6"


def number_repairs(column: str, sql_type: str, source: NumbersSource) -> dict[str, str]:
    """SQL conditions, by the ledger's word, under which a number is not written as SQL writes numbers."""
    return {} if is_number(sql_type) else repairs_of(number_text(column, sql_type, source), source)


def day_query(column: str, sql_type: str, source: SalesSource, *, months: bool = True) -> tuple[str, str]:
    """SQL: the day in a column of dates, and whether its text can be read in two ways. months: whether a month counts."""
    name = identifier(column)
    if sql_type in DATES:
        day = day_in(source.time_zone, name) if sql_type in INSTANTS else f"TRY_CAST({name} AS DATE)"
        if source.missing:
            day = f"CASE WHEN {text_of(column, sql_type, source)} IS NOT NULL THEN {day} END"
        return in_our_time(day), "FALSE"
    text = text_of(column, sql_type, source)
    formats, zone = source.date_formats, source.time_zone
    return day_of(text, formats, zone, months=months), is_ambiguous(text, formats, zone)


def missing_text(value: str | float) -> str:
    """A missing value as `text_of` writes it."""
    if isinstance(value, str):
        return value.strip(WHITE)
    return str(int(value)) if float(value).is_integer() else repr(value)


def read_texts(
    source: Source,
    folder: Path,
    limits: Limits,
    columns: Mapping[str, str | list[str]],
    numbers: Collection[str] = (),
    names: Collection[str] = (),
    lines: dict[str, int] | None = None,
    optional: Collection[str] = (),
) -> "pd.DataFrame":
    """A small source as text columns under our names (ours: theirs), null where missing, in no promised order.

    numbers: columns, by our names, whose texts are written with a decimal point where they are numbers of the source's; names:
    columns that are no ids, whose capitals stay what they are; lines: is told how many rows came from each file; optional:
    columns, by our names, that a file may be without, and the result then too.
    """
    with database(limits) as connection:
        types = open_source(connection, source, folder, "source")
        columns = {ours: theirs for ours, theirs in columns.items() if ours not in optional or theirs in types}
        require_columns(types, columns.values(), source, folder)
        selected: dict[str, str] = {}
        forms: dict[str, str] = {}
        for ours, theirs in columns.items():
            form = name_of if ours in names else id_of
            selected[ours] = id_of_columns(theirs, types, source, form)
            if ours not in numbers:
                forms |= {column: form(column, types[column], source) for column in listed(theirs)}
        if isinstance(source, NumbersSource):
            for ours in sorted(set(numbers) & set(columns)):
                theirs = columns[ours]
                if isinstance(theirs, str) and not is_number(types[theirs]):
                    selected[ours] = f"coalesce({number_of(theirs, types[theirs], source)}, {selected[ours]})"
        frame: pd.DataFrame = selected_table(connection, selected, source, folder, lines).to_pandas()
        tell_rewritten(connection, forms, types, source, folder)
        return frame


def tell_rewritten(
    connection: duckdb.DuckDBPyConnection,
    forms: Mapping[str, str],
    types: Mapping[str, str],
    source: Source,
    folder: Path,
) -> None:
    """Log how many ids and names of a view `source` are not written in the form that they are read in, with an example.

    forms: SQL of that form, by column.
    """
    for column, read in forms.items():
        condition = is_rewritten(column, types[column], read)
        if condition is None:
            continue
        written = as_text(identifier(column), types[column])
        query = f"SELECT count(*), min({written}), min_by({read}, {written}) FROM source WHERE {condition}"  # noqa: S608 (quoted)
        number, example, better = one_row(connection, query)
        if number:
            logging.getLogger("clustering").warning(
                "%s: %d values of %s are read in the form of ids, such as %s as %s",
                folder / source.path, number, shown(column), shown(example), shown(better),
            )  # fmt: skip


def read_numbers(
    source: NumbersSource,
    folder: Path,
    limits: Limits,
    key: Sequence[str | list[str]],
    numbers: Sequence[str],
    names: Sequence[str] = (),
    lines: dict[str, int] | None = None,
) -> "tuple[pd.Series, pd.DataFrame, pd.DataFrame, pd.DataFrame]":
    """A small source of numbers by a key: the keys as text, each column of numbers as text and as float64, and columns of names.

    key: one column, or several that make it, each perhaps of several. The columns of the tables are positions in `numbers` and
    in `names`. A text is null where it is missing, a number NaN where it is missing or its text is none.
    lines: is told how many rows came from each file.
    """
    with database(limits) as connection:
        types = open_source(connection, source, folder, "source")
        require_columns(types, [*key, *numbers, *names], source, folder)
        keys = [id_of_columns(columns, types, source) for columns in key]
        selected = {"key": keys[0] if len(keys) == 1 else joint_of(keys)}
        selected |= {f"number {n}": identifier(name) for n, name in enumerate(numbers)}
        selected |= {f"name {n}": name_of(name, types[name], source) for n, name in enumerate(names)}
        table = selected_table(connection, selected, source, folder, lines)
        texts, values = as_numbers(connection, table, len(numbers), source)
        forms = {column: id_of(column, types[column], source) for columns in key for column in listed(columns)}
        forms |= {name: name_of(name, types[name], source) for name in names}
        tell_rewritten(connection, forms, types, source, folder)
    words = in_order({n: table[f"name {n}"].to_pandas() for n in range(len(names))}, len(table))
    return table["key"].to_pandas(), texts, values, words


def as_numbers(
    connection: duckdb.DuckDBPyConnection, table: pa.Table, width: int, source: NumbersSource
) -> "tuple[pd.DataFrame, pd.DataFrame]":
    """The columns `number 0`, `number 1`, ... of a table as text and as float64; columns are positions, rows those of the table.

    All columns of one SQL type are one column of a query: DuckDB's time for a query goes with the square of its columns.
    """
    import pandas as pd

    rows = len(table)
    of_number = {f"number {n}": n for n in range(width)}
    connection.register(
        "numbers", table.select(list(of_number)).append_column("row", pa.array(range(rows), pa.int64()))
    )
    by_type: dict[str, list[str]] = {}
    for name, sql_type, *_ in connection.execute("DESCRIBE numbers").fetchall():
        by_type.setdefault(sql_type, []).append(name)
    texts: dict[int, pd.Series] = {}
    values: dict[int, pd.Series] = {}
    for sql_type, every in by_type.items():
        names = [name for name in every if name in of_number]
        if not names:
            continue
        columns = ", ".join(map(identifier, names))
        number = f"TRY_CAST({number_of('value', sql_type, source)} AS DOUBLE)"
        found = connection.sql(
            f"SELECT {number_text('value', sql_type, source)} AS text, {number} AS number "  # noqa: S608 (quoted)
            f'FROM (SELECT {columns}, "row" FROM numbers) UNPIVOT INCLUDE NULLS (value FOR name IN ({columns})) '
            f'ORDER BY CAST(substr(name, {len("number ") + 1}) AS INTEGER), "row"'
        ).to_arrow_table()
        for start, name in enumerate(sorted(names, key=of_number.__getitem__)):
            part = found.slice(start * rows, rows)
            texts[of_number[name]], values[of_number[name]] = part["text"].to_pandas(), part["number"].to_pandas()
    return in_order(texts, rows), in_order(values, rows)


def in_order(columns: "Mapping[int, pd.Series]", rows: int) -> "pd.DataFrame":
    """A table of columns by their positions."""
    import pandas as pd

    return pd.DataFrame({position: columns[position] for position in sorted(columns)}, index=range(rows))


def selected_table(
    connection: duckdb.DuckDBPyConnection,
    selected: Mapping[str, str],
    source: Source,
    folder: Path,
    lines: dict[str, int] | None = None,
) -> pa.Table:
    """The table of a view `source`; selected: name and SQL. lines: is told how many rows came from each file."""
    columns = ", ".join(f"{expression} AS {identifier(name)}" for name, expression in selected.items())
    try:
        reader = connection.sql(f"SELECT {columns}, _file FROM source").to_arrow_reader()  # noqa: S608
        table = within(reader, MEGABYTES, source, folder)
    except duckdb.Error as error:
        raise unreadable(source, folder, error) from None
    if lines is not None:
        lines.update((count["values"], count["counts"]) for count in table["_file"].value_counts().to_pylist())
    return table.drop_columns("_file")


def within(reader: pa.RecordBatchReader, megabytes: int, source: Source, folder: Path) -> pa.Table:
    """All rows as one table. Raises DataError where they are more than is kept in memory: a few bytes may be a billion of them."""
    batches, taken = [], 0
    try:
        for batch in reader:
            batches.append(batch)
            taken += batch.nbytes
            if taken > megabytes << 20:
                raise DataError(
                    f"{folder / source.path} has more than {megabytes} MB of values in the columns that are read, and is read into "
                    "memory, as every source but sales is",
                    solution="see what is in it: one row for each product or store is expected",
                )
    except (OSError, pa.ArrowException) as error:
        # DuckDB's errors come through Arrow as others.
        if str(error).startswith("Out of Memory"):
            raise duckdb.OutOfMemoryException(str(error)) from None
        raise unreadable(source, folder, error) from None
    return pa.Table.from_batches(batches, reader.schema)


def column_types(source: Source, folder: Path, limits: Limits) -> dict[str, str]:
    """The columns of a source and their SQL types; every column of a CSV file is text."""
    with database(limits) as connection:
        types = open_source(connection, source, folder, "source")
    types.pop("_file")
    return types
