"""Tables as the files that are published: Parquet, CSV, Excel and JSON.

Values are the same in all of them, and the same tables give the same bytes. A text stays what it is: in Excel it is never a
formula, a link or a number; in CSV, which has no types, `looks_like_formula` counts the texts that a spreadsheet would compute.
"""

import datetime as dt
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import xlsxwriter
from pyarrow import csv

from storelib.errors import DataError
from storelib.raw.files import sha256
from storelib.spreadsheets import FORMULA
from storelib.tables import write_table

Tables = Mapping[str, pa.Table]
# Excel keeps the date of creation; this one never changes.
CREATED = dt.datetime(2000, 1, 1)  # noqa: DTZ001 (Excel knows no time zones)
# What a sheet holds below its head, and a cell.
SHEET_ROWS = 1_048_575
CELL_CHARACTERS = 32_767


class Export(NamedTuple):
    """One file. rows: by table; formula_like: texts that a spreadsheet would take for formulas."""

    name: str
    path: Path
    rows: dict[str, int]
    bytes: int
    sha256: str
    formula_like: int


def export(tables: Tables, kind: str, folder: Path) -> list[Export]:
    """Write tables, by name, to a folder in one format; one file each, but for Excel, whose sheets they are."""
    suffix, write = FORMATS[kind]
    parts = {"segments": tables} if kind == "excel" else {name: {name: table} for name, table in tables.items()}
    done = []
    for name, part in parts.items():
        path = folder / f"{name}.{suffix}"
        write(part, path)
        rows = {table: part[table].num_rows for table in part}
        suspects = sum(map(looks_like_formula, part.values())) if kind == "csv" else 0
        done.append(Export(path.name, path, rows, path.stat().st_size, sha256(path), suspects))
    return done


def write_parquet(tables: Tables, path: Path) -> None:
    """One table, with its types."""
    (table,) = tables.values()
    write_table(table, path)


def write_csv(tables: Tables, path: Path) -> None:
    """One table: UTF-8, texts in quotes, numbers without loss, nothing where nothing is known."""
    (table,) = tables.values()
    csv.write_csv(table, path)


def write_json(tables: Tables, path: Path) -> None:
    """One table: a list of objects, one to a line."""
    (table,) = tables.values()
    with path.open("w", encoding="utf-8", newline="\n") as target:
        separator = "[\n"
        for batch in table.to_batches(max_chunksize=10_000):
            for row in batch.to_pylist():
                target.write(separator + json.dumps(row, ensure_ascii=False, allow_nan=False))
                separator = ",\n"
        target.write("\n]\n" if table.num_rows else "[]\n")


def write_excel(tables: Tables, path: Path) -> None:
    """A sheet for each table, its head in view. Raises DataError for what a sheet cannot hold."""
    for name, table in tables.items():
        check_sheet(name, table)
    options = {
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "constant_memory": True,
        "in_memory": False,
    }
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"title": "Store segments", "created": CREATED})
        head, text = book.add_format({"bold": True, "bottom": 1}), book.add_format({"num_format": "@"})
        for name, table in tables.items():
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 0)
            sheet.autofilter(0, 0, max(table.num_rows, 1), table.num_columns - 1)
            sheet.set_column(0, table.num_columns - 1, 16)
            for column, title in enumerate(table.column_names):
                sheet.write_string(0, column, title, head)
            at = 0
            for batch in table.to_batches(max_chunksize=10_000):
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    at += 1
                    for column, value in enumerate(row):
                        write_cell(sheet, at, column, value, text)


def write_cell(sheet: Any, row: int, column: int, value: object, text: Any) -> None:
    """One value by its own type; nothing where nothing is known."""
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, str):
        sheet.write_string(row, column, value, text)
    elif value is not None:
        sheet.write_number(row, column, value)


def check_sheet(name: str, table: pa.Table) -> None:
    """Raise DataError where a sheet of Excel cannot hold a table."""
    advice = "leave excel out of `formats`"
    if table.num_rows > SHEET_ROWS:
        raise DataError(f"{name}: {table.num_rows:,} rows, and a sheet of Excel holds {SHEET_ROWS:,}", solution=advice)
    for column in texts_of(table):
        longest = pc.max(pc.utf8_length(table[column])).as_py() or 0
        if longest > CELL_CHARACTERS:
            raise DataError(
                f"{name}: a text of {column} has {longest:,} characters, and a cell of Excel holds {CELL_CHARACTERS:,}",
                solution=advice,
            )


def looks_like_formula(table: pa.Table) -> int:
    """How many texts begin as a formula does."""
    return sum(pc.sum(pc.match_substring_regex(table[name], FORMULA)).as_py() or 0 for name in texts_of(table))


def texts_of(table: pa.Table) -> list[str]:
    """The columns of text."""
    return [field.name for field in table.schema if pa.types.is_string(field.type)]


FORMATS: dict[str, tuple[str, Callable[[Tables, Path], None]]] = {
    "parquet": ("parquet", write_parquet),
    "csv": ("csv", write_csv),
    "excel": ("xlsx", write_excel),
    "json": ("json", write_json),
}
