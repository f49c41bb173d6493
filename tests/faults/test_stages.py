"""Whatever file operation of a stage fails, and however: no partial file under its name, two lines, and the next run is right."""

import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from bad_input.project import Project, Stage
from clustering.unfinished import clear_project
from faults.branching import branches, can_branch
from faults.injection import Ended, Fault, contents, drawn_faults, run_forked

Told = Callable[[str, int, int], None]
# One in so many is run again without a fault, though the project is as it was before.
AGAIN = 100
# Processes that share the stages; the faults that each plants however long that takes, and those of one stage in a turn at least.
PARTS, LEAST, AT_ONCE = 4, 6, 4


class State(NamedTuple):
    """A file: its inode, size and time, and what is in it."""

    stamp: tuple[int, int, int]
    content: bytes


class Looked:
    """A stage before its faults: what its project holds, its outputs away."""

    def __init__(self, project: Project, stage: Stage) -> None:
        self.stage = stage
        self.whole = states_of(project)
        self.clean = contents(project, stage.outputs)
        for out in stage.outputs:
            (project / out).unlink(missing_ok=True)
        self.before = {name: state for name, state in self.whole.items() if name not in self.clean}
        self.again = 0

    def wrong(self, project: Project, fault: Fault, ended: Ended, drawn: random.Random) -> list[str]:
        """What is not as it has to be after a fault; and after the same stage again, where the project is not as it was."""
        stage, clean = self.stage, self.clean
        left = contents(project, stage.outputs)
        wrong = [out for out, content in left.items() if content != clean[out]]
        wrong += ["lost"] if ended.code == 0 and left.keys() != clean.keys() else []
        wrong += ["part"] if ended.code > 0 and left and left.keys() != clean.keys() and not fault.lasting else []
        wrong += ["traceback"] if ended.code not in {0, -9} and not is_told(ended.said) else []
        # As the next run does before it starts.
        clear_project(project.root)
        changed = changes(project, self.before) - left.keys()
        wrong += [f"{name} is not as it was" for name in changed if not name.startswith(".clustering/")]
        # A project that is as it was before the stage gives what it gave.
        if (changed and left.keys() != clean.keys()) or not drawn.randrange(AGAIN):
            again = run_forked(project, stage)
            self.again += 1
            wrong += [] if again.code == 0 and contents(project, stage.outputs) == clean else [f"again: {again.said}"]
            wrong += [name for name in stamps_of(project.root) if name.endswith(".tmp")]
        return [f"{stage.name} {fault}: code {ended.code} {wrong} {ended.said[-1500:]}"] if wrong else []


def stamps_of(root: Path) -> dict[str, tuple[int, int, int]]:
    """Every file of a project but its logs."""
    found = {}
    for name, folders, files in os.walk(root):
        below = name.removeprefix(str(root)).strip("/")
        if not below:
            folders[:] = [folder for folder in folders if folder != "logs"]
        for file in files:
            state = os.stat(f"{name}/{file}")  # noqa: PTH116 (of ten thousand copies)
            found[f"{below}/{file}".strip("/")] = state.st_ino, state.st_size, state.st_mtime_ns
    return found


def states_of(project: Project) -> dict[str, State]:
    """The same with what is in them."""
    return {name: State(stamp, (project / name).read_bytes()) for name, stamp in stamps_of(project.root).items()}


def changes(project: Project, before: dict[str, State]) -> set[str]:
    """The files of a project that were not there before, or hold something else, or are gone."""
    now = stamps_of(project.root)
    new = {name for name, stamp in now.items() if name not in before or before[name].stamp != stamp}
    return {name for name in new if name not in before or before[name].content != (project / name).read_bytes()} | (
        before.keys() - now.keys()
    )


def put_back(project: Project, before: dict[str, State]) -> None:
    """Have a project hold these files again, and no others but its logs."""
    for name in changes(project, before):
        if name in before:
            project.write(name, before[name].content)
        else:
            (project / name).unlink()


def planted(
    project: Project, stage: Stage, faults: Sequence[Fault], copies: Path
) -> Iterator[tuple[Fault, Ended, Project]]:
    """Each of these faults of a stage, how the stage ended, and the project in which it did.

    They come out of one run of the stage, where that can be; otherwise each has a run to itself.
    """
    apart = list(faults)
    if can_branch():
        apart = []
        with closing(branches(project, stage, faults, copies)) as branched:
            for branch in branched:
                if branch.ended is None:
                    apart.append(branch.fault)
                else:
                    yield branch.fault, branch.ended, branch.project
    before = states_of(project)
    for fault in apart:
        put_back(project, before)
        for out in stage.outputs:
            (project / out).unlink(missing_ok=True)
        yield fault, run_forked(project, stage, fault), project


@pytest.mark.parametrize("part", range(PARTS))
def test_failing_operations_of_every_stage(
    whole: Project, memory: Path, many: int, seed: int, told: Told, in_time: Callable[[], bool], part: int
) -> None:
    drawn = random.Random(seed)  # noqa: S311 (nothing secret)
    injected, ran, harmed = 0, 0, []
    stages = [stage for name, stage in whole.stages().items() if all((whole / out).is_file() for out in stage.outputs)]
    stages = stages[part::PARTS]
    at_once = max(AT_ONCE, -(-many // PARTS // len(stages)))
    left_of: dict[str, list[Fault]] = {}
    while stages and injected < many // PARTS and (injected < LEAST or in_time()):
        stage = stages.pop(0)
        if stage.name not in left_of:
            counted = run_forked(whole, stage)
            assert counted.code == 0, counted.said
            left_of[stage.name] = drawn_faults(counted.operations, drawn)
        faults, left_of[stage.name] = left_of[stage.name][:at_once], left_of[stage.name][at_once:]
        if left_of[stage.name]:
            stages.append(stage)
        looked = Looked(whole, stage)
        for fault, ended, project in planted(whole, stage, faults, memory / f"copies-{part}"):
            injected += 1
            harmed += looked.wrong(project, fault, ended, drawn)
            if injected >= LEAST and not in_time():
                break
        ran += looked.again
        put_back(whole, looked.whole)
    told(
        f"file operations of {len(left_of)} stages, part {part + 1} of {PARTS} ({ran} run again)",
        injected,
        injected - len(harmed),
    )
    assert not harmed, f"{len(harmed)} of {injected}: " + "\n".join(harmed[:5])


def is_told(said: str) -> bool:
    """Two lines, and no traceback."""
    return bool(re.search(r"Error: .+\n.*Solution: .+", said)) and "Traceback" not in said
