"""What pages start and stop, and what is at work in a project."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clustering.runners import refuse_while_at_work
from clustering.ui import working
from clustering.ui.working import Work, can_stop, tail
from storelib.errors import ConfigError, PipelineError

SLEEPS = "import time; time.sleep(60)"


@contextmanager
def process(root: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that waits, with words on its command line, in a folder."""
    with subprocess.Popen([sys.executable, "-c", SLEEPS, *words], cwd=root) as started:
        yield started
        started.kill()


def test_a_runner_that_is_only_asked_is_not_at_work(tmp_path: Path) -> None:
    with process(tmp_path, "snakemake", "--dry-run"):
        refuse_while_at_work(tmp_path)
    with process(tmp_path, "snakemake", "--cores", "1"), pytest.raises(PipelineError, match="is at work in"):
        refuse_while_at_work(tmp_path)


def test_one_job_at_a_time_is_started_and_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "STARTED", SLEEPS)
    work = Work(tmp_path)
    started = work.start("merging", ["run", "merging_job"])
    with pytest.raises(PipelineError, match="another job is at work"):
        work.start("merging", ["run", "merging_job"])
    # It leads its session from the moment at which it is another program.
    until = time.monotonic() + 20
    while not can_stop(tmp_path, started.process.pid) and time.monotonic() < until:
        time.sleep(0.05)
    with (
        process(tmp_path, "clustering", "run") as foreign,
        pytest.raises(ConfigError, match="was not started from a page"),
    ):
        work.stop(foreign.pid)
    with pytest.raises(ConfigError):
        Work(tmp_path / "other").stop(started.process.pid)
    work.stop(started.process.pid)
    assert started.process.wait(20) != 0
    # What a person has stopped has not failed.
    assert (work.is_busy, started.was_stopped, started.failed) == (False, True, False)


def test_what_a_job_says_is_kept_without_its_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "STARTED", "import sys; print('{\"event\": \"run\"}'); sys.exit('Error: no such job')")
    started = Work(tmp_path).start("merging", [])
    assert started.process.wait(20) == 1
    assert started.said == "Error: no such job"


def test_the_end_of_a_log_begins_with_a_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("first\n" + "x" * 50 + "\nlast\n")
    assert tail(log) == log.read_text()
    assert tail(log, 20) == "last\n"
    assert tail(tmp_path / "none") == ""
