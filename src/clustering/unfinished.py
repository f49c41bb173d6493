"""What a command, or a stage, that was killed leaves behind, and how it is put right.

Three kinds of names are ours: a file that was being written (`.segments.parquet.4711.tmp`, see `storelib.tables.replacing`), the
folder of a fetch (`.fetch-4711.tmp`), and the snapshot that a new one was about to replace (`.sales.old.tmp`).
"""

import os
import re
import shutil
from pathlib import Path

import psutil

WRITTEN = re.compile(r"\..+\.\d+\.tmp", re.DOTALL)
FETCHED = re.compile(r"\.fetch-(\d+)\.tmp")
RETIRED = re.compile(r"\.(.+)\.old\.tmp", re.DOTALL)


def stage_of_fetch(folder: Path) -> Path:
    """Where a fetch of this process puts what it brings, beside the snapshots."""
    return folder / f".fetch-{os.getpid()}.tmp"


def retired(target: Path) -> Path:
    """Where the old snapshot is while the new one takes its place."""
    return target.with_name(f".{target.name}.old.tmp")


def finish_exchange(target: Path) -> None:
    """After a kill: the old snapshot comes back where the new one had not arrived, and otherwise goes."""
    old = retired(target)
    if os.path.lexists(old) and not os.path.lexists(target):
        old.rename(target)
    remove(old)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def clear_up(folder: Path) -> None:
    """Put right what was left anywhere below a folder. Nobody may be at work in it: `runners.only_run` sees to that."""
    for name, folders, files in os.walk(folder):
        here = Path(name)
        for entry in (*folders, *files):
            if found := RETIRED.fullmatch(entry):
                finish_exchange(here / found[1])
            elif found := FETCHED.fullmatch(entry):
                # Two projects may share a folder of raw files, by links.
                if int(found[1]) == os.getpid() or not psutil.pid_exists(int(found[1])):
                    remove(here / entry)
            elif entry in files and WRITTEN.fullmatch(entry):
                remove(here / entry)
        # What is gone by now needs no look; nor has anyone but the user put anything behind a hidden folder's name.
        folders[:] = [entry for entry in folders if not entry.startswith(".")]
