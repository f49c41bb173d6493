"""What lies around a project is told before anything runs, with its cause; and no message says that there is none."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from clustering import surroundings
from clustering.runners import cause, environment, failure, refuse_while_at_work, why
from clustering.surroundings import of_dvc, of_experiments, of_git, of_snakemake, windows_line_ends
from clustering.templates import make_project
from storelib.errors import PipelineError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as a clone has it, as far as these looks go; no repository above it is seen."""
    root = tmp_path / "project"
    for name in (".dvc", ".git", "data/raw/prod", "reports"):
        (root / name).mkdir(parents=True)
    (root / "data/raw/prod/sales.csv").write_text("STORE\n1\n")
    return root


def test_clone_has_nothing_in_its_way(project: Path) -> None:
    assert (of_snakemake(project), of_dvc(project)) == (None, None)


def test_zip_download_is_in_no_repository(project: Path) -> None:
    (project / ".git").rmdir()
    found = of_dvc(project)
    assert found
    assert "in no git repository" in found.what
    assert "git init" in found.advice
    assert of_git(project) == found._replace(what="the project is in no git repository", advice=of_git(project).advice)  # type: ignore[union-attr]
    # unless DVC is told to do without, in the file of this machine for instance
    (project / ".dvc/config.local").write_text("[core]\n    no_scm = True\n")
    assert of_dvc(project) is None


def test_project_inside_a_larger_repository_is_in_one(project: Path) -> None:
    (project / ".git").rename(project.parent / ".git")
    assert of_dvc(project) is None
    # as a worktree has it: a file
    (project.parent / ".git").rmdir()
    (project / ".git").write_text("gitdir: /elsewhere\n")
    assert of_dvc(project) is None


@pytest.mark.parametrize("name", ["data", "data/internal", "reports", "data/raw/dev"])
def test_link_in_place_of_a_folder_of_outputs_is_told(project: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "disk").mkdir()
    if (project / name).is_dir():
        shutil.rmtree(project / name)
    (project / name).symlink_to(tmp_path / "disk")
    found = of_dvc(project, ["dev"])
    assert found
    assert f"{project / name} is a link" in found.what


def test_raw_files_behind_a_link_are_no_outputs(project: Path, tmp_path: Path) -> None:
    (project / "data/raw/prod").rename(tmp_path / "disk")
    (project / "data/raw/prod").symlink_to(tmp_path / "disk")
    assert of_dvc(project, ["dev"]) is None


def test_braces_in_the_path_are_told(tmp_path: Path) -> None:
    found = of_snakemake(tmp_path / "br{a}ce")
    assert found
    assert "without { and }" in found.advice


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "of_git", lambda _root: None)


@pytest.mark.usefixtures("trusted")
def test_experiments_want_raw_files_that_dvc_knows(project: Path) -> None:
    found = of_experiments(project, "prod", {})
    assert found
    assert "does not know data/raw/prod/sales.csv" in found.what
    assert found.advice.startswith("dvc add data/raw/prod &&")
    (project / "data/raw/prod.dvc").touch()
    assert of_experiments(project, "prod", {}) is None
    # or each by itself
    (project / "data/raw/prod.dvc").rename(project / "data/raw/prod/sales.csv.dvc")
    assert of_experiments(project, "prod", {}) is None
    (project / "data/raw/prod/map.csv").touch()
    assert of_experiments(project, "prod", {})


@pytest.mark.usefixtures("trusted")
def test_what_the_demo_makes_is_known_and_what_lies_beside_it_is_not(project: Path) -> None:
    (project / "data/raw/dev/sales").mkdir(parents=True)
    (project / "data/raw/dev/sales/part-1.parquet").touch()
    assert of_experiments(project, "dev", ["dev"]) is None
    (project / "data/raw/dev/last_month.parquet").touch()
    found = of_experiments(project, "dev", ["dev"])
    assert found
    assert found.advice.startswith("dvc add data/raw/dev/last_month.parquet &&")


@pytest.mark.usefixtures("trusted")
def test_queue_of_dvc_cannot_write_down_umlauts(project: Path) -> None:
    odd = project.with_name("größe")
    project.rename(odd)
    found = of_experiments(odd, "prod", {})
    assert found
    assert "beyond ASCII" in found.what
    assert of_dvc(odd) is None, "runs work there"


def test_checkout_of_another_user_is_told_with_gits_own_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    assert of_git(tmp_path) is None
    # git's own switch for its tests: whoever asks is taken for another user
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    found = of_git(tmp_path)
    assert found
    assert "belongs to another user" in found.what
    assert found.advice == f'git config --global --add safe.directory "{tmp_path}"'


def test_init_without_git_makes_the_whole_project_and_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = make_project(tmp_path / "new", "minimal")
    assert found
    assert found.what == "git is not installed"
    assert (tmp_path / "new/data/raw/dev").is_dir()
    assert (tmp_path / "new/.clustering-project.json").is_file()


