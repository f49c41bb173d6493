"""Content decides whether a raw file is new; a file that is as it was is not read again."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from storelib.configuration.place import Source
from storelib.errors import DataError
from storelib.raw import hashes
from storelib.raw.files import Fingerprint, fingerprints
from storelib.raw.hashes import KEPT, Hashes, told_content

NAME = Path("data", "sales.csv")
SOURCE = Source(reader="csv", path=NAME.as_posix())


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one file; hashes of files are kept at once, which a run does of those left alone for two seconds."""
    monkeypatch.setattr(hashes, "SETTLED_NS", -1)
    (tmp_path / NAME).parent.mkdir()
    (tmp_path / NAME).write_text("one")
    return tmp_path


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def rewrite(path: Path, text: str) -> None:
    """Write a file in place, and give it its old time again; the clock of a file system ticks every few milliseconds."""
    before = path.stat()
    time.sleep(0.02)
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_file_of_the_same_size_time_and_inode_is_told_apart_and_dvc_must_look_again(root: Path) -> None:
    assert Hashes(root).of([NAME]) == {NAME: digest("one")}
    rewrite(root / NAME, "two")
    found = Hashes(root)
    assert found.of([NAME]) == {NAME: digest("two")}
    assert Hashes(root).unseen == {NAME.as_posix()}


@pytest.mark.parametrize("seconds", [-3600, 86400])
def test_file_of_another_time_is_told_apart_and_needs_no_second_look(root: Path, seconds: int) -> None:
    Hashes(root).of([NAME])
    (root / NAME).write_text("two")
    os.utime(root / NAME, (time.time() + seconds,) * 2)
    assert Hashes(root).of([NAME]) == {NAME: digest("two")}
    assert Hashes(root).unseen == set()


def test_file_that_is_as_it_was_is_not_read_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.utime(root / NAME, (time.time() + 86400,) * 2)
    Hashes(root).of([NAME])
    monkeypatch.setattr(hashes, "sha256", lambda path: pytest.fail(f"{path} was read"))
    assert Hashes(root).of([NAME]) == {NAME: digest("one")}


def test_file_that_was_just_written_may_be_written_to_again_within_a_tick(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashes, "SETTLED_NS", 60_000_000_000)
    Hashes(root).of([NAME])
    read = []
    monkeypatch.setattr(hashes, "sha256", lambda path: read.append(path) or digest("one"))
    assert Hashes(root).of([NAME]) == {NAME: digest("one")}
    assert read == [root / NAME]


def test_lost_or_damaged_record_and_unreadable_file_cost_no_more_than_reading(root: Path) -> None:
    Hashes(root).of([NAME])
    for text in ("", "[]", '{"known": {"a": 1}}'):
        (root / KEPT).write_text(text)
        assert Hashes(root).of([NAME]) == {NAME: digest("one")}
    assert Hashes(root).of([Path("gone")]) == {Path("gone"): "cannot be read: No such file or directory"}


def test_flipped_bit_in_what_is_kept_costs_no_more_than_reading(root: Path) -> None:
    Hashes(root).of([NAME])
    kept = (root / KEPT).read_text()
    (root / KEPT).write_text(kept.replace(digest("one")[:4], "0000" if digest("one")[:4] != "0000" else "1111"))
    found = Hashes(root)
    assert found.of([NAME]) == {NAME: digest("one")}
    assert found.read == {NAME}


def test_file_whose_hash_is_remembered_is_read_where_it_matters(root: Path) -> None:
    Hashes(root, threads=2).of([NAME])
    found = Hashes(root, threads=2)
    expected = found.of_readable([NAME])
    assert found.read == set()
    found.confirm(expected)
    assert found.read == {NAME}


def test_file_that_rots_under_its_hash_is_told_and_hashed_anew(root: Path) -> None:
    found = Hashes(root)
    found.known[NAME.as_posix()] = hashes.Known(hashes.state_of(root / NAME), digest("what was there"))
    expected = found.of([NAME])
    assert expected == {NAME: digest("what was there")}
    with pytest.raises(DataError, match=r"sales\.csv holds something else than when it was hashed"):
        found.confirm(expected)
    assert Hashes(root).of([NAME]) == {NAME: digest("one")}


def test_all_files_that_rot_are_hashed_anew_after_one_is_told(root: Path) -> None:
    other = NAME.with_name("other.csv")
    (root / other).write_text("two")
    found = Hashes(root)
    for name in (NAME, other):
        found.known[name.as_posix()] = hashes.Known(hashes.state_of(root / name), digest("what was there"))
    with pytest.raises(DataError, match=r"sales\.csv holds something else"):
        found.confirm(found.of([NAME, other]))
    again = Hashes(root)
    again.confirm(again.of([NAME, other]))
    assert again.of([NAME, other]) == {NAME: digest("one"), other: digest("two")}


def test_file_that_cannot_be_read_is_told_where_it_has_to_be(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Hashes(root).of_readable([NAME, Path("gone")])


def test_content_in_words_follows_names_and_bytes() -> None:
    one = {("sales", "a.csv"): digest("1"), ("sales", "b.csv"): digest("2")}
    swapped = {("sales", "a.csv"): digest("2"), ("sales", "b.csv"): digest("1")}
    assert told_content({}) == "no file"
    assert told_content(one).startswith("2 files, content ")
    assert len({told_content(files) for files in (one, swapped, {("sales", "a.csv"): digest("1")})}) == 3


def test_times_that_mislead_a_runner_are_settled(root: Path) -> None:
    ahead, older, same = (root / name for name in ("ahead.py", "older.py", "same.py"))
    names = [path.relative_to(root) for path in (ahead, older, same)]
    for path in (ahead, older, same):
        path.write_text("before")
        os.utime(path, (1e9, 1e9))
    Hashes(root).settle_times(names)
    assert {path.stat().st_mtime for path in (ahead, older, same)} == {1e9}
    os.utime(ahead, (time.time() + 3600,) * 2)
    older.write_text("after")
    os.utime(older, (0.9e9, 0.9e9))
    began = time.time()
    Hashes(root).settle_times([*names, Path("gone.py")])
    assert all(began - 1 <= path.stat().st_mtime <= time.time() for path in (ahead, older))
    assert same.stat().st_mtime == 1e9


def refused(file: Fingerprint) -> bool:
    try:
        file.refuse_changed()
    except DataError:
        return True
    return False


def test_file_written_to_while_it_is_read_is_refused_whatever_its_time_says(root: Path) -> None:
    (file,) = fingerprints([root / NAME], SOURCE, root)
    assert not refused(file)
    rewrite(root / NAME, "two")
    assert refused(file)


def test_new_name_of_a_file_or_another_inode_with_its_bytes_is_no_change(root: Path) -> None:
    (file,) = fingerprints([root / NAME], SOURCE, root)
    (root / "link").hardlink_to(root / NAME)
    assert not refused(file)
    before = (root / NAME).stat()
    (root / "copy").write_text("one")
    os.utime(root / "copy", ns=(before.st_atime_ns, before.st_mtime_ns))
    (root / "copy").replace(root / NAME)
    assert not refused(file)
