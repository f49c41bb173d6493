"""Experiments over values of params.yaml, through DVC's queue."""

import itertools
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clustering.compare import Results, load_results
from clustering.runners import ask, last_line
from lib.errors import ConfigError, PipelineError

QUEUED = re.compile(r"Queued experiment '([\w-]+)'")
FINAL = {"Success", "Failed"}
WAIT_S = 3


@dataclass
class Experiment:
    """One experiment: its values, and what it found or why it failed."""

    name: str
    values: Mapping[str, Any]
    results: Results | None = None
    error: str = ""

    def line(self) -> str:
        """Values, k per view, segments, and recovery where it is known."""
        values = ", ".join(f"{key}={value}" for key, value in self.values.items())
        if self.results is None:
            return f"{self.name}: {values}: failed: {self.error}"
        metrics = self.results.metrics
        parts = ["k " + " ".join(f"{view} {k}" for view, k in self.results.k.items())]
        parts.append("segments " + " ".join(f"{key} {part['segments']}" for key, part in metrics["merging"].items()))
        known = metrics.get("recovery", {})
        if known:
            parts.append("ARI " + " ".join(f"{key} {part['segment_ari']:.3f}" for key, part in known.items()))
        return f"{self.name}: {values}: {'; '.join(parts)}"


def keys_of(settings: Sequence[str]) -> list[str]:
    """The keys that are set. Raises ValueError where there is none."""
    for text in settings:
        if not re.match(r"^[\w.:/+~-]+=.+", text):
            raise ValueError(f"{text!r} is no setting: key=value is expected, or key=value,value")
    return [text.partition("=")[0].lstrip("+~") for text in settings]


def run_sweep(
    root: Path, settings: Sequence[str], keys: Sequence[str], jobs: int, say: Callable[[str], None]
) -> list[Experiment]:
    """Queue, start, wait, and read what was found."""
    flags = list(itertools.chain.from_iterable(("-S", text) for text in settings))
    queued = ask(root, "dvc", ["exp", "run", "--queue", *flags])
    names = QUEUED.findall(queued.stdout + queued.stderr)
    if queued.returncode or not names:
        raise ConfigError(
            f"experiments cannot be queued: {last_line(queued.stderr)}",
            solution="mend the setting; commit the project to git first if it has no commit",
        )
    say(f"{len(names)} experiments: {', '.join(names)}")
    started = ask(root, "dvc", ["queue", "start", "-j", str(jobs)])
    if started.returncode:
        raise PipelineError(
            f"the queue cannot be started: {last_line(started.stderr)}", solution="see `dvc queue status`"
        )
    ended: dict[str, str] = {}
    for states in follow_queue(root):
        new = {name: state for name, state in states.items() if name in names and state in FINAL and name not in ended}
        ended |= new
        for name, state in new.items():
            say(f"{len(ended)} of {len(names)}: {name}: {state.lower()}")
        if len(ended) == len(names):
            break
    return [outcome(root, name, ended[name], keys) for name in names]


def follow_queue(root: Path) -> Iterator[dict[str, str]]:
    """The state of each experiment, again and again."""
    while True:
        yield states_in(ask(root, "dvc", ["queue", "status"]).stdout)
        time.sleep(WAIT_S)


def states_in(text: str) -> dict[str, str]:
    """`dvc queue status` as a dictionary: rows of task, name, time and state."""
    rows = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    return {row[1]: row[-1] for row in rows if len(row) >= 3 and re.fullmatch(r"[0-9a-f]{7}", row[0])}


def outcome(root: Path, name: str, state: str, keys: Sequence[str]) -> Experiment:
    """What one experiment found, or the first error of its stages."""
    if state != "Success":
        log = ask(root, "dvc", ["queue", "logs", name])
        found = re.search(r"(\S+): Error: (.*)", log.stdout + log.stderr)
        return Experiment(name, {}, error=f"{found[1]}: {found[2]}" if found else last_line(log.stdout + log.stderr))
    return Experiment(name, values_at(root, name, keys), load_results(root, name))


def values_at(root: Path, name: str, keys: Sequence[str]) -> dict[str, Any]:
    """The values of an experiment."""
    import dvc.api

    shown = dvc.api.params_show(repo=str(root), rev=name)
    found: dict[str, Any] = {}
    for key in keys:
        node: Any = shown
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        found[key] = node
    return found
