"""Projects in odd places, with real runners: each works, or is told in one line before anything runs."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from clustering.compare import load_results
from clustering.plans import snakemake_plan
from clustering.sweep import check_experiments
from integration.conftest import Project
from storelib.configuration.params import load_params
from storelib.errors import ConfigError

pytestmark = pytest.mark.integration


def take_git_away(project: Project) -> None:
    shutil.rmtree(project.root / ".git")


def put_data_behind_a_link(project: Project) -> None:
    disk = project.root.with_name("disk")
    (project.root / "data").rename(disk)
    (project.root / "data").symlink_to(disk)


@pytest.mark.parametrize(
    ("trouble", "cause"),
    [(take_git_away, "the project is in no git repository"), (put_data_behind_a_link, "data is a link")],
)
def test_snakemake_runs_where_dvc_cannot_and_why_is_said(
    project: Project, trouble: Callable[[Project], None], cause: str
) -> None:
    trouble(project)
    project.change("merging.min_cluster_size", 9)
    done = project.call("clustering", "run", "merging", "--json")
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["result"] == "done"
    assert cause in last["not_passed_on"]
    assert (project.root / "reports/segments.csv").stat().st_size > 0
    for words in (["record"], ["run", "merging", "--engine", "dvc"], ["sweep", "-S", "merging.min_cluster_size=9,10"]):
        refused = project.call("clustering", *words, check=False)
        assert (refused.returncode, refused.stderr.count("\n")) == (3, 2), refused.stderr
        assert cause in refused.stderr
    assert f"DVC cannot be asked: {cause}" in project.call("clustering", "status").stdout.replace(
        f"{project.root}/", ""
    )


def test_demo_that_was_never_made_is_no_obstacle(project: Project) -> None:
    params = yaml.safe_load((project.root / "params.yaml").read_text())
    project.change("demo.other", params["demo"]["dev"] | {"seed": 21})
    assert "has recorded" in project.call("clustering", "record").stdout
    assert "has taken note" in project.call("clustering", "sync").stdout
    lock = yaml.safe_load((project.root / "dvc.lock").read_text())
    assert "make_demo_data@dev" in lock["stages"]
    assert "make_demo_data@other" not in lock["stages"]
    assert not (project.root / "data/raw/other").exists()


def test_baseline_beside_the_demo_is_noticed_by_both_runners_and_stays(project: Project) -> None:
    """As docs/howto/own_data.md has it; afterwards the demo is made anew."""
    baseline = project.root / "data/raw/dev/last_month.parquet"
    shutil.copyfile(project.root / "data/merging/segments.parquet", baseline)
    config = project.root / "configs/dev.yml"
    place = yaml.safe_load(config.read_text())
    place["sources"]["baseline"] = {"reader": "parquet", "path": "last_month.parquet"}
    config.write_text(yaml.safe_dump(place))
    assert "ingest_baseline" in snakemake_plan(project.root, "merging")
    project.call("dvc", "repro", "--quiet", "ingest_baseline")
    rows = pq.read_metadata(baseline).num_rows
    assert pq.read_metadata(project.root / "data/merging/baseline.parquet").num_rows == rows > 0
    project.call("dvc", "repro", "--quiet", "--force", "--single-item", "make_demo_data@dev")
    assert pq.read_metadata(baseline).num_rows == rows
    project.call("dvc", "add", "--quiet", "data/raw/dev/last_month.parquet")
    note = "data/raw/dev/last_month.parquet.dvc"
    assert note in project.call("git", "status", "--porcelain", "--untracked-files=all").stdout, "git would keep it"
    baseline.unlink()
    assert project.call("dvc", "repro", "--quiet", "ingest_baseline", check=False).returncode != 0, (
        "its loss is noticed"
    )


def test_results_of_a_revision_are_found_inside_a_larger_repository(project: Project) -> None:
    before = load_results(project.root, "HEAD")
    shutil.rmtree(project.root / ".git")
    larger = Project(project.root.parent)
    larger.call("git", "init", "-q")
    larger.commit()
    found = load_results(project.root, "HEAD")
    assert found.metrics == before.metrics
    assert found.segments.equals(before.segments)


def test_experiments_want_the_raw_files_that_are_here(project: Project) -> None:
    """A copy that DVC makes holds what DVC took note of, and nothing else."""
    project.change("env", "prod")
    shutil.copytree(project.root / "data/raw/dev", project.root / "data/raw/prod")
    shutil.copyfile(project.root / "configs/dev.yml", project.root / "configs/prod.yml")
    params = load_params(project.root / "params.yaml")
    setting = ["merging.min_cluster_size=9"]
    with pytest.raises(ConfigError, match="DVC does not know data/raw/prod/") as caught:
        check_experiments(project.root, params, setting)
    assert caught.value.solution.startswith("dvc add data/raw/prod && git add data/raw")
    project.call("dvc", "add", "--quiet", "data/raw/prod")
    for name in ("configs/prod.yml", "data/raw/prod.dvc"):
        with pytest.raises(ConfigError, match=f"git does not know {name}"):
            check_experiments(project.root, params, setting)
        project.call("git", "add", name)
    project.commit()
    check_experiments(project.root, params, setting)
    check_experiments(project.root, params, ["env=dev,prod", *setting])
    with (project.root / "data/raw/prod/product_map.csv").open("a") as handle:
        handle.write("999,BEAUTY,New\n")
    with pytest.raises(ConfigError, match=r"data/raw/prod was changed since DVC took note of it"):
        check_experiments(project.root, params, setting)


def test_path_of_umlauts_spaces_and_quotes_works_and_of_braces_is_told(project: Project, tmp_path: Path) -> None:
    odd = Project(tmp_path / "größe 'a' $b")
    project.root.rename(odd.root)
    odd.change("merging.min_cluster_size", 9)
    assert "merging: done" in odd.call("clustering", "run", "merging").stdout
    braces = Project(tmp_path / "br{a}ce")
    odd.root.rename(braces.root)
    refused = braces.call("clustering", "run", "merging", check=False)
    assert (refused.returncode, refused.stderr.count("\n")) == (3, 2)
    assert "holds a brace" in refused.stderr


def test_run_needs_no_git_program(project: Project, tmp_path: Path) -> None:
    """Git's folder is there, its program is not."""
    own = Path(sys.executable).parent
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "bash"):
        if found := shutil.which(name):
            (programs / name).symlink_to(found)
    project.change("merging.min_cluster_size", 9)
    done = subprocess.run(
        [own / "clustering", "run", "merging"], cwd=project.root, env={"PATH": f"{own}:{programs}", "HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "merging: done" in done.stdout
