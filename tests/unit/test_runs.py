"""Records of runs."""

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer

from clustering import handover, mending, running
from clustering.arguments import tags_of
from clustering.inputs import Difference
from clustering.jobs import KEPT, Engine
from clustering.projects import access_to, check_access
from clustering.run_report import PLACE
from clustering.runs import RUNS, find_run, load_runs, new_id, recorded, report_of, with_tags
from clustering.shown import Mode, choose_mode
from storelib.configuration.params import load_params
from storelib.errors import ConfigError, DataError

ROOT = Path(__file__).resolve().parents[2]


def run_once(root: Path, tags: dict[str, str] | None = None) -> str:
    with recorded(root, "merging", "dev", "snakemake", tags or {}, cores=2, force=False) as run_id:
        for name in ("reports/metrics.json", "data/merging/segments.parquet"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(run_id)
    return run_id


def test_tags_are_pairs() -> None:
    assert tags_of(["version=2.0", "who = a=b"]) == {"version": "2.0", "who": "a=b"}
    for wrong in ("version", "=2", "version="):
        with pytest.raises(typer.BadParameter, match="key=value"):
            tags_of([wrong])


def test_ids_sort_by_time() -> None:
    times = [datetime(2026, 1, 2, 3, 4, 5, micro, UTC) for micro in (1000, 90_000, 900_000)]
    ids = [new_id(time) for time in times]
    assert ids == sorted(ids)
    assert ids[0].startswith("20260102T030405001-")


def test_run_is_recorded_with_copies_of_its_results(tmp_path: Path) -> None:
    first = run_once(tmp_path, {"version": "2.0"})
    second = run_once(tmp_path)
    (record, other) = load_runs(tmp_path)
    assert (record["id"], record["result"], record["error"]) == (first, "done", None)
    assert {"python", "snakemake", "dvc", "numpy", "scikit-learn", "duckdb"} <= record["versions"].keys()
    assert record["git"]["revision"] is None
    assert with_tags([record, other], {"version": "2.0"}) == [record]
    assert (tmp_path / RUNS / first / "metrics.json").read_text() == first
    assert find_run(tmp_path, "last") == tmp_path / RUNS / second
    assert find_run(tmp_path, "last~1") == find_run(tmp_path, first[:22]) == tmp_path / RUNS / first
    assert find_run(tmp_path, "main") is None
    with pytest.raises(ConfigError, match="begins 2 runs"):
        find_run(tmp_path, "20")
    with pytest.raises(ConfigError, match="2 runs with results"):
        find_run(tmp_path, "last~2")


def test_report_of_a_run_is_the_page_with_the_run_in_its_place(tmp_path: Path) -> None:
    page = tmp_path / "reports" / "report.html"
    page.parent.mkdir()
    text = f"<main><p>what was found</p>{PLACE}<section>versions</section></main>"
    ids = []
    for tags in ({}, {"version": "2.0", "who": "<script>&\"'"}):
        with recorded(tmp_path, "full_pipeline", "dev", "snakemake", tags, cores=2, force=False) as run_id:
            page.write_text(text)
            ids.append(run_id)
    assert page.read_text() == text
    kept = report_of(tmp_path, ids[1])
    assert kept == tmp_path / RUNS / ids[1] / "report.html"
    said = kept.read_text()
    assert said.startswith("<main><p>what was found</p><section")
    assert said.endswith("</section><section>versions</section></main>")
    assert "version=2.0, who=&lt;script&gt;&amp;&#34;&#39;" in said
    assert "<script>" not in said
    record = load_runs(tmp_path)[1]
    words = (
        ids[1],
        f"{record['start'][:10]} {record['start'][11:16]} UTC",
        f"{record['duration_s']} s",
        "none: the project is in no git repository",
    )
    assert [word for word in (*words, record["versions"]["numpy"]) if word not in said] == []
    # the last runs, this one among them, newest first
    assert re.findall(r'<td class="name">(\d{8}T\w+-\w+)</td>', said) == ids[::-1]


def test_run_that_made_no_report_keeps_none(tmp_path: Path) -> None:
    page = tmp_path / "reports" / "report.html"
    page.parent.mkdir()
    page.write_text(PLACE)
    with recorded(tmp_path, "merging", "dev", "dvc", {}, cores=2, force=False) as made_nothing:
        pass
    with (
        pytest.raises(DataError),
        recorded(tmp_path, "full_pipeline", "dev", "dvc", {}, cores=2, force=False) as failed,
    ):
        raise DataError("no sales", solution="add some")
    assert report_of(tmp_path, made_nothing) is report_of(tmp_path, failed) is None


def test_template_of_the_report_has_the_place_once() -> None:
    assert (ROOT / "scripts/templates/report.html.j2").read_text().count(PLACE) == 1


def test_failed_run_keeps_the_error_and_no_results(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError),
        recorded(tmp_path, "merging", "dev", "dvc", {}, cores=2, force=True) as run_id,
    ):
        raise DataError("no sales", solution="add some")
    (record,) = load_runs(tmp_path)
    assert (record["result"], record["error"], record["force"]) == ("failed", "no sales", True)
    assert [path.name for path in (tmp_path / RUNS / run_id).iterdir()] == ["run.json"]


