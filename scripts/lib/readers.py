"""How each kind of raw file becomes a DuckDB table, by the name that `reader` has in configs/<env>.yml.

A reader is one small class. Another package adds one by an entry point in the group `clustering.readers`, whose name is the
reader's and which names a class like those below.
"""

import codecs
import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar, Protocol

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from lib.database import identifier, literal
from lib.errors import ConfigError, DataError, nearest_name

GROUP = "clustering.readers"
# DuckDB reads these itself; a file in any other encoding that Python knows is first written anew as UTF-8.
ENCODINGS = {"utf-8": "utf-8", "iso8859-1": "latin-1"}
BLOCK = 1 << 20
COMPRESSED = ("", ".gz", ".zst")


class Options(Protocol):
    """What a source's configuration says about reading."""

    delimiter: str
    encoding: str
    sheet: str | None


@dataclass(frozen=True)
class Request:
    """What is to be read: files of one source, on a connection, with a folder that is removed afterwards."""

    files: Sequence[Path]
    source: Options
    connection: duckdb.DuckDBPyConnection
    scratch: Path


class Reader(Protocol):
    """suffixes: of files in a folder that are this reader's; options: keys of a source that it understands."""

    suffixes: ClassVar[tuple[str, ...]]
    options: ClassVar[frozenset[str]]

    def scan(self, request: Request) -> str:
        """SQL of a table function over the files, with every column they have and `_file`, the path of each row's file.

        Files that DuckDB cannot read itself are written anew below `scratch`; `_file` is then the copy's path.
        Raises DataError for files that cannot be read.
        """
        ...


class Parquet:
    """Parquet; a folder may be partitioned as key=value (hive), and the keys are then columns."""

    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".pq")
    options: ClassVar[frozenset[str]] = frozenset()

    def scan(self, request: Request) -> str:
        """Every file's columns by name; partition keys as text."""
        partitioned = any("=" in part for file in request.files for part in file.parts)
        hive = f"hive_partitioning = {'true' if partitioned else 'false'}, hive_types_autocast = false"
        return f"read_parquet({paths(request.files)}, union_by_name = true, filename = '_file', {hive})"


class Csv:
    """Text with a header line and one row a line, plain or compressed (.gz, .zst), in any encoding that Python knows."""

    suffixes: ClassVar[tuple[str, ...]] = tuple(
        f"{kind}{packed}" for kind in (".csv", ".tsv", ".txt") for packed in COMPRESSED
    )
    options: ClassVar[frozenset[str]] = frozenset({"delimiter", "encoding"})

    def scan(self, request: Request) -> str:
        """Every column as text."""
        files, wanted = request.files, request.source.encoding
        encoding = ENCODINGS.get(codecs.lookup(wanted).name)
        if encoding is None:
            files = [recoded(file, wanted, request.scratch / f"{n}.csv") for n, file in enumerate(files)]
        return (
            f"read_csv({paths(files)}, all_varchar = true, header = true, delim = {literal(request.source.delimiter)}, "
            f"quote = '\"', escape = '\"', union_by_name = true, filename = '_file', encoding = {literal(encoding or 'utf-8')})"
        )


class Json:
    """JSON: one array of objects, or one object a line; plain or compressed (.gz, .zst)."""

    suffixes: ClassVar[tuple[str, ...]] = tuple(
        f"{kind}{packed}" for kind in (".json", ".jsonl", ".ndjson") for packed in COMPRESSED
    )
    options: ClassVar[frozenset[str]] = frozenset()

    def scan(self, request: Request) -> str:
        """Every column as text, as it is written: an id that looks like a number or a date stays what it is."""
        common = f"{paths(request.files)}, union_by_name = true"
        query = f"DESCRIBE SELECT * FROM read_json({common}, sample_size = -1)"  # noqa: S608 (paths are quoted)
        names = [row[0] for row in request.connection.execute(query).fetchall()]
        columns = ", ".join(f"{identifier(name)}: 'VARCHAR'" for name in names)
        return f"read_json({common}, columns = {{{columns}}}, filename = '_file')"


