"""The command's exit codes and messages."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clustering import __version__
from clustering.jobs import JOBS
from clustering.runners import environment
from integration.conftest import Project, Said

pytestmark = pytest.mark.integration


def clustering(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "clustering"), *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


def assert_mistake(result: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stdout + result.stderr
    for word in words:
        assert word in result.stderr


def test_version_and_jobs(tmp_path: Path, command: Callable[..., Said]) -> None:
    assert clustering(tmp_path, "--version").stdout.strip() == __version__
    code, listed, errors = command("list-jobs")
    assert (code, errors) == (0, "")
    assert [job for job in JOBS if f"{job}_job" not in listed] == []


def test_unknown_job_is_an_argument_error_with_the_nearest_name(project: Project) -> None:
    assert_mistake(clustering(project.root, "run", "full_pipelin_job"), 2, "full_pipeline")


def test_outside_a_project_is_a_configuration_error(tmp_path: Path) -> None:
    assert_mistake(clustering(tmp_path, "run", "merging"), 3, "Error: ", "Solution: ", "clustering init")


def test_environment_without_configuration_is_a_configuration_error(project: Project) -> None:
    assert_mistake(
        clustering(project.root, "run", "merging", "--env", "prod"), 3, "configs/prod.yml does not exist", "dev"
    )


FETCH = """
fetch:
  stores:
    files: ${env:SHOP_FOLDER}/stores.parquet
