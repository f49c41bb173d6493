"""What a command starts ends with it, whatever ends the command."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from zc.lockfile import LockError, LockFile

from clustering.lifeline import end_left, lifeline
from clustering.runners import only_run, without_dvc
from storelib.errors import DataError, PipelineError
from storelib.names import MARK
from storelib.runtime import refuse_beside

# A command that starts a runner which starts a stage, in a session of its own and deaf to what asks it to end.
DEAF = (
    "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('at work', flush=True); time.sleep(600)"
)
RUNNER = f"import subprocess,sys; subprocess.run([sys.executable, '-c', {DEAF!r}], start_new_session=True)"
COMMAND = f"""
import sys
from pathlib import Path
from clustering.runners import attend, only_run
import subprocess
with only_run(Path(sys.argv[1])):
    attend(subprocess.Popen([sys.executable, "-c", {RUNNER!r}]))
"""


@pytest.fixture
def command(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A command at work on a project, in a group of its own."""
    words = [sys.executable, "-c", COMMAND, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0) as process:
        assert process.stdout
        assert process.stdout.readline() == "at work\n"
        yield process
        process.kill()


def started(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    found = psutil.Process(process.pid).children(recursive=True)
    return [child for child in found if MARK in child.environ()]


@pytest.mark.parametrize("group", [False, True], ids=["command", "group"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda n: n.name)
def test_end_of_the_command_ends_all_that_it_started(
    command: "subprocess.Popen[str]", number: signal.Signals, group: bool
) -> None:
    children = started(command)
    assert len(children) == 2
    (os.killpg if group else os.kill)(command.pid, number)
    # A deaf stage is asked first, and killed after five seconds.
    _, alive = psutil.wait_procs(children, 20)
    assert not alive


def test_next_command_takes_over_at_once(
    command: "subprocess.Popen[str]", tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also where what watches over the command was killed with it."""
    children = started(command)
    for child in psutil.Process(command.pid).children():
        if child not in children:
            child.kill()
    command.kill()
    command.wait()
    began = time.monotonic()
    with only_run(tmp_path):
        assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    assert time.monotonic() - began < 20
    assert "left 2 processes at work" in capfd.readouterr().err


def test_what_others_started_stays(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "import time; time.sleep(600)"]
    other = tmp_path / "other"
    with lifeline(other) as theirs, subprocess.Popen(words) as of_another_project:
        try:
            with lifeline(tmp_path) as mark:
                assert end_left(tmp_path, mark) == 0
            assert of_another_project.poll() is None
            assert end_left(other, theirs) == 0
        finally:
            of_another_project.kill()
    assert MARK not in os.environ


def test_stage_of_somebody_else_is_refused_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with only_run(tmp_path):
        refuse_beside(tmp_path)
        monkeypatch.delenv(MARK)
        with pytest.raises(DataError, match="would write the same files"):
            refuse_beside(tmp_path)
        monkeypatch.setenv(MARK, "of another")
        with pytest.raises(PipelineError):
            refuse_beside(tmp_path)
        monkeypatch.undo()
    refuse_beside(tmp_path)


def test_file_of_a_command_that_was_killed_refuses_nobody(tmp_path: Path) -> None:
    (tmp_path / ".clustering").mkdir()
    (tmp_path / ".clustering" / "run.lock").write_text("somebody who is gone")
    refuse_beside(tmp_path)


def test_dvc_of_somebody_else_waits_while_snakemake_is_at_work(tmp_path: Path) -> None:
    """By DVC's own lock, which it takes with the same library."""
    (tmp_path / ".dvc").mkdir()
    lock = str(tmp_path / ".dvc" / "tmp" / "lock")
    with without_dvc(tmp_path), pytest.raises(LockError):
        LockFile(lock)
    held = LockFile(lock)
    with pytest.raises(PipelineError, match="DVC is at work"), without_dvc(tmp_path):
        pytest.fail("both are at work")
    held.close()
    with without_dvc(tmp_path):
        assert not psutil.Process().children()
