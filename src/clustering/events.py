"""What Snakemake does or would do, as events: its logger plugin `snakemake_logger_plugin_clustering` writes them, a line each."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from clustering.jobs import JOBS
from clustering.runners import ask, cause, why
from storelib.errors import PipelineError

Event = dict[str, Any]


def logger_options(path: Path) -> list[str]:
    """Options that make Snakemake write its events to a file. Another option must follow: --logger takes several names."""
    return ["--logger", "clustering", "--logger-clustering-events", str(path)]


class EventFile:
    """The events of a file that is still being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read = 0

    def new(self) -> Iterator[Event]:
        """Those that came since the last look. A line that is not whole waits; a writer that dies may never end it."""
        if not self.path.is_file():
            return
        with self.path.open("rb") as handle:
            handle.seek(self.read)
            for line in handle:
                if not line.endswith(b"\n"):
                    return
                self.read += len(line)
                yield json.loads(line)


def stage_of(event: Mapping[str, Any]) -> str:
    """The stage that a job is, such as `merge_segments/beauty`: its rule and what its wildcards stand for."""
    return "/".join([event["rule"], *event["wildcards"].values()])


def is_work(event: Mapping[str, Any]) -> bool:
    """Whether an event is a stage that starts, or would; a job of ours is a rule too, of no work."""
    return event["event"] == "job_info" and event["rule"] not in JOBS


def ask_snakemake(root: Path, arguments: Sequence[str], *, aside: bool = False) -> list[Event]:
    """Run Snakemake in the project for its events alone. aside: as in `ask`. Raises PipelineError with its own words where it fails."""
    with tempfile.TemporaryDirectory(prefix=f"clustering-events-{os.getpid()}-") as folder:
        path = Path(folder) / "events.jsonl"
        result = ask(root, "snakemake", [*logger_options(path), *arguments], aside=aside)
        events = list(EventFile(path).new())
    # Without its start none of its events came: that nothing is told must not be taken for nothing to do.
    if result.returncode or "workflow_started" not in {event["event"] for event in events}:
        raise PipelineError(mistake(events, result), solution="run `snakemake --dry-run --cores 1` to see why")
    return events


def mistake(events: Sequence[Event], result: subprocess.CompletedProcess[str]) -> str:
    """Why Snakemake failed, in its words; where that is an error of ours, in ours."""
    said = "\n".join(event["message"] for event in events if event["event"] == "error")
    if "Traceback (most recent call last)" in said:
        return cause(said)
    lines = [line.strip() for line in said.splitlines() if line.strip() not in {"", "None"}]
    ours = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")]
    return (ours or [" ".join(lines) or why(result)])[0]


def planned(root: Path, job: str, more: Sequence[str] = (), *, aside: bool = False) -> list[Event]:
    """The stages that Snakemake would run for a job, each with its reason; nothing is run. aside: as in `ask`."""
    events = ask_snakemake(root, ["--dry-run", "--cores", "1", "--quiet", "all", *more, "--", job], aside=aside)
    return [event for event in events if is_work(event)]
