"""How each kind of raw file becomes a DuckDB table, by the name that `reader` has in configs/<env>.yml.

A reader is one small class. Another package adds one by an entry point in the group `clustering.readers`, whose name is the
reader's and which names a class like those below.
"""

import codecs
import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, cast, runtime_checkable

from storelib.errors import ConfigError, DataError, nearest_name
from storelib.raw.json_records import records_to_lines
from storelib.raw.text_files import (
    PACKED,
    first_fault,
    header_of,
    is_foreign,
    line_of,
    recoded,
    refuse_bomb,
    refuse_broken,
    refuse_endless,
    unpack,
)
from storelib.sql import identifier, literal

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from duckdb.sqltypes import DuckDBPyType
    from python_calamine import CalamineWorkbook

GROUP = "clustering.readers"
# DuckDB reads these itself; a file in any other encoding that Python knows is first written anew as UTF-8.
ENCODINGS = {"utf-8": "utf-8", "iso8859-1": "latin-1"}
GLOB = re.compile(r"[*?\[]")
# Folder names such as `STORE=007` say nothing by themselves: `partitions` of a source says which do.
UNNAMED = "hive_partitioning = false"
NAMED = f"filename = '_file', {UNNAMED}"
COMPRESSED = ("", *PACKED)


class Options(Protocol):
    """What a source's configuration says about reading."""

    delimiter: str
    encoding: str
    sheet: str | None
    header_row: int | None
    records: str | None

    @property
    def named_columns(self) -> Sequence[str]:
        """The columns that the configuration names."""
        ...


@dataclass(frozen=True)
class Request:
    """What is to be read: files of one source, on a connection, with a folder that is removed afterwards."""

    files: Sequence[Path]
    source: Options
    connection: "duckdb.DuckDBPyConnection"
    scratch: Path
    copies: dict[Path, Path] = field(default_factory=dict)

    def copy_of(self, file: Path, suffix: str) -> Path:
        """A new path below `scratch` to write `file` anew at; rows read from there still name the file itself."""
        path = self.scratch / f"{len(self.copies)}{suffix}"
        self.copies[path] = file
        return path


class Reader(Protocol):
    """suffixes: of files in a folder that are this reader's; options: keys of a source that it understands."""

    suffixes: ClassVar[tuple[str, ...]]
    options: ClassVar[frozenset[str]]

    def scan(self, request: Request) -> str:
        """SQL of a table function over the files, with every column they have and `_file`, the path of each row's file.

        Files that DuckDB cannot read itself are written anew to a path of `request.copy_of`.
        Raises DataError for files that cannot be read.
        """
        ...


@runtime_checkable
class Numbered(Protocol):
    """A reader whose users count lines or rows, and which can therefore say where a mistake is."""

    def fault(self, file: Path, source: Options) -> DataError | None:
        """What is wrong with a file that DuckDB could not read; None where nothing is found."""
        ...

    def locate(
        self, file: Path, source: Options, wanted: Mapping[str, str | None], known: Callable[[str], str | None]
    ) -> str | None:
        """Where the first row is whose columns hold the wanted texts, such as `line 7`.

        known: a cell as the pipeline takes it, None where it is missing.
        """
        ...


@runtime_checkable
class Headed(Protocol):
    """A reader that can tell a file's columns without reading its rows: each part of a source must then have the ones asked for."""

    def columns(self, file: Path, source: Options) -> Sequence[str]:
        """The names of one file's columns."""
        ...


class Parquet:
    """Parquet."""

    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".pq")
    options: ClassVar[frozenset[str]] = frozenset()

    def scan(self, request: Request) -> str:
        """Every file's columns by name."""
        return parquet_scan(request.files)

    def columns(self, file: Path, source: Options) -> Sequence[str]:  # noqa: ARG002 (as the protocol has it)
        """Those of its schema."""
        import pyarrow.parquet as pq

        names: list[str] = pq.read_schema(file).names
        return names