def test_line_ends_of_windows_are_found(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/a.py").write_bytes(b"import os\r\n")
    (tmp_path / "scripts/b.py").write_bytes(b"import os\n")
    (tmp_path / "Snakefile").write_bytes(b"rule all:\r\n")
    assert windows_line_ends(tmp_path) == [tmp_path / "Snakefile", tmp_path / "scripts/a.py"]
    assert windows_line_ends(ROOT) == []


def test_checkout_has_unix_line_ends_whatever_git_is_told(tmp_path: Path) -> None:
    """As a clone by a git that is set up for Windows."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    source, clone = tmp_path / "source", tmp_path / "clone"
    subprocess.run(["git", "init", "-q", str(source)], check=True)
    shutil.copyfile(ROOT / ".gitattributes", source / ".gitattributes")
    (source / "setup.sh").write_bytes(b"set -eu\n")
    (source / "setup.bat").write_bytes(b"@echo off\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(source)]
    subprocess.run([*git, "add", "-A"], check=True, capture_output=True)
    subprocess.run([*git, "commit", "-qm", "x"], check=True)
    subprocess.run(["git", "clone", "-q", "-c", "core.autocrlf=true", str(source), str(clone)], check=True)
    assert (clone / "setup.sh").read_bytes() == b"set -eu\n"
    assert (clone / "setup.bat").read_bytes() == b"@echo off\r\n"


def nobody(_number: int) -> object:
    raise KeyError("getpwuid(): uid not found: 1234")


def test_user_without_home_or_name_is_given_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that is started with any number."""
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    given = environment(tmp_path)
    assert given["HOME"] == str(tmp_path / ".clustering/home")
    assert Path(given["HOME"]).is_dir()
    assert given["USER"] == given["LOGNAME"] == f"user{os.getuid()}"
    monkeypatch.setenv("HOME", str(tmp_path / "gone"))
    assert environment(tmp_path)["HOME"] == str(tmp_path / ".clustering/home")


def test_home_that_cannot_be_written_to_stays_and_caches_go_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    given = environment(tmp_path)
    assert (given["HOME"], given["XDG_CACHE_HOME"]) == (str(tmp_path), str(tmp_path / ".clustering/home"))


def test_user_with_a_home_keeps_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USER", "someone")
    assert environment(tmp_path)["HOME"] == str(tmp_path)
    assert environment(tmp_path)["USER"] == "someone"
    assert not (tmp_path / ".clustering").exists()


Ended = Callable[..., "subprocess.CompletedProcess[str]"]


def ended(code: int, stdout: str = "", stderr: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.CompletedProcess([], code, stdout, stderr)


PROFILE = "Using workflow specific profile profiles/default for setting default command line arguments.\n"
TRACEBACK = (
    'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n    open(path)\n'
    "PermissionError: [Errno 13] Permission denied: '.snakemake/iocache/latest.pkl'\n"
)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (ended(1, stderr=f"{PROFILE}{TRACEBACK}\n"), "PermissionError: [Errno 13] Permission denied: '.snakemake/iocache/latest.pkl'"),
        (ended(1, "WorkflowError in file x, line 3:\nno rule\n", PROFILE), "WorkflowError in file x, line 3: no rule"),
        (ended(1, "Error: no x\nSolution: add it\n", PROFILE), "no x"),
        (ended(255, stderr="ERROR: /x is not a git repository\n\nHaving any troubles?\n"), "/x is not a git repository"),
        (
            ended(255, stderr="'./dvc.lock' is invalid.\n\nWhile parsing a flow node, in line 2, column 1\nExpected content\n  2    \n"),
            "'./dvc.lock' is invalid. While parsing a flow node, in line 2, column 1 Expected content",
        ),
        (ended(1, stderr=PROFILE), "it ended with exit code 1 without a word"),
        (ended(3), "it ended with exit code 3 without a word"),
        (ended(-9, stderr=PROFILE), "it was ended by signal 9 (Killed), as a system does that runs out of memory"),
    ],
)  # fmt: skip
def test_why_a_program_failed(result: "subprocess.CompletedProcess[str]", said: str) -> None:
    assert why(result) == said


def test_failure_of_a_run_names_its_cause(tmp_path: Path) -> None:
    words = tmp_path / "runner.log"
    words.write_text(f"host: x\nBuilding DAG of jobs...\n{TRACEBACK}\nShutting down, this might take some time.\n")
    error = failure(tmp_path, "merging", 0.0, words)
    assert error.args[0].startswith("merging failed: PermissionError: [Errno 13] Permission denied")
    assert str(words) in error.solution


def test_cause_of_nothing_is_empty() -> None:
    assert cause(f"\n{PROFILE}\nNone\n") == ""


def test_runner_that_was_ended_is_told_as_such(tmp_path: Path) -> None:
    """Its last words are of what it did before."""
    said = tmp_path / "runner.log"
    said.write_text("Stage 'assign_categories' didn't change, skipping\n")
    found = failure(tmp_path, "merging", 0, said, -9)
    assert (
        found.args[0]
        == "merging failed: its runner was ended by signal 9 (Killed), as a system does that runs out of memory"
    )
    assert found.solution == "run the same command again"


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ("dvc repro", True),
        ("snakemake --cores 2", True),
        ("snakemake --dry-run", False),
        # These work in copies of the project, and stay for a while after the last experiment.
        ("dvc exp run --run-all", False),
        ("dvc exp queue-worker dvc-exp-1", False),
    ],
)
def test_runner_that_works_in_the_project_is_waited_for(tmp_path: Path, words: str, *, refused: bool) -> None:
    code = "print(flush=True); import time; time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code, *words.split()], cwd=tmp_path, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        told = pytest.raises(PipelineError, match=rf"^Error: {words} \(process {process.pid}\) is at work in")
        try:
            with told if refused else nullcontext():
                refuse_while_at_work(tmp_path)
        finally:
            process.kill()
