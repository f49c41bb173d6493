"""Experiments over values of params.yaml, through DVC's queue."""

import itertools
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clustering.compare import Results, load_results
from clustering.dvc_state import queue, status
from clustering.runners import ask, why
from clustering.runs import git_state
from clustering.surroundings import of_experiments
from storelib.configuration.params import Params
from storelib.configuration.yaml_files import read_yaml
from storelib.errors import ConfigError, PipelineError, nearest_name

FINAL = {"Success", "Failed"}
WAIT_S = 3
LONGEST_IDLE_S = 30


@dataclass
class Experiment:
    """One experiment: its values, and what it found or why it failed."""

    name: str
    values: Mapping[str, Any]
    results: Results | None = None
    error: str = ""

    def cells(self) -> dict[str, str]:
        """What a row of a table says of it, by head: values, k of each view, segments, and recovery where it is known."""
        # Of the keys' names the last part, which tells them apart well enough on a line.
        cells = {"experiment": self.name} | {
            short_key(key, self.values): str(value) for key, value in self.values.items()
        }
        if self.results is None:
            return cells | {"result": "failed"}
        cells["result"] = "done"
        metrics = self.results.metrics
        cells |= {f"k {view}": str(k) for view, k in self.results.k.items()}
        cells |= {f"segments {key}": str(part["segments"]) for key, part in metrics["merging"].items()}
        known = metrics.get("recovery", {})
        return cells | {f"ARI {key}": f"{part['segment_ari']:.3f}" for key, part in known.items()}


def short_key(key: str, keys: Iterable[str]) -> str:
    """A key without its blocks, where no other key ends alike."""
    last = key.rpartition(".")[2]
    return last if sum(other.rpartition(".")[2] == last for other in keys) == 1 else key


def table_of(experiments: Sequence[Experiment]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: an experiment a row, and a column for what any of them has."""
    found = [experiment.cells() for experiment in experiments]
    heads = list(dict.fromkeys(head for cells in found for head in cells))
    return heads, [[cells.get(head, "") for head in heads] for cells in found]


def keys_of(settings: Sequence[str]) -> list[str]:
    """The keys that are set. Raises ValueError where there is none."""
    for text in settings:
        if not re.match(r"^[\w.:/+~-]+=.+", text):
            raise ValueError(f"{text!r} is no setting: key=value is expected, or key=value,value")
    return [text.partition("=")[0].lstrip("+~") for text in settings]


def check_keys(root: Path, keys: Sequence[str], settings: Sequence[str]) -> None:
    """Raise ConfigError for a key that params.yaml does not have; `+key` adds one, `file:key` is of another file."""
    known = set(dotted(read_yaml(root / "params.yaml")))
    for key, text in zip(keys, settings, strict=True):
        if key not in known and ":" not in key and text[0] not in "+~":
            raise ConfigError(
                f"params.yaml has no key {key!r}{nearest_name(key, known)}", solution="give a key of params.yaml"
            )


def dotted(node: Any, prefix: str = "") -> Iterator[str]:
    """Every key of a tree, of blocks and of values."""
    for key, value in node.items() if isinstance(node, dict) else ():
        yield f"{prefix}{key}"
        yield from dotted(value, f"{prefix}{key}.")


def check_experiments(root: Path, params: Params, settings: Sequence[str]) -> None:
    """Raise ConfigError where experiments could not start, or would run on other raw files than those that are here."""
    envs = [text.removeprefix("env=") for text in settings if text.startswith("env=")] or [params.env]
    for env in ",".join(envs).split(","):
        if obstacle := of_experiments(root, env, params.demo):
            raise obstacle.error("no experiment can start")
    changed = [name for name in status(root).changed if name.endswith(".dvc")]
    if changed:
        raw = changed[0].removesuffix(".dvc")
        raise ConfigError(
            f"{raw} was changed since DVC took note of it, and experiments would run on what it was",
            solution=f"dvc add {raw}, and commit",
        )


def run_sweep(
    root: Path, settings: Sequence[str], keys: Sequence[str], jobs: int, say: Callable[[str], None]
) -> list[Experiment]:
    """Queue, start, wait, and read what was found."""
    if git_state(root)["revision"] is None:
        raise ConfigError(
            f"{root} has no commit, which experiments start from",
            solution="commit the project: git add -A && git commit -m Start",
        )
    check_keys(root, keys, settings)
    flags = list(itertools.chain.from_iterable(("-S", text) for text in settings))
    # Before they start: between two states an experiment may be in no list for a moment.
    before = {revision for _, _, revision in queue(root).tasks}
    queued = ask(root, "dvc", ["exp", "run", "--queue", *flags])
    if queued.returncode:
        raise ConfigError(f"experiments cannot be queued: {why(queued)}", solution="mend the setting")
    tasks = {name: revision for name, _, revision in queue(root).tasks if revision not in before}
    names = list(tasks)
    say(f"{len(names)} experiments: {', '.join(names)}")
    try:
        started = ask(root, "dvc", ["queue", "start", "-j", str(jobs)])
        if started.returncode:
            raise PipelineError(f"the queue cannot be started: {why(started)}", solution="see `dvc queue status`")
        ended = wait(root, names, say)
    except KeyboardInterrupt:
        raise PipelineError(
            "interrupted; the experiments go on in the background",
            solution="`dvc queue status` says how far they are, `dvc queue stop --kill` ends them",
        ) from None
    return [outcome(root, name, ended[name], values_at(root, tasks[name], keys)) for name in names]


def wait(root: Path, names: Sequence[str], say: Callable[[str], None]) -> dict[str, str]:
    """The state of each experiment, once all have ended. Raises PipelineError where nobody works on them any more."""
    ended: dict[str, str] = {}
    idle = 0
    while True:
        now = queue(root)
        states = {name: state for name, state, _ in now.tasks}
        for name in names:
            if name not in ended and states.get(name) in FINAL:
                ended[name] = states[name]
                say(f"{len(ended)} of {len(names)}: {name}: {states[name].lower()}")
        if len(ended) == len(names):
            return ended
        # A worker starts a little after it is asked to.
        idle = idle + 1 if not now.active else 0
        if idle * WAIT_S > LONGEST_IDLE_S:
            raise PipelineError(
                f"no worker is at work, and {len(names) - len(ended)} of {len(names)} experiments have not ended",
                solution="start one with `dvc queue start`, or take them out with `dvc queue remove --queued`",
            )
        time.sleep(WAIT_S)


def outcome(root: Path, name: str, state: str, values: Mapping[str, Any]) -> Experiment:
    """What one experiment found, or the first error of its stages."""
    if state != "Success":
        log = ask(root, "dvc", ["queue", "logs", name])
        # A stage that has begun says its name; one whose flags are refused has not.
        found = re.search(r"(?m)(\S+: )?\bError: (.*)$", log.stdout + log.stderr)
        return Experiment(name, values, error=f"{found[1] or ''}{found[2]}" if found else why(log))
    return Experiment(name, values, load_results(root, name))


def values_at(root: Path, revision: str, keys: Sequence[str]) -> dict[str, Any]:
    """The values that an experiment was queued with."""
    import dvc.api

    shown = dvc.api.params_show(repo=str(root), rev=revision)
    found: dict[str, Any] = {}
    for key in keys:
        node: Any = shown
        for part in key.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        found[key] = node
    return found
