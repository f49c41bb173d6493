"""One finished project for all faults, and how many are planted: FAULTS (a few hundred by default) and SEED."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bad_input.project import Project
from faults.injection import load_libraries
from faults.killing import PATIENCE, said, start
from faults.small import make_small
from integration.conftest import once

MAKE = """
import shutil, sys
from pathlib import Path
from bad_input.project import Project
project = Project.make(Path(sys.argv[1]))
shutil.copytree(sys.argv[2], project / "scripts/templates", dirs_exist_ok=True)
told = project.run_all(*project.stages())
assert told.code == 0, told.said
"""
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def seed() -> int:
    return int(os.environ.get("SEED", "1"))


@pytest.fixture(scope="session")
def many() -> int:
    """How many faults of each kind of test."""
    return int(os.environ.get("FAULTS", "300"))


@pytest.fixture(scope="session")
def kills() -> int:
    """How many signals to whole runs, and to other commands."""
    return int(os.environ.get("KILLS", "12"))


@pytest.fixture(scope="session")
def troubles() -> int:
    """How many connections that fail, for each server and what is done there."""
    return int(os.environ.get("TROUBLES", "12"))


@pytest.fixture
def in_time() -> Callable[[], bool]:
    """Whether there is time for more: FAULT_SECONDS for each part of a test, 6 by default; make test-faults gives hours."""
    until = time.monotonic() + float(os.environ.get("FAULT_SECONDS", "6"))
    return lambda: time.monotonic() < until


@pytest.fixture(scope="session")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory, where there is such a thing: faults are of files, and the disk's own time is not what is looked at."""
    shared = Path("/dev/shm")  # noqa: S108 (a folder of this process's own is made in it)
    if not os.access(shared, os.W_OK):
        yield tmp_path_factory.mktemp("faults")
        return
    folder = Path(tempfile.mkdtemp(prefix="clustering-faults-", dir=shared))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def whole(memory: Path) -> Project:
    """A small project, every stage run; by another process, since what has started threads cannot be forked safely."""
    load_libraries()
    places = os.pathsep.join([str(ROOT / "tests"), str(ROOT / "scripts")])
    words = [sys.executable, "-c", MAKE, str(memory / "project"), str(ROOT / "scripts" / "templates")]
    subprocess.run(words, env=os.environ | {"PYTHONPATH": places}, check=True)
    return Project(memory / "project")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project of both runners, everything made and recorded; all test processes share it."""
    with once("small", tmp_path_factory) as (folder, is_ours):
        root = folder / "project"
        if is_ours:
            make_small(root)
            assert start(root, "run", "full_pipeline_job", "--quiet").wait(PATIENCE) == 0, said(root)
        return root


@pytest.fixture
def told(seed: int) -> Callable[[str, int, int], None]:
    """Prints what came of the faults: what, how many were planted, how many did no harm. pytest shows it by -rP."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()

    def tell(what: str, injected: int, survived: int) -> None:
        print(f"{what}: injected {injected} / survived {survived} / seed {seed} / commit {commit or 'none'}")

    return tell
