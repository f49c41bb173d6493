"""Completion, in each shell as a person meets it: the printed script is loaded, and a word is completed."""

import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from clustering.runners import environment
from integration.conftest import Said

pytestmark = pytest.mark.integration

STARTS = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"], "fish": ["fish", "--no-config"]}
LOADS = {"bash": "source {}", "zsh": "autoload -Uz compinit && compinit -u -D && source {}", "fish": "source {}"}


@pytest.fixture(params=STARTS)
def shell(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return name


@pytest.fixture
def script(shell: str, tmp_path: Path, command: Callable[..., Said]) -> Path:
    """What `clustering completion` prints for a shell."""
    code, said, errors = command("completion", shell)
    assert (code, errors) == (0, "")
    (tmp_path / "script").write_text(said)
    return tmp_path / "script"


def test_script_is_taken_by_its_shell(shell: str, script: Path) -> None:
    done = subprocess.run([shell, "-n", str(script)], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "completed"), [("clustering run merg", "merging_job"), ("clustering comple", "completion")]
)
def test_word_is_completed(shell: str, script: Path, words: str, completed: str) -> None:
    if shell == "fish":  # which completes for a program as it does for the tab key
        program = f"source {script}; complete -C '{words}'"
        done = subprocess.run(
            [*STARTS[shell], "-c", program], env=environment(), check=True, capture_output=True, text=True
        )
        assert done.stdout.split("\t")[0].strip() == completed
        return
    assert completed in typed(shell, LOADS[shell].format(script), words, completed)


def typed(shell: str, before: str, words: str, expected: str) -> str:
    """What a shell on a terminal shows once `words` and the tab key are typed, until it is what is expected."""
    here, there = pty.openpty()
    process = subprocess.Popen(
        STARTS[shell],
        stdin=there,
        stdout=there,
        stderr=there,
        env=environment() | {"TERM": "xterm"},
        start_new_session=True,
    )
    os.close(there)
    try:
        os.write(here, f"{before}; echo LOADED$((1 + 1))\n".encode())
        shown = read_until(here, "LOADED2")
        assert "LOADED2" in shown, shown
        os.write(here, f"{words}\t".encode())
        return read_until(here, expected)
    finally:
        process.kill()
        process.wait()
        os.close(here)


def read_until(terminal: int, text: str, seconds: float = 60) -> str:
    """What is shown until the text is, or the time is up."""
    shown = b""
    deadline = time.monotonic() + seconds
    while text not in shown.decode(errors="replace") and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            shown += os.read(terminal, 4096)
    return shown.decode(errors="replace")
