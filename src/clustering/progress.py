"""Follow a runner at work: as its own lines, as a live display, as JSON lines, or silently."""

import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from clustering.jobs import JOBS
from clustering.runners import call, environment
from clustering.secrets import redact
from clustering.shown import Mode, emit


class Follower:
    """Understands lines of Snakemake and of DVC: which stage starts or ends, and how far the run is."""

    def __init__(self, total: int | None = None) -> None:
        self.done = 0
        self.total = total
        self.rule = ""
        self.category = ""
        self.names: dict[str, str] = {}
        self.running: list[str] = []

    def read(self, line: str) -> tuple[str, str] | None:
        """`started`, `finished` or `skipped` and the stage that it is about; None for other lines."""
        return self.snakemake(line) or self.dvc(line)

    def snakemake(self, line: str) -> tuple[str, str] | None:
        """Lines such as `rule cluster_stores:`, `Finished jobid: 3 (Rule: x)`, `4 of 25 steps (16%) done`."""
        if found := re.match(r"(?:local)?(?:rule|checkpoint) (\w+):$", line):
            self.rule, self.category = found[1], ""
        elif found := re.match(r"    wildcards: (?:category|env)=(\w+)", line):
            self.category = found[1]
        elif found := re.match(r"    jobid: (\d+)$", line):
            self.names[found[1]] = self.rule
        elif self.rule and re.match(r"    (threads|resources): ", line):
            # The last lines of a block: by now its wildcards are known.
            stage = f"{self.rule}/{self.category}" if self.category else self.rule
            self.names = {job: stage if name == self.rule else name for job, name in self.names.items()}
            # A job is a rule too, of no work.
            self.running += [] if self.rule in JOBS else [stage]
            self.rule = ""
            return "started", stage
        elif found := re.match(r"Finished jobid: (\d+) \(Rule: (\w+)\)", line):
            self.done += 1
            stage = self.names.get(found[1], found[2])
            self.running = [name for name in self.running if name != stage]
            return "finished", stage
        elif found := re.match(r"(\d+) of (\d+) steps", line):
            self.done, self.total = int(found[1]), int(found[2])
        elif found := re.match(r"total +(\d+)$", line):
            self.total = int(found[1])
        return None

    def dvc(self, line: str) -> tuple[str, str] | None:
        """Lines such as `Running stage 'merge_segments@beauty':`."""
        if found := re.match(r"Running stage '(.+)':$", line):
            stage = found[1].replace("@", "/")
            # One at a time; that the one before has ended is not said.
            self.running = [stage]
            self.done += 1
            return "started", stage
        if found := re.match(r"Stage '(.+)' (?:didn't change|is cached)", line):
            self.done += 1
            return "skipped", found[1].replace("@", "/")
        return None


class Display:
    """A run on a terminal: how far it is and the time left, and below it the stages at work, by category."""

    def __init__(self, job: str, total: int | None, console: Console) -> None:
        self.whole = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
        )
        self.task = self.whole.add_task(job, total=total)
        self.stages = Progress(
            TextColumn("  {task.description}"),
            TextColumn("{task.fields[category]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self.shown: dict[str, TaskID] = {}
        # The last line is a short one: where the terminal echoes ^C at its end, it must not begin another.
        self.live = Live(Group(self.whole, self.stages), console=console, transient=True)

    def update(self, follower: Follower) -> None:
        """Show what the follower knows by now."""
        self.whole.update(self.task, completed=follower.done, total=follower.total)
        for stage in [name for name in self.shown if name not in follower.running]:
            self.stages.remove_task(self.shown.pop(stage))
        for stage in [name for name in follower.running if name not in self.shown]:
            name, _, category = stage.partition("/")
            self.shown[stage] = self.stages.add_task(name, total=None, category=category)


def follow(
    root: Path,
    program: str,
    arguments: Sequence[str],
    mode: Mode,
    console: Console,
    *,
    job: str,
    log: Path,
    total: int | None = None,
) -> int:
    """Run a runner in the project and show it; returns its exit code.

    log: takes the runner's own words, where they are not shown; total: how many stages there are, where that is known before
    (Snakemake says it itself).
    """
    if mode is Mode.plain:
        return call(root, program, arguments)
    follower, display = Follower(total), Display(job, total, console)
    process = subprocess.Popen(
        [sys.executable, "-m", program, *arguments],
        cwd=root,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    with (
        log.open("w", encoding="utf-8") as words,
        process,
        display.live if mode is Mode.live else nullcontext(),
    ):
        try:
            for line in process.stdout or ():
                words.write(redact(line))
                event = follower.read(line.rstrip("\n"))
                if event and mode is Mode.json:
                    emit("stage", state=event[0], stage=event[1], done=follower.done, total=follower.total)
                display.update(follower)
        except KeyboardInterrupt:
            process.wait()
            raise
    return process.returncode
