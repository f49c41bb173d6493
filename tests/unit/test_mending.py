"""Records that a kill cut off, or a disk changed, are put right or named; never is one used that says something else."""

import hashlib
import json
import random
from pathlib import Path

import pytest
from dvc.exceptions import DvcException
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.utils.serialize import YAMLError, parse_yaml
from voluptuous import Invalid

from clustering import dvc_state, mending
from clustering.dvc_state import State
from clustering.mending import (
    IN_USE,
    KEPT,
    LOCK,
    Damage,
    cache_damages,
    damages,
    is_lock_file,
    mend_outputs,
    mend_records,
    repair,
)
from clustering.runs import RUNS, damaged_records, load_runs
from storelib import seals
from storelib.seals import Place
from storelib.tables import write_text

STAGE = """\
  split_need_states@{key}:
    cmd: python scripts/split_need_states.py --category {key} --log logs/x.log
    deps:
    - path: data/internal/map.parquet
      hash: md5
      md5: 31bf9c2d0f0e4a6b8c7d5e4f3a2b1c0d
      size: 1234
    params:
      configs/dev.yml:
        sources.sales:
          reader: parquet
          path: 'sales: all'
    outs:
    - path: data/internal/shares/{key}.parquet
      hash: md5
      md5: 0a1b2c3d4e5f60718293a4b5c6d7e8f9
      size: 99
"""
LOCKED = "schema: '2.0'\nstages:\n" + STAGE.format(key="beauty") + STAGE.format(key="snacks")


def dvc_reads(path: Path) -> bool:
    """Whether DVC itself takes the file."""
    try:
        COMPILED_LOCKFILE_SCHEMA(parse_yaml(path.read_text(encoding="utf-8"), str(path)))
    except (Invalid, DvcException, YAMLError, ValueError):
        return False
    return True


