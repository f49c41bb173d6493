"""CSV files as Python sees them: the header, whether a compressed file is whole, and which line a mistake is in.

DuckDB reads the rows; this module reads what DuckDB would guess or cannot tell.
"""

import csv
import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from storelib.errors import DataError, shown

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 1 << 20
PACKED = (".gz", ".zst")
# What the csv module says.
SAID = {
    "unexpected end of data": "a value begins with double quotes that do not end",
    "',' expected after '\"'": "text stands between the double quotes that end a value and the next delimiter",
}
ROW_FILE = "_file"


class Header(NamedTuple):
    """The names of a CSV file's columns, and how many empty lines stand before them."""

    names: tuple[str, ...]
    skipped: int


def unpacked(file: Path) -> "pa.NativeFile":
    """The bytes of a file, unpacked where its name says that it is compressed."""
    import pyarrow as pa

    return pa.input_stream(str(file))


def opened(file: Path, encoding: str, errors: str = "strict") -> io.TextIOWrapper:
    """A text file, unpacked where its name says that it is compressed; line ends stay as they are."""
    return io.TextIOWrapper(unpacked(file), encoding=encoding, errors=errors, newline="")


def refuse_broken(file: Path) -> None:
    """Raise DataError for a compressed file that is cut off or damaged: DuckDB would read the half of a .zst and be content."""
    if file.suffix not in PACKED:
        return
    try:
        with unpacked(file) as stream:
            while stream.read(BLOCK):
                pass
    except OSError as error:
        raise DataError(
            f"{file} cannot be unpacked to its end: {error}",
            solution="deliver the file again; this one is cut off or damaged",
        ) from None


def recoded(file: Path, encoding: str, target: Path) -> None:
    """Write a text file anew as UTF-8, block by block. Raises DataError where it is not in that encoding."""
    try:
        with opened(file, encoding) as source, target.open("w", encoding="utf-8", newline="") as copy:
            while block := source.read(BLOCK):
                copy.write(block)
    except UnicodeError as error:
        raise DataError(
            f"{file} is not text in {encoding}: {error}", solution="set `encoding` of this source to the file's own"
        ) from None


def header_of(file: Path, delimiter: str, encoding: str) -> Header:
    """The first line that is not empty. Raises DataError where a name is missing, given twice, or the pipeline's own.

    DuckDB's own detection takes lines for comments or for a title, and leaves them out without a word.
    """
    record, skipped = "", 0
    try:
        with opened(file, encoding) as stream:
            for line in stream:
                if not record and not line.strip("\ufeff \t\r\n"):
                    skipped += 1
                    continue
                record += line
                # A line break inside of quotes does not end the header.
                if record.count('"') % 2 == 0:
                    break
    except UnicodeError:
        raise not_text(file, encoding) from None
    if not record:
        raise DataError(f"{file} is empty: a header line is expected", solution="deliver the file again")
    names = [name.strip() for name in values_of(record.lstrip("\ufeff").strip("\r\n"), delimiter)]
    unnamed = iter(range(len(names)))
    # As pandas leaves the index it writes.
    names = [name or f"column{position}" for name, position in zip(names, unnamed, strict=True)]
    folded = [name.lower() for name in names]
    for name in names:
        if folded.count(name.lower()) > 1:
            raise DataError(
                f"{file}, line {skipped + 1}: the header must name each column once, whatever the case: {shown(name)} "
                f"is there {folded.count(name.lower())} times",
                solution="rename or delete one of them",
            )
        if name == ROW_FILE:
            raise DataError(
                f"{file}, line {skipped + 1}: a column is called {ROW_FILE!r}, a name that the pipeline uses itself",
                solution="rename that column",
            )
    return Header(tuple(names), skipped)


def values_of(record: str, delimiter: str) -> list[str]:
    """The values of one record; a delimiter of several characters cannot stand in quotes."""
    if len(delimiter) > 1:
        return [value.strip('"') for value in record.split(delimiter)]
    return next(csv.reader(io.StringIO(record, newline=""), delimiter=delimiter), [])


def records(file: Path, delimiter: str, encoding: str) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not empty with the number of its first line; the header comes first."""
    csv.field_size_limit(sys.maxsize)
    with opened(file, encoding) as stream:
        if len(delimiter) > 1:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield number, values_of(line.rstrip("\r\n"), delimiter)
            return
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        last = 0
        try:
            for record in reader:
                first, last = last + 1, reader.line_num
                if record:
                    yield first, record
        except csv.Error as error:
            raise csv.Error(f"line {last + 1}: {SAID.get(str(error), str(error))}") from None


def not_text(file: Path, encoding: str) -> DataError:
    """An error that names the first line that is not in the encoding."""
    where = str(file)
    try:
        with opened(file, encoding, errors="surrogateescape") as stream:
            for number, line in enumerate(stream, start=1):
                if any("\ud800" <= character <= "\udfff" for character in line):
                    delivered = line.strip().encode(encoding, errors="surrogateescape")
                    where = f"{file}, line {number}: {shown(delivered.decode('latin-1'))}"
                    break
    except UnicodeError:
        # Encodings of two bytes a character cannot escape what they do not know.
        pass
    return DataError(
        f"{where} is not text in {encoding}",
        solution="set `encoding` of this source to the file's own, such as cp1252 or utf-16",
    )


def first_fault(file: Path, delimiter: str, encoding: str) -> DataError | None:
    """What is wrong with a CSV file, by line; None where Python finds nothing wrong."""
    line, width = 0, 0
    try:
        for line, record in records(file, delimiter, encoding):
            width = width or len(record)
            if len(record) != width:
                return DataError(
                    f"{file}, line {line}: {len(record)} values, where the header has {width} columns: "
                    f"{shown(delimiter.join(record))}",
                    solution="mend the line; a value that holds the delimiter stands in double quotes",
                )
    except UnicodeError:
        return not_text(file, encoding)
    except csv.Error as error:
        return DataError(
            f"{file}, {error}",
            solution="mend the line; quotes inside of a value are doubled, and the value stands in quotes",
        )
    return None


def line_of(
    file: Path, delimiter: str, encoding: str, wanted: Mapping[str, str | None], known: Callable[[str], str | None]
) -> int | None:
    """The number of the first line whose columns hold the wanted texts; None where there is none.

    known: a cell as the pipeline takes it, None where it is missing.
    """
    columns: Sequence[tuple[int, str | None]] | None = None
    try:
        for line, record in records(file, delimiter, encoding):
            if columns is None:
                names = [name.strip() for name in record]
                names[0] = names[0].lstrip("\ufeff")
                if not set(wanted) <= set(names):
                    return None
                columns = [(names.index(name), text) for name, text in wanted.items()]
            elif all(known(record[position]) == text for position, text in columns):
                return line
    except (csv.Error, UnicodeError, IndexError):
        return None
    return None
