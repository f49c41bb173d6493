"""A whole run needs no network, and looks for none."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from integration.conftest import WATCH, without_network


def test_run_connects_to_nobody(minimal: tuple[Path, str]) -> None:
    """The run that all tests here begin with had no network where the system lets us take it away, and was watched."""
    project, said = minimal
    assert "full_pipeline: done" in said
    folder = project.parents[2]
    assert (folder / "connections.log").read_text() == ""


def test_watch_sees_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the test above says nothing."""
    log = tmp_path / "log"
    (tmp_path / "sitecustomize.py").write_text(WATCH.format(log=str(log)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    program = "import socket, contextlib\nwith socket.socket() as s, contextlib.suppress(OSError): s.connect(('127.0.0.1', 9))"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert "('127.0.0.1', 9)" in log.read_text()


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.skipif(
    shutil.which("strace") is None or not without_network(), reason="needs strace and network namespaces"
)
def test_no_program_tries_to_connect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries that are no Python are seen by the system calls alone: sockets of the internet, of any process of the run."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    calls = tmp_path / "calls"
    trace = [
        "strace",
        "--follow-forks",
        "--seccomp-bpf",
        "--trace=connect,sendto,sendmsg",
        "--quiet=all",
        "--output",
        str(calls),
    ]
    command = str(Path(sys.executable).parent / "clustering")
    subprocess.run([*without_network(), *trace, command, "minimal"], check=True, stdout=subprocess.DEVNULL)
    lines = calls.read_text(errors="replace").splitlines()
    assert any("AF_UNIX" in line for line in lines), "stages are handed over by a socket of this machine"
    assert [line for line in lines if "AF_INET" in line] == []
