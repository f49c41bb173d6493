"""Bring the workflow's files of a project to another version, and lose nothing of the user's.

Three texts of each file count: as the project's stamp has it, as it lies there, as the new version has it. Who changed it, and only
then whose it is, follows from which two are the same. The stamp is written last: an upgrade that is cut off is run again, and finds
what it wrote to be the new version's already.
"""

import os
import shutil
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from clustering.stamps import Stamp, digest, read_stamp, write_stamp
from clustering.templates import is_workflow, stamp_of
from storelib.errors import ConfigError
from storelib.tables import replacing


class Act(Enum):
    """What is done to a file."""

    add = "add"
    replace = "replace"
    delete = "delete"
    offer = "offer"
    keep = "keep"


class Step(NamedTuple):
    """One file: what is done, where the project has it, and why it stays as it is where it does."""

    act: Act
    name: str
    why: str = ""


class Upgrade(NamedTuple):
    """All that is done. before: the version that the project has; None where it has no stamp."""

    before: str | None
    after: Stamp
    steps: list[Step]


def plan_upgrade(root: Path, source: Path, version: str) -> Upgrade:
    """What an upgrade to the files in `source` does. Raises ConfigError where it would write outside of the project."""
    if root.resolve() == source.resolve():
        raise ConfigError(
            f"{root} is where the workflow itself comes from", solution="use git to get another version of it"
        )
    stamp, after = read_stamp(root), stamp_of(source, version)
    # A stamp is a file that anyone may edit: what it says of data or of other places counts for nothing.
    known = {name: text for name, text in (stamp.files if stamp else {}).items() if is_workflow(name)}
    steps = []
    for name in sorted({*known, *after.files}):
        check_inside(root, name)
        step = step_of(name, known.get(name), digest(root / name), after.files.get(name))
        steps += [step] if step else []
    return Upgrade(stamp.version if stamp else None, after, steps)


def step_of(name: str, old: str | None, mine: str | None, new: str | None) -> Step | None:
    """What is done to a file, by the hash of what was written, what is there and what is new; None for a missing one each."""
    if mine == new:
        return None
    if mine == old:
        return Step(Act.add if mine is None else Act.delete if new is None else Act.replace, name)
    how = "deleted" if mine is None else "changed" if old else "yours, or changed"
    if new is None:
        return Step(Act.keep, name, f"{how}, and no longer part of the workflow")
    if old == new:
        return Step(Act.keep, name, f"{how}, and the same in both versions")
    return Step(Act.offer, name, how)


def check_inside(root: Path, name: str) -> None:
    """Raise ConfigError where a file lies elsewhere, behind a link."""
    folder = (root / name).parent
    if not folder.resolve().is_relative_to(root.resolve()):
        raise ConfigError(f"{folder} lies outside of {root}", solution="put a folder of the project's own in its place")


def place_of_offer(root: Path, source: Path, name: str) -> Path:
    """Where the new version of a file that the user changed goes: beside it, and over nothing."""
    number = 1
    while True:
        path = root / f"{name}.new{number if number > 1 else ''}"
        if digest(path) in {None, digest(source / name)}:
            return path
        number += 1


def upgrade(root: Path, source: Path, plan: Upgrade) -> list[Path]:
    """Do it. Returns the files that were put beside those of the user."""
    offered = []
    for step in plan.steps:
        path = root / step.name
        match step.act:
            case Act.add | Act.replace:
                copy(source / step.name, path)
            case Act.offer:
                beside = place_of_offer(root, source, step.name)
                copy(source / step.name, beside)
                offered.append(beside)
            case Act.delete:
                path.unlink()
                remove_empty(path.parent, root)
            case Act.keep:
                pass
    write_stamp(root, plan.after)
    return offered


def copy(source: Path, path: Path) -> None:
    """A copy that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        shutil.copyfile(source, temporary)


def remove_empty(folder: Path, root: Path) -> None:
    """Remove folders in which nothing is left but what Python compiled."""
    while folder != root and {entry.name for entry in os.scandir(folder)} <= {"__pycache__"}:
        shutil.rmtree(folder)
        folder = folder.parent
