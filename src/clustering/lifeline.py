"""What a command starts ends with the command, however that ends; and what one left all the same is found by the next.

Everything that a command starts while it holds a project (`runners.only_run`) carries a mark in its environment, which its
own children inherit. A small process outside the command's group waits for the end of a pipe, which the system closes when
the command is gone, and then ends whatever carries the mark. A group or a session of processes would not do: what a job's
runner starts may well have its own.
"""

import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import psutil

from clustering.surroundings import exported
from storelib.names import MARK

# Between the marks of commands that were started by one another, and between a mark's project and its own name.
NEXT, PART = "\n", "\t"
# Seconds that a process has to end by itself, and to be gone after it was killed.
PATIENCE, KILLED = 5.0, 5.0
# Waits for the end of its input, in a few megabytes; then it is this module. A word before the end: all is well.
WAITER = "import os,sys; os.read(0, 1) or os.execv(sys.executable, [sys.executable, '-P', '-m', 'clustering.lifeline', *sys.argv[1:]])"


@contextmanager
def lifeline(root: Path) -> Iterator[str]:
    """While this lasts, what this process starts ends with it. Gives the mark.

    Signals that would end this process become KeyboardInterrupt: what it has begun is ended and recorded. Left by an error,
    it ends what still runs.
    """
    mark = f"{root.resolve()}{PART}{secrets.token_hex(8)}"
    words = [sys.executable, "-I", "-S", "-c", WAITER, mark]
    waiter = subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True, cwd="/")
    marks = NEXT.join([*filter(None, [os.environ.get(MARK)]), mark])
    try:
        with exported(MARK, marks), ended_in_order():
            try:
                yield mark
            except BaseException:
                end_started()
                raise
    finally:
        waiter.communicate(b".")


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Let SIGTERM and SIGHUP interrupt, as ^C does; a second one ends this process at once. What is ignored stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt(signal.Signals(number).name)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is signal.SIG_DFL:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_started() -> int:
    """End what this command has started. How many processes there were."""
    own = os.environ.get(MARK, "").rpartition(NEXT)[2]
    return end(lambda marks: own in marks) if own else 0


def end_left(root: Path, mark: str) -> int:
    """End what an earlier command of a project has left; mark: of the one at work, which holds the project. How many there were."""
    begin = f"{root.resolve()}{PART}"
    return end(lambda marks: any(one.startswith(begin) for one in marks) and mark not in marks)


def end(is_one: Callable[[list[str]], bool]) -> int:
    """End the processes whose marks are so, and what they start meanwhile: asked first, then killed. How many there were."""
    known: set[int] = set()
    while found := marked(is_one):
        asked = [process for process in found if process.pid not in known]
        for process in found:
            try:
                process.terminate() if process in asked else process.kill()
            except psutil.NoSuchProcess:
                continue
        known |= {process.pid for process in found}
        _, alive = psutil.wait_procs(found, PATIENCE if asked else KILLED)
        if alive and not asked:
            break
    return len(known)


def marked(is_one: Callable[[list[str]], bool]) -> list[psutil.Process]:
    """The processes whose marks are so, but for this one and its parents."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in own and process.status() != psutil.STATUS_ZOMBIE:
                marks = process.environ().get(MARK)
                if marks and is_one(marks.split(NEXT)):
                    found.append(process)
        except (psutil.Error, OSError):
            # Gone by now, or another user's.
            continue
    return found


if __name__ == "__main__":
    end(lambda marks: sys.argv[1] in marks)