class Csv:
    """Text with a header line and one row a line, plain or compressed, in any encoding that Python knows."""

    suffixes: ClassVar[tuple[str, ...]] = (
        *(f"{kind}{packed}" for kind in (".csv", ".tsv", ".txt") for packed in COMPRESSED), ".zip"
    )  # fmt: skip
    options: ClassVar[frozenset[str]] = frozenset({"delimiter", "encoding", "header_row"})

    def scan(self, request: Request) -> str:
        """Every column as text. Nothing is guessed: files with the same header are read together, under that header."""
        source = request.source
        native = ENCODINGS.get(codecs.lookup(source.encoding).name)
        alike: dict[tuple[tuple[str, ...], str], list[Path]] = {}
        for file in request.files:
            refuse_broken(file, with_lines=True)
            header = header_of(file, source.delimiter, source.encoding, source.header_row)
            readable, encoding = file, native or "utf-8"
            # DuckDB loses rows where lines that it skips end otherwise than the rest, or hold quotes.
            if native is None or header.skipped:
                readable, encoding = request.copy_of(file, ".csv"), "utf-8"
                recoded(file, source.encoding, readable, header.skipped)
            elif is_foreign(file):
                readable = request.copy_of(file, ".csv")
                unpack(file, readable)
            if readable.suffix.lower() not in PACKED:
                refuse_endless(readable, file)
            alike.setdefault((header.names, encoding), []).append(readable)
        scans = [self.scan_alike(names, part, source.delimiter, code) for (names, code), part in alike.items()]
        return scans[0] if len(scans) == 1 else f"({' UNION ALL BY NAME '.join(f'SELECT * FROM {s}' for s in scans)})"  # noqa: S608

    @staticmethod
    def scan_alike(names: Sequence[str], files: Sequence[Path], delimiter: str, encoding: str) -> str:
        """SQL of files with one header."""
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
        return (
            f"read_csv({paths(files)}, auto_detect = false, columns = {{{columns}}}, header = true, delim = {literal(delimiter)}, "
            f"quote = '\"', escape = '\"', encoding = {literal(encoding)}, {NAMED})"
        )

    def columns(self, file: Path, source: Options) -> Sequence[str]:
        """Those of its header."""
        return header_of(file, source.delimiter, source.encoding, source.header_row).names

    def fault(self, file: Path, source: Options) -> DataError | None:
        """The first line that is not text in its encoding, or has more or fewer values than the header."""
        return first_fault(file, source.delimiter, source.encoding, source.header_row)

    def locate(
        self, file: Path, source: Options, wanted: Mapping[str, str | None], known: Callable[[str], str | None]
    ) -> str | None:
        """`line 7`, the header being line 1."""
        line = line_of(file, source.delimiter, source.encoding, source.header_row, wanted, known)
        return f"line {line}" if line else None


class Json:
    """JSON: one array of objects, or one object a line, or rows that lie deeper (`records`); plain or compressed."""

    suffixes: ClassVar[tuple[str, ...]] = (
        *(f"{kind}{packed}" for kind in (".json", ".jsonl", ".ndjson") for packed in COMPRESSED), ".zip"
    )  # fmt: skip
    options: ClassVar[frozenset[str]] = frozenset({"records"})

    def scan(self, request: Request) -> str:
        """Every column as text, as it is written: an id that looks like a number or a date stays what it is.

        A field of an object in a row is a column too: `store.id`.
        """
        source = request.source
        files: list[Path] = []
        for file in request.files:
            refuse_broken(file)
            readable = file
            if source.records is not None:
                readable = request.copy_of(file, ".jsonl")
                records_to_lines(file, source.records, source.named_columns, readable)
            elif is_foreign(file):
                readable = request.copy_of(file, ".json")
                unpack(file, readable)
            files.append(readable)
        fields: dict[str, Path] = {}
        spelt: dict[str, str] = {}
        inner: dict[str, str] = {}
        # One file at a time: DuckDB holds 32 MB for each that it opens to compare their columns.
        for file in files:
            relation = request.connection.sql(f"SELECT * FROM read_json({paths([file])}, sample_size = -1, {UNNAMED})")  # noqa: S608 (quoted)
            delivered = request.copies.get(file, file)
            for name, kind in zip(relation.columns, relation.types, strict=True):
                fields.setdefault(name, delivered)
                other = spelt.setdefault(name.lower(), name)
                if other != name:
                    raise DataError(
                        f"{fields[name]}: a field is called {name!r}, and {other!r} in {fields[other]}",
                        solution="write it in one way: DuckDB cannot tell them apart",
                    )
                inner |= inner_fields(name, identifier(name), kind)
        form = "VARCHAR" if decimal_of(source) == "." else "JSON"
        columns = ", ".join(f"{identifier(name)}: '{form}'" for name in fields)
        scan = f"read_json({paths(files)}, columns = {{{columns}}}, {NAMED})"
        inner = {name: value for name, value in inner.items() if name.lower() not in spelt}
        if form == "VARCHAR" and not inner:
            return scan
        read = {name: identifier(name) for name in fields} | inner
        written = ", ".join(
            f"{value if form == 'VARCHAR' and name in fields else in_decimals(value, decimal_of(source))} AS {identifier(name)}"
            for name, value in read.items()
        )
        return f"(SELECT {written}, _file FROM {scan})"  # noqa: S608 (quoted names)