class Excel:
    """One sheet of .xlsx, .xlsm, .xlsb, .xls or .ods files; the first row that is not empty is the header."""

    suffixes: ClassVar[tuple[str, ...]] = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
    options: ClassVar[frozenset[str]] = frozenset({"sheet"})

    def scan(self, request: Request) -> str:
        """Every column as text: whole numbers without decimals, dates as YYYY-MM-DD."""
        copies = []
        for n, file in enumerate(request.files):
            copies.append(request.scratch / f"{n}.parquet")
            pq.write_table(sheet_of(file, request.source.sheet), copies[-1])
        return f"read_parquet({paths(copies)}, union_by_name = true, filename = '_file')"


BUILT_IN: dict[str, type[Reader]] = {"csv": Csv, "excel": Excel, "json": Json, "parquet": Parquet}


def reader_names() -> list[str]:
    """Every reader there is, those of other packages too."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))})


def reader_of(name: str) -> Reader:
    """A reader by its name. Raises ConfigError for an unknown one."""
    if name in BUILT_IN:
        return BUILT_IN[name]()
    for point in entry_points(group=GROUP, name=name):
        reader: Reader = point.load()()
        return reader
    known = reader_names()
    raise ConfigError(
        f"there is no reader {name!r}{nearest_name(name, known)}; readers: {', '.join(known)}",
        solution="choose one of these, or install the package that adds it",
    )


def paths(files: Iterable[Path]) -> str:
    """A list of files as SQL."""
    return "[" + ", ".join(literal(str(file)) for file in files) + "]"


def recoded(file: Path, encoding: str, target: Path) -> Path:
    """A text file written anew as UTF-8, block by block. Raises DataError where it is not in that encoding."""
    if file.suffix in (".gz", ".zst"):
        raise DataError(
            f"{file}: a compressed file in {encoding} is not read", solution="unpack it, or write it as UTF-8"
        )
    try:
        with file.open(encoding=encoding, newline="") as source, target.open("w", encoding="utf-8", newline="") as copy:
            while block := source.read(BLOCK):
                copy.write(block)
    except UnicodeError as error:
        raise DataError(
            f"{file} is not text in {encoding}: {error}", solution="set `encoding` of this source to the file's own"
        ) from None
    return target


def sheet_of(file: Path, sheet: str | None) -> pa.Table:
    """One sheet as text columns, null where a cell is empty. Raises DataError."""
    from python_calamine import CalamineError, CalamineWorkbook  # spared where no source is a workbook

    try:
        with CalamineWorkbook.from_path(str(file)) as workbook:
            names = workbook.sheet_names
            if sheet is not None and sheet not in names:
                raise DataError(
                    f"{file} has no sheet {sheet!r}{nearest_name(sheet, names)}; sheets: {', '.join(names)}",
                    solution="mend `sheet` of this source",
                )
            rows = workbook.get_sheet_by_name(sheet if sheet is not None else names[0]).to_python(skip_empty_area=True)
    except (CalamineError, OSError) as error:
        raise DataError(f"{file} cannot be read as excel: {error}", solution="mend or replace the file") from None
    if not rows:
        raise DataError(f"{file}: the sheet is empty", solution="name another `sheet` of this source")
    header = [cell_text(cell) for cell in rows[0]]
    if None in header or len(set(header)) < len(header):
        shown = ", ".join("(empty)" if name is None else name for name in header)
        raise DataError(f"{file}: the header must name each column once: {shown}", solution="mend the first row")
    cells = [[cell_text(row[n]) for row in rows[1:]] for n in range(len(header))]
    return pa.table({str(name): pa.array(column, pa.string()) for name, column in zip(header, cells, strict=True)})


def cell_text(cell: object) -> str | None:
    """A cell as text."""
    if cell is None or cell == "":
        return None
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, dt.datetime) and cell.time() == dt.time():
        return cell.date().isoformat()
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    return str(cell)
