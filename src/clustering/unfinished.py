"""What a command, or a stage, that was killed leaves behind, and how it is put right.

Three kinds of names are ours: a file that was being written (`.segments.parquet.4711.tmp`, see `storelib.tables.replacing`), the
folder of a fetch (`.fetch-4711.tmp`), and the snapshot that a new one was about to replace (`.sales.old.tmp`). One is DVC's: a file
that it was copying (`.PvR7vLLxpHWb0MyULPSQeg.tmp`). Where the system keeps temporary files, a folder of ours says whose it was
(`clustering-4711-x8v2l_0q`).
"""

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable
from pathlib import Path

import psutil

from storelib.names import STATE

WRITTEN = re.compile(r"\..+\.\d+\.tmp", re.DOTALL)
FETCHED = re.compile(r"\.fetch-(\d+)\.tmp")
# As DVC names a file until it is whole: sixteen random bytes in letters.
COPIED = re.compile(r".*\.[\w-]{22}\.tmp", re.DOTALL)
TEMPORARY = re.compile(r"clustering-(?:[a-z]+-)*(\d+)-\w{8}")
RETIRED = re.compile(r"\.(.+)\.old\.tmp", re.DOTALL)
# Seconds after which a file that was being written where others may write too is taken for one that a kill left.
LEFT_S = 3600.0
# Seconds for which a folder in DVC's cache has to be empty before a kill is the reason.
MOMENT_S = 1.0


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


def clear_project(root: Path) -> None:
    """Put right what was left anywhere in a project, where this command or a stage writes. Nobody may be at work in it."""
    clear_up(root, below=False)
    for name in ("data", "reports", "configs", STATE):
        clear_up(root / name)


def clear_up(folder: Path, *, below: bool = True) -> None:
    """Put right what was left in a folder, and below it. Nobody may be at work in it: `runners.only_run` sees to that."""
    for name, folders, files in os.walk(folder):
        here = Path(name)
        for entry in (*folders, *files):
            if found := RETIRED.fullmatch(entry):
                finish_exchange(here / found[1])
            elif found := FETCHED.fullmatch(entry):
                # Two projects may share a folder of raw files, by links.
                if int(found[1]) == os.getpid() or not psutil.pid_exists(int(found[1])):
                    remove(here / entry)
            elif entry in files and (WRITTEN.fullmatch(entry) or COPIED.fullmatch(entry)):
                remove(here / entry)
        # What is gone by now needs no look; nor has anyone but the user put anything behind a hidden folder's name.
        folders[:] = [entry for entry in folders if below and not entry.startswith(".")]


def clear_cache(folder: Path) -> None:
    """Remove what DVC was copying into its cache an hour ago or more: experiments of its queue may be at work.

    A folder of notes in which there is none goes too, once it has been so for a moment: DVC makes one right before it writes, and
    cannot run a stage whose folder a kill left empty ("join() argument must be str").
    """
    clear_old(folder.rglob("*.tmp"), COPIED)
    if empty := [path for path in folder.glob("runs/*/*") if is_empty(path)]:
        time.sleep(MOMENT_S)
        remove_empty(empty)


def is_empty(path: Path) -> bool:
    """Whether it is a folder in which there is nothing."""
    return path.is_dir() and not any(path.iterdir())


def remove_notes(notes: Collection[Path]) -> None:
    """Remove some of DVC's notes, and the folders in which there is none then."""
    for note in notes:
        note.unlink(missing_ok=True)
    remove_empty({note.parent for note in notes})


def remove_empty(folders: Iterable[Path]) -> None:
    """Remove those of these folders in which there is nothing."""
    for folder in folders:
        if is_empty(folder):
            # Somebody may come first.
            with contextlib.suppress(OSError):
                folder.rmdir()


def clear_published(*folders: Path) -> None:
    """Remove what a publication was writing into these folders an hour ago or more: another machine may be at work there."""
    for folder in folders:
        clear_old(folder.glob("*.tmp"), WRITTEN)


def clear_old(paths: Iterable[Path], names: re.Pattern[str]) -> None:
    """Remove the files with such names that are not of late."""
    for path in paths:
        if names.fullmatch(path.name) and path.stat().st_mtime < time.time() - LEFT_S:
            path.unlink(missing_ok=True)


def clear_temporary(folder: Path | None = None) -> None:
    """Remove the temporary folders of processes of this user that are gone. folder: where they are, by default the system's."""
    for path in (folder or Path(tempfile.gettempdir())).glob("clustering-*"):
        found = TEMPORARY.fullmatch(path.name)
        try:
            is_ours = path.is_dir() and not path.is_symlink() and path.stat().st_uid == os.getuid()
        except FileNotFoundError:
            continue
        if found and is_ours and not psutil.pid_exists(int(found[1])):
            shutil.rmtree(path, ignore_errors=True)
