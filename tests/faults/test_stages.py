"""Whatever file operation of a stage fails, and however: no partial file under its name, two lines, and the next run is right."""

import random
import re
from collections.abc import Callable

import pytest

from bad_input.project import Project
from clustering.unfinished import clear_project
from faults.injection import Fault, contents, drawn_faults, run_forked

Told = Callable[[str, int, int], None]
# One in so many is run again without a fault, though what it reads is as it was.
AGAIN = 20
# Processes that share the stages, and the faults that each plants however long that takes.
PARTS, LEAST = 4, 6


@pytest.mark.parametrize("part", range(PARTS))
def test_failing_operations_of_every_stage(
    whole: Project, many: int, seed: int, told: Told, in_time: Callable[[], bool], part: int
) -> None:
    drawn = random.Random(seed)  # noqa: S311 (nothing secret)
    injected, ran, harmed = 0, 0, []
    stages = [stage for name, stage in whole.stages().items() if all((whole / out).is_file() for out in stage.outputs)]
    stages = stages[part::PARTS]
    left_of: dict[str, list[Fault]] = {}
    while stages and injected < many // PARTS and (injected < LEAST or in_time()):
        stage = stages.pop(0)
        if stage.name not in left_of:
            counted = run_forked(whole, stage)
            assert counted.code == 0, counted.said
            left_of[stage.name] = drawn_faults(counted.operations, drawn)
        if left_of[stage.name]:
            stages.append(stage)
            fault = left_of[stage.name].pop()
            clean = contents(whole, stage.outputs)
            inputs = [name for name in stage.inputs if (whole / name).is_file()]
            read = contents(whole, inputs)
            for out in stage.outputs:
                (whole / out).unlink(missing_ok=True)
            ended = run_forked(whole, stage, fault)
            left = contents(whole, stage.outputs)
            injected += 1
            wrong = [out for out, content in left.items() if content != clean[out]]
            wrong += ["lost"] if ended.code == 0 and left.keys() != clean.keys() else []
            wrong += ["part"] if ended.code > 0 and left and left.keys() != clean.keys() and not fault.lasting else []
            wrong += ["input"] if contents(whole, inputs) != read else []
            wrong += ["traceback"] if ended.code not in {0, -9} and not is_told(ended.said) else []
            # As the next run does before it starts.
            clear_project(whole.root)
            if left.keys() != clean.keys() or not drawn.randrange(AGAIN):
                again = run_forked(whole, stage)
                ran += 1
                wrong += [] if again.code == 0 and contents(whole, stage.outputs) == clean else [f"again: {again.said}"]
            wrong += [path.name for path in whole.root.rglob("*.tmp")]
            if wrong:
                harmed.append(f"{stage.name} {fault}: code {ended.code} {wrong} {ended.said[-1500:]}")
    told(
        f"file operations of {len(left_of)} stages, part {part + 1} of {PARTS} ({ran} run again)",
        injected,
        injected - len(harmed),
    )
    assert not harmed, f"{len(harmed)} of {injected}: " + "\n".join(harmed[:5])


def is_told(said: str) -> bool:
    """Two lines, and no traceback."""
    return bool(re.search(r"Error: .+\n.*Solution: .+", said)) and "Traceback" not in said
