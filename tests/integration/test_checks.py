"""What is expected of the result: a warning is said at the end, a failure ends the run after all there is to look at is made."""

import json

import pytest

from integration.conftest import Project
from integration.test_command import assert_mistake, clustering

pytestmark = pytest.mark.integration


def test_warnings_are_said_at_the_end_and_told_as_json(project: Project) -> None:
    # every category of the demo has some sales without a need state
    project.change("checks.mapped_sales.warn", 1)
    started = {"check_results", "build_report", "require_checks"}
    results = []

    def run(*words: str) -> None:
        results.append(clustering(project.root, "run", "full_pipeline", *words))

    assert project.stages_of(lambda: run("--quiet")) == started
    assert results[0].returncode == 0, results[0].stderr
    lines = [line for line in results[0].stdout.splitlines() if line.startswith("Warning: ")]
    mapped = [line for line in lines if " mapped_sales of " in line]
    assert [line.split(":")[1] for line in mapped] == [" mapped_sales of beauty", " mapped_sales of cocktails_rtd"]
    assert mapped[0].endswith("of sales have a need state; at least 100 % is expected")
    assert project.stages_of(lambda: run("--json")) == set()
    event = json.loads(results[1].stdout.splitlines()[-1])
    assert [f"Warning: {line}" for line in event["warnings"]] == lines
    passed = (project.root / "reports/checks_passed.txt").read_text().splitlines()
    assert passed[1:] == event["warnings"]


def test_failing_check_ends_every_runner_with_the_report_there(project: Project) -> None:
    project.change("checks.smallest_segment", {"warn": 99, "fail": 99})
    before = project.tables()
    result = clustering(project.root, "run", "full_pipeline", "--quiet")
    assert_mistake(result, 4, "Error: require_checks: 2 of ", "Solution: raise merging.min_cluster_size")
    assert "smallest_segment of beauty: the smallest segment has " in result.stderr
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == ["Error", "Solution"]
    assert project.tables() == before
    checks = json.loads((project.root / "reports/checks.json").read_text())
    assert checks["state"] == "fail"
    assert {(c["check"], c["view"]) for c in checks["checks"] if c["state"] == "fail"} == {
        ("smallest_segment", "beauty"),
        ("smallest_segment", "cocktails_rtd"),
    }
    assert "at least 99 is required." in (project.root / "reports/report.html").read_text(encoding="utf-8")
    assert sorted(p.stem for p in (project.root / "reports/workbooks").iterdir()) == ["beauty", "cocktails_rtd"]
    passed = project.root / "reports/checks_passed.txt"
    assert not passed.exists()
    for command in (("snakemake", "--cores", "1"), ("dvc", "repro")):
        made = project.call(*command, check=False)
        assert made.returncode != 0, command
        assert "require_checks: Error: 2 of " in made.stderr, command
        assert not passed.exists()
    # lenient again, the last stages pass
    project.change("checks.smallest_segment", {"warn": 1, "fail": 0})
    assert clustering(project.root, "run", "full_pipeline", "--engine", "dvc").returncode == 0
    assert passed.is_file()
