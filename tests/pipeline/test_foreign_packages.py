"""A project's stages use the project's copy of what they share, whatever packages of the same name Python could find."""

import subprocess
import sys
from pathlib import Path

import pytest

from clustering.runners import environment
from pipeline.graphs import copy_project

pytestmark = pytest.mark.integration

# Modules of these names are somebody else's, and end whatever imports them.
FOREIGN = ("lib", "storelib", "ingest_labels")
OWN = "import sys as _sys\n_sys.stderr.write('the copy of the project\\n')\n"
# A stage that needs no other one: there is no baseline.
STAGE = "data/merging/baseline.parquet"
SCRIPT = [
    "scripts/ingest_labels.py", "--config", "configs/dev.yml", "--raw", "data/raw/dev", "--source", "baseline",
    "--labels", STAGE, "--files", "data/merging/baseline_files.parquet", "--log", "logs/x.log",
]  # fmt: skip


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    folder = tmp_path / "foreign"
    for name in FOREIGN:
        package = folder / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("raise SystemExit('a foreign package was imported')\n")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose copy of `storelib` says that it is loaded."""
    root = copy_project(tmp_path / "project")
    names = root / "scripts" / "storelib" / "names.py"
    names.write_text(names.read_text(encoding="utf-8") + OWN, encoding="utf-8")
    return root


def run(root: Path, *command: str, **variables: str) -> str:
    result = subprocess.run(
        [sys.executable, *command], cwd=root, env=environment() | variables, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def test_a_stage_finds_its_own(project: Path, foreign: Path) -> None:
    assert "the copy of the project" in run(project, *SCRIPT, PYTHONPATH=str(foreign))
    assert (project / STAGE).is_file()


@pytest.mark.parametrize("variables", [{}, {"PYTHONSAFEPATH": "1"}], ids=["plain", "safe path"])
def test_snakemake_finds_its_own(project: Path, foreign: Path, variables: dict[str, str]) -> None:
    said = run(project, "-m", "snakemake", "--cores", "1", STAGE, PYTHONPATH=str(foreign), **variables)
    # Once for the Snakefile, once for the stage.
    assert said.count("the copy of the project") == 2
    assert (project / STAGE).is_file()


def test_dvc_finds_its_own(project: Path, foreign: Path) -> None:
    (project / "data/raw/dev").mkdir(parents=True)
    (project / "data/raw/dev/sales.csv").touch()
    command = ("dvc", "repro", "--single-item", "hash_code", "ingest_baseline")
    assert "the copy of the project" in run(project, "-m", *command, PYTHONPATH=str(foreign))
    assert (project / STAGE).is_file()


def test_the_command_does_not_hand_on_a_safe_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """With it `python scripts/x.py` does not look beside the script."""
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    assert "PYTHONSAFEPATH" not in environment()


def test_the_command_finds_its_own(project: Path, foreign: Path) -> None:
    command = Path(sys.executable).with_name("clustering")
    assert "full_pipeline_job" in run(project, str(command), "list-jobs", PYTHONPATH=str(foreign))
