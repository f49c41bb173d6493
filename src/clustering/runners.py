"""Start Snakemake, DVC and the project's scripts; one run of this command at a time; clear up after one that was killed."""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from clustering.stage_server import FOLDER
from storelib.errors import ConfigError, DataError, PipelineError

STATE = Path(".clustering")
RUNNERS = ("snakemake", "dvc")


def environment() -> dict[str, str]:
    """The environment for runners: this interpreter's programs first in PATH, since stages call `python`.

    PYTHONSAFEPATH is left out: with it a script would not look beside itself for the project's copy of what stages share.
    """
    # Not resolved: a virtual environment's interpreter is a link, and its folder is what counts.
    programs = str(Path(sys.executable).parent)
    # First of all the `python` that forks stages, where there is one (stage_server).
    first = [os.environ[FOLDER]] if FOLDER in os.environ else []
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    return kept | {"PATH": os.pathsep.join([*first, programs, os.environ.get("PATH", "")]), "DVC_NO_ANALYTICS": "1"}


def call(root: Path, program: str, arguments: Sequence[str]) -> int:
    """Run a runner in the project with its output on this terminal; returns its exit code."""
    return subprocess.run(
        [sys.executable, "-m", program, *arguments], cwd=root, env=environment(), check=False
    ).returncode


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
    if subprocess.run(command, cwd=root, env=environment(), check=False).returncode:
        raise failure(root, name, began)


def failure(root: Path, job: str, began: float, said: Path | None = None) -> DataError:
    """The first mistake that a stage logged since the run began, said again where the eye is.

    said: the file that took the runner's own words, where they were not shown.
    """
    logs = sorted((path.stat().st_mtime, path) for path in (root / "logs").rglob("*.log"))
    for path in [path for written, path in logs if written >= began - 1]:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [line.partition(": Error: ") for line in lines if ": Error: " in line]
        solutions = [line.partition(": Solution: ")[2] for line in lines if ": Solution: " in line]
        if errors and solutions:
            stage, _, message = errors[0]
            return DataError(f"{stage}: {message}", solution=f"{solutions[0]} (log: {path})")
    words = f"in {said}" if said and said.is_file() else "above"
    return DataError(f"{job} failed", solution=f"read what the runner says {words}; logs are in {root / 'logs'}")


def ask(root: Path, program: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a runner in the project and take its output."""
    return subprocess.run(
        [sys.executable, "-m", program, *arguments],
        cwd=root,
        env=environment(),
        check=False,
        capture_output=True,
        text=True,
    )


@contextmanager
def only_run(root: Path) -> Iterator[None]:
    """Hold the project for one run of this command. The system frees it when the process ends, however it ends."""
    folder = root / STATE
    folder.mkdir(exist_ok=True)
    with (folder / "run.lock").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PipelineError(
                f"another `clustering` command is at work in {root}", solution="wait until it ends, or end it"
            ) from None
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


def refuse_while_at_work(root: Path) -> None:
    """Raise PipelineError where a runner is alive in the project."""
    alive = processes_in(root, RUNNERS)
    if alive:
        raise PipelineError(
            f"{' '.join(alive[0].cmdline()[:4])} (process {alive[0].pid}) is at work in {root}",
            solution="wait until it ends, or end it",
        )


def heal(root: Path) -> None:
    """Clear up after a runner that was killed: wait for its last stages, remove its locks and unfinished files.

    Raises PipelineError where a runner is alive.
    """
    refuse_while_at_work(root)
    stages = processes_in(root, [path.name for path in (root / "scripts").glob("*.py")])
    if stages:
        sys.stderr.write(f"Waiting for {len(stages)} stages of a run that was cut off.\n")
        psutil.wait_procs(stages)
    locks = root / ".snakemake" / "locks"
    if locks.is_dir() and any(locks.iterdir()):
        sys.stderr.write("An earlier run was cut off: unlocking, and going on from what it finished.\n")
        result = ask(root, "snakemake", ["--unlock", "--cores", "1"])
        if result.returncode:
            raise PipelineError(f"cannot unlock: {last_line(result.stderr)}", solution="run `snakemake --unlock`")
    for folder in ("data", "reports"):
        for path in (root / folder).rglob(".*.tmp"):
            path.unlink(missing_ok=True)


def last_line(text: str) -> str:
    """The last line that says something; DVC's own error, where there is one, which it follows with an offer of help."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines or ["no message"])[-1]
