"""Follow a runner at work: as a line for each stage, as a live display, as JSON lines, or silently."""

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TextIO

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

from clustering.dvc_output import read_line
from clustering.events import Event, EventFile, is_work, logger_options, stage_of
from clustering.jobs import JOBS
from clustering.runners import environment, give_up, launched
from clustering.secrets import redact
from clustering.shown import Mode, emit

# Seconds between two looks at what has happened.
LOOK = 0.1


class Follower:
    """How far a run is: which stages are at work, how many steps are done, of how many."""

    def __init__(self, total: int | None = None) -> None:
        self.done = 0
        self.total = total
        self.names: dict[int, str] = {}
        self.running: list[str] = []

    def snakemake(self, event: Event) -> tuple[str, str] | None:
        """An event of Snakemake. Returns `started`, `finished` or `failed` and the stage; None for other events."""
        match event["event"]:
            case "run_info":
                self.total = event["total"]
            case "progress":
                self.done, self.total = event["done"], event["total"]
            case "job_info":
                stage = self.names[event["job"]] = stage_of(event)
                self.running += [stage] if is_work(event) else []
                return "started", stage
            case "job_finished" | "job_error" as how:
                stage = self.names.get(event["job"], "")
                self.running = [name for name in self.running if name != stage]
                if how == "job_error":
                    return "failed", stage
                self.done += 1
                return "finished", stage
        return None

    def dvc(self, line: str) -> tuple[str, str] | None:
        """A line of `dvc repro`. Returns `started`, `skipped` or `failed` and the stage; None for other lines."""
        found = read_line(line)
        if found:
            state, stage = found
            # One at a time; that the one before has ended is not said.
            self.running = [stage] if state == "started" else []
            self.done += state != "failed"
        return found


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

    log: takes the runner's own words, and Snakemake's events go beside it; total: how many stages
    there are, where that is known before (Snakemake says it itself).
    """
    follower, display = Follower(total), Display(job, total, console)
    lines: SimpleQueue[str] = SimpleQueue()
    events = EventFile(log.with_name("events.jsonl"))
    options = logger_options(events.path) if program != "dvc" else []

    def changes() -> Iterator[tuple[str, str] | None]:
        yield from map(follower.snakemake, events.new())
        while not lines.empty():
            line = lines.get()
            yield follower.dvc(line) if program == "dvc" else None

    process = subprocess.Popen(
        [*launched(program), *options, *arguments],
        cwd=root,
        env=environment(root),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    with log.open("w", encoding="utf-8") as words, process, display.live if mode is Mode.live else nullcontext():
        reader = Thread(target=keep_words, args=(process.stdout, words, lines))
        reader.start()
        try:
            at_work = True
            while at_work:
                # Before the look: what comes until it has ended is seen by that last one.
                at_work = reader.is_alive()
                for change in changes():
                    if change and mode is Mode.json:
                        emit("stage", state=change[0], stage=change[1], done=follower.done, total=follower.total)
                    elif change and mode is Mode.plain:
                        tell_stage(console, *change, follower)
                    display.update(follower)
                reader.join(LOOK)
        except BaseException:
            # After ^C, which the runner gets from the terminal too: it ends its stages, and says so. After another signal it
            # knows of nothing.
            give_up(process)
            raise
        reader.join()
    return process.returncode


def tell_stage(console: Console, state: str, stage: str, follower: Follower) -> None:
    """One short line of a stage that is done, or of DVC's that has begun; a job of ours is no stage."""
    # DVC does not say that a stage has ended, Snakemake says both.
    if stage.partition("/")[0] in JOBS or state == "skipped" or (state == "started" and follower.names):
        return
    whole = f"{follower.total}" if follower.total else "?"
    text = f"{follower.done:>{len(whole)}}/{whole} {stage}{'' if state in {'finished', 'started'} else f' {state}'}"
    console.print(text, soft_wrap=True, highlight=False, markup=False)


def keep_words(said: Iterable[str], words: TextIO, lines: "SimpleQueue[str]") -> None:
    """Write what a runner says to its log, less what is secret, until it says no more; lines: takes each as well."""
    for line in said:
        words.write(redact(line))
        lines.put(line)
