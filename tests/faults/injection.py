"""Faults of file operations inside a stage, planted in a forked child: the k-th operation fails, once or for good, or ends it.

Operations are what Python's audit events tell of (opening, moving, removing, making folders, listing), below one folder, and
what writes and flushes: `os.fsync`, text and bytes of a `Path`, Parquet tables, pictures. The stage's own code is not changed.
"""

import contextlib
import errno
import importlib
import io
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from matplotlib.figure import Figure

import storelib.runtime
from bad_input.project import Project, Stage
from clustering.stage_server import LIBRARIES
from storelib import seals

ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EACCES": errno.EACCES}
KINDS = (*ERRORS, "short", "kill")
EVENTS = {
    "open",
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.listdir",
    "os.scandir",
    "os.truncate",
    "os.utime",
}


class Fault(NamedTuple):
    """The k-th operation (from 1) fails so; lasting: every later one too. `short`: half is written, then the disk is full."""

    k: int
    kind: str
    lasting: bool


class Ended(NamedTuple):
    """How a stage ended: its exit code, minus a signal's number where one ended it; how many operations there were."""

    code: int
    said: str
    operations: int


class Plan:
    """Counts operations and fails the one that is meant."""

    def __init__(self, folder: Path, fault: Fault | None) -> None:
        self.folder = os.fspath(folder)
        self.fault = fault
        self.count = 0
        self.is_on = False
        self.is_within = False
        # Told of each operation before it is done; may fork, and gives in the fork the fault that this operation is to have there.
        self.branch: Callable[[Plan], Fault | None] | None = None
        # The end of a pipe that takes what came of this process.
        self.answer = -1

    def concerns(self, path: object) -> bool:
        """Whether a path is below the folder; a log is only told to."""
        text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
        if not isinstance(text, str):
            return False
        return str(Path.cwd() / text).startswith(self.folder)

    def is_next(self) -> str | None:
        """Count one operation; the kind of fault, where it is to fail."""
        if not self.is_on or self.is_within:
            return None
        self.count += 1
        if self.branch is not None:
            self.is_on = False
            if (branched := self.branch(self)) is not None:
                self.fault, self.branch = branched, None
            self.is_on = True
        fault = self.fault
        is_hit = fault is not None and (self.count == fault.k or (fault.lasting and self.count > fault.k))
        return fault.kind if fault and is_hit else None

    def fail(self, kind: str, path: object) -> None:
        """Do what the fault says."""
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        number = ERRORS.get(kind, errno.ENOSPC)
        raise OSError(number, os.strerror(number), str(path))

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """For `sys.addaudithook`."""
        if self.is_on and event in EVENTS and arguments and self.concerns(arguments[0]):
            # Reading a module is no operation of the stage's on its files.
            if str(arguments[0]).endswith((".py", ".pyc")):
                return
            if kind := self.is_next():
                self.fail(kind, arguments[0])

    def writer(self, write: Callable[..., Any], place: int) -> Callable[..., Any]:
        """A function that writes a file, whose path is an argument, as one operation. place: which argument that is."""

        def written(*arguments: Any, **options: Any) -> Any:
            path = arguments[place] if len(arguments) > place else options.get("where")
            kind = self.is_next() if self.concerns(path) else None
            if kind is None or kind in ERRORS:
                if kind:
                    self.fail(kind, path)
                return write(*arguments, **options)
            self.is_within = True
            try:
                result = write(*arguments, **options)
                half = Path(os.fspath(path))
                if half.is_file():
                    os.truncate(half, half.stat().st_size // 2)
            finally:
                self.is_within = False
            self.fail(kind, path)
            return result

        return written

    def synced(self, fsync: Callable[[int], None]) -> Callable[[int], None]:
        """`os.fsync` as one operation."""

        def flushed(number: int) -> None:
            if kind := self.is_next():
                self.fail(kind, f"file {number}")
            fsync(number)

        return flushed

    @contextlib.contextmanager
    def planted(self) -> Iterator[None]:
        """Only in a process that ends soon: hooks cannot be taken away."""
        os.environ["CLUSTERING_FSYNC"] = "yes"
        sys.addaudithook(self.audit)
        # The disk of tests may take its time, and is not what fails here.
        os.fsync = self.synced(lambda _: None)  # type: ignore[assignment]
        Path.write_text = self.writer(Path.write_text, 0)  # type: ignore[method-assign]
        Path.write_bytes = self.writer(Path.write_bytes, 0)  # type: ignore[method-assign]
        pq.write_table = self.writer(pq.write_table, 1)
        Figure.savefig = self.writer(Figure.savefig, 1)  # type: ignore[method-assign]
        self.is_on = True
        yield


def load_libraries() -> None:
    """What stages import, once for all children."""
    for name in (*LIBRARIES, "pandas", "pyarrow.parquet"):
        importlib.import_module(name)


def run_forked(project: Project, stage: Stage, fault: Fault | None = None, seconds: int = 0) -> Ended:
    """One stage in a child of this process, in the project's folder, with a fault; seconds: after which a signal ends it."""
    return forked(project.root, project.root, as_stage(stage), fault, seconds)


def as_stage(stage: Stage) -> Callable[[], int]:
    """Runs a stage as its command does; gives its exit code."""
    _, script, *argv = stage.argv
    module = importlib.import_module(Path(script).stem)

    def run() -> int:
        sys.argv = [script, *argv]
        try:
            storelib.runtime.run_stage(module.main)
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 1
        return 0

    return run


def in_stage(project: Project, stage: Stage, branch: Callable[[Plan], Fault | None]) -> tuple[int, int]:
    """Start one stage in a child of this process that is asked before each operation; for `ended`."""
    plan = Plan(project.root, None)
    plan.branch = branch
    return start_forked(project.root, as_stage(stage), plan)


def forked(root: Path, folder: Path, action: Callable[[], int], fault: Fault | None = None, seconds: int = 0) -> Ended:
    """An action in a child of this process, in a project, with a fault below a folder. action: gives its exit code."""
    return ended(*start_forked(root, action, Plan(folder, fault), seconds))


def start_fork() -> tuple[int, int]:
    """Fork. Gives the child's number and the end of a pipe that says what it has to say; in the child 0 and the other end."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    os.close(writing if child else reading)
    return child, reading if child else writing


def ended(child: int, reading: int) -> Ended:
    """Wait for a child that `start_forked` has started."""
    with os.fdopen(reading, "rb") as pipe:
        count, _, told = pipe.read().decode().partition(" ")
    _, status = os.waitpid(child, 0)
    return Ended(os.waitstatus_to_exitcode(status), told, int(count or 0))


def start_forked(root: Path, action: Callable[[], int], plan: Plan, seconds: int = 0) -> tuple[int, int]:
    """Start an action in a child of this process; for `ended`."""
    child, pipe = start_fork()
    if not child:
        plan.answer = pipe
        signal.alarm(seconds)
        code, said = 1, io.StringIO()
        try:
            os.chdir(root)
            seals.SEEN.clear()
            # Those of a stage that ran in this process before: what is told before there is a log would go to it.
            storelib.runtime.LOGGER.handlers.clear()
            with contextlib.redirect_stderr(said), plan.planted():
                code = action()
        except BaseException:
            said.write(traceback.format_exc())
        finally:
            plan.is_on = False
            with contextlib.suppress(BrokenPipeError):
                os.write(plan.answer, f"{plan.count} {said.getvalue()[-60_000:]}".encode())
            os._exit(code)
    return child, pipe


def contents(project: Project, names: Sequence[str]) -> dict[str, bytes]:
    """The outputs that are there."""
    return {name: (project / name).read_bytes() for name in names if (project / name).is_file()}


def drawn_faults(operations: int, drawn: random.Random) -> list[Fault]:
    """Every fault of a stage, in an order that is drawn: each k with each kind, once and for good."""
    every = [
        Fault(k, kind, lasting)
        for k in range(1, operations + 1)
        for kind in KINDS
        for lasting in (False, True)
        if not (lasting and kind == "kill")
    ]
    drawn.shuffle(every)
    return every
