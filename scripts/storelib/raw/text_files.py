"""CSV files as Python sees them: the header, whether a compressed file is whole, and which line a mistake is in.

DuckDB reads the rows; this module reads what DuckDB would guess or cannot tell.
"""

import bz2
import csv
import io
import shutil
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from storelib.errors import DataError, shown
from storelib.raw.patterns import is_leftover

BLOCK = 1 << 20
# Characters that a line may have, and a value: DuckDB reads no longer line, and a file may have but one, which does not end.
LONGEST = 2_000_000
# Bytes of a character, at the most.
WIDEST = 4
# Bytes that a workbook may be, unpacked: a full sheet of twenty columns.
WORKBOOK = 1 << 30
# How files are packed, by suffix: what DuckDB unpacks itself, by Arrow's name for it, and what Python does.
STREAMED = {".gz": "gzip", ".zst": "zstd"}
PACKED = (*STREAMED, ".bz2", ".zip")
# What unpacking a file that is cut off or damaged raises.
DAMAGED = (OSError, EOFError, zipfile.BadZipFile, zlib.error)
LINE_ENDS = {"\n": "LF", "\r\n": "CR LF", "\r": "CR"}
# What the csv module says.
TOO_LONG = "field larger than field limit"
SAID = {
    "unexpected end of data": "a value begins with double quotes that do not end",
    "',' expected after '\"'": "text stands between the double quotes that end a value and the next delimiter",
}
ROW_FILE = "_file"


class Header(NamedTuple):
    """The names of a CSV file's columns, and how many lines stand before them."""

    names: tuple[str, ...]
    skipped: int


def unpacked(file: Path) -> IO[bytes]:
    """The bytes of a file, unpacked where its name says that it is compressed. Raises DataError for a .zip of not one file."""
    kind = file.suffix.lower()
    if kind == ".zip":
        with zipfile.ZipFile(file) as archive:
            return archive.open(only_member(file, archive))
    if kind == ".bz2":
        return bz2.open(file)
    import pyarrow as pa

    stream: IO[bytes] = pa.input_stream(str(file), compression=STREAMED.get(kind))
    return stream


