"""Commands that are cut off by signals, and what is looked at afterwards."""

import contextlib
import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from clustering.runners import environment
from storelib.names import MARK

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
WHOM = ("stage", "runner", "command", "group", "all")
# Seconds that a command has to end in, and those that what it started has, when it is gone itself.
PATIENCE, GONE = 1800.0, 60.0
# Seconds between two looks at how much a command has worked.
POLL = 0.05
SAID = "said.log"
# Folders of outputs, and of what commands keep.
FOLDERS = ("data", "reports", ".clustering")


def start(root: Path, *words: str) -> "subprocess.Popen[bytes]":
    """`clustering ...` in a group of its own; what it says goes to a file."""
    command = [str(Path(sys.executable).parent / "clustering"), *words]
    variables = environment() | {"CLUSTERING_LOG_DIR": str(root.parent / "journal")}
    with (root.parent / SAID).open("ab") as said:
        return subprocess.Popen(command, cwd=root, env=variables, stdout=said, stderr=said, process_group=0)


def said(root: Path) -> str:
    """What commands have said since the file was removed."""
    path = root.parent / SAID
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def hit(process: "subprocess.Popen[bytes]", whom: str, number: signal.Signals, drawn: random.Random) -> bool:
    """Send a signal to one of those at work, or to all, as where a machine dies. False where there is none of the kind at that moment."""
    try:
        if whom == "group":
            os.killpg(process.pid, number)
        elif whom == "command":
            process.send_signal(number)
        elif whom == "all":
            command = psutil.Process(process.pid)
            for one in (command, *command.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.send_signal(number)
        else:
            drawn.choice(at_work(process, whom)).send_signal(number)
    except (ProcessLookupError, psutil.Error, IndexError):
        return False
    return True


def at_work(process: "subprocess.Popen[bytes]", whom: str) -> list[psutil.Process]:
    """The stages or the runners that a command has started."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            words = " ".join(child.cmdline())
            is_stage = "scripts/" in words or "stage_server" in words
            is_runner = "-m snakemake" in words or "-m dvc" in words
            if is_stage if whom == "stage" else is_runner:
                found.append(child)
        except psutil.Error:
            continue
    return found


def cut_off(
    root: Path, words: Sequence[str], whom: str, number: signal.Signals, work: float, drawn: random.Random
) -> tuple[bool, bool]:
    """Start a command, send a signal after so many seconds of its work, and wait for its end.

    Whether the signal was sent, and whether the command ended well all the same.
    work: CPU time of the command and what it starts, so that a busy machine has it cut off at the same places.
    """
    process = start(root, *words)
    while process.poll() is None and worked(process) < work:
        time.sleep(POLL)
    is_sent = process.poll() is None and hit(process, whom, number, drawn)
    return is_sent, process.wait(PATIENCE) == 0


def worked(process: "subprocess.Popen[bytes]") -> float:
    """Seconds of CPU time that a command and what it has started have taken so far."""
    total = 0.0
    try:
        command = psutil.Process(process.pid)
        for one in (command, *command.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                used = one.cpu_times()
                total += used.user + used.system + used.children_user + used.children_system
    except psutil.Error:
        # It has ended since.
        pass
    return total


def work_of(root: Path, *words: str) -> tuple[int, float]:
    """A command's exit code, and the seconds of CPU time that it took with all that it started."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = start(root, *words).wait(PATIENCE)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return code, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def hashes(root: Path, *names: str) -> dict[str, str]:
    """The hash of every file below some folders: tables, figures, pictures; not what tells of one run."""
    found = [path for name in names for path in (root / name).rglob("*")]
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(found)
        if path.is_file() and path.name != "report.html" and "published" not in path.parts
    }


def left_behind(root: Path, *more: Path) -> list[str]:
    """Temporary files below the project and other folders; and processes that carry the mark of a command of this project.

    A process that is ending has its time.
    """
    files = [str(path) for folder in (*(root / name for name in FOLDERS), *more) for path in folder.rglob("*.tmp")]
    until = time.monotonic() + GONE
    while (processes := marked(root)) and time.monotonic() < until:
        time.sleep(0.1)
    return files + processes


def marked(root: Path) -> list[str]:
    """The processes that a command of a project has started."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(root) in process.environ().get(MARK, "") and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline())[:100])
        except (psutil.Error, OSError):
            continue
    return found
