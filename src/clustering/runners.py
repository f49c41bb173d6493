"""Start Snakemake, DVC and the project's scripts; one run of this command at a time; clear up after one that was killed."""

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from clustering.lifeline import end_left, end_started, lifeline
from clustering.schedulers import take_back
from clustering.stage_server import FOLDER
from clustering.surroundings import home
from clustering.unfinished import clear_cache, clear_project, clear_temporary
from storelib import names
from storelib.errors import ConfigError, DataError, PipelineError

STATE = Path(names.STATE)
RUNNERS = ("snakemake", "dvc")
# Seconds that a runner has to end by itself after ^C.
MOMENT = 2.0
# What Snakemake says whether or not something went wrong, or after it.
CHATTER = re.compile(
    r"None$|Using (workflow specific )?profile|Config file .* is extended|host: |Building DAG|Using shell|Provided cores|"
    r"Rules claiming more threads|Assuming unrestricted|Select jobs|Execute \d+ jobs|Complete log|Shutting down|Nothing to be done|"
    r"Job stats|WARNING: |Warning: "
)
BROKEN = re.compile(r"'.+' (is invalid|validation failed)")
RAISED = re.compile(r"[A-Za-z_][\w.]*(Error|Exception)\b.*:")


def environment(root: Path | None = None) -> dict[str, str]:
    """The environment for runners: this interpreter's programs first in PATH, since stages call `python`.

    root: the project, where a runner is started in one: a user without a home or a name is given what is missing.
    PYTHONSAFEPATH is left out: with it a script would not look beside itself for the project's copy of what stages share.
    """
    # Not resolved: a virtual environment's interpreter is a link, and its folder is what counts.
    programs = str(Path(sys.executable).parent)
    # First of all the `python` that forks stages, where there is one (stage_server).
    first = [os.environ[FOLDER]] if FOLDER in os.environ else []
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    path = os.pathsep.join([*first, programs, os.environ.get("PATH", "")])
    return kept | {"PATH": path, "DVC_NO_ANALYTICS": "1"} | (home(root) if root else {})


def call(root: Path, program: str, arguments: Sequence[str]) -> int:
    """Run a runner in the project with its output on this terminal; returns its exit code."""
    return attend(subprocess.Popen([*launched(program), *arguments], cwd=root, env=environment(root)))


def launched(program: str) -> list[str]:
    """What starts a runner, by the name of its module."""
    return [sys.executable, "-P", "-m", "clustering.launch", program]


