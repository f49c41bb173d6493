"""Every kind of raw file gives the same rows, and what cannot be read is told in one line."""

import bz2
import datetime as dt
import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from storelib.configuration.place import Compute, Source, StoresSource, validated
from storelib.errors import ConfigError, DataError
from storelib.raw.readers import reader_names, reader_of
from storelib.raw.sources import read_texts

ROWS = [
    ("007", "Café €", "12.50", "2024-01-02"),
    ("A 8", 'two "quoted", names', "-3", ""),
    ("9", "emoji 🛒", "0", "2024-12-31"),
]
COLUMNS = ["STORE", "NAME", "AMOUNT", "DAY"]
LATIN = [("007", "Café", "12.50", "2024-01-02"), ("9", "Señor", "0", "2024-12-31")]


def csv_text(rows: list[tuple[str, ...]], delimiter: str = ",") -> str:
    quoted = [COLUMNS, *([f'"{cell.replace(chr(34), chr(34) * 2)}"' if cell else "" for cell in row] for row in rows)]
    return "".join(delimiter.join(line) + "\r\n" for line in quoted)


def objects(rows: list[tuple[str, ...]]) -> list[dict[str, str | None]]:
    return [{name: cell or None for name, cell in zip(COLUMNS, row, strict=True)} for row in rows]


def workbook(path: Path, sheets: dict[str, list[list[Any]]]) -> None:
    with xlsxwriter.Workbook(str(path)) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for r, row in enumerate(rows):
                for c, cell in enumerate(row):
                    sheet.write(r, c, cell, day) if hasattr(cell, "isoformat") else sheet.write(r, c, cell)


def write_csv(path: Path) -> None:
    path.write_text(csv_text(ROWS), encoding="utf-8", newline="")


def write_bom(path: Path) -> None:
    path.write_text(csv_text(ROWS), encoding="utf-8-sig", newline="")


def write_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(csv_text(ROWS).encode()))


def write_zstd(path: Path) -> None:
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(csv_text(ROWS).encode())


def write_utf16(path: Path) -> None:
    path.write_text(csv_text(ROWS), encoding="utf-16", newline="")


def write_array(path: Path) -> None:
    path.write_text(json.dumps(objects(ROWS)), encoding="utf-8")


def write_lines(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in objects(ROWS)), encoding="utf-8")


def write_packed_lines(path: Path) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in objects(ROWS)).encode()))


def write_sheet(path: Path) -> None:
    workbook(path, {"Notes": [["nothing"]], "Stores": [COLUMNS, *map(list, ROWS)]})


def write_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(objects(ROWS)), path)


def write_partitions(path: Path) -> None:
    """A folder of one file a store: its number is in the folder's name alone."""
    for row in objects(ROWS):
        folder = path / f"STORE={row.pop('STORE')}"
        folder.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist([row]), folder / "part.parquet")


def write_bzip(path: Path) -> None:
    """Two streams, one after the other, as pbzip2 leaves them."""
    content = csv_text(ROWS).encode()
    path.write_bytes(bz2.compress(content[:50]) + bz2.compress(content[50:]))


