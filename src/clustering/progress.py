"""Follow a runner at work: as its own lines, as a live display, as JSON lines, or silently."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from clustering.runners import call, environment


class Mode(StrEnum):
    """How a run is shown."""

    plain = "plain"
    live = "live"
    json = "json"
    quiet = "quiet"


def choose_mode(*, quiet: bool, as_json: bool, terminal: bool) -> Mode:
    """What was asked for; by default live on a terminal and plain elsewhere."""
    if as_json:
        return Mode.json
    if quiet:
        return Mode.quiet
    return Mode.live if terminal else Mode.plain


def emit(event: str, **fields: Any) -> None:
    """One JSON object on one line."""
    sys.stdout.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


class Follower:
    """Understands lines of Snakemake and of DVC: which stage starts or ends, and how far the run is."""

    def __init__(self, total: int | None = None) -> None:
        self.done = 0
        self.total = total
        self.rule = ""
        self.category = ""
        self.names: dict[str, str] = {}

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
            self.rule = ""
            return "started", stage
        elif found := re.match(r"Finished jobid: (\d+) \(Rule: (\w+)\)", line):
            self.done += 1
            return "finished", self.names.get(found[1], found[2])
        elif found := re.match(r"(\d+) of (\d+) steps", line):
            self.done, self.total = int(found[1]), int(found[2])
        elif found := re.match(r"total +(\d+)$", line):
            self.total = int(found[1])
        return None

    def dvc(self, line: str) -> tuple[str, str] | None:
        """Lines such as `Running stage 'merge_segments@beauty':`."""
        if found := re.match(r"Running stage '(.+)':$", line):
            stage = found[1].replace("@", "/")
            self.done += 1
            return "started", stage
        if found := re.match(r"Stage '(.+)' (?:didn't change|is cached)", line):
            self.done += 1
            return "skipped", found[1].replace("@", "/")
        return None


def follow(root: Path, program: str, arguments: Sequence[str], mode: Mode, console: Console, total: int | None) -> int:
    """Run a runner in the project and show it; returns its exit code.

    total: how many stages there are, where that is known before (Snakemake says it itself).
    """
    if mode is Mode.plain:
        return call(root, program, arguments)
    follower = Follower(total)
    process = subprocess.Popen(
        [sys.executable, "-m", program, *arguments],
        cwd=root,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with process, Progress(*columns, console=console, transient=True, disable=mode is not Mode.live) as bar:
        task = bar.add_task("starting", total=total)
        try:
            for line in process.stdout or ():
                event = follower.read(line.rstrip("\n"))
                if event and mode is Mode.json:
                    emit("stage", state=event[0], stage=event[1], done=follower.done, total=follower.total)
                bar.update(task, completed=follower.done, total=follower.total)
                if event and event[0] == "started":
                    bar.update(task, description=event[1])
        except KeyboardInterrupt:
            process.wait()
            raise
    return process.returncode
