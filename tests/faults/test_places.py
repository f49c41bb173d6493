"""Full disks, folders that cannot be written to, no home, no memory, wrong clocks, several runs at once: told in two lines, and mended."""

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from faults.killing import PATIENCE, SAID, hashes, left_behind, said, start
from faults.small import OUTPUTS
from faults.test_stages import is_told

pytestmark = [pytest.mark.slow, pytest.mark.integration]
Told = Callable[[str, int, int], None]
RUN = ("run", "full_pipeline_job", "--quiet")
# What is made anew in each case.
PART = ("data/merging", "reports")
YEAR = 365 * 86_400


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """A file system in memory at a folder; only root may, and not everywhere."""
    words = ["mount", "-t", "tmpfs", *options, "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


class Placed:
    """A project of which a part is to be made, and what a clean run makes of it."""

    def __init__(self, small: Path, root: Path) -> None:
        self.root = root
        shutil.copytree(small, root, symlinks=True, dirs_exist_ok=True)
        self.clean = hashes(small, *OUTPUTS)

    def undo(self) -> None:
        for name in PART:
            shutil.rmtree(self.root / name, ignore_errors=True)
        (self.root.parent / SAID).unlink(missing_ok=True)

    def run(self) -> int:
        return start(self.root, *RUN).wait(PATIENCE)

    def wrong(self) -> list[str]:
        """What is not as after a clean run, once a run has ended well."""
        code, ours = self.run(), hashes(self.root, *OUTPUTS)
        differ = [name for name in self.clean.keys() | ours.keys() if self.clean.get(name) != ours.get(name)]
        found = [f"code {code}: {said(self.root)[-1500:]}"] if code else []
        return found + differ + left_behind(self.root)

    def half(self) -> list[str]:
        """Outputs that are there and are not as after a clean run."""
        return [name for name, digest in hashes(self.root, *OUTPUTS).items() if self.clean.get(name) != digest]


@pytest.fixture
def placed(small: Path, tmp_path: Path) -> Placed:
    return Placed(small, tmp_path / "project")


@pytest.mark.parametrize("megabytes", [0.1, 0.5, 1, 2])
def test_disk_that_is_full(small: Path, tmp_path: Path, told: Told, megabytes: float) -> None:
    """So much is left of it when the run begins; then there is more."""
    root = tmp_path / "project"
    root.mkdir()
    size = sum(path.lstat().st_size + 4096 for path in small.rglob("*")) + (64 << 20)
    with mounted(root, "-o", f"size={size}"):
        placed = Placed(small, root)
        placed.undo()
        filler = root / "filler"
        with filler.open("wb") as file:
            free = os.statvfs(root)
            file.write(bytes(max(free.f_bavail * free.f_frsize - int(megabytes * (1 << 20)), 0)))
        code = placed.run()
        words = said(root)
        wrong = [*placed.half(), *([] if code == 0 or is_told(words) else [words])]
        filler.unlink()
        wrong += placed.wrong()
        told(f"a disk with {megabytes} MB left (exit code {code})", 1, not wrong)
        assert not wrong, words


@pytest.mark.parametrize("name", ["data", "reports", ".clustering", ".snakemake", "logs"])
def test_folder_that_cannot_be_written_to(placed: Placed, told: Told, name: str) -> None:
    """Root may write whatever the mode, but not to what is mounted for reading only."""
    folder = placed.root / name
    folder.mkdir(exist_ok=True)
    placed.undo() if name not in {"data", "reports"} else (placed.root / ".clustering/recorded").unlink()
    if subprocess.run(["mount", "--bind", folder, folder], capture_output=True, check=False).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        code, words = placed.run(), said(placed.root)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
    wrong = [] if code and is_told(words) and "Traceback" not in words else [f"code {code}: {words[-2000:]}"]
    wrong += [*placed.half(), *placed.wrong()]
    told(f"{name} for reading only", 1, not wrong)
    assert not wrong


def test_no_home_and_no_folder_for_temporary_files(placed: Placed, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    placed.undo()
    monkeypatch.setenv("HOME", "/nonexistent/home")
    monkeypatch.setenv("TMPDIR", "/nonexistent/tmp")
    wrong = placed.wrong()
    told("no home, no TMPDIR", 1, not wrong)
    assert not wrong


@pytest.mark.parametrize("number", [2, 8])
def test_several_runs_at_once(placed: Placed, told: Told, number: int) -> None:
    """One does the work, and the others say so; no more than one is at it."""
    placed.undo()
    runs = [start(placed.root, *RUN) for _ in range(number)]
    codes = sorted(run.wait(PATIENCE) for run in runs)
    words = said(placed.root)
    refused = words.count("another `clustering` command is at work")
    wrong = [] if codes[0] == 0 and refused == sum(code != 0 for code in codes) else [f"{codes}: {words[-2000:]}"]
    wrong += placed.wrong()
    told(f"{number} runs at once ({refused} refused)", number, number if not wrong else 0)
    assert not wrong


@pytest.mark.parametrize("years", [-30, -1, 1, 10])
def test_clock_that_was_wrong(placed: Placed, told: Told, years: int) -> None:
    """Files are from the future, or older than what they were made of."""
    now = time.time()
    for path in placed.root.rglob("data/**/*"):
        if path.is_file() and hash(path.name) % 2:
            os.utime(path, (now + years * YEAR,) * 2)
    wrong = placed.wrong()
    told(f"files of {years} years from now", 1, not wrong)
    assert not wrong


@pytest.mark.parametrize("megabytes", [600, 1000, 1500, 2500])
def test_memory_that_is_short(placed: Placed, told: Told, megabytes: int) -> None:
    """Either it is enough, or that is said; and with more of it all is right."""
    placed.undo()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, before[1]))
    try:
        process = start(placed.root, *RUN)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    code, words = process.wait(PATIENCE), said(placed.root)
    wrong = [] if code == 0 or (is_told(words) and "Traceback" not in words) else [f"code {code}: {words[-2000:]}"]
    wrong += [*placed.half(), *placed.wrong()]
    told(f"{megabytes} MB of memory (exit code {code})", 1, not wrong)
    assert not wrong
