"""Approving: what becomes the baseline, what is recorded, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import clustering.commands.approve as commands
from clustering.approve import APPROVED, approvals_of, approve, record_path, with_baseline
from clustering.results import Results
from clustering.runs import RUNS, find_run, load_runs, mark_preferred
from storelib.configuration.place import load_place
from storelib.configuration.stages import RAW_LISTS
from storelib.contracts.raw_files import RAW_FILES
from storelib.errors import ConfigError, DataError
from storelib.raw.files import sha256
from storelib.tables import read_table, write_table, write_text

CONFIG = """# Ours.
sources: # all of them
  sales:
    reader: csv
    path: sales.csv
    columns: {store_id: S, sku: K, category: C, sales: A}
  product_map:
    reader: csv
    path: map.csv
    columns: {sku: K, need_state: N}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_text(CONFIG, tmp_path / "configs/dev.yml")
    write_text("env: dev\n", tmp_path / "params.yaml")
    write_table(pa.table({"store_id": ["007"], "segment": [3]}), tmp_path / "data/merging/segments.parquet")
    write_table(
        pa.table({"store_id": ["006", "007"], "segment": [1, 5]}), tmp_path / "data/merging/chain_segments.parquet"
    )
    rows = {name: [] for name in RAW_FILES.names}
    for listing in RAW_LISTS:
        write_table(pa.table(rows, schema=RAW_FILES.schema()), tmp_path / listing)
    file = {
        "source": ["sales"],
        "file": ["sales.csv"],
        "bytes": [1],
        "sha256": ["ab" * 32],
        "lines": [1],
        "sales": [None],
    }
    write_table(pa.table(file, schema=RAW_FILES.schema()), tmp_path / RAW_LISTS[0])
    return tmp_path


def approved(root: Path, who: str = "Ann") -> dict[str, Any]:
    results = Results({"id": "r1"}, "dev", pa.table({}), pa.table({}), {})
    return approve(root, load_place(root / "configs/dev.yml"), "dev", results, who, "plan of spring")


def test_segments_are_the_baseline_and_the_record_says_of_what(root: Path) -> None:
    entry = approved(root)
    target = root / "data/raw/dev" / APPROVED
    # with the store's segment of the chain, whose number is kept too
    assert read_table(target).to_pydict() == {"store_id": ["007"], "segment": [3], "chain_segment": [5]}
    assert (entry["who"], entry["why"], entry["run"]) == ("Ann", "plan of spring", "r1")
    assert entry["sha256"] == {
        "segments": sha256(root / "data/merging/segments.parquet"), "params.yaml": sha256(root / "params.yaml"),
        "raw": {"sales.csv": "ab" * 32},
        "configs/dev.yml": entry["sha256"]["configs/dev.yml"],
    }  # fmt: skip
    assert json.loads((root / record_path("dev")).read_text()) == [entry]
    # the configuration names it, and is else as it was, comments and all
    text = (root / "configs/dev.yml").read_text()
    baseline = f"  baseline:\n    reader: parquet\n    path: {APPROVED}\n"
    assert text == CONFIG.replace("# all of them\n", "# all of them\n" + baseline)
    # a second approval adds to the record, and leaves the configuration
    approved(root, "Bob")
    assert (root / "configs/dev.yml").read_text() == text
    assert [e["who"] for e in approvals_of(root, "dev")] == ["Ann", "Bob"]


def test_baseline_of_somebody_else_is_not_written_over(root: Path) -> None:
    config = root / "configs/dev.yml"
    write_text(CONFIG + "  baseline: {reader: csv, path: last_month.csv}\n", config)
    with pytest.raises(ConfigError, match=r"sources\.baseline is 'last_month\.csv', and what is approved goes to"):
        approved(root)
    assert not (root / "data/raw/dev").exists()
    assert not (root / record_path("dev")).exists()


def test_configuration_that_cannot_be_added_to_is_told(root: Path) -> None:
    config = root / "configs/dev.yml"
    place = load_place(config)
    tree = "sources: {sales: {reader: csv, path: s.csv, columns: {store_id: S, sku: K, category: C, sales: A}}, "
    write_text(tree + "product_map: {reader: csv, path: m.csv, columns: {sku: K, need_state: N}}}\n", config)
    with pytest.raises(ConfigError, match="cannot be added to `sources`") as error:
        with_baseline(config, place)
    assert f"path: {APPROVED}" in error.value.solution


def test_one_recorded_run_is_preferred(tmp_path: Path) -> None:
    for run in ("r1", "r2"):
        write_text(json.dumps({"id": run, "tags": {"of": run}}), tmp_path / RUNS / run / "run.json")
        for name in ("metrics.json", "segments.parquet"):
            write_text("", tmp_path / RUNS / run / name)
    assert mark_preferred(tmp_path, "r1") == "r1"
    assert mark_preferred(tmp_path, "last") == "r2"
    assert [run["tags"] for run in load_runs(tmp_path)] == [{"of": "r1"}, {"of": "r2", "preferred": "yes"}]
    assert find_run(tmp_path, "preferred") == tmp_path / RUNS / "r2"
    with pytest.raises(ConfigError, match="'HEAD' is no recorded run"):
        mark_preferred(tmp_path, "HEAD")


def test_approval_that_was_cut_off_is_completed_and_recorded_once(root: Path) -> None:
    first = approved(root)
    target = root / "data/raw/dev" / APPROVED
    # Ended after the record, or after the baseline: the configuration is of before, or the baseline.
    write_text(CONFIG, root / "configs/dev.yml")
    target.unlink()
    assert approved(root) == first
    assert approvals_of(root, "dev") == [first]
    assert target.is_file()
    assert APPROVED in (root / "configs/dev.yml").read_text()


def test_the_same_command_says_what_stands_when_all_was_done(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The approval was ended before it could say so; its baseline is a raw file by now that the run has not read."""

    def refused(*_: object) -> Results:
        raise DataError("new file: the results are not of today's raw files", solution="run")

    monkeypatch.setattr(commands, "find_project", lambda: root)
    monkeypatch.setattr(commands, "load_project", lambda *_: (None, load_place(root / "configs/dev.yml"), "dev"))
    monkeypatch.setattr("clustering.results.read_results", refused)
    told: list[str] = []
    monkeypatch.setattr(commands, "say", told.append)
    # Nobody has approved yet: it is refused as it was.
    with pytest.raises(DataError):
        commands.approve("Ann", "plan of spring")
    entry = approved(root)
    commands.approve("Ann", "plan of spring")
    assert told[0] == "Run r1 is approved by Ann: 1 segments of stores are the baseline."
    assert approvals_of(root, "dev") == [entry]
    # Another's approval is another one, and so is one of other segments, or with a baseline that is not theirs.
    with pytest.raises(DataError):
        commands.approve("Bob", "plan of spring")
    write_table(pa.table({"store_id": ["007"], "segment": [4]}), root / "data/raw/dev" / APPROVED)
    with pytest.raises(DataError):
        commands.approve("Ann", "plan of spring")
    approved(root)
    write_table(pa.table({"store_id": ["007"], "segment": [4]}), root / "data/merging/segments.parquet")
    with pytest.raises(DataError):
        commands.approve("Ann", "plan of spring")