def zipped(path: Path, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def write_zip(path: Path) -> None:
    """As a Mac packs a folder."""
    zipped(path, **{"out/": b"", "out/sales.csv": csv_text(ROWS).encode(), "__MACOSX/out/._sales.csv": b"\0\5"})


def write_wide_zip(path: Path) -> None:
    zipped(path, **{"sales.csv": csv_text(ROWS).encode("utf-16")})


def write_json_zip(path: Path) -> None:
    zipped(path, **{"sales.json": json.dumps(objects(ROWS)).encode()})


def write_printed(path: Path) -> None:
    """Three lines above the header, with quotes that do not end, and other line ends than the rest."""
    content = f'Sales of "2024\nprinted, by, a, program\n\n{csv_text(ROWS)}'.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def write_printed_sheet(path: Path) -> None:
    workbook(path, {"Report": [["Sales of 2024"], ["printed", "by"], [], COLUMNS, *map(list, ROWS)]})


def write_hidden_sheets(path: Path) -> None:
    """The first sheet is hidden, the second empty, the third holds the rows, the last cannot even be shown by a user."""
    with xlsxwriter.Workbook(str(path)) as book:
        hidden, _, data, deeply_hidden = (book.add_worksheet(name) for name in ("_config", "Empty", "Data", "Lists"))
        for sheet in (hidden, deeply_hidden):
            sheet.write(0, 0, "do not touch")
        data.activate()
        hidden.hide()
        deeply_hidden.very_hidden()
        for number, row in enumerate([COLUMNS, *ROWS]):
            data.write_row(number, 0, row)


def write_deep(path: Path) -> None:
    """Two pages, of which the first has no rows."""
    pages = [{"number": 1, "rows": []}, {"number": 2, "rows": objects(ROWS)}]
    path.write_text(json.dumps({"status": "ok", "result": {"pages": pages}}), encoding="utf-8")


def write_pages(path: Path) -> None:
    """One answer of a service a line."""
    pages = [{"next": "b", "rows": objects(ROWS[:1])}, {"rows": objects(ROWS[1:])}]
    path.write_text("\n".join(map(json.dumps, pages)), encoding="utf-8")


KINDS: list[tuple[str, str, Callable[[Path], None], dict[str, Any]]] = [
    ("csv", "a.csv", write_csv, {}),
    ("csv", "bom.csv", write_bom, {}),
    ("csv", "a.csv.gz", write_gzip, {}),
    ("csv", "a.csv.zst", write_zstd, {}),
    ("csv", "wide.csv", write_utf16, {"encoding": "utf-16"}),
    ("json", "a.json", write_array, {}),
    ("json", "a.jsonl", write_lines, {}),
    ("json", "a.ndjson.gz", write_packed_lines, {}),
    ("excel", "a.xlsx", write_sheet, {"sheet": "Stores"}),
    ("parquet", "a.parquet", write_parquet, {}),
    ("parquet", "by_store", write_partitions, {"partitions": ["STORE"]}),
    ("csv", "a.csv.bz2", write_bzip, {}),
    ("csv", "A.CSV.GZ", write_gzip, {}),
    ("csv", "sales.zip", write_zip, {}),
    ("csv", "wide.csv.zip", write_wide_zip, {"encoding": "utf-16"}),
    ("csv", "printed.csv", write_printed, {"header_row": 4}),
    ("csv", "printed.csv.gz", write_printed, {"header_row": 4}),
    ("excel", "printed.xlsx", write_printed_sheet, {"header_row": 4}),
    ("excel", "hidden.xlsx", write_hidden_sheets, {}),
    ("json", "a.json.zip", write_json_zip, {}),
    ("json", "deep.json", write_deep, {"records": "result.pages.rows"}),
    ("json", "pages.jsonl", write_pages, {"records": "rows"}),
]


def texts(folder: Path, **source: Any) -> list[tuple[str | None, ...]]:
    made = Source.model_validate(source)
    frame = read_texts(made, folder, Compute(), {name.lower(): name for name in COLUMNS})
    rows = [tuple(None if pd.isna(cell) else str(cell) for cell in row) for row in frame.itertuples(index=False)]
    return sorted(rows, key=str)


def known(rows: list[tuple[str, ...]]) -> list[tuple[str | None, ...]]:
    return sorted([tuple(cell or None for cell in row) for row in rows], key=str)


@pytest.mark.parametrize(("reader", "name", "write", "options"), KINDS, ids=[kind[1] for kind in KINDS])
def test_every_kind_gives_the_same_rows(
    tmp_path: Path, reader: str, name: str, write: Callable[[Path], None], options: dict[str, Any]
) -> None:
    write(tmp_path / name)
    assert texts(tmp_path, reader=reader, path=name, **options) == known(ROWS)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp850", "mac-roman"])
def test_text_in_old_encodings(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "old.csv").write_bytes(csv_text(LATIN, ";").encode(encoding))
    assert texts(tmp_path, reader="csv", path="old.csv", encoding=encoding, delimiter=";") == known(LATIN)


def test_compressed_text_in_an_old_encoding(tmp_path: Path) -> None:
    (tmp_path / "old.csv.gz").write_bytes(gzip.compress(csv_text(LATIN).encode("cp1252")))
    assert texts(tmp_path, reader="csv", path="old.csv.gz", encoding="cp1252") == known(LATIN)


def test_parts_in_a_folder_are_one_table(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    for number, row in enumerate(ROWS):
        (tmp_path / "parts" / f"{number}.jsonl").write_text(json.dumps(objects([row])[0]), encoding="utf-8")
        workbook(tmp_path / "parts" / f"{number}.xlsx", {"Sheet1": [COLUMNS, list(row)]})
    (tmp_path / "parts" / "readme.md").write_text("no data")
    assert texts(tmp_path, reader="json", path="parts") == known(ROWS)
    assert texts(tmp_path, reader="excel", path="parts") == known(ROWS)
    assert texts(tmp_path, reader="excel", path="parts/*.xlsx") == known(ROWS)


def test_cells_of_a_workbook_are_written_as_a_person_sees_them(tmp_path: Path) -> None:
    moment = dt.datetime(2024, 1, 2, 3, 4, 5)  # noqa: DTZ001 (a workbook knows no zones)
    rows = [[], COLUMNS, [7.0, True, 12.5, dt.date(2024, 1, 2)], ["007", None, 1e15, moment]]
    workbook(tmp_path / "a.xlsx", {"Sheet1": rows})
    found = texts(tmp_path, reader="excel", path="a.xlsx")
    assert found == [("007", None, "1000000000000000", "2024-01-02T03:04:05"), ("7", "True", "12.5", "2024-01-02")]


def test_ids_of_json_stay_as_they_are_written(tmp_path: Path) -> None:
    lines = ['{"STORE": 12, "NAME": "2024-1-5", "AMOUNT": 1.50, "DAY": "0012"}', '{"STORE": "1e5", "AMOUNT": 7}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    assert texts(tmp_path, reader="json", path="a.jsonl") == [
        ("12", "2024-1-5", "1.5", "0012"),
        ("1e5", None, "7", None),
    ]


def broken_gzip(path: Path) -> None:
    path.write_bytes(gzip.compress(csv_text(ROWS * 2000).encode())[:-300])


def broken_zstd(path: Path) -> None:
    """Cut at a place where DuckDB would see a whole file of fewer rows."""
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(csv_text(ROWS * 2000).encode())
    path.write_bytes(path.read_bytes()[:-1])


MISTAKES: list[tuple[str, str, Callable[[Path], object], dict[str, Any], str]] = [
    (
        "excel",
        "a.xlsx",
        lambda p: workbook(p, {"Sales": [COLUMNS, ["1"]]}),
        {"sheet": "Sale"},
        "no sheet 'Sale' (nearest: 'Sales')",
    ),
    ("excel", "a.xlsx", lambda p: workbook(p, {"Sales": []}), {}, "the sheet is empty"),
    (
        "excel",
        "a.xlsx",
        lambda p: workbook(p, {"Jan": [COLUMNS], "Empty": [], "Feb": [COLUMNS]}),
        {},
        "has 2 sheets that are not empty: Jan, Feb",
    ),
    (
        "excel",
        "a.xlsx",
        lambda p: workbook(p, {"Sales": [["title"], COLUMNS]}),
        {"header_row": 3},
        "the sheet has rows 1 to 2, and no row 3",
    ),
    (
        "csv",
        "a.csv",
        lambda p: p.write_text("title\n\nSTORE\n1\n"),
        {"header_row": 2},
        "line 2 is empty, where the header",
    ),
    (
        "csv",
        "a.zip",
        lambda p: zipped(p, **{"jan.csv": b"STORE\n1\n", "feb.csv": b"STORE\n1\n"}),
        {},
        "holds 2 files, where one is expected: 'jan.csv', 'feb.csv'",
    ),
    ("csv", "a.csv.zip", lambda p: p.write_bytes(b"PK no zip"), {}, "cannot be unpacked to its end"),
    (
        "csv",
        "a.csv.bz2",
        lambda p: p.write_bytes(bz2.compress(b"STORE\n" * 9999)[:-9]),
        {},
        "cannot be unpacked to its end",
    ),
    (
        "json",
        "a.json",
        lambda p: p.write_text('{"status": "ok", "data": []}'),
        {"records": "rows"},
        "has nothing under 'rows'; keys at the top: 'status', 'data'",
    ),
    (
        "json",
        "a.json",
        lambda p: p.write_text('{"rows": [1]}'),
        {"records": "rows"},
        "an object is expected under 'rows', not 1",
    ),
    ("json", "a.json", lambda p: p.write_text('{"rows": ['), {"records": "rows"}, "cannot be read as json"),
    ("excel", "a.xlsx", lambda p: workbook(p, {"S": [["STORE", "STORE"]]}), {}, "name each column once: STORE, STORE"),
    ("excel", "a.xlsx", lambda p: workbook(p, {"S": [["STORE", None, "DAY"]]}), {}, "STORE, (empty), DAY"),
    ("excel", "a.xlsx", lambda p: p.write_text("no workbook"), {}, "cannot be read as excel"),
    (
        "csv",
        "a.csv",
        lambda p: p.write_bytes("STORE\nCafé\n".encode("latin-1")),
        {},
        "line 2: 'Café' is not text in utf-8",
    ),
    ("csv", "a.csv", lambda p: p.write_bytes(b"STORE\n\xff\x81"), {"encoding": "cp1252"}, "is not text in cp1252"),
    ("csv", "a.csv.gz", broken_gzip, {}, "cannot be unpacked to its end"),
    ("csv", "a.csv.zst", broken_zstd, {}, "cannot be unpacked to its end"),
    ("json", "a.jsonl.zst", broken_zstd, {}, "cannot be unpacked to its end"),
    ("json", "a.json", lambda p: p.write_text('[{"STORE": "1"'), {}, "cannot be read as json"),
    ("json", "a.json", lambda p: p.write_text('[{"STORE": "1"}]'), {}, "no column 'NAME'"),
    ("parquet", "a.parquet", lambda p: p.write_bytes(b"PAR1"), {}, "cannot be read as parquet"),
]


@pytest.mark.parametrize(("reader", "name", "write", "options", "message"), MISTAKES, ids=[m[4] for m in MISTAKES])
def test_file_that_cannot_be_read_is_told_in_one_line(
    tmp_path: Path, reader: str, name: str, write: Callable[[Path], object], options: dict[str, Any], message: str
) -> None:
    write(tmp_path / name)
    with pytest.raises(DataError) as caught:
        texts(tmp_path, reader=reader, path=name, **options)
    error, solution = str(caught.value).splitlines()
    assert message in error
    assert name in error
    assert solution.startswith("Solution: ")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"reader": "cvs"}, "a reader is expected (nearest: 'csv'): csv, excel, json, parquet"),
        ({"reader": "csv", "encoding": "utf-9"}, "an encoding such as utf-8"),
        ({"reader": "csv", "sheet": "Sales"}, "sheet means nothing to the reader 'csv'"),
        ({"reader": "parquet", "delimiter": ";"}, "delimiter means nothing to the reader 'parquet'"),
        ({"reader": "excel", "encoding": "utf-8"}, "encoding means nothing to the reader 'excel'"),
    ],
)
def test_options_that_mean_nothing_are_told(source: dict[str, str], message: str) -> None:
    plain = {"path": "a", "columns": {"store_id": "STORE"}}
    with pytest.raises(ConfigError) as caught:
        validated(StoresSource, plain | source, Path("configs/dev.yml"))
    assert message in str(caught.value)


