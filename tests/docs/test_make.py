"""The targets that the Makefile promises, and the schemas that one of them writes."""

import difflib
import os
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

import write_schemas
from clustering import __version__

ROOT = Path(__file__).resolve().parents[2]
# fmt: off
TARGETS = [
    "help", "install", "cluster", "update", "lock", "version",
    "run", "run-full", "full-pipeline", "run-internal-preprocessing", "run-internal-ml", "run-external-preprocessing",
    "run-external-ml", "run-merging", "run-memory-optimized", "minimal", "sweep", "dev",
    "format", "lint", "type-check", "check-all",
    "test", "test-unit", "test-integration", "pipeline-test", "test-slow", "test-fuzz", "test-faults", "test-slurm", "test-soak", "bench",
    "docs", "docs-server", "schemas", "changelog", "build", "sbom", "audit", "clean",
]
# fmt: on

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def make(*arguments: str, **variables: str) -> str:
    # A make that started the tests must not pass its own flags on.
    environment = {key: value for key, value in os.environ.items() if key not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    done = subprocess.run(
        ["make", *arguments], cwd=ROOT, env=environment | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_help_lists_every_target() -> None:
    listed = re.findall(r"^make ([a-z-]+)  +\S", make("help"), flags=re.MULTILINE)
    assert sorted(listed) == sorted(TARGETS)
    assert make() == make("help")


@pytest.mark.parametrize("target", TARGETS)
def test_target_has_commands(target: str) -> None:
    assert "Nothing to be done" not in make("-n", target) or target in {"install", "cluster"}


def test_environment_and_job_reach_the_command() -> None:
    assert "clustering run full_pipeline_job --env prod" in make("-n", "full-pipeline", "ENV=prod")
    assert "--env" not in make("-n", "full-pipeline", ENV="/home/someone/.shrc"), "a shell's own ENV is not meant"
    planned = make("-n", "run-memory-optimized", "JOB=merging_job", "MEMORY_LIMIT=100MB")
    assert "CLUSTERING_MEMORY_LIMIT=100MB" in planned
    assert "clustering run merging_job" in planned


def test_version_is_that_of_the_package() -> None:
    if not (ROOT / ".venv" / ".pipeline").is_file():
        pytest.skip(".venv is not set up")
    assert make("version").split()[-1] == __version__


def test_set_up_is_there_for_both_systems_and_says_what_is_untested() -> None:
    assert "UNTESTED" in (ROOT / "scripts" / "setup.bat").read_text(encoding="utf-8").upper()
    done = subprocess.run(["sh", "-n", str(ROOT / "scripts" / "setup.sh")], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("theirs", ["project", "nothing"])
def test_environment_behind_a_link_is_left_alone(tmp_path: Path, theirs: str) -> None:
    """Another project's, which a set-up of this one would empty; or a link to nowhere."""
    (tmp_path / "project" / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / "project" / ".venv" / "bin" / "python").write_text("theirs")
    (tmp_path / "project" / ".venv" / ".home").write_text(f"{tmp_path / 'project'}\n")
    ours = tmp_path / "ours"
    (ours / "scripts").mkdir(parents=True)
    shutil.copyfile(ROOT / "scripts" / "setup.sh", ours / "scripts" / "setup.sh")
    (ours / ".venv").symlink_to(tmp_path / theirs / ".venv")
    done = subprocess.run(["sh", "scripts/setup.sh", "pipeline"], cwd=ours, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert (
        f".venv is a link to {tmp_path / theirs / '.venv'}, which holds no environment of this project" in done.stderr
    )
    assert (tmp_path / "project" / ".venv" / "bin" / "python").read_text() == "theirs"


@pytest.mark.parametrize("name", ["params.json", "config.json"])
def test_schemas_follow_from_the_models(name: str) -> None:
    kept = (ROOT / "configs" / "schema" / name).read_text(encoding="utf-8")
    made = write_schemas.text_of(write_schemas.schemas()[name])
    drift = difflib.unified_diff(kept.splitlines(), made.splitlines(), f"configs/schema/{name}", "models", lineterm="")
    assert kept == made, "run `make schemas`\n" + "\n".join(drift)


@pytest.mark.parametrize(
    "path",
    ["params.yaml", "configs/dev.yml", *(f"examples/{e}" for e in ("minimal/params.yaml", "iowa/configs/iowa.yml"))],
)
def test_schemas_admit_the_files_they_describe(path: str) -> None:
    name = "params.json" if path.endswith("params.yaml") else "config.json"
    jsonschema.validate(yaml.safe_load((ROOT / path).read_text(encoding="utf-8")), write_schemas.schemas()[name])