def only_member(file: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The one file in a .zip, what other programs leave there aside. Raises DataError where there is not one that can be read."""
    members = [m for m in archive.infolist() if not m.is_dir() and not is_leftover(PurePosixPath(m.filename).parts)]
    if len(members) != 1:
        names = ", ".join(shown(member.filename) for member in members[:20]) or "none"
        raise DataError(
            f"{file} holds {len(members)} files, where one is expected: {names}",
            solution="unpack it into a folder, and name that folder or the files to read in `path` of this source",
        )
    if members[0].flag_bits & 1:
        raise DataError(f"{file} is encrypted", solution="deliver it without a password, or unpack it here")
    return members[0]


def is_foreign(file: Path) -> bool:
    """Whether a file is packed in a way that DuckDB does not know, or does not know by this suffix."""
    return file.suffix.lower() in PACKED and file.suffix not in STREAMED


def unpack(file: Path, target: Path) -> None:
    """Write what a compressed file holds, block by block."""
    with unpacked(file) as stream, target.open("wb") as copy:
        shutil.copyfileobj(stream, copy, BLOCK)


def opened(file: Path, encoding: str, errors: str = "strict") -> io.TextIOWrapper:
    """A text file, unpacked where its name says that it is compressed; line ends stay as they are."""
    return io.TextIOWrapper(unpacked(file), encoding=encoding, errors=errors, newline="")


def lines_of(file: Path, stream: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a text file. Raises DataError for one that is longer than any is read, before it is all in memory."""
    number = 0
    while line := stream.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise endless(f"{file}, line {number} has")
        yield line


def refuse_broken(file: Path, *, with_lines: bool = False) -> None:
    """Raise DataError for a compressed file that is cut off or damaged: DuckDB would read the half of a .zst and be content.

    with_lines: for a line that does not end, too, as `refuse_endless` does of other files.
    """
    if file.suffix.lower() not in PACKED:
        return
    longest = since = 0
    try:
        with unpacked(file) as stream:
            while block := stream.read(BLOCK):
                ends = [at for at in (block.find(b"\n"), block.find(b"\r")) if at >= 0]
                longest = max(longest, since + (min(ends) if ends else len(block)))
                since = len(block) - 1 - max(block.rfind(b"\n"), block.rfind(b"\r")) if ends else since + len(block)
    except DAMAGED as error:
        raise DataError(
            f"{file} cannot be unpacked to its end: {error}",
            solution="deliver the file again; this one is cut off or damaged",
        ) from None
    if with_lines and longest > WIDEST * LONGEST:
        raise endless(f"{file} has a line of")


def refuse_endless(file: Path, delivered: Path) -> None:
    """Raise DataError where a file's last line is longer than any is read: DuckDB leaves it out, without a word, above 32 MB.

    Of one before the last it says so itself. delivered: what the file was made of.
    """
    most = WIDEST * LONGEST
    with file.open("rb") as handle:
        if handle.seek(0, io.SEEK_END) <= most:
            return
        handle.seek(-most - 2, io.SEEK_END)
        last = handle.read().rstrip(b"\r\n")
    if len(last) >= most and not {10, 13} & {*last}:
        raise endless(f"{delivered}, its last line, has")


def endless(what: str) -> DataError:
    """What is wrong with a line that does not end."""
    return DataError(
        f"{what} more than {LONGEST:,} characters, which is the most that is read",
        solution="mend the file: a line end or a closing quote is missing, or it is no text",
    )


def refuse_bomb(file: Path) -> None:
    """Raise DataError for a workbook that unpacks to more than is read into memory, whatever size it claims.

    What is too small to do that is not looked at: a byte of a .zip gives 1,032 at the most.
    """
    if not zipfile.is_zipfile(file):
        return
    unpacked_so_far = 0
    try:
        with zipfile.ZipFile(file) as archive:
            large = [entry for entry in archive.infolist() if entry.compress_size * 1032 > WORKBOOK]
            for entry in large:
                unpacked_so_far += entry.file_size
                if unpacked_so_far > WORKBOOK:
                    raise DataError(
                        f"{file} unpacks to more than {WORKBOOK >> 20:,} MB, which is the most that is read of a workbook",
                        solution="deliver it as CSV or Parquet",
                    )
            # A size that is a lie is found by the sum of what comes.
            for entry in large:
                with archive.open(entry) as stream:
                    while stream.read(BLOCK):
                        pass
    except (*DAMAGED, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{file} cannot be read as excel: {error}", solution="mend or replace the file") from None


def recoded(file: Path, encoding: str, target: Path, skipped: int = 0) -> None:
    """Write a text file anew as UTF-8, block by block, without its first lines. Raises DataError where it is not in that encoding."""
    try:
        with opened(file, encoding) as source, target.open("w", encoding="utf-8", newline="") as copy:
            lines = lines_of(file, source)
            for _ in range(skipped):
                next(lines, "")
            while block := source.read(BLOCK):
                copy.write(block)
    except UnicodeError as error:
        raise DataError(
            f"{file} is not text in {encoding}: {error}", solution="set `encoding` of this source to the file's own"
        ) from None


def header_of(file: Path, delimiter: str, encoding: str, row: int | None = None) -> Header:
    """The header: line `row`, or the first that is not empty. Raises DataError where a name is given twice, or the pipeline's own.

    DuckDB's own detection takes lines for comments or for a title, and leaves them out without a word.
    """
    record, skipped = "", 0
    try:
        with opened(file, encoding) as stream:
            for number, line in enumerate(lines_of(file, stream), start=1):
                is_before = number < (row or 1)
                if is_before or (not record and row is None and not line.strip("\ufeff \t\r\n")):
                    skipped += 1
                    continue
                record += line
                if len(record) > LONGEST:
                    raise DataError(
                        f"{file}, line {skipped + 1}: the header has more than {LONGEST:,} characters",
                        solution="mend the first line: the quotes around a name do not end",
                    )
                # A line break inside of quotes does not end the header.
                if record.count('"') % 2 == 0:
                    break
    except UnicodeError:
        raise not_text(file, encoding) from None
    if row is not None and not record.strip("\ufeff \t\r\n"):
        raise DataError(
            f"{file}, line {row} is empty, where the header is expected", solution="mend `header_row` of this source"
        )
    if not record:
        raise DataError(f"{file} is empty: a header line is expected", solution="deliver the file again")
    names = [name.strip() for name in values_of(record.lstrip("\ufeff").strip("\r\n"), delimiter)]
    unnamed = iter(range(len(names)))
    # As pandas leaves the index it writes.
    names = [name or f"column{position}" for name, position in zip(names, unnamed, strict=True)]
    folded = Counter(name.lower() for name in names)
    for name in names:
        if folded[name.lower()] > 1:
            raise DataError(
                f"{file}, line {skipped + 1}: the header must name each column once, whatever the case: {shown(name)} "
                f"is there {folded[name.lower()]} times",
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


def records(file: Path, delimiter: str, encoding: str, row: int | None = None) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not empty with the number of its first line; the header comes first. row: of the header."""
    csv.field_size_limit(LONGEST)
    above = (row or 1) - 1
    with opened(file, encoding) as stream:
        lines = lines_of(file, stream)
        for _ in range(above):
            next(lines, "")
        if len(delimiter) > 1:
            for number, line in enumerate(lines, start=above + 1):
                if line.strip():
                    yield number, values_of(line.rstrip("\r\n"), delimiter)
            return
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        last = 0
        try:
            for record in reader:
                first, last = last + 1, reader.line_num
                if record:
                    yield above + first, record
        except csv.Error as error:
            long = f"a value has more than {LONGEST:,} characters: its closing quotes may be missing"
            text = long if str(error).startswith(TOO_LONG) else SAID.get(str(error), str(error))
            raise csv.Error(f"line {above + last + 1}: {text}") from None


def not_text(file: Path, encoding: str) -> DataError:
    """An error that names the first line that is not in the encoding."""
    where = str(file)
    try:
        with opened(file, encoding, errors="surrogateescape") as stream:
            for number, line in enumerate(lines_of(file, stream), start=1):
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


def mixed_line_ends(file: Path, encoding: str, row: int | None = None) -> DataError | None:
    """An error that names the first line that ends otherwise than those before; those inside of quotes do not count."""
    first, is_quoted = "", False
    with opened(file, encoding) as stream:
        for number, line in enumerate(lines_of(file, stream), start=1):
            # What stands above the header is not read.
            is_quoted ^= number >= (row or 1) and line.count('"') % 2 == 1
            end = line[len(line.rstrip("\r\n")) :]
            if is_quoted or not end:
                continue
            first = first or end
            if end != first:
                return DataError(
                    f"{file}, line {number} ends in {LINE_ENDS[end]}, where the lines before it end in {LINE_ENDS[first]}",
                    solution="write the file with one kind of line end, with `dos2unix` for instance",
                )
    return None


def first_fault(file: Path, delimiter: str, encoding: str, row: int | None = None) -> DataError | None:
    """What is wrong with a CSV file, by line; None where Python finds nothing wrong. row: of the header."""
    line, width = 0, 0
    try:
        if mixed := mixed_line_ends(file, encoding, row):
            return mixed
        for line, record in records(file, delimiter, encoding, row):
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
    file: Path,
    delimiter: str,
    encoding: str,
    row: int | None,
    wanted: Mapping[str, str | None],
    known: Callable[[str], str | None],
) -> int | None:
    """The number of the first line whose columns hold the wanted texts; None where there is none. row: of the header.

    known: a cell as the pipeline takes it, None where it is missing.
    """
    columns: Sequence[tuple[int, str | None]] | None = None
    try:
        for line, record in records(file, delimiter, encoding, row):
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