"""


def test_fetch_without_anything_to_fetch_is_a_configuration_error(project: Project) -> None:
    assert_mistake(clustering(project.root, "fetch"), 3, "configs/dev.yml has no section `fetch`", "data/raw/dev/")


def test_fetch_of_an_unknown_source_is_an_argument_error(project: Project) -> None:
    project.add("configs/dev.yml", FETCH)
    assert_mistake(clustering(project.root, "fetch", "store"), 2, "nothing is said of 'store'", "(nearest: 'stores')")


def test_fetch_names_a_variable_that_is_not_set_and_a_run_does_not_need_it(project: Project, tmp_path: Path) -> None:
    project.add("configs/dev.yml", FETCH)
    assert_mistake(clustering(project.root, "fetch"), 3, "environment variable SHOP_FOLDER is not set", ".env.dev")
    assert clustering(project.root, "run", "merging").returncode == 0
    before = (project.root / "data/raw/dev/stores.parquet").read_bytes()
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/stores.parquet").write_bytes(before)
    (project.root / ".env.dev").write_text(f"SHOP_FOLDER={tmp_path / 'shop'}\n")
    done = clustering(project.root, "fetch", "stores")
    assert done.stdout.startswith("stores: unchanged: ")
    assert done.stderr == f"Warning: .env.dev can be read by others: chmod 600 {project.root / '.env.dev'}\n"
    (tmp_path / "shop/stores.parquet").write_bytes(before[:-100])
    assert_mistake(clustering(project.root, "fetch", "--refresh"), 4, "cannot be read as parquet")
    assert (project.root / "data/raw/dev/stores.parquet").read_bytes() == before


def test_unknown_key_in_params_names_the_nearest(project: Project) -> None:
    project.change("merging.min_cluster_sise", 3)
    assert_mistake(clustering(project.root, "run", "merging"), 3, "merging.min_cluster_sise", "min_cluster_size")


def test_k_range_upside_down_is_a_configuration_error(project: Project) -> None:
    project.change("internal.cluster_stores.min_clusters", 9)
    assert_mistake(clustering(project.root, "run", "merging"), 3, "min_clusters 9 is above max_clusters 6")


def test_misspelt_category_fails_the_pipeline_with_the_nearest_name(project: Project) -> None:
    project.change("internal.categories.beauty.name", "BEUATY")
    result = clustering(project.root, "run", "merging")
    assert_mistake(result, 4)
    *_, error, solution = result.stderr.splitlines()
    # Two stages look the name up, at the same time; whichever fails first is told.
    stage = error.removeprefix("Error: ").partition(":")[0]
    assert stage in {"select_categories", "split_need_states/beauty"}
    assert error.startswith(f"Error: {stage}: no sales in category 'BEUATY' (nearest: 'BEAUTY')")
    assert "params.yaml" in solution
    assert f"logs/{stage}.log" in solution


@pytest.mark.parametrize("engine", ["snakemake", "dvc"])
def test_missing_column_is_said_last_with_the_columns_there_are(project: Project, engine: str) -> None:
    config = project.root / "configs/dev.yml"
    config.write_text(config.read_text().replace("TOTAL_SALES", "TOTAL_SALE"))
    result = clustering(project.root, "run", "full_pipeline_job", "--engine", engine)
    assert_mistake(result, 4)
    assert "no column 'TOTAL_SALE' (nearest: 'TOTAL_SALES')" in result.stderr.splitlines()[-2]


def test_more_clusters_than_stores_is_a_message(project: Project) -> None:
    project.change("internal.cluster_stores.min_clusters", 500)
    project.change("internal.cluster_stores.max_clusters", 600)
    assert_mistake(clustering(project.root, "run", "merging"), 4, "500 clusters are asked for")


def test_dvc_engine_runs_a_job_and_snakemake_agrees(project: Project) -> None:
    project.change("merging.min_cluster_size", 12)
    result = clustering(project.root, "run", "full_pipeline_job", "--engine", "dvc")
    assert result.returncode == 0, result.stderr
    assert "data/merging/segments.parquet" in result.stdout.replace("\n", "")
    assert project.stages_of(project.snakemake) == set()


def test_dvc_engine_refuses_another_environment(project: Project) -> None:
    (project.root / "configs/other.yml").write_text((project.root / "configs/dev.yml").read_text())
    raw = project.root / "data/raw/other"
    raw.mkdir()
    (raw / "stores.parquet").write_bytes(b"")
    result = clustering(project.root, "run", "merging", "--env", "other", "--engine", "dvc")
    assert_mistake(result, 3, "set `env: other`")


def test_missing_raw_data_of_an_environment_is_said(project: Project) -> None:
    (project.root / "configs/other.yml").write_text((project.root / "configs/dev.yml").read_text())
    assert_mistake(clustering(project.root, "run", "merging", "--env", "other"), 4, "data/raw/other")


def test_second_run_starts_no_stage(project: Project) -> None:
    started = project.stages_of(lambda: project.call("clustering", "run", "full_pipeline_job"))
    assert started == set()


def test_minimal_runs_in_a_temporary_folder(minimal: tuple[Path, str]) -> None:
    project, said = minimal
    of_the_fixture = {"said.txt", "watch", "connections.log"}
    assert {path.name for path in project.parents[2].iterdir()} - of_the_fixture == {"tmp"}
    assert (project / "data/merging/segments.parquet").is_file()
    assert "full_pipeline: done in" in said
    assert "segments" in said
    assert str(project / "reports/report.html") in said


def test_init_refuses_a_folder_with_files_and_an_unknown_example(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x")
    assert_mistake(clustering(tmp_path, "init", "full"), 1, "not empty")
    assert_mistake(clustering(tmp_path, "init", "new", "--example", "iova"), 3, "iowa")
    assert not (tmp_path / "new").exists()


def test_metrics_say_how_much_of_the_planted_truth_was_found(finished: Path) -> None:
    metrics = json.loads((finished / "reports/metrics.json").read_text())
    found = metrics["recovery"]
    assert sorted(found) == ["beauty", "cocktails_rtd"]
    assert min(part["internal_cluster_ari"] for part in found.values()) > 0.8
    assert metrics["ledger"]["sales_in"] == pytest.approx(
        sum(metrics["ledger"][f"sales_{flow}"] for flow in ("segmented", "set_aside", "not_selected")), abs=0.005
    )