def inner_fields(name: str, value: str, kind: "DuckDBPyType") -> dict[str, str]:
    """SQL of each field of an object in a column, at any depth, by its path such as `store.id`."""
    found: dict[str, str] = {}
    if kind.id == "struct":
        for field_name, field_kind in kind.children:
            path, inner = f"{name}.{field_name}", f"json_extract({value}, {literal(json_pointer(field_name))})"
            found |= {path: inner} | inner_fields(path, inner, cast("DuckDBPyType", field_kind))
    return found


def json_pointer(field_name: str) -> str:
    """The pointer (RFC 6901) to a field of an object."""
    return "/" + field_name.replace("~", "~0").replace("/", "~1")


def decimal_of(source: Options) -> str:
    """The decimal sign in which a source writes numbers as text; a point, where it knows of none."""
    return str(getattr(source, "decimal", "."))


def in_decimals(column: str, decimal: str) -> str:
    """SQL: a JSON value as text, a number with the decimal sign that the texts beside it have."""
    number = f"CAST({column} AS VARCHAR)"
    number = number if decimal == "." else f"replace({number}, '.', {literal(decimal)})"
    return (
        f"CASE json_type({column}) WHEN 'NULL' THEN NULL WHEN 'VARCHAR' THEN {column} ->> '$' "
        f"WHEN 'DOUBLE' THEN {number} ELSE CAST({column} AS VARCHAR) END"
    )


class Excel:
    """One sheet of .xlsx, .xlsm, .xlsb, .xls or .ods files; `header_row`, or the first row that is not empty, is the header."""

    suffixes: ClassVar[tuple[str, ...]] = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
    options: ClassVar[frozenset[str]] = frozenset({"sheet", "header_row"})

    def scan(self, request: Request) -> str:
        """Every column as text: whole numbers without decimals, other numbers and dates as the source's texts have them."""
        import pyarrow.parquet as pq

        copies = []
        for file in request.files:
            copies.append(request.copy_of(file, ".parquet"))
            pq.write_table(sheet_of(file, request.source), copies[-1])
        return parquet_scan(copies)

    def fault(self, file: Path, source: Options) -> DataError | None:  # noqa: ARG002 (as the protocol has it)
        """Workbooks are read as a whole, and their faults told then."""
        return None

    def locate(
        self, file: Path, source: Options, wanted: Mapping[str, str | None], known: Callable[[str], str | None]
    ) -> str | None:
        """`row 7`, as the sheet counts its rows."""
        rows, first = rows_of(file, source)
        header = header_cells(rows[0], source)
        for number, row in enumerate(rows[1:], start=first + 1):
            texts = dict(zip(header, (cell_text(cell, source) for cell in row), strict=True))
            if all(known(texts[name] or "") == text for name, text in wanted.items()):
                return f"row {number}"
        return None


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


def parquet_scan(files: Iterable[Path]) -> str:
    """SQL of Parquet files, with every column that they have and `_file`; a reader may write its files anew as such."""
    return f"read_parquet({paths(files)}, union_by_name = true, {NAMED})"


def paths(files: Iterable[Path]) -> str:
    """A list of files as SQL; DuckDB takes some characters for a pattern."""
    return "[" + ", ".join(literal(GLOB.sub(r"[\g<0>]", str(file))) for file in files) + "]"


