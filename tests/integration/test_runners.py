"""Both runners make the same bytes, know of each other's work, and run only what a change asks for."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustering.runners import environment
from integration.conftest import Project

pytestmark = pytest.mark.integration

CATEGORY_STAGES = (
    *("split_need_states", "build_features", "cluster_stores", "profile_clusters", "merge_segments", "apply_overrides"),
    *("describe_segments", "predict_clusters", "export_workbook"),
)
# What follows from every category's segments, or from which categories there are.
SEGMENTED = {"collect_segments", "segment_chain", "check_results", "build_report", "export_segments", "require_checks"}


def of_category(key: str) -> set[str]:
    return {f"{stage}/{key}" for stage in CATEGORY_STAGES}


MERGE_STAGES = ("merge_segments", "apply_overrides", "describe_segments", "export_workbook")
EVERY_MERGE = {f"{stage}/{key}" for stage in MERGE_STAGES for key in ("beauty", "cocktails_rtd")}


def assert_same_tables(found: dict[str, bytes], expected: dict[str, bytes]) -> None:
    assert sorted(found) == sorted(expected)
    assert [name for name in found if found[name] != expected[name]] == []
    assert "data/merging/segments.parquet" in found


def nothing_to_do(project: Project) -> None:
    assert project.stages_of(project.dvc) == set()
    assert project.stages_of(project.snakemake) == set()


def test_dvc_makes_the_same_bytes_and_snakemake_then_has_nothing_to_do(finished: Path, fresh: Project) -> None:
    fresh.dvc()
    assert_same_tables(fresh.tables(), Project(finished).tables())
    assert fresh.call("git", "status", "--porcelain").stdout == ""  # the lock that Snakemake's run left is the same
    fresh.call("clustering", "sync")
    nothing_to_do(fresh)
    fresh.change("merging.min_cluster_size", 12)
    assert "merge_segments/beauty" in fresh.stages_of(fresh.snakemake)


def test_experiments_of_a_sweep_make_the_same_bytes_or_say_why_not(finished: Path, project: Project) -> None:
    settings = ["-S", "merging.min_cluster_size=9,0", "--jobs", "2"]
    result = project.call("clustering", "sweep", *settings, check=False)
    assert result.returncode == 4, result.stdout + result.stderr
    *_, head, first, second, why = result.stdout.splitlines()
    assert head.split()[:3] == ["experiment", "min_cluster_size", "result"]
    good, bad = sorted((first.split(), second.split()), key=lambda row: row[2])
    name, failed = good[0], bad[0]
    assert (good[1:3], bad[1:3]) == (["9", "done"], ["0", "failed"])
    assert why.startswith(f"{failed} failed: ")
    assert "--min_cluster_size" in why
    assert result.stderr.startswith(f"Error: 1 of 2 experiments failed, first {failed}: ")
    assert f"dvc queue logs {failed}" in result.stderr

    compared = project.call("clustering", "compare", "HEAD", name).stdout
    assert re.search(r"beauty, segment: \d+ of 142 stores moved", compared)
    assert re.search(r"external, external cluster: 0 of 149 stores moved, ARI 1.000", compared)
    project.call("dvc", "exp", "apply", name)
    assert "beauty, segment: 0 of 142 stores moved" in project.call("clustering", "compare", name, "workspace").stdout
    expected = Project(project.root.parent / "expected")
    shutil.copytree(finished, expected.root, symlinks=True)
    expected.change("merging.min_cluster_size", 9)
    expected.snakemake()
    assert_same_tables(project.tables(), expected.tables())


def test_snakemakes_own_report_has_the_report_and_every_picture(project: Project) -> None:
    project.call("snakemake", "--report", "reports/snakemake.html")
    page = (project.root / "reports/snakemake.html").read_text(encoding="utf-8")
    figures = sorted((project.root / "reports/figures").rglob("*.png"))
    assert len(figures) > 10
    wanted = {path.relative_to(project.root).as_posix() for path in [project.root / "reports/report.html", *figures]}
    assert [name for name in sorted(wanted) if name not in page] == []


def test_after_snakemake_and_record_neither_runner_has_anything_to_do(project: Project) -> None:
    nothing_to_do(project)


def test_unrecorded_snakemake_run_is_never_taken_for_current(project: Project) -> None:
    project.change("merging.min_cluster_size", 12)
    project.snakemake()
    expected = project.tables()
    assert "merge_segments/beauty" in project.stages_of(project.dvc)
    assert_same_tables(project.tables(), expected)


def test_record_refuses_a_half_made_state(project: Project) -> None:
    project.change("merging.min_cluster_size", 12)
    result = project.call("clustering", "record", check=False)
    assert result.returncode == 4
    assert "not up to date" in result.stderr
    assert project.call("git", "status", "--porcelain", "dvc.lock").stdout == ""


def test_sync_refuses_a_half_made_state(project: Project) -> None:
    project.change("merging.min_cluster_size", 12)
    assert project.call("clustering", "sync", check=False).returncode == 4
    assert "merge_segments/beauty" in project.stages_of(project.snakemake)


@pytest.mark.parametrize("runner", ["snakemake", "dvc"])
def test_minimum_size_reruns_merging_and_after_only(project: Project, runner: str) -> None:
    project.change("merging.min_cluster_size", 12)
    started = project.stages_of(getattr(project, runner))
    assert started == EVERY_MERGE | SEGMENTED


@pytest.mark.parametrize("runner", ["snakemake", "dvc"])
def test_category_name_reruns_that_category_and_what_gathers_all(project: Project, runner: str) -> None:
    project.change("internal.categories.cocktails_rtd.name", "Health & Beauty/OTC")
    started = project.stages_of(getattr(project, runner))
    assert started == {"select_categories", *of_category("cocktails_rtd"), *SEGMENTED}


@pytest.mark.parametrize("runner", ["snakemake", "dvc"])
def test_clustering_value_reruns_only_what_depends_on_it(project: Project, runner: str) -> None:
    project.change("external.cluster_stores.max_clusters", 4)
    started = project.stages_of(getattr(project, runner))
    allowed = {"cluster_external_stores", "profile_external_clusters"} | SEGMENTED | EVERY_MERGE
    assert "cluster_external_stores" in started
    assert started <= allowed


@pytest.mark.parametrize("runner", ["snakemake", "dvc"])
def test_dropped_category_leaves_nothing_stale(project: Project, runner: str) -> None:
    project.change("internal.categories.cocktails_rtd", None)
    assert project.stages_of(getattr(project, runner)) == {"select_categories", *SEGMENTED}
    left = [p for folder in ("data", "reports", "logs") for p in (project.root / folder).rglob("*cocktails_rtd*")]
    assert left == []
    segments = pq.read_table(project.root / "data/merging/segments.parquet")
    assert set(segments["category"].to_pylist()) == {"beauty"}
    ledger = pq.read_table(project.root / "data/merging/ledger.parquet").to_pylist()
    assert {r["category"] for r in ledger if r["flow"] == "not_selected"} == {"COCKTAILS/RTD", "Health & Beauty/OTC"}
    # It was a choice, and no sale was lost by it.
    assert [r for r in ledger if r["flow"] == "set_aside" and r["lines"]] == []
    report = (project.root / "reports/report.html").read_text(encoding="utf-8")
    assert re.search(r"<dt>100\s*%</dt><dd>of selected sales in segments</dd>", report)
    assert project.stages_of(getattr(project, runner)) == set()


def test_dropping_a_category_again_deletes_its_files_again(project: Project) -> None:
    # DVC has seen both selections by then, and must not take the second from its run cache unrun.
    name = "COCKTAILS/RTD"
    for selected in (None, {"name": name}, None):
        project.change("internal.categories.cocktails_rtd", selected)
        project.dvc()
    assert list((project.root / "data").rglob("*cocktails_rtd*")) == []


@pytest.mark.usefixtures("processes")
def test_shuffled_rows_one_core_and_a_killed_runner_change_no_byte(finished: Path, project: Project) -> None:
    """All at once, since each is a whole run: what was made on two cores comes out again."""
    raw = project.root / "data/raw/dev"
    for path in [p for p in sorted(raw.rglob("*")) if p.is_file()]:
        if path.suffix == ".csv":
            head, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
            path.write_text(head + "".join(rows[::-1]), encoding="utf-8")
        else:
            table = pq.read_table(path)
            pq.write_table(table.take(pa.array(range(table.num_rows - 1, -1, -1))), path)
    before = {
        p.relative_to(finished / "data/raw/dev"): p.read_bytes() for p in (finished / "data/raw/dev").rglob("*.csv")
    }
    assert all((raw / name).read_bytes() != content for name, content in before.items())
    # The demo's files are somebody's own now: no stage makes them again.
    project.change("demo", {})
    for folder in ("data/internal", "data/external", "data/merging", "logs"):
        shutil.rmtree(project.root / folder)
    kill_a_run(project)
    started = project.stages_of(lambda: heal_and_run(project))
    assert {"collect_segments", "build_report"} <= started
    # The lists of raw files hold their hashes, which are others.
    made, expected = (
        {
            name: data
            for name, data in one.tables().items()
            if not name.startswith("data/raw/") and "_files." not in name
        }
        for one in (project, Project(finished))
    )
    assert_same_tables(made, expected)
    assert list(project.root.rglob("*.tmp")) == []


def kill_a_run(project: Project) -> None:
    """Begin a run on one core, and kill the command and its runner when half is made; stages are left behind as orphans."""
    command = [str(Path(sys.executable).parent / "clustering"), "run", "full_pipeline_job", "--cores", "1"]
    with subprocess.Popen(
        command, cwd=project.root, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as run:
        deadline = time.monotonic() + 120
        while not list((project.root / "logs").rglob("cluster_stores/*.log")):
            assert run.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        children = psutil.Process(run.pid).children()
        os.kill(run.pid, signal.SIGKILL)
        for child in children:
            os.kill(child.pid, signal.SIGKILL)
    assert any((project.root / ".snakemake/locks").iterdir())


def heal_and_run(project: Project) -> None:
    """The next run unlocks, and goes on."""
    result = project.call("clustering", "run", "full_pipeline_job", "--cores", "1")
    assert "unlocking" in result.stderr


def test_data_versions_travel_through_a_remote(finished: Path, project: Project, tmp_path: Path) -> None:
    # Files as delivered, versioned by `dvc add`, instead of the stage that makes the demo.
    project.change("demo", {})
    project.call("dvc", "remote", "add", "--default", "store", str(tmp_path / "remote"))
    project.call("dvc", "add", "data/raw/dev")
    project.call("clustering", "run", "full_pipeline_job")
    project.commit()
    project.call("dvc", "push")
    clone = Project(tmp_path / "clone")
    subprocess.run(["git", "clone", "-q", str(project.root), str(clone.root)], check=True)
    clone.call("dvc", "pull")
    assert clone.stages_of(clone.dvc) == set()
    assert_same_tables(clone.tables(), Project(finished).tables())
    clone.call("clustering", "sync")
    assert clone.stages_of(clone.snakemake) == set()


def test_next_month_keeps_the_numbers_of_the_baseline(finished: Path, project: Project) -> None:
    # Last month's segments with other numbers: 1 and 2 changed places, and every external cluster is 10 higher.
    swapped = {1: 2, 2: 1}
    old = pq.read_table(finished / "data/merging/segments.parquet").to_pylist()
    baseline = [
        row | {"segment": swapped.get(row["segment"], row["segment"]), "external_cluster": row["external_cluster"] + 10}
        for row in reversed(old)
    ]
    raw = project.root / "data/raw/own"
    shutil.copytree(project.root / "data/raw/dev", raw)
    pq.write_table(pa.Table.from_pylist(baseline), raw / "last_month.parquet")
    config = (project.root / "configs/dev.yml").read_text()
    config = config.replace(
        "  reference:", "  baseline:\n    reader: parquet\n    path: last_month.parquet\n  reference:"
    )
    (project.root / "configs/own.yml").write_text(config)
    project.change("env", "own")
    project.change("demo", {})
    project.call("clustering", "run", "full_pipeline_job")
    found = pq.read_table(project.root / "data/merging/segments.parquet").to_pylist()
    labels = ("category", "store_id", "internal_cluster", "external_cluster", "segment")
    expected = sorted(tuple(row[label] for label in labels) for row in baseline)
    assert [tuple(row[label] for label in labels) for row in found] == expected
