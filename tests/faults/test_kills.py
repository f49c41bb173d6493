"""A run that is cut off at any moment, by any signal, and the same command again: the bytes of a run that nobody touched."""

import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from faults.killing import PATIENCE, SAID, SIGNALS, WHOM, cut_off, hashes, left_behind, said, start, work_of
from faults.small import OUTPUTS

Told = Callable[[str, int, int], None]
ENGINES = ("snakemake", "dvc")
# What there is to do in a turn, and seconds of CPU time that it takes at first guess; the measured time takes its place.
WORK = {"everything": 30.0, "some": 12.0, "brought back": 12.0, "record": 12.0}
PARTS = 2
# Signals in a row, each to a run that goes on where the one before was cut off: most of them soon.
IN_A_ROW, SOON = 10, 0.25


def run(engine: str) -> tuple[str, ...]:
    """The words of a run of everything."""
    return ("run", "full_pipeline_job", "--engine", engine, "--quiet")


def undo(root: Path, work: str, drawn: random.Random) -> None:
    """Take away what the work of a turn is to make again."""
    made = [path for name in OUTPUTS for path in (root / name).rglob("*") if path.is_file()]
    if work == "record":
        # Only what both runners know is to be written.
        (root / ".clustering" / "recorded").unlink(missing_ok=True)
        (root / "dvc.lock").unlink(missing_ok=True)
    elif work == "some":
        for path in drawn.sample(made, drawn.randint(1, 5)):
            path.unlink()
    else:
        for name in (*OUTPUTS, *([] if work == "brought back" else [".dvc/cache", ".snakemake"])):
            shutil.rmtree(root / name, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize("part", range(PARTS))
def test_same_command_again_gives_the_bytes_of_a_clean_run(
    small: Path, tmp_path: Path, kills: int, seed: int, told: Told, in_time: Callable[[], bool], part: int
) -> None:
    """Runners and what there is to do alternate; each run is cut off up to ten times, then left to end."""
    root = tmp_path / "project"
    shutil.copytree(small, root, symlinks=True)
    clean, sent, turns, harmed = hashes(small, *OUTPUTS), 0, 0, []
    longest = {(work, engine): seconds for work, seconds in WORK.items() for engine in ENGINES}
    drawn = random.Random(100 * seed + part)  # noqa: S311 (nothing secret)
    while sent < kills // PARTS and in_time():
        engine = ENGINES[turns % 2]
        work = drawn.choice([*WORK])
        turns += 1
        undo(root, work, drawn)
        (tmp_path / SAID).unlink(missing_ok=True)
        history, early = [], set()
        for _ in range(drawn.randint(1, IN_A_ROW)):
            whom = drawn.choice(WHOM)
            number = signal.SIGKILL if whom == "all" else drawn.choice(SIGNALS)
            reach = 1.05 if drawn.random() < SOON else SOON
            wait = drawn.uniform(0.2, reach * longest[work, engine])
            is_sent, is_made = cut_off(root, run(engine), whom, number, wait, drawn)
            sent += is_sent
            history.append(f"{number.name} to {whom} at {wait:.1f} s{'' if is_sent else ' (too late)'}")
            # What is there under its name is whole at any time.
            early |= {name for name, content in hashes(root, *OUTPUTS).items() if content != clean.get(name, content)}
            if is_made:
                break
        code, took = work_of(root, *run(engine))
        longest[work, engine] = max(took, longest[work, engine])
        ours, left = hashes(root, *OUTPUTS), left_behind(root)
        print(f"turn {turns} {engine} {work}: {'; '.join(history)}; then {took:.1f} s")
        differ = [name for name in clean.keys() | ours.keys() if clean.get(name) != ours.get(name)]
        # And then there is nothing to do, for either runner: what they know is what Snakemake's run looks at first.
        idle = start(root, *run("snakemake")).wait(PATIENCE)
        is_idle = "Nothing to do" in said(root)[-2000:]
        if code or idle or early or differ or left or not is_idle or "Traceback" in said(root):
            harmed.append(
                f"turn {turns} {engine} {work} ({'; '.join(history)}): codes {code} {idle}, half {sorted(early)[:5]}, "
                f"differ {sorted(differ)[:5]}, left {left}, idle {is_idle}\n{said(root)[-3000:]}"
            )
            print(harmed[-1])
            kept = tmp_path / f"harmed-{turns}"
            root.rename(kept)
            shutil.copytree(small, root, symlinks=True)
    told(f"signals to stages, runners, commands and groups in {turns} runs, part {part + 1}", sent, sent - len(harmed))
    assert not harmed, "\n".join(harmed)
