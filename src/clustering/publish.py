"""Publish the results of one recorded run to databases, folders and object stores: every target whole or not at all.

All targets are prepared before the first is committed. `reports/published/<run id>.json`, the receipt, says of each what lies
there and since when; publishing a run again completes what is missing and leaves the rest as it is.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from clustering.publish_files import FolderSink
from clustering.publish_tables import DatabaseSink
from clustering.results import Results
from clustering.secrets import filled_in, redacted
from storelib.configuration.place import Publish
from storelib.errors import DataError, PipelineError
from storelib.tables import read_json, write_text

RECEIPTS = Path("reports", "published")
Say = Callable[[str], None]
# Told of a target and of how far its work is.
Told = Callable[[str, str], None]


class Sink(Protocol):
    """One target. `shown` is its address as people and records may see it."""

    shown: str

    def prepare(self, say: Say) -> None:
        """Do all that may fail and that no reader sees."""
        ...

    def commit(self, now: datetime, say: Say) -> str:
        """Make the results current, in one step: `published`, or `unchanged` where they were already."""
        ...

    def receipt(self) -> dict[str, Any]:
        """What lies there afterwards."""
        ...

    def close(self) -> None:
        """Leave nothing behind on this machine."""
        ...


class Published(NamedTuple):
    """What became of one target."""

    target: str
    state: str
    entry: dict[str, Any]

    @property
    def warnings(self) -> list[str]:
        """What a person should know of what lies there."""
        return [
            f"{count} texts in {file['path']} begin like a formula, which a spreadsheet would compute; the format `excel` keeps "
            "them texts"
            for file in self.entry.get("files", ())
            if (count := file.get("texts_like_formulas"))
        ]


class Receipt:
    """What is known of the publication of one run; written anew at each step, so that a kill leaves the last one."""

    def __init__(self, root: Path, results: Results, tags: Mapping[str, str]) -> None:
        run = results.run
        self.path = root / RECEIPTS / f"{run['id']}.json"
        old = read_receipt(self.path)
        self.content: dict[str, Any] = {
            "run_id": run["id"],
            "env": results.env,
            "run": {key: run.get(key) for key in ("job", "engine", "start", "tags", "git")},
            "tags": old.get("tags", {}) | dict(tags),
            "sources": results.sha256,
            "targets": old.get("targets", {}),
        }

    def note(self, target: str, **fields: Any) -> dict[str, Any]:
        """Take note of what is known of a target, whose `published` stays what it was at first. Returns all of it."""
        first = self.content["targets"].get(target, {}).get("published")
        entry = fields | ({"published": first} if first else {})
        self.content["targets"][target] = entry
        write_text(json.dumps(redacted(self.content), indent=2, ensure_ascii=False) + "\n", self.path)
        return entry


def read_receipt(path: Path) -> dict[str, Any]:
    """An earlier receipt; empty where there is none that can be read, which is told."""
    if not path.is_file():
        return {}
    try:
        found = read_json(path)
    except DataError as error:
        sys.stderr.write(f"Warning: {error.args[0]}: the receipt is written anew, and every target is looked at\n")
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("targets"), dict) else {}


def publish_results(
    root: Path, results: Results, targets: Mapping[str, Publish], tags: Mapping[str, str], told: Told
) -> Iterator[Published]:
    """Publish to every target in turn, and give each as it is done.

    Raises ConfigError before anything is tried, and what `Sink` raises; the receipt then says which targets are done.
    """
    config = Path("configs", f"{results.env}.yml")
    ready = {name: filled_in(wanted, config) for name, wanted in targets.items()}
    receipt = Receipt(root, results, tags)
    with ExitStack() as stack:
        sinks: dict[str, Sink] = {}
        for name, wanted in ready.items():
            sinks[name] = sink_of(wanted, root, results)
            stack.callback(sinks[name].close)
        done: list[str] = []
        for name, sink in sinks.items():
            receipt.note(name, to=sink.shown, state="waiting")
        for name, sink in sinks.items():
            with noted_failure(receipt, name, sink, done, list(sinks)):
                sink.prepare(partial(told, name))
        for name, sink in sinks.items():
            with noted_failure(receipt, name, sink, done, list(sinks)):
                now = datetime.now(UTC)
                receipt.note(name, to=sink.shown, state="publishing")
                state = sink.commit(now, partial(told, name))
                when = now.isoformat(timespec="seconds")
                entry = receipt.note(name, to=sink.shown, state=state, published=when, checked=when, **sink.receipt())
            done.append(name)
            yield Published(name, state, entry)


@contextmanager
def noted_failure(receipt: Receipt, name: str, sink: Sink, done: list[str], every: list[str]) -> Iterator[None]:
    """Have the receipt say that a target failed, and the error which it was, what is done, and what to do."""
    try:
        yield
    except PipelineError as error:
        receipt.note(name, to=sink.shown, state="failed", error=error.args[0])
        left = [target for target in every if target not in done]
        how_far = f"done: {', '.join(done) or 'none'}; not done: {', '.join(left)}"
        raise type(error)(
            f"publish.{name}: {error.args[0]}", solution=f"{error.solution}; then publish again ({how_far})"
        ) from None
    except BaseException as error:
        receipt.note(name, to=sink.shown, state="interrupted", error=type(error).__name__)
        raise


def sink_of(wanted: Publish, root: Path, results: Results) -> Sink:
    """The sink of a target whose variables are filled in."""
    return DatabaseSink(wanted, root, results) if wanted.database is not None else FolderSink(wanted, root, results)