def attend(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> int:
    """Wait for a runner; returns its exit code."""
    try:
        return process.wait()
    except BaseException:
        give_up(process)
        raise


def give_up(process: "subprocess.Popen[str] | subprocess.Popen[bytes]") -> None:
    """End a runner. After ^C, which it got from the terminal too, it has a moment to end its stages, and says so."""
    try:
        process.wait(MOMENT)
    except subprocess.TimeoutExpired:
        end_started()
        process.kill()
        process.wait()


def call_script(root: Path, name: str, flags: Mapping[str, object]) -> None:
    """Run a script of the project that is no stage, such as `split_sales`. Raises DataError with what it logged."""
    if not (root / "scripts" / f"{name}.py").is_file():
        raise ConfigError(
            f"{root} has no scripts/{name}.py: it was made by an earlier version of `clustering`",
            solution="run `clustering upgrade`, which keeps what you changed",
        )
    words = [word for flag, value in flags.items() for word in (f"--{flag}", str(value))]
    command = [sys.executable, f"scripts/{name}.py", *words, "--log", f"logs/{name}.log"]
    began = time.time()
    if subprocess.run(command, cwd=root, env=environment(root), check=False).returncode:
        raise failure(root, name, began)


def failure(root: Path, job: str, began: float, said: Path | None = None, code: int = 1) -> DataError:
    """The first mistake that a stage logged since the run began, said again where the eye is.

    said: the file that took the runner's own words, where they were not shown; code: its exit code.
    """
    logs = sorted((path.stat().st_mtime, path) for path in (root / "logs").rglob("*.log"))
    for path in [path for written, path in logs if written >= began - 1]:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [line.partition(": Error: ") for line in lines if ": Error: " in line]
        solutions = [line.partition(": Solution: ")[2] for line in lines if ": Solution: " in line]
        if errors and solutions:
            stage, _, message = errors[0]
            return DataError(f"{stage}: {message}", solution=f"{solutions[0]} (log: {path})")
    if code < 0:
        return DataError(f"{job} failed: its runner was ended {by_signal(code)}", solution="run the same command again")
    words = said.read_text(encoding="utf-8", errors="replace") if said and said.is_file() else ""
    where = f"in {said}" if words else "above"
    return DataError(
        f"{job} failed: {cause(words)}" if cause(words) else f"{job} failed",
        solution=f"read what the runner says {where}; logs are in {root / 'logs'}",
    )


def ask(root: Path, program: str, arguments: Sequence[str], *, aside: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a runner in the project and take its output. aside: whether it leaves the cores to others that want them."""
    return subprocess.run(
        [*(["nice"] if aside else []), *launched(program), *arguments],
        cwd=root,
        env=environment(root),
        check=False,
        capture_output=True,
        text=True,
    )


@contextmanager
def only_run(root: Path) -> Iterator[None]:
    """Hold the project for one run of this command. The system frees it when the process ends, however it ends.

    What it starts ends with it; what an earlier one left is ended first. A stage that was started by others is refused
    meanwhile (`storelib.runtime`): the file says who holds the project.
    """
    folder = root / STATE
    folder.mkdir(exist_ok=True)
    with (folder / names.RUN_LOCK).open("a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PipelineError(
                f"another `clustering` command is at work in {root}", solution="wait until it ends, or end it"
            ) from None
        with lifeline(root) as mark:
            if ended := end_left(root, mark):
                sys.stderr.write(
                    f"An earlier command was ended and left {ended} processes at work: they are ended too.\n"
                )
            handle.truncate(0)
            handle.write(mark)
            handle.flush()
            try:
                yield
            finally:
                handle.truncate(0)


@contextmanager
def without_dvc(root: Path) -> Iterator[None]:
    """While another runner is at work: a `dvc repro` or `dvc exp run` of somebody's waits, and says so, as beside another DVC.

    Raises PipelineError where DVC is at work.
    """
    folder = root / ".dvc" / "tmp"
    if not folder.parent.is_dir():
        yield
        return
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("a+", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PipelineError(f"DVC is at work in {root}", solution="wait until it ends, or end it") from None
        yield


def processes_in(root: Path, words: Sequence[str]) -> list[psutil.Process]:
    """Processes working in the project whose command line has one of the words; this one and its parents left out."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid in own or process.status() == psutil.STATUS_ZOMBIE or Path(process.cwd()) != root.resolve():
                continue
            command = [Path(part).name for part in process.cmdline()]
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if any(word in command for word in words):
            found.append(process)
    return found


def is_apart(process: psutil.Process) -> bool:
    """Whether a runner leaves the project's files alone.

    It is only asked what it would do, as `clustering status` and the interface do; or it works on experiments of DVC's queue, which
    have copies of the project, and waits for more of them some seconds after the last one.
    """
    try:
        return not {"--dry-run", "--run-all", "queue", "queue-worker"}.isdisjoint(process.cmdline())
    except psutil.Error:
        # It has ended since.
        return True


def refuse_while_at_work(root: Path) -> None:
    """Raise PipelineError where a runner is at work in the project."""
    alive = [process for process in processes_in(root, RUNNERS) if not is_apart(process)]
    if alive:
        words = alive[0].cmdline()
        # From its own name on: what comes before says how it was started.
        first = next((n for n, word in enumerate(words) if Path(word).name in RUNNERS), 0)
        raise PipelineError(
            f"{' '.join(words[first : first + 3])} (process {alive[0].pid}) is at work in {root}",
            solution="wait until it ends, or end it",
        )


def heal(root: Path) -> None:
    """Clear up after a runner that was killed: wait for its last stages, remove its locks and unfinished files.

    Raises PipelineError where a runner is alive.
    """
    refuse_while_at_work(root)
    take_back(root)
    stages = processes_in(root, [path.name for path in (root / "scripts").glob("*.py")])
    if stages:
        sys.stderr.write(f"Waiting for {len(stages)} stages of a run that was cut off.\n")
        psutil.wait_procs(stages)
    locks = root / ".snakemake" / "locks"
    if locks.is_dir() and any(locks.iterdir()):
        sys.stderr.write("An earlier run was cut off: unlocking, and going on from what it finished.\n")
        result = ask(root, "snakemake", ["--unlock", "--cores", "1"])
        if result.returncode:
            raise PipelineError(f"cannot unlock: {why(result)}", solution="run `snakemake --unlock`")
    clear_project(root)
    clear_cache(root / ".dvc" / "cache")
    clear_temporary()


def why(result: subprocess.CompletedProcess[str]) -> str:
    """Why a program failed, in its own words; where it has none, how it ended."""
    if result.returncode < 0:
        return f"it was ended {by_signal(result.returncode)}"
    return cause(result.stderr) or cause(result.stdout) or f"it ended with exit code {result.returncode} without a word"


def by_signal(code: int) -> str:
    """By which signal a process was ended, by its exit code."""
    memory = ", as a system does that runs out of memory" if code == -signal.SIGKILL else ""
    return f"by signal {-code} ({signal.strsignal(-code)}){memory}"


def cause(text: str) -> str:
    """The line that says what went wrong: an error of ours, DVC's, or the exception that a traceback ends with; else the last one.

    Empty where there is none: what a runner says at every start, and where its log is, says nothing.
    """
    lines = [line for part in text.splitlines() if (line := part.strip()) and not CHATTER.match(line)]
    for mark in ("Error: ", "ERROR: "):
        if found := [line.removeprefix(mark) for line in lines if line.startswith(mark)]:
            return found[0] if mark == "Error: " else found[-1]
    # Of a file that it cannot read DVC says so first, then where and why.
    if broken := [n for n, line in enumerate(lines) if BROKEN.match(line)]:
        return " ".join(lines[broken[0] : broken[0] + 3])
    raised = [n for n, line in enumerate(lines) if RAISED.match(line)]
    if raised:
        # Snakemake's own error has its text on the line after the place.
        first, *after = lines[raised[-1] :]
        return f"{first} {after[0]}" if after and first.endswith(":") else first
    told = [line for line in lines if re.search("[A-Za-z]", line)]
    return told[-1] if told else ""