def rows_of(file: Path, source: Options) -> tuple[list[list[object]], int]:
    """The rows of one sheet from its header on, and the header's number. Raises DataError."""
    from python_calamine import CalamineError, CalamineWorkbook  # spared where no source is a workbook

    refuse_bomb(file)
    try:
        with CalamineWorkbook.from_path(str(file)) as workbook:
            found = workbook.get_sheet_by_name(sheet_name(file, source.sheet, workbook))
            rows: list[list[object]] = [list(row) for row in found.to_python(skip_empty_area=True)]
            first = found.start[0] + 1 if found.start else 1
    except (CalamineError, OSError) as error:
        raise DataError(f"{file} cannot be read as excel: {error}", solution="mend or replace the file") from None
    if not rows:
        raise DataError(f"{file}: the sheet is empty", solution="name another `sheet` of this source")
    if source.header_row is None:
        return rows, first
    if not 0 <= source.header_row - first < len(rows):
        raise DataError(
            f"{file}: the sheet has rows {first} to {first + len(rows) - 1}, and no row {source.header_row}, where the header is expected",
            solution="mend `header_row` of this source",
        )
    return rows[source.header_row - first :], source.header_row


def sheet_name(file: Path, wanted: str | None, workbook: "CalamineWorkbook") -> str:
    """The sheet to read: the one that is wanted, or the only one that is shown and not empty. Raises DataError."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    names = workbook.sheet_names
    if wanted is not None:
        if wanted not in names:
            raise DataError(
                f"{file} has no sheet {wanted!r}{nearest_name(wanted, names)}; sheets: {', '.join(names)}",
                solution="mend `sheet` of this source",
            )
        return wanted
    shown_ones = [
        sheet.name
        for sheet in workbook.sheets_metadata
        if sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet
    ]
    # A single sheet is not read twice.
    filled = [name for name in shown_ones if len(shown_ones) == 1 or workbook.get_sheet_by_name(name).start is not None]
    if len(filled) > 1:
        raise DataError(
            f"{file} has {len(filled)} sheets that are not empty: {', '.join(filled)}",
            solution="say which one to read: `sheet` of this source",
        )
    if not names:
        raise DataError(f"{file} has no sheets", solution="mend or replace the file")
    if not filled and len(shown_ones) < len(names):
        raise DataError(
            f"{file} has no sheet that is shown and not empty; sheets: {', '.join(names)}",
            solution="name the one to read: `sheet` of this source",
        )
    return (filled or shown_ones)[0]


def sheet_of(file: Path, source: Options) -> "pa.Table":
    """One sheet as text columns, null where a cell is empty. Raises DataError."""
    import pyarrow as pa

    rows, first = rows_of(file, source)
    header = header_cells(rows[0], source)
    if None in header or len({str(name).lower() for name in header}) < len(header):
        names = ", ".join("(empty)" if name is None else name for name in header)
        raise DataError(
            f"{file}, row {first}: the header must name each column once: {names}", solution="mend the first row"
        )
    cells = [[cell_text(row[n], source) for row in rows[1:]] for n in range(len(header))]
    return pa.table({str(name): pa.array(column, pa.string()) for name, column in zip(header, cells, strict=True)})


def header_cells(row: Iterable[object], source: Options) -> list[str | None]:
    """Names of columns, without spaces around them; None where there is none."""
    return [(cell_text(cell, source) or "").strip() or None for cell in row]


def cell_text(cell: object, source: Options) -> str | None:
    """A cell as text; a number and a day are written as the source's texts are."""
    if cell is None or cell == "":
        return None
    if isinstance(cell, float):
        whole = cell.is_integer() and abs(cell) < 1e15
        return str(int(cell)) if whole else str(cell).replace(".", decimal_of(source))
    if isinstance(cell, dt.datetime) and cell.time() == dt.time():
        return day_text(cell.date(), source)
    if isinstance(cell, dt.datetime | dt.time):
        return cell.isoformat()
    return day_text(cell, source) if isinstance(cell, dt.date) else str(cell)


def day_text(day: dt.date, source: Options) -> str:
    """A day in the first of the source's formats."""
    formats = getattr(source, "date_formats", [])
    return day.strftime(formats[0]) if formats else day.isoformat()
