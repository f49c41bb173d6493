"""What is kept of earlier runs: nothing that runs leave behind may grow for ever.

Each run keeps to it by itself (`tidy`). `clustering clean` does so on request, keeps as many runs as is said, and clears
DVC's cache, which a run never does: what is in it may be another branch's.
"""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from clustering.dvc_state import forget_gone
from clustering.jobs import KEPT
from clustering.runners import ask, why
from clustering.runs import old_runs
from clustering.unfinished import remove_notes
from storelib.errors import PipelineError
from storelib.seals import DAMAGED, SEALS

# The newest files that are kept, of all below a folder: logs of runners (Snakemake's own, one each time that it is asked something,
# and those of its jobs in Slurm), and damaged outputs that were set aside.
NEWEST = {Path(".snakemake", "log"): 200, Path(".snakemake", "slurm_logs"): 200, DAMAGED: 20}
# What DVC keeps: all that a branch, a tag, an experiment or the files of today need.
NEEDED = ("--workspace", "--all-branches", "--all-tags", "--all-experiments")
CACHE = Path(".dvc", "cache")


def outdated(root: Path, runs: int = KEPT) -> Iterator[Path]:
    """Files, and folders of runs, that are not kept; runs: how many of these are, beside the preferred one."""
    yield from old_runs(root, runs)
    for folder, newest in NEWEST.items():
        yield from sorted(files_in(root / folder), key=lambda path: path.stat().st_mtime, reverse=True)[newest:]
    for seal in files_in(root / SEALS):
        if seal.suffix == ".json" and not (root / seal.relative_to(root / SEALS).with_suffix("")).exists():
            yield seal


def files_in(folder: Path) -> list[Path]:
    """Every file below a folder; none where it is not there."""
    return [path for path in folder.rglob("*") if path.is_file()]


def remove(paths: Iterable[Path]) -> tuple[int, int]:
    """Delete files and folders. How many there were, and their bytes."""
    count = size = 0
    for path in paths:
        size += size_of(path)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        count += 1
    return count, size


def size_of(path: Path) -> int:
    """The bytes of a file, or of all below a folder."""
    return sum(one.stat().st_size for one in ([path] if path.is_file() else files_in(path)))


def tidy(root: Path) -> None:
    """Delete what is not kept; before a run, by the one who holds the project."""
    remove(list(outdated(root)))


def clear_cache(root: Path) -> tuple[int, int]:
    """Have DVC delete what no branch, tag, experiment or file of today needs, and forget results that it could not bring back.

    How many files there were, and their bytes. Raises PipelineError where DVC fails.
    """
    before = files_in(root / CACHE)
    size = size_of(root / CACHE)
    done = ask(root, "dvc", ["gc", *NEEDED, "--force", "--quiet"])
    if done.returncode:
        raise PipelineError(f"dvc gc failed: {why(done)}", solution="run `dvc gc --workspace` by hand to see why")
    remove_notes(list(notes_of_nothing(root / CACHE)))
    forget_gone(root)
    return len(before) - len(files_in(root / CACHE)), size - size_of(root / CACHE)


def notes_of_nothing(cache: Path) -> Iterator[Path]:
    """DVC's notes of what a stage made of what, where the cache has not all of it any more: DVC runs the stage then."""
    for path in files_in(cache / "runs"):
        outs = (yaml.load(path.read_bytes(), yaml.CSafeLoader) or {}).get("outs", [])
        hashes = [out["md5"] for out in outs if "md5" in out]
        if not all((cache / "files" / "md5" / md5[:2] / md5[2:]).is_file() for md5 in hashes):
            yield path
