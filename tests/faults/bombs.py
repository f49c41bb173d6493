"""Files that are small where they lie and huge where they are read."""

import io
import struct
import zipfile
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

MEGABYTE = 1 << 20
CHUNK = 16 * MEGABYTE


def deflated(head: bytes, filler: bytes, tail: bytes, megabytes: int) -> tuple[bytes, int, int]:
    """A raw deflate stream of a text around so many megabytes of a filler, its CRC and its length; packed once, repeated."""
    chunk = filler * (CHUNK // len(filler))
    first, middle, last = (zlib.compressobj(6, zlib.DEFLATED, -15) for _ in range(3))
    packed = middle.compress(chunk) + middle.flush(zlib.Z_FULL_FLUSH)
    times = megabytes * MEGABYTE // len(chunk)
    stream = first.compress(head) + first.flush(zlib.Z_FULL_FLUSH) + packed * times + last.compress(tail) + last.flush()
    crc = zlib.crc32(head)
    for _ in range(times):
        crc = zlib.crc32(chunk, crc)
    return stream, zlib.crc32(tail, crc), len(head) + times * len(chunk) + len(tail)


def gzip_bomb(path: Path, head: bytes, filler: bytes, tail: bytes, megabytes: int) -> None:
    """A .gz."""
    stream, crc, size = deflated(head, filler, tail, megabytes)
    path.write_bytes(b"\x1f\x8b\x08" + bytes(7) + stream + struct.pack("<II", crc, size & 0xFFFFFFFF))


def zip_bomb(
    path: Path, name: str, head: bytes, filler: bytes, tail: bytes, megabytes: int, lie: int | None = None
) -> None:
    """A .zip of one entry. lie: the size that it claims."""
    with zipfile.ZipFile(path, "w") as archive:
        add_bomb(archive, name, head, filler, tail, megabytes, lie)


def add_bomb(
    archive: zipfile.ZipFile, name: str, head: bytes, filler: bytes, tail: bytes, megabytes: int, lie: int | None = None
) -> None:
    """One more entry, written as it is packed."""
    stream, crc, size = deflated(head, filler, tail, megabytes)
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.CRC, entry.compress_size, entry.file_size = crc, len(stream), size if lie is None else lie
    file = archive.fp
    assert file is not None
    entry.header_offset = file.tell()
    file.write(entry.FileHeader())
    file.write(stream)
    archive.start_dir = file.tell()
    archive.filelist.append(entry)
    archive.NameToInfo[name] = entry
    archive._didModify = True  # type: ignore[attr-defined]


def workbook_bomb(path: Path, rows: bytes, filler: bytes, megabytes: int, lie: int | None = None) -> None:
    """An .xlsx whose sheet is a few rows, and a filler inside of the last cell's text."""
    import xlsxwriter

    book = io.BytesIO()
    with xlsxwriter.Workbook(book) as workbook:
        workbook.add_worksheet().write("A1", "x")
    head = (
        b'<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        + rows
    )
    tail = b"</t></is></c></row></sheetData></worksheet>"
    with zipfile.ZipFile(book) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            if entry.filename.endswith("sheet1.xml"):
                add_bomb(new, entry.filename, head, filler, tail, megabytes, lie)
            else:
                new.writestr(entry.filename, old.read(entry))


def parquet_bomb(path: Path, columns: dict[str, str], groups: int, rows: int) -> None:
    """One value in so many rows of so many groups, each packed to some hundred bytes."""
    table = pa.table(
        {
            name: pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int8()), [text])
            for name, text in columns.items()
        }
    )
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for _ in range(groups):
            writer.write_table(table, row_group_size=rows)
