"""Run one command as a whole process, and write what it took as JSON: seconds, and the most memory.

A process of its own, and a small one: Linux counts the memory of whoever started a process as that process's own.

usage: python benchmarks/bench/launch.py RESULT -- COMMAND...

`seconds` run from start to end. `peak_mb` is the resident memory of the largest process of the tree, as the system counted it;
`tree_mb` that of all of them together, looked at five times a second, memory that they share counted once for each.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

# The system counts in kilobytes, macOS in bytes.
UNIT = 1e6 if sys.platform == "darwin" else 1e6 / 1024


def memory_of(family: psutil.Process) -> float:
    """Resident bytes of a process and all below it."""
    total = 0
    try:
        for process in (family, *family.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        # It ended while it was looked at.
        pass
    return total


def measure(command: list[str]) -> tuple[int, dict[str, float]]:
    """Exit code, and what it took."""
    largest, ended = 0.0, threading.Event()

    def look(number: int) -> None:
        nonlocal largest
        family = psutil.Process(number)
        while not ended.wait(0.2):
            largest = max(largest, memory_of(family))

    started = time.perf_counter()
    process = subprocess.Popen(command)
    watcher = threading.Thread(target=look, args=(process.pid,))
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    ended.set()
    watcher.join()
    peak = usage.ru_maxrss / UNIT
    return process.returncode, {"seconds": seconds, "peak_mb": peak, "tree_mb": max(largest / 1e6, peak)}


def main() -> None:
    """Run, write, and leave as the command did."""
    result, _, *command = sys.argv[1:]
    code, found = measure(command)
    Path(result).write_text(json.dumps(found), encoding="utf-8")
    raise SystemExit(code)


if __name__ == "__main__":
    main()
