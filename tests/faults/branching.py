"""The faults of a stage from one run of it: before a file operation the process forks, and the operation fails in the fork alone.

So nothing that comes before an operation is done again for each of its faults. The fork has a copy of the project in the place of
the project, by a mount that it alone sees (which takes root on Linux), and what it does to files does not concern the process
that goes on. While DuckDB has threads at work a process cannot be forked: the faults of such an operation are handed back, as are
those of a fork that does not end.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import NamedTuple

from bad_input.project import Project, Stage
from faults.injection import Ended, Fault, Plan, ended, in_stage, start_fork

CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 4096, 16384, 1 << 18
# Threads of Arrow, which starts them anew in a fork, and the process's own; DuckDB has more.
FEW = 5
# Seconds after which a fork is ended.
PATIENCE = 30


class Branch(NamedTuple):
    """What came of one fault. project: the copy that it happened to; ended: None where it could not be planted so."""

    fault: Fault
    ended: Ended | None
    project: Project


def can_branch() -> bool:
    """Whether a process may have mounts of its own here."""
    return sys.platform.startswith("linux") and os.geteuid() == 0


def put_in_place(copy: str, root: str) -> None:
    """Have this process, and no other, see a folder in another's place."""
    system = ctypes.CDLL(None, use_errno=True)
    done = (
        system.unshare(CLONE_NEWNS) == 0
        and system.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0
        and system.mount(copy.encode(), root.encode(), None, MS_BIND, None) == 0
    )
    if not done:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), root)
    os.chdir(root)


class Brancher:
    """In the process that runs the stage: forks for each fault of the operation that comes next."""

    def __init__(self, root: Path, copies: Path, faults: Sequence[Fault], said_to: int, told_by: int) -> None:
        self.root = root
        self.copies = copies
        self.said_to = said_to
        self.told_by = told_by
        self.of: dict[int, list[Fault]] = {}
        for fault in faults:
            self.of.setdefault(fault.k, []).append(fault)

    def __call__(self, plan: Plan) -> Fault | None:
        """The fault, in a fork that is to have it; None in the process that goes on."""
        for fault in self.of.get(plan.count, ()):
            place = self.copies / f"{fault.k}-{fault.kind}-{fault.lasting}"
            if len([*Path("/proc/self/task").iterdir()]) > FEW:
                self.tell(fault, None, place)
                continue
            # By links: stages put a new file in an old one's place, and who looks at the project afterwards tells of one that did not.
            shutil.copytree(self.root, place, symlinks=True, copy_function=os.link)
            child, reading = start_fork()
            if not child:
                os.dup2(reading, plan.answer)
                os.close(reading)
                signal.alarm(PATIENCE)
                put_in_place(str(place), str(self.root))
                return fault
            how = ended(child, reading)
            self.tell(fault, None if how.code == -signal.SIGALRM else how, place)
        return None

    def tell(self, fault: Fault, how: Ended | None, place: Path) -> None:
        """Say how it ended, and wait until that was looked at."""
        os.write(self.said_to, (json.dumps([fault, how, str(place)]) + "\n").encode())
        os.read(self.told_by, 1)


def branches(project: Project, stage: Stage, faults: Sequence[Fault], copies: Path) -> Generator[Branch]:
    """Run a stage once with all of these faults beside it; gives each as it ends.

    copies: a folder for the copies of the project, each of which is removed once it was looked at.
    """
    results, said_to = os.pipe()
    told_by, go_on = os.pipe()
    copies.mkdir()
    brancher = Brancher(project.root, copies, faults, said_to, told_by)
    child, reading = in_stage(project, stage, brancher)
    os.close(said_to)
    os.close(told_by)
    try:
        with os.fdopen(results, encoding="utf-8") as lines:
            for line in lines:
                fault, how, place = json.loads(line)
                yield Branch(Fault(*fault), Ended(*how) if how else None, Project(Path(place)))
                shutil.rmtree(place, ignore_errors=True)
                os.write(go_on, b".")
        whole = ended(child, reading)
        assert whole.code == 0, f"the stage beside which its faults were: {whole}"
    except GeneratorExit:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        ended(child, reading)
        raise
    finally:
        os.close(go_on)
        shutil.rmtree(copies)
