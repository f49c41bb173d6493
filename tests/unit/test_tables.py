"""Tables are written whole or not at all, and equal tables are equal bytes."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storelib import seals, tables
from storelib.tables import replacing, write_table, write_text

NUMBERS = pa.table({"n": list(range(10))})


def test_folders_are_made(tmp_path: Path) -> None:
    write_table(NUMBERS, tmp_path / "a/b/c.parquet")
    assert pq.read_table(tmp_path / "a/b/c.parquet").equals(NUMBERS)


def test_failure_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    write_text("old", path)

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


def test_link_is_replaced_not_written_through(tmp_path: Path) -> None:
    """As DVC links its cache."""
    cached, path = tmp_path / "cached", tmp_path / "x.txt"
    cached.write_text("cached")
    os.link(cached, path)
    write_text("new", path)
    assert (cached.read_text(), path.read_text()) == ("cached", "new")


def test_symbolic_link_is_replaced_too(tmp_path: Path) -> None:
    cached, path = tmp_path / "cached", tmp_path / "x.txt"
    cached.write_text("cached")
    path.symlink_to(cached)
    write_text("new", path)
    assert (cached.read_text(), path.read_text(), path.is_symlink()) == ("cached", "new", False)


def test_groups_of_rows_have_one_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROW_GROUP", 4)
    write_table(NUMBERS, tmp_path / "x.parquet")
    file = pq.ParquetFile(tmp_path / "x.parquet")
    # groups of 4, 4 and 2
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [4, 4, 2]
    assert file.read().equals(NUMBERS)


def test_text_has_unix_line_ends_and_utf_8(tmp_path: Path) -> None:
    write_text("é\n", tmp_path / "x.txt")
    assert (tmp_path / "x.txt").read_bytes() == b"\xc3\xa9\n"


@pytest.mark.parametrize("is_stage", [True, False])
def test_record_outlives_a_disk_that_fails_after_it_was_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_stage: bool
) -> None:
    """A stage's output is made again, and goes; what a command has written is whole, and what it replaced is gone."""
    record = tmp_path / "approved.json"
    record.write_text("[1]\n")
    monkeypatch.setattr(seals.Here, "is_stage", is_stage)

    def fail_for_folders(path: Path) -> None:
        if path.is_dir():
            raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(tables, "flush", fail_for_folders)
    with pytest.raises(OSError, match="Input/output"):
        write_text("[1, 2]\n", record)
    assert [path.read_text() for path in tmp_path.iterdir()] == ([] if is_stage else ["[1, 2]\n"])
