"""Jobs that pages start: processes of their own, as from a terminal, which go on when the interface ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from clustering.events import EventFile
from clustering.progress import Follower
from clustering.runners import STATE
from clustering.runs import RUNS, load_runs
from storelib.errors import ConfigError, PipelineError

LOGS = STATE / "ui"
# As much of a log as a page shows.
SHOWN = 20_000
# A shell that starts the interface in the background has it, and whatever it starts, ignore Ctrl-C.
STARTED = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from clustering.cli import main; main()"
)
STARTS_KEPT = 20


@dataclass
class Started:
    """A process that was started here. log: what it says."""

    what: str
    process: subprocess.Popen[bytes]
    log: Path
    began: float
    was_stopped: bool = False

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    @property
    def failed(self) -> bool:
        """Whether it has ended with an error; to be stopped by a person is none."""
        return not self.was_stopped and self.process.poll() not in {None, 0}

    @property
    def said(self) -> str:
        """The end of what it said, but for its events."""
        lines = [line for line in tail(self.log).splitlines() if not line.startswith('{"event"')]
        return "\n".join(lines)


class Work:
    """What was started since the interface was."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.started: list[Started] = []
        self.lock = threading.Lock()
        # What is asked of a runner for a page, one at a time: each takes a processor for some seconds.
        self.questions = threading.Lock()

    @property
    def is_busy(self) -> bool:
        """Whether something that was started here is at work."""
        return any(not one.is_over for one in self.started)

    def start(self, what: str, words: Sequence[str]) -> Started:
        """Start a command of `clustering`. Raises PipelineError where one that was started here is at work."""
        with self.lock:
            if self.is_busy:
                raise PipelineError("another job is at work", solution="wait until it ends, or stop it")
            folder = self.root / LOGS
            folder.mkdir(parents=True, exist_ok=True)
            for old in sorted(folder.glob("*.log"))[:-STARTS_KEPT]:
                old.unlink(missing_ok=True)
            log = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}.log"
            with log.open("wb") as handle:
                # A session of its own: it goes on when the interface ends, and is stopped with all that it has started.
                process = subprocess.Popen(
                    [sys.executable, "-P", "-c", STARTED, *words],
                    cwd=self.root,
                    stdin=subprocess.DEVNULL,
                    stdout=handle,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self.started = [*self.started[-STARTS_KEPT:], found := Started(what, process, log, time.time())]
        return found

    def stop(self, pid: int) -> None:
        """Interrupt what a page started, and what that has started, as Ctrl-C does in a terminal. Raises ConfigError for anything else."""
        if not can_stop(self.root, pid):
            raise ConfigError(
                f"process {pid} was not started from a page", solution="stop it where it was started, with Ctrl-C"
            )
        for one in self.started:
            one.was_stopped |= one.process.pid == pid
        os.killpg(pid, signal.SIGINT)


def can_stop(root: Path, pid: int) -> bool:
    """Whether a process is a run of this project that a page started: it leads a session, which no command in a terminal does."""
    try:
        process = psutil.Process(pid)
        return os.getsid(pid) == pid and STARTED in process.cmdline() and Path(process.cwd()) == root
    except (psutil.Error, OSError):
        return False


def run_words(env: str, job: str, cores: int, tags: Mapping[str, str], *, force: bool) -> list[str]:
    """The command that runs a job."""
    tagged = [word for key, value in tags.items() for word in ("--tags", f"{key}={value}")]
    return [
        "run",
        f"{job}_job",
        "--env",
        env,
        "--cores",
        str(cores),
        "--json",
        *tagged,
        *(["--force"] if force else []),
    ]


def tail(path: Path, most: int = SHOWN) -> str:
    """The end of a text file, from a line's start; empty where there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as handle:
        size = handle.seek(0, os.SEEK_END)
        handle.seek(max(0, size - most))
        text = handle.read().decode("utf-8", errors="replace")
    return text.partition("\n")[2] if size > most else text


@dataclass
class Watched:
    """A run at work or ended: its record, how far it is, and which of its stages ended how."""

    run: dict[str, Any]
    done: int
    total: int | None
    running: list[str]
    stages: dict[str, str]
    said: str
    stoppable: bool


def watch(root: Path, run_id: str) -> Watched:
    """A recorded run as its files say by now. Raises ConfigError where there is none of that id."""
    found = [run for run in load_runs(root) if run["id"] == run_id]
    if not found:
        raise ConfigError(f"no run {run_id!r} is recorded", solution="choose one of the list")
    (run,) = found
    folder = root / RUNS / str(run["id"])
    follower, stages = Follower(), {}
    for event in EventFile(folder / "events.jsonl").new():
        change = follower.snakemake(event)
        if change and change[1]:
            stages[change[1]] = change[0]
    at_work = run.get("result") == "running"
    if not at_work:
        stages = {name: "stopped" if state == "started" else state for name, state in stages.items()}
    return Watched(
        run,
        follower.done,
        follower.total,
        follower.running if at_work else [],
        stages,
        tail(folder / "runner.log"),
        at_work and can_stop(root, int(run.get("pid") or 0)),
    )
