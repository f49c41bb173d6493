"""Whatever file operation of a fetch, a publication or an approval fails, and however: old or new, and the next one is right."""

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from clustering import unfinished
from clustering.approve import APPROVED, approve, record_path
from clustering.results import Results
from clustering.unfinished import clear_project
from faults.injection import KINDS, Fault, drawn_faults, forked
from faults.shops import Fetching, Publishing, place_of, results_of
from storelib.configuration.stages import RAW_LISTS
from storelib.contracts.raw_files import RAW_FILES
from storelib.errors import PipelineError
from storelib.tables import write_table, write_text

Told = Callable[[str, int, int], None]
LEAST = 10
CONFIG = """sources:
  sales: {reader: csv, path: sales.csv, columns: {store_id: S, sku: K, category: C, sales: A}}
  product_map: {reader: csv, path: map.csv, columns: {sku: K, need_state: N}}
"""


def as_command(action: Callable[[], int]) -> Callable[[], int]:
    """What `clustering.cli.main` makes of errors."""

    def run() -> int:
        try:
            return action()
        except PipelineError as error:
            sys.stderr.write(f"Error: {error.args[0]}\nSolution: {error.solution}\n")
            return error.exit_code
        except OSError as error:
            sys.stderr.write(f"Error: {error.filename}: {error.strerror}\nSolution: see that it may be used\n")
            return 1

    return run


class Approving:
    """A project whose segments are to be the baseline, in place of others that were it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "project"
        write_text("env: dev\n", self.root / "params.yaml")
        write_table(pa.table({"store_id": ["007"], "segment": [3]}), self.root / "data/merging/segments.parquet")
        write_table(pa.table({"store_id": ["007"], "segment": [5]}), self.root / "data/merging/chain_segments.parquet")
        for listing in RAW_LISTS:
            write_table(
                pa.table({name: [] for name in RAW_FILES.names}, schema=RAW_FILES.schema()), self.root / listing
            )
        self.reset()
        self.before = self.seen()
        self.approve()
        self.after = self.seen()

    def reset(self) -> None:
        write_text(CONFIG, self.root / "configs/dev.yml")
        write_table(pa.table({"store_id": ["007"], "segment": [1]}), self.root / "data/raw/dev" / APPROVED)
        write_text('[{"who": "Ann", "run": "r0"}]\n', self.root / record_path("dev"))

    def approve(self) -> int:
        results = Results({"id": "r1"}, "dev", pa.table({}), pa.table({}), {})
        approve(self.root, place_of(self.root), "dev", results, "Bob", "plan of spring")
        return 0

    def seen(self) -> dict[str, object]:
        approvals = json.loads((self.root / record_path("dev")).read_text())
        return {
            "baseline": (self.root / "data/raw/dev" / APPROVED).read_bytes(),
            "approvals": [entry["who"] for entry in approvals],
            "configuration": (self.root / "configs/dev.yml").read_text(),
        }

    def wrong(self) -> list[str]:
        now = self.seen()
        found = [name for name in now if now[name] not in (self.before[name], self.after[name])]
        # Nothing is the baseline of which nobody knows who approved it.
        is_known = now["approvals"] == self.after["approvals"]
        return found if is_known or now["baseline"] == self.before["baseline"] else [*found, "unrecorded"]


class Attempt:
    """One of the commands: how to begin anew, what it does, what is wrong in between, whether all is done."""

    def __init__(self, name: str, folder: Path) -> None:
        self.place = folder
        if name == "fetch":
            fetching = Fetching(folder)
            self.reset, self.wrong, self.is_done, self.root = (
                fetching.reset,
                fetching.wrong,
                fetching.is_done,
                fetching.root,
            )
            self.action: Callable[[], int] = lambda: fetching.fetch(lambda _: None)
        elif name == "publish":
            publishing, second = Publishing(folder), results_of("second", 2)
            self.reset, self.wrong, self.root = publishing.reset, publishing.wrong, publishing.root
            self.is_done, self.action = (
                lambda: publishing.seen() == publishing.after,
                lambda: publishing.publish(second),
            )
        else:
            approving = Approving(folder)
            self.reset, self.wrong, self.root = approving.reset, approving.wrong, approving.root
            self.is_done, self.action = lambda: approving.seen() == approving.after, approving.approve


@pytest.mark.parametrize("name", ["fetch", "publish", "approve"])
def test_failing_operations_of_commands(
    memory: Path,
    monkeypatch: pytest.MonkeyPatch,
    many: int,
    seed: int,
    told: Told,
    in_time: Callable[[], bool],
    name: str,
) -> None:
    folder = memory / name
    folder.mkdir()
    monkeypatch.setattr(unfinished, "LEFT_S", 0.0)
    attempt = Attempt(name, folder)
    attempt.reset()
    counted = forked(attempt.root, folder, as_command(attempt.action))
    assert (counted.code, attempt.is_done()) == (0, True), counted.said
    faults = drawn_faults(counted.operations, random.Random(seed))  # noqa: S311 (nothing secret)
    assert {fault.kind for fault in faults} == {*KINDS}
    harmed, injected = [], 0
    while faults and injected < many and (injected < LEAST or in_time()):
        fault: Fault = faults.pop()
        injected += 1
        attempt.reset()
        ended = forked(attempt.root, folder, as_command(attempt.action), fault)
        wrong = [*attempt.wrong(), *(["traceback"] if "Traceback" in ended.said else [])]
        wrong += ["lost"] if ended.code == 0 and not attempt.is_done() else []
        again = forked(attempt.root, folder, as_command(attempt.action))
        wrong += [] if (again.code, attempt.is_done()) == (0, True) else [f"again: {again.code} {again.said}"]
        # As the next run does before it starts.
        clear_project(attempt.root)
        wrong += [path.name for path in folder.rglob("*.tmp")]
        if wrong:
            harmed.append(f"{fault}: code {ended.code} {wrong} {ended.said[-1500:]}")
    told(f"file operations of {name} ({counted.operations} of them)", injected, injected - len(harmed))
    assert not harmed, f"{len(harmed)} of {injected}: " + "\n".join(harmed[:5])