def damaged(seed: int) -> bytes:
    """The lock file cut off somewhere, or with one bit of it changed."""
    drawn, whole = random.Random(seed), LOCKED.encode()  # noqa: S311 (nothing secret)
    if drawn.random() < 0.5:
        return whole[: drawn.randrange(len(whole))]
    at, content = drawn.randrange(len(whole) * 8), bytearray(whole)
    content[at // 8] ^= 1 << at % 8
    return bytes(content)


def test_lock_file_of_dvc_is_readable_after_any_damage(tmp_path: Path) -> None:
    """150 drawn ones; what DVC can still read stays, and DVC holds each hash in it against the files."""
    lock = tmp_path / LOCK
    for seed in range(150):
        lock.write_bytes(damaged(seed))
        was_readable = is_lock_file(lock)
        mend_records(tmp_path)
        assert lock.exists() == was_readable
        assert not lock.exists() or dvc_reads(lock), damaged(seed)


def test_last_recorded_lock_file_takes_the_place_of_a_damaged_one(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / KEPT).parent.mkdir()
    (tmp_path / KEPT).write_text(LOCKED)
    (tmp_path / LOCK).write_text(LOCKED[:300])
    mend_records(tmp_path)
    assert (tmp_path / LOCK).read_text() == LOCKED
    assert "cut off or damaged: the one of the last recorded run takes its place" in capfd.readouterr().err


def test_whole_lock_file_stays_though_another_is_kept(tmp_path: Path) -> None:
    (tmp_path / KEPT).parent.mkdir()
    (tmp_path / KEPT).write_text("schema: '2.0'\n")
    (tmp_path / LOCK).write_text(LOCKED)
    mend_records(tmp_path)
    assert (tmp_path / LOCK).read_text() == LOCKED


@pytest.mark.parametrize("text", ["", '{"write": {', "[]"])
def test_damaged_note_of_who_uses_what_goes(tmp_path: Path, text: str) -> None:
    (tmp_path / IN_USE).parent.mkdir(parents=True)
    (tmp_path / IN_USE).write_text(text)
    mend_records(tmp_path)
    assert not (tmp_path / IN_USE).exists()
    (tmp_path / IN_USE).write_text("{}")
    mend_records(tmp_path)
    assert (tmp_path / IN_USE).exists()


def test_damaged_record_of_a_run_is_named_and_hides_no_other(tmp_path: Path) -> None:
    whole = {"id": "", "job": "merging", "env": "dev", "start": "2026", "result": "done", "tags": {}, "pid": 1}
    texts = {
        "1-whole": json.dumps(whole | {"id": "1-whole"}),
        "2-cut": json.dumps(whole)[:20],
        "3-list": "[]",
        "4-pid": json.dumps(whole | {"id": "4-pid", "pid": "x", "result": "running"}),
        "5-tags": json.dumps(whole | {"id": "5-tags", "tags": 7}),
        "6-bytes": b"\xff\xfe\x00",
    }
    for name, text in texts.items():
        (tmp_path / RUNS / name).mkdir(parents=True)
        (tmp_path / RUNS / name / "run.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert [run["id"] for run in load_runs(tmp_path)] == ["1-whole"]
    assert [path.parent.name for path in damaged_records(tmp_path)] == ["2-cut", "3-list", "4-pid", "5-tags", "6-bytes"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two outputs of a stage, and a file that somebody has had a script write."""
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  s:\n    foreach: ${c}\n    do:\n      cmd: c\n      outs:\n      - data/shares/${key}.parquet\n"
        "      - reports/m.json:\n          cache: false\n"
    )
    seals.root_above.cache_clear()
    monkeypatch.setattr(seals.Here, "is_stage", True)
    for name in ("data/shares/beauty.parquet", "reports/m.json", "reports/own.csv"):
        write_text(f"what the stage wrote to {name}", tmp_path / name)
    monkeypatch.setattr(seals.Here, "is_stage", False)
    return tmp_path


def know(project: Path, name: str) -> None:
    """Have dvc.lock say that a file is as it is now."""
    text = f"schema: '2.0'\nstages:\n  s@beauty:\n    cmd: c\n    outs:\n    - path: {name}\n      hash: md5\n"
    (project / LOCK).write_text(f"{text}      md5: {seals.md5_of(project / name)}\n")


def test_damaged_outputs_are_set_aside_before_a_run(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in ("data/shares/beauty.parquet", "reports/own.csv"):
        (project / name).write_text("another")
    assert mend_outputs(project, with_dvc=False) == ["data/shares/beauty.parquet"]
    assert capfd.readouterr().err.startswith(
        "data/shares/beauty.parquet is not as its stage wrote it: it is made again"
    )
    assert not (project / "data/shares/beauty.parquet").exists()
    assert (project / "reports/own.csv").read_text() == "another"
    assert mend_outputs(project, with_dvc=False) == []


@pytest.mark.parametrize("changed", [{}, {"s/beauty": ["changed deps"]}], ids=["up to date", "changed"])
def test_what_dvc_brought_back_stays_where_its_stage_is_up_to_date(
    project: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, list[str]]
) -> None:
    monkeypatch.setattr(dvc_state, "status", lambda _: State({}, changed))
    name = "data/shares/beauty.parquet"
    (project / name).write_text("of a checkout")
    know(project, name)
    assert mend_outputs(project, with_dvc=True) == list({name} if changed else [])
    assert (project / name).exists() is not bool(changed)
    assert mend_outputs(project, with_dvc=True) == []


def test_verify_names_what_is_not_as_recorded(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known, stored = "data/shares/beauty.parquet", project / "cache"
    know(project, known)
    monkeypatch.setattr(mending, "cache_folder", lambda _: stored)
    for content, kept in (("right", "right"), ("rotten", "wrong"), ("[]", "[]")):
        name = hashlib.md5(content.encode(), usedforsecurity=False).hexdigest() + (".dir" if kept == "[]" else "")
        (stored / name[:2]).mkdir(parents=True, exist_ok=True)
        (stored / name[:2] / name[2:]).write_text(kept)
    assert not [one for one in damages(project) if isinstance(one, Damage)]
    # Neither what its stage wrote nor what DVC knows; and one without a seal, which DVC alone knows.
    (project / "reports/m.json").write_text("another")
    (project / known).write_text("another")
    seals.unseal(Place(project, known))
    (project / RUNS / "r").mkdir(parents=True)
    (project / RUNS / "r" / "run.json").write_text('{"id": ')
    found = [one for one in damages(project) if isinstance(one, Damage)]
    assert [one.path for one in found] == [known, "reports/m.json", ".clustering/runs/r/run.json"]
    rotten = [one for one in cache_damages(project) if isinstance(one, Damage)]
    assert [Path(one.path).read_text() for one in rotten] == ["wrong"]
    for one in (*found, *rotten):
        repair(project, one)
    assert not [one for one in (*damages(project), *cache_damages(project)) if isinstance(one, Damage)]
    assert not (project / "reports/m.json").exists()
    assert (project / ".clustering/damaged/reports/m.json").read_text() == "another"
