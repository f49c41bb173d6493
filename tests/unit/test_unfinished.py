"""What a killed fetch or stage leaves is put right before the next run, and nothing else is touched."""

import os
from pathlib import Path

import pytest

from clustering.unfinished import clear_cache, clear_project, clear_published, clear_temporary, clear_up


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def contents(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_folder_of_a_killed_fetch_and_files_that_were_being_written_go(tmp_path: Path) -> None:
    write(tmp_path / "raw/prod/.fetch-999999999.tmp/sales/part-1.csv", "half")
    write(tmp_path / "internal/.sales.parquet.4711.tmp", "half")
    write(tmp_path / "internal/shares/.beauty.parquet.4711.tmp", "half")
    write(tmp_path / "internal/sales.parquet", "whole")
    clear_up(tmp_path)
    assert contents(tmp_path) == {"internal/sales.parquet": "whole"}
    assert not list(tmp_path.rglob(".*"))


def test_only_snapshot_comes_back_whatever_it_was_and_was_to_become(tmp_path: Path) -> None:
    """Killed after the old one was moved away: a file that becomes a folder, a folder that becomes a file."""
    write(tmp_path / "raw/prod/.sales.old.tmp", "the only sales")
    write(tmp_path / "raw/prod/.fetch-999999999.tmp/sales/part-1.csv", "new")
    write(tmp_path / "raw/prod/sub/.stores.parquet.old.tmp/part-1.parquet", "the only stores")
    clear_up(tmp_path)
    assert contents(tmp_path / "raw/prod") == {
        "sales": "the only sales",
        "sub/stores.parquet/part-1.parquet": "the only stores",
    }


def test_old_snapshot_goes_where_the_new_one_arrived(tmp_path: Path) -> None:
    write(tmp_path / "raw/prod/sales/part-1.csv", "new")
    write(tmp_path / "raw/prod/.sales.old.tmp", "old")
    (tmp_path / "raw/prod/.map.csv.old.tmp").symlink_to("/nowhere")
    (tmp_path / "raw/prod/map.csv").symlink_to("/elsewhere")
    clear_up(tmp_path)
    assert contents(tmp_path) == {"raw/prod/sales/part-1.csv": "new"}
    assert (tmp_path / "raw/prod/map.csv").readlink() == Path("/elsewhere")


def test_what_others_put_there_stays(tmp_path: Path) -> None:
    kept = [
        ".notes.tmp",
        "sales.tmp",
        ".git/x.4711.tmp",
        ".hidden/.a.4711.tmp",
        ".b.4711.tmp/c",
        "sales/.x.tmp/part.csv",
    ]
    for name in kept:
        write(tmp_path / "raw/prod" / name, name)
    (tmp_path / "raw/link").symlink_to(write(tmp_path / "elsewhere/.a.4711.tmp", "theirs").parent)
    clear_up(tmp_path / "raw")
    assert contents(tmp_path / "raw/prod") == {name: name for name in kept}
    assert contents(tmp_path / "elsewhere") == {".a.4711.tmp": "theirs"}


def test_what_dvc_was_copying_goes(tmp_path: Path) -> None:
    write(tmp_path / "merging/.PvR7vLLxpHWb0MyULPSQeg.tmp", "half")
    write(tmp_path / "merging/segments.parquet", "whole")
    clear_up(tmp_path)
    assert contents(tmp_path) == {"merging/segments.parquet": "whole"}


def test_what_dvc_was_copying_into_its_cache_goes_when_it_is_old(tmp_path: Path) -> None:
    old = write(tmp_path / "files/md5/ab/x.PvR7vLLxp-Wb0MyULPS_eg.tmp", "half")
    os.utime(old, (0, 0))
    write(tmp_path / "files/md5/ab/x.PvR7vLLxp-Wb0MyULPS_ab.tmp", "of one at work")
    clear_cache(tmp_path)
    assert contents(tmp_path) == {"files/md5/ab/x.PvR7vLLxp-Wb0MyULPS_ab.tmp": "of one at work"}


def test_empty_folder_of_dvcs_notes_goes(tmp_path: Path) -> None:
    """DVC fails where it finds one, and a kill right before it writes leaves one."""
    write(tmp_path / "runs/ab/abcd/ef01", "a note")
    (tmp_path / "runs/ab/abef").mkdir()
    (tmp_path / "runs/cd/cdef").mkdir(parents=True)
    clear_cache(tmp_path)
    assert not (tmp_path / "runs/ab/abef").exists()
    assert not (tmp_path / "runs/cd/cdef").exists()
    assert contents(tmp_path) == {"runs/ab/abcd/ef01": "a note"}


@pytest.mark.parametrize("name", ["clustering-999999999-x8v2l_0q", "clustering-stages-999999999-x8v2l_0q"])
def test_temporary_folder_of_a_process_that_is_gone_goes(tmp_path: Path, name: str) -> None:
    write(tmp_path / name / "spilt")
    kept = [f"clustering-{os.getpid()}-x8v2l_0q", "clustering-minimal-x8v2l_0q", "other-999999999-x8v2l_0q"]
    for other in kept:
        write(tmp_path / other / "theirs")
    (tmp_path / "clustering-999999998-x8v2l_0q").symlink_to(tmp_path / "other-999999999-x8v2l_0q")
    clear_temporary(tmp_path)
    assert not (tmp_path / name).exists()
    assert all((tmp_path / other / "theirs").exists() for other in kept)


def test_what_was_being_written_beside_settings_goes_and_other_folders_of_the_project_stay(tmp_path: Path) -> None:
    write(tmp_path / "configs/.dev.yml.4711.tmp", "half")
    write(tmp_path / ".dvc.lock.4711.tmp", "half")
    write(tmp_path / "docs/.a.4711.tmp", "theirs")
    write(tmp_path / "configs/dev.yml", "whole")
    clear_project(tmp_path)
    assert contents(tmp_path) == {"configs/dev.yml": "whole", "docs/.a.4711.tmp": "theirs"}


def test_what_a_publication_was_writing_goes_once_nobody_can_be_at_it(tmp_path: Path) -> None:
    write(tmp_path / ".current.json.4711.tmp", "half")
    write(tmp_path / "runs/a/.segments.csv.4712.tmp", "somebody is at it")
    write(tmp_path / "runs/b/.segments.csv.4713.tmp", "another run's")
    write(tmp_path / ".notes.tmp", "theirs")
    for path in (*tmp_path.glob(".*"), *tmp_path.glob("runs/b/.*")):
        os.utime(path, (0, 0))
    clear_published(tmp_path, tmp_path / "runs/a")
    assert contents(tmp_path) == {
        ".notes.tmp": "theirs",
        "runs/a/.segments.csv.4712.tmp": "somebody is at it",
        "runs/b/.segments.csv.4713.tmp": "another run's",
    }
