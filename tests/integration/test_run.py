"""`clustering run`: dry runs, tags, records, output for people and programs; and `clustering status`."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.main import get_command

from clustering.cli import app
from clustering.run_report import PLACE
from clustering.runners import environment
from clustering.runs import RUNS, load_runs, with_tags
from integration.conftest import Project, Said
from integration.test_command import assert_mistake, clustering

pytestmark = pytest.mark.integration


def on_a_terminal(folder: Path, *arguments: str) -> str:
    """What the command writes to a terminal, without what moves the cursor and sets colours."""
    command = [str(Path(sys.executable).parent / "clustering"), *arguments]
    env = environment() | {"TERM": "xterm", "COLUMNS": "200", "LINES": "40"}
    here, there = pty.openpty()
    with subprocess.Popen(command, cwd=folder, env=env, stdin=there, stdout=there, stderr=there) as process:
        os.close(there)
        parts = []
        try:
            while part := os.read(here, 4096):
                parts.append(part)
        except OSError:  # how Linux says that the other end is closed
            pass
        os.close(here)
    text = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", b"".join(parts).decode())
    assert process.returncode == 0, text
    return text


KEYS = ("beauty", "cocktails_rtd")


@pytest.mark.parametrize("engine", ["snakemake", "dvc"])
def test_dry_run_says_what_and_why_and_runs_nothing(project: Project, engine: str) -> None:
    project.change("merging.min_cluster_size", 12)
    before = project.tables()
    result = clustering(project.root, "run", "merging", "--dry-run", "--engine", engine)
    assert result.returncode == 0, result.stderr
    plan = dict(line.split(": ", 1) for line in result.stdout.splitlines())
    assert plan.pop("merging") == "8 stages would run; nothing was run."
    assert sorted(plan) == [
        *(f"apply_overrides/{key}" for key in KEYS), "collect_segments", *(f"describe_segments/{key}" for key in KEYS),
        *(f"merge_segments/{key}" for key in KEYS), "segment_chain",
    ]  # fmt: skip
    assert plan["merge_segments/beauty"] == "parameters changed: min_cluster_size 8 -> 12"
    assert plan["collect_segments"].startswith("follows ")
    assert project.tables() == before
    assert load_runs(project.root) == []
    forced = clustering(project.root, "run", "merging", "--dry-run", "--force", "--engine", engine)
    assert "ingest_sales: forced" in forced.stdout


def test_force_runs_every_stage_of_the_job_anew(project: Project) -> None:
    before = project.tables()
    assert project.stages_of(lambda: project.call("clustering", "run", "external_preprocessing_job")) == set()
    forced = project.stages_of(lambda: project.call("clustering", "run", "external_preprocessing_job", "--force"))
    assert {"ingest_stores", "ingest_external", "join_external"} <= forced
    assert not {stage for stage in forced if stage.startswith(("cluster_stores", "merge_segments", "build_report"))}
    assert project.tables() == before
    assert [run["force"] for run in load_runs(project.root)] == [False, True]


def test_run_is_recorded_found_by_tag_and_told_as_json(project: Project, journal: Path) -> None:
    project.change("merging.min_cluster_size", 12)
    result = clustering(project.root, "run", "merging", "--json", "--tags", "version=2.0", "--tags", "who=me")
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["event"] for event in (events[0], events[-1])] == ["run", "result"]
    started = {event["stage"] for event in events if event.get("state") == "started"}
    assert {"merge_segments/beauty", "collect_segments"} <= started
    assert events[-1]["metrics"] == json.loads((project.root / "reports/metrics.json").read_text())
    (record,) = load_runs(project.root)
    assert record["tags"] == {"version": "2.0", "who": "me"}
    assert record["id"] == events[0]["id"]
    assert record["git"]["dirty"] is True
    assert len(record["git"]["revision"]) == 40
    kept = project.root / RUNS / record["id"] / "segments.parquet"
    assert kept.read_bytes() == project.tables()["data/merging/segments.parquet"]
    assert "merging for dev by snakemake" in (journal / "clustering.log").read_text()

    project.change("merging.min_cluster_size", 10)
    found = clustering(project.root, "status", "--tags", "version=2.0").stdout
    assert re.search(rf"{record['id']} .*version=2\.0", found), "on one line, for a program"
    assert record["id"] in found
    assert "version=2.0" in found
    # Of two categories; a run of a part is not recorded for DVC, which knows the value of the run before, for the report too.
    words = " ".join(found.split())
    assert [words.count(f"min_cluster_size {value} -> 10") for value in (12, 8)] == [2, 3]
    assert record["id"] not in clustering(project.root, "status", "--tags", "version=3").stdout


def test_tagged_run_on_a_terminal_is_found_again_with_its_report(project: Project) -> None:
    project.change("merging.min_cluster_size", 12)
    seen = on_a_terminal(project.root, "run", "full_pipeline_job", "--tags", "version=2.0")
    assert re.search(r"full_pipeline .*\d+/\d+ .* left", seen)
    assert re.search(r"merge_segments +(beauty|cocktails_rtd)", seen)
    (run,) = with_tags(load_runs(project.root), {"version": "2.0"})
    kept = project.root / RUNS / run["id"] / "report.html"
    assert f"this run  {kept}" in seen
    assert run["result"] == "done"
    assert (kept.parent / "runner.log").read_text().count("Finished jobid") > 3

    found = clustering(project.root, "status", "--tags", "version=2.0").stdout
    assert run["id"] in found
    assert f"report of the last of them: {kept}" in found
    written = (project.root / "reports/report.html").read_text()
    before, after = written.split(PLACE)
    text = kept.read_text()
    assert (text.startswith(before), text.endswith(after)) == (True, True)
    section = text.removeprefix(before).removesuffix(after)
    assert [
        word for word in (run["id"], "version=2.0", run["git"]["revision"], "files differ") if word not in section
    ] == []


def test_failed_job_is_recorded_and_quiet_says_two_lines(project: Project) -> None:
    project.change("internal.categories.beauty.name", "BEUATY")
    result = clustering(project.root, "run", "merging", "--quiet")
    assert_mistake(result, 4, "no sales in category 'BEUATY'", "logs/s")
    assert result.stdout == ""
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == ["Error", "Solution"]
    (record,) = load_runs(project.root)
    assert record["result"] == "failed"
    assert "no sales in category 'BEUATY'" in record["error"]


def test_folder_that_cannot_be_used_is_named(project: Project) -> None:
    (project.root / "logs").rename(project.root / "elsewhere")
    (project.root / "logs").write_text("")
    assert_mistake(clustering(project.root, "run", "merging"), 3, f"{project.root / 'logs'} is not a folder")


def test_unset_variable_names_the_file_to_set_it_in(project: Project) -> None:
    config = project.root / "configs/dev.yml"
    (project.root / "configs/prod.yml").write_text(config.read_text().replace("LIMIT,512MB", "LIMIT"))
    assert_mistake(clustering(project.root, "run", "merging", "--env", "prod"), 3, ".env.prod", "MEMORY_LIMIT")


def test_wrong_arguments_are_two_lines(command: Callable[..., Said]) -> None:
    for words in (["run", "merging", "--tags", "version"], ["run", "mergin"], ["run"], ["nothing"]):
        code, _, errors = command(*words)
        assert code == 2
        assert [line.partition(":")[0] for line in errors.splitlines()] == ["Error", "Solution"], errors


def test_unwritable_log_warns_once_and_does_not_stop_the_command(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [str(Path(sys.executable).parent / "clustering"), "list-jobs"]
    env = environment() | {"CLUSTERING_LOG_DIR": str(tmp_path / "file")}
    result = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert "merging_job" in result.stdout
    assert result.stderr.count("Warning: no log of this command is kept") == 1


def test_help_of_each_command_has_an_example(command: Callable[..., Said]) -> None:
    names = list(get_command(app).commands)  # type: ignore[attr-defined]
    assert len(names) > 15
    for name in names:
        code, said, errors = command(name, "--help")
        assert (code, errors) == (0, "")
        words = " ".join(re.sub(r"[│╭╮╰╯─]", " ", said).split())
        assert f"Example: clustering {name}" in words, name
    _, said, _ = command("--help")
    assert [name for name in names if not re.search(rf"^\W*{name} ", said, flags=re.MULTILINE)] == []


def test_no_colour_is_respected() -> None:
    env = environment() | {"NO_COLOR": "1", "FORCE_COLOR": "1", "COLUMNS": "80"}
    command = [str(Path(sys.executable).parent / "clustering"), "list-jobs"]
    result = subprocess.run(command, env=env, capture_output=True, check=True)
    assert b"\x1b[3" not in result.stdout
    assert os.linesep.encode() in result.stdout