def test_a_defect_is_a_failure_and_a_stop_is_not(tmp_path: Path) -> None:
    for error in (ZeroDivisionError("a defect"), KeyboardInterrupt()):
        with pytest.raises(type(error)), recorded(tmp_path, "merging", "dev", "dvc", {}, cores=2, force=False):
            raise error
    assert [(run["result"], run["error"]) for run in load_runs(tmp_path)] == [
        ("failed", "ZeroDivisionError: a defect"), ("interrupted", "KeyboardInterrupt"),
    ]  # fmt: skip


def test_a_run_whose_process_was_killed_was_interrupted(tmp_path: Path) -> None:
    with recorded(tmp_path, "merging", "dev", "dvc", {}, cores=2, force=False) as run_id:
        (live,) = load_runs(tmp_path)
        assert live["result"] == "running"
        left = tmp_path / RUNS / run_id / "run.json"
        text = left.read_text()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left.write_text(json.dumps(json.loads(text) | {"pid": gone.pid}))
    (found,) = load_runs(tmp_path)
    assert (found["result"], found["cores"]) == ("interrupted", 2)


def test_the_newest_runs_are_kept(tmp_path: Path) -> None:
    for number in range(KEPT + 2):
        folder = tmp_path / RUNS / f"2020010{number:03d}"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(json.dumps({"id": folder.name}))
    newest = run_once(tmp_path)
    found = [run["id"] for run in load_runs(tmp_path)]
    assert len(found) == KEPT
    assert (found[0], found[-1]) == ("2020010003", newest)


def test_how_a_run_is_shown() -> None:
    assert choose_mode(quiet=False, as_json=False, terminal=True) is Mode.live
    assert choose_mode(quiet=False, as_json=False, terminal=False) is Mode.plain
    assert choose_mode(quiet=True, as_json=False, terminal=True) is Mode.quiet
    assert choose_mode(quiet=True, as_json=True, terminal=True) is Mode.json


def test_folder_without_access_is_named(tmp_path: Path) -> None:
    for name in ("data", "logs"):
        (tmp_path / name).mkdir()
    check_access(tmp_path, "dev")
    with pytest.raises(ConfigError, match="data cannot be written to"):
        check_access(tmp_path, "dev", lambda path, need: not (path.name == "data" and need & os.W_OK))
    (tmp_path / "logs").rmdir()
    (tmp_path / "logs").write_text("")
    with pytest.raises(ConfigError, match="logs is not a folder"):
        check_access(tmp_path, "dev")


@pytest.mark.parametrize("name", [".snakemake/metadata", "data/internal/shares", "reports/figures/profile", ".dvc/tmp"])
def test_folder_that_a_run_of_another_user_left_is_named(tmp_path: Path, name: str) -> None:
    """As after one `sudo make run`: folders below those of the project are somebody else's."""
    (tmp_path / name).mkdir(parents=True)
    with pytest.raises(ConfigError, match=f"{name} cannot be written to"):
        check_access(tmp_path, "dev", lambda path, _need: path != tmp_path / name)