FIXED_WIDTH = '''
from storelib.sql import literal

class FixedWidth:
    """Columns of ten characters."""
    suffixes = (".fix",)
    options = frozenset()

    def scan(self, request):
        copy = request.scratch / "copy.csv"
        lines = [line for file in request.files for line in file.read_text().splitlines()]
        copy.write_text("\\n".join(",".join(line[i:i + 10].strip() for i in range(0, 40, 10)) for line in lines))
        return f"read_csv({literal(str(copy))}, all_varchar = true, header = true, filename = '_file')"
'''


def test_another_package_adds_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site"
    (package / "fixed_width-1.0.dist-info").mkdir(parents=True)
    (package / "fixed_width.py").write_text(FIXED_WIDTH)
    (package / "fixed_width-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: fixed-width\nVersion: 1.0\n"
    )
    (package / "fixed_width-1.0.dist-info" / "entry_points.txt").write_text(
        "[clustering.readers]\nfixed = fixed_width:FixedWidth\n"
    )
    assert "fixed" not in reader_names()
    with pytest.raises(ConfigError, match="there is no reader 'fixed'"):
        reader_of("fixed")
    monkeypatch.syspath_prepend(package)
    assert "fixed" in reader_names()
    plain = [row for row in ROWS if "," not in row[1]]
    lines = ["".join(cell.ljust(10) for cell in row) for row in [COLUMNS, *plain]]
    (tmp_path / "a.fix").write_text("\n".join(lines), encoding="utf-8")
    assert texts(tmp_path, reader="fixed", path="a.fix") == known(plain)
