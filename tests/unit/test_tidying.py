"""What earlier runs leave is kept up to a number, and what DVC keeps up to what is of use."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clustering import tidying
from clustering.commands.clean import clean
from clustering.runs import RUNS
from clustering.tidying import clear_cache, notes_of_nothing, outdated, tidy
from storelib.errors import PipelineError


def put(path: Path, text: str = "x", *, minute: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (60.0 * minute, 60.0 * minute))
    return path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with five runs, five logs, five damaged files, and seals of which one is of a file that is gone."""
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tidying, "NEWEST", dict.fromkeys(tidying.NEWEST, 3))
    for number in range(5):
        tags = {"preferred": "yes"} if number == 1 else {}
        put(tmp_path / RUNS / f"run{number}" / "run.json", json.dumps({"id": f"run{number}", "tags": tags}))
        put(tmp_path / ".snakemake" / "log" / f"{number}.snakemake.log", minute=number)
        put(tmp_path / ".clustering" / "damaged" / "data" / f"{number}.parquet", minute=number)
    for name in ("there", "gone"):
        put(tmp_path / ".clustering" / "made" / "data" / f"{name}.parquet.json")
    put(tmp_path / "data" / "there.parquet")
    return tmp_path


def test_what_is_old_goes_and_results_stay(project: Path) -> None:
    gone = {path.relative_to(project).as_posix() for path in outdated(project, 2)}
    assert gone == {
        # But for the preferred one.
        ".clustering/runs/run0", ".clustering/runs/run2",
        ".snakemake/log/0.snakemake.log", ".snakemake/log/1.snakemake.log",
        ".clustering/damaged/data/0.parquet", ".clustering/damaged/data/1.parquet",
        ".clustering/made/data/gone.parquet.json",
    }  # fmt: skip
    tidy(project)
    assert not (project / ".snakemake" / "log" / "1.snakemake.log").exists()
    assert (project / ".clustering" / "runs" / "run0").is_dir(), "fifty are kept"
    assert (project / "data" / "there.parquet").exists()
    assert list(outdated(project)) == []


def test_command_says_what_goes(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("clustering.commands.clean.find_project", lambda: project)
    clean(runs=2, cache=False, dry_run=True)
    said = capsys.readouterr()
    assert ".clustering/runs/run0" in said.out + said.err
    assert "7 files and runs of 0.0 MB would be deleted" in said.out
    assert (project / ".clustering" / "runs" / "run0").is_dir()
    clean(runs=2, cache=False, dry_run=False)
    assert "7 files and runs" in capsys.readouterr().out
    assert not (project / ".clustering" / "runs" / "run0").exists()


def test_notes_of_what_dvc_cannot_bring_back_go(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    put(cache / "files" / "md5" / "aa" / "11")
    whole = put(cache / "runs" / "a" / "b" / "c", "outs:\n- md5: aa11\n  path: one\n")
    half = put(cache / "runs" / "a" / "b" / "d", "outs:\n- md5: aa11\n  path: one\n- md5: bb22\n  path: two\n")
    assert list(notes_of_nothing(cache)) == [half]
    assert whole.exists()


def test_cache_that_dvc_does_not_clear_is_told(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="dvc gc failed"):
        clear_cache(tmp_path)


def hashed_by_dvc(root: Path) -> set[Path]:
    """The files that DVC knows a hash of."""
    code = "from dvc.repo import Repo; print(*Repo().state.hashes, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    return {Path(line) for line in done.stdout.splitlines()}


def test_dvc_runs_a_stage_whose_earlier_results_were_cleared(tmp_path: Path) -> None:
    """A dependency has a value again whose results are in the cache no more."""

    def call(*words: str) -> None:
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def run(value: str) -> None:
        (tmp_path / "in.txt").write_text(value)
        call(sys.executable, "-m", "dvc", "repro", "--quiet")
        assert (tmp_path / "out.txt").read_text() == value

    call("git", "init", "--quiet")
    call(sys.executable, "-m", "dvc", "init", "--quiet")
    stage = {"cmd": "cp in.txt out.txt", "deps": ["in.txt"], "outs": ["out.txt"]}
    (tmp_path / "dvc.yaml").write_text(json.dumps({"stages": {"copy": stage}}))
    run("one")
    run("two")
    known = hashed_by_dvc(tmp_path)
    files, size = clear_cache(tmp_path)
    assert (files, size > 0) == (2, True)
    # What DVC knows of files that are gone goes too.
    left = hashed_by_dvc(tmp_path)
    assert left == {path for path in known if path.exists()} < known
    run("one")