@pytest.mark.parametrize("name", [".snakemake/iocache/latest.pkl", "dvc.lock"])
def test_file_that_a_run_of_another_user_left_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=f"{name} cannot be written to"):
        check_access(tmp_path, "dev", lambda path, _need: path != tmp_path / name)


def test_file_in_place_of_the_runners_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / ".snakemake").touch()
    with pytest.raises(ConfigError, match=r"\.snakemake is not a folder"):
        check_access(tmp_path, "dev")


def test_what_belongs_to_another_user_is_to_be_had_from_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my data").mkdir()
    assert access_to(tmp_path / "my data") == f"give yourself access, as by: chmod -R u+rwX '{tmp_path / 'my data'}'"
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    assert access_to(tmp_path / "my data").endswith(f"""sudo chown -R "$(id -un)" '{tmp_path / "my data"}'""")


def test_what_record_and_sync_say_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of the pipeline leaves the rest as it was: the other runner is told of nothing, and the user of that."""
    late: list[str] = []
    up_to_date = True
    monkeypatch.setattr(running, "record", lambda _root, **_: late)
    monkeypatch.setattr(running, "sync", lambda _root: up_to_date)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    params = load_params(ROOT / "params.yaml")

    def told(engine: Engine, job: str = "merging", env: str = params.env) -> str:
        return str(running.pass_on(tmp_path, engine, env, params, job, 0))

    assert told(Engine.snakemake) == told(Engine.dvc) == "None"
    late, up_to_date = ["reports/report.html", "reports/checks.json"], False
    assert told(Engine.snakemake).startswith("2 other files are not up to date, such as reports/report.html")
    assert told(Engine.dvc).startswith("other stages are not up to date")
    assert told(Engine.snakemake, env="prod") == f"params.yaml says env: {params.env}, this run was for prod"
    with pytest.raises(DataError, match=r"not up to date after the run: reports/report\.html"):
        told(Engine.snakemake, "full_pipeline")
    late = ["reports/report.html", "data/merging/segments.parquet"]
    with pytest.raises(DataError, match=r"not up to date after the run: data/merging/segments\.parquet"):
        told(Engine.snakemake)


def test_what_dvc_noted_of_a_run_on_files_that_came_later_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC keeps, by the hashes of a stage's inputs, what came of them, and would bring it back for the files that came."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    (tmp_path / "dvc.lock").write_text("schema: '2.0'")
    runs = tmp_path / ".dvc" / "cache" / "runs" / "ab" / "abc"
    runs.mkdir(parents=True)
    (runs / "earlier").write_text("")
    alone = runs.with_name("abd")
    looks = iter([[], [Difference("ingest_sales", "data/raw/dev/sales.csv", "file changed")]])

    def commit(*_: object) -> None:
        (tmp_path / "dvc.lock").write_text("as it is not")
        (runs / "noted").write_text("")
        alone.mkdir()
        (alone / "noted").write_text("")

    def ask(_root: Path, _program: str, words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(words, 0, stdout=".dvc/cache\n", stderr="")

    for name in ("of_dvc", "prune", "look_again"):
        monkeypatch.setattr(handover, name, lambda *_: None)
    monkeypatch.setattr(handover, "pending", lambda _root: [])
    monkeypatch.setattr(handover, "differences", lambda *_: next(looks))
    monkeypatch.setattr(mending, "ask", ask)
    monkeypatch.setattr(handover, "commit_prepared", lambda *_: nullcontext(commit))
    handover.forget_runs(tmp_path, since=(runs / "earlier").stat().st_ctime + 10)
    assert (runs / "earlier").is_file()
    assert handover.record(tmp_path) == ["file changed: data/raw/dev/sales.csv"]
    assert (tmp_path / "dvc.lock").read_text() == "schema: '2.0'"
    assert not (runs / "noted").exists()
    # DVC cannot run a stage whose folder of notes is empty.
    assert not alone.exists()
    assert not (tmp_path / ".clustering" / "recorded").exists()
