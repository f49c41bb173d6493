"""What is too much to be read is refused before it is in memory; with small limits in place of the real ones."""

import bz2
import gzip
import re
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import storelib.runtime
from faults.bombs import workbook_bomb
from storelib.configuration.place import Compute, Source
from storelib.errors import DataError
from storelib.raw import json_records, sources, text_files
from storelib.raw.json_records import documents
from storelib.raw.lines import require_places
from storelib.raw.sources import read_texts
from storelib.raw.text_files import first_fault, header_of, line_of, refuse_bomb


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "LONGEST", 100)
    monkeypatch.setattr(text_files, "WORKBOOK", 20 << 20)
    monkeypatch.setattr(json_records, "LARGEST", 100)
    monkeypatch.setattr(sources, "MEGABYTES", 1)


def packed(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()))
    return path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a," + "x" * 99, "line 1 has more than 100 characters"),
        ('"a\n' + "x\n" * 60, "line 1: the header has more than 100 characters"),
    ],
)
def test_header_that_does_not_end(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        header_of(packed(tmp_path / "x.csv.gz", text), ",", "utf-8")


def refuse(file: Path, delimiter: str) -> None:
    fault = first_fault(file, delimiter, "utf-8")
    assert fault
    raise fault


@pytest.mark.parametrize(
    ("delimiter", "text", "said"),
    [
        (",", f"a,b\n1,{'x' * 99}\n", "line 2 has more than 100 characters"),
        ("||", f"a||b\n1||{'x' * 99}\n", "line 2 has more than 100 characters"),
        (",", 'a,b\n1,"' + "x\n" * 60, "line 2: a value has more than"),
    ],
)
def test_line_or_value_that_does_not_end(tmp_path: Path, delimiter: str, text: str, said: str) -> None:
    file = packed(tmp_path / "x.csv.gz", text)
    with pytest.raises(DataError, match=said):
        refuse(file, delimiter)


def test_longest_line_is_read(tmp_path: Path) -> None:
    file = packed(tmp_path / "x.csv.gz", f"a,b\n1,{'x' * 97}\n")
    assert header_of(file, ",", "utf-8").names == ("a", "b")
    assert first_fault(file, ",", "utf-8") is None
    assert line_of(file, ",", "utf-8", None, {"a": "1"}, str) == 2


def test_document_that_does_not_end(tmp_path: Path) -> None:
    assert list(documents(packed(tmp_path / "a.json.gz", f'"{"x" * 98}"'))) == ["x" * 98]
    with pytest.raises(DataError, match="has more than 100 characters"):
        list(documents(packed(tmp_path / "b.json.gz", f'"{"x" * 99}"')))


@pytest.mark.parametrize(
    ("lie", "said"), [(None, "unpacks to more than 20 MB"), (1000, "cannot be read as excel: Bad CRC-32")]
)
def test_workbook_that_unpacks_to_too_much(tmp_path: Path, lie: int | None, said: str) -> None:
    """Whatever size it claims: what comes is not what was packed."""
    file = tmp_path / "x.xlsx"
    workbook_bomb(file, b'<row r="1"><c r="A1" t="inlineStr"><is><t>', b"0", 32, lie)
    assert file.stat().st_size < 100_000
    with pytest.raises(DataError, match=said):
        refuse_bomb(file)
    workbook_bomb(file, b'<row r="1"><c r="A1" t="inlineStr"><is><t>', b"0", 16)
    refuse_bomb(file)


def test_source_in_memory_that_is_too_large(tmp_path: Path) -> None:
    source = Source(reader="parquet", path="stores.parquet")
    pq.write_table(pa.table({"STORE": ["007"] * 1000}), tmp_path / "stores.parquet")
    assert len(read_texts(source, tmp_path, Compute(), {"store_id": "STORE"})) == 1000
    pq.write_table(pa.table({"STORE": ["007"] * 100_000}), tmp_path / "stores.parquet")
    with pytest.raises(DataError, match=r"stores\.parquet has more than 1 MB of values .* is read into memory"):
        read_texts(source, tmp_path, Compute(), {"store_id": "STORE"})


@pytest.mark.parametrize("error", [MemoryError(), pa.ArrowMemoryError("malloc of size 64 failed")])
def test_stage_without_memory_says_so(
    error: MemoryError, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a process that has no log yet; stages of other tests have had theirs in this one.
    monkeypatch.setattr(storelib.runtime.LOGGER, "handlers", [])

    def main(_: object) -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        storelib.runtime.run_stage(main)
    assert ended.value.code == 4
    said = capsys.readouterr().err
    assert "Error: there is no memory left" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["sales.csv", "sales.csv.gz", "sales.csv.bz2"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_last_line_that_does_not_end_is_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, end: str
) -> None:
    """DuckDB 2.0 gives the one line before it, and no error."""
    monkeypatch.setattr(text_files, "LONGEST", 2_000_000)
    text = f"STORE,SKU\n007,a\n008,{'x' * 40_000_000}{end}".encode()
    pack = {".csv": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}[Path(name).suffix]
    (tmp_path / name).write_bytes(pack(text))
    with pytest.raises(DataError, match="more than 2,000,000 characters"):
        read_texts(Source(reader="csv", path=name), tmp_path, Compute(), {"store_id": "STORE"})


@pytest.mark.parametrize("places", [[0, 3], [-1, 0]])
def test_text_that_is_not_in_its_dictionary_is_refused(places: list[int]) -> None:
    """Arrow takes it as it is in a damaged file; its code would be another text's, or that of none."""
    indices = pa.array(places, pa.int32())
    column = pa.DictionaryArray.from_arrays(indices, ["a", "b", "c"], safe=False)
    with pytest.raises(pa.ArrowInvalid, match="of a dictionary of 3"):
        require_places(column)
    require_places(pa.DictionaryArray.from_arrays(pa.array([0, 2, None], pa.int32()), ["a", "b", "c"]))
    require_places(pa.DictionaryArray.from_arrays(pa.array([None], pa.int32()), ["a"]))


def test_workbook_without_a_sheet_is_told(tmp_path: Path) -> None:
    """As a flipped bit in its list of sheets may leave it."""
    import xlsxwriter

    whole, file = tmp_path / "whole.xlsx", tmp_path / "x.xlsx"
    with xlsxwriter.Workbook(whole) as book:
        book.add_worksheet().write("A1", "STORE")
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(file, "w") as new:
        for entry in old.infolist():
            content = old.read(entry)
            new.writestr(entry, re.sub(b"<sheets>.*</sheets>", b"<sheets></sheets>", content))
    with pytest.raises(DataError, match="has no sheets"):
        read_texts(Source(reader="excel", path="x.xlsx"), tmp_path, Compute(), {"store_id": "STORE"})
