"""Raw files as DuckDB tables, whatever their format: columns by our names, ids as text, 'missing' values as null."""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import duckdb
import pandas as pd

from lib.config import Source
from lib.database import database, identifier, literal, one_row
from lib.errors import DataError, nearest_name
from lib.files import source_files
from lib.readers import Request, reader_of

FLOATS = {"FLOAT", "DOUBLE"}


def open_source(connection: duckdb.DuckDBPyConnection, source: Source, folder: Path, view: str) -> dict[str, str]:
    """Make `view` over the files of a source, with the columns they have and `_file`; returns their SQL types."""
    files = source_files(source, folder)
    if not files:
        raise DataError(
            f"{folder / source.path} does not exist or holds no {source.reader} file",
            solution=f"put the file there, or mend `path` of this source; {folder} holds: {names_in(folder)}",
        )
    try:
        scan = reader_of(source.reader).scan(Request(files, source, connection, scratch(connection)))
        connection.execute(f"CREATE VIEW {identifier(view)} AS SELECT * FROM {scan}")  # noqa: S608 (quoted)
        described = connection.execute(f"DESCRIBE {identifier(view)}").fetchall()
    except duckdb.Error as error:
        raise unreadable(source, folder, error) from None
    return {row[0]: row[1] for row in described}


def scratch(connection: duckdb.DuckDBPyConnection) -> Path:
    """A new folder that goes when the connection does."""
    (temporary,) = one_row(connection, "SELECT current_setting('temp_directory')")
    return Path(tempfile.mkdtemp(dir=temporary))


def unreadable(source: Source, folder: Path, error: duckdb.Error) -> DataError:
    """DuckDB's own words, in one line, with the source they are about."""
    text = " ".join(str(error).split())[:400]
    return DataError(
        f"{folder / source.path} cannot be read as {source.reader}: {text}", solution="mend or replace the file"
    )


def names_in(folder: Path) -> str:
    """What a folder holds, for an error message."""
    names = sorted(p.name for p in folder.iterdir())[:20] if folder.is_dir() else []
    return ", ".join(names) or "nothing"


def require_columns(types: dict[str, str], wanted: Iterable[str], source: Source, folder: Path) -> None:
    """Raise DataError for a configured column that the files do not have."""
    known = [name for name in types if name != "_file"]
    for name in wanted:
        if name not in known:
            raise DataError(
                f"{folder / source.path}: no column {name!r}{nearest_name(name, known)}; columns: {', '.join(known)}",
                solution="mend `columns` (or `key`, `features`) of this source in configs/<env>.yml",
            )


def text_of(column: str, sql_type: str, source: Source) -> str:
    """SQL: a column as trimmed text, null where it is empty or one of the source's missing values.

    Whole numbers lose their decimals (`123.0`, as pandas writes ids beside missing ones, is `123`), and a float that is no
    number is missing.
    """
    name = identifier(column)
    if sql_type in FLOATS:
        whole = f"isfinite({name}) AND {name} = trunc({name}) AND abs({name}) < 1e15"
        known = f"CASE WHEN NOT isnan({name}) THEN CAST({name} AS VARCHAR) END"
        text = f"CASE WHEN {whole} THEN CAST(CAST({name} AS BIGINT) AS VARCHAR) ELSE {known} END"
    elif sql_type.startswith("DECIMAL"):
        text = f"CASE WHEN {name} = trunc({name}) THEN CAST(CAST({name} AS HUGEINT) AS VARCHAR) ELSE CAST({name} AS VARCHAR) END"
    elif sql_type == "VARCHAR":
        text = f"trim({name}, ' \t\r\n')"
    else:
        text = f"CAST({name} AS VARCHAR)"
    missing = ", ".join(literal(value) for value in sorted({"", *map(missing_text, source.missing)}))
    return f"CASE WHEN {text} IN ({missing}) THEN NULL ELSE {text} END"


def missing_text(value: str | float) -> str:
    """A missing value as `text_of` writes it."""
    if isinstance(value, str):
        return value.strip()
    return str(int(value)) if float(value).is_integer() else repr(value)


def read_texts(source: Source, folder: Path, columns: dict[str, str]) -> pd.DataFrame:
    """A small source as text columns under our names (ours: theirs), null where missing, in no promised order."""
    with database() as connection:
        types = open_source(connection, source, folder, "source")
        require_columns(types, columns.values(), source, folder)
        selected = ", ".join(
            f"{text_of(theirs, types[theirs], source)} AS {identifier(ours)}" for ours, theirs in columns.items()
        )
        try:
            query = f"SELECT {selected} FROM source"  # noqa: S608 (names by way of `identifier`)
            frame: pd.DataFrame = connection.sql(query).to_arrow_table().to_pandas()
        except duckdb.Error as error:
            raise unreadable(source, folder, error) from None
    return frame


def column_types(source: Source, folder: Path) -> dict[str, str]:
    """The columns of a source and their SQL types; every column of a CSV file is text."""
    with database() as connection:
        types = open_source(connection, source, folder, "source")
    types.pop("_file")
    return types
