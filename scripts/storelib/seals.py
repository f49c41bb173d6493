"""What a stage wrote, by content: a seal for each output, which whoever reads the output holds against it.

A disk that flips a bit, a copy that breaks off, a restored folder of which half is of yesterday, a file of another category put
in a file's place: each is a file that can be read, and runners look at times and sizes. A seal is a line of JSON in
`.clustering/made/`, under the output's own path, with its size and SHA-256. The outputs' bytes know nothing of it. A file
without a seal is taken as it is: seals are one machine's, as all of `.clustering/`.

DVC brings files back that no stage wrote here. They are right where `dvc.lock` says so by their hash; but a stage that
Snakemake has started does not ask DVC: half a checkout is no run.
"""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from storelib.errors import DataError

SEALS = Path(".clustering", "made")
DAMAGED = Path(".clustering", "damaged")
# A project's folder is the one with this in it, and its outputs lie in these; raw data are somebody's own.
PROJECT = "dvc.yaml"
SEALED = ("data", "reports")
RAW = "raw"
# What commands and the Snakefile write, and read again.
KEPT = ("reports/published/", "data/internal/settings/", "data/code/")
# Set by DVC for what it starts.
BY_DVC = "DVC_ROOT"
# Set by schedulers for what they start: stages of one run are then on several machines, with a file system between them, and a
# file and its seal may be of two times until that has caught up.
SCHEDULED = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "KUBERNETES_SERVICE_HOST")
# Seconds that this may take, and between two looks.
DELAY, LOOK_AGAIN = 60.0, 1.0
# What was looked at in this process: path, inode, size and time.
Look = tuple[str, int, int, int]
SEEN: set[Look] = set()


class Here:
    """Whether this process is a stage: it may then set a damaged file aside, for the runner to have it made again."""

    is_stage = False


class Place(NamedTuple):
    """Where an output lies: the project's folder, and the path in it."""

    root: Path
    name: str

    @property
    def path(self) -> Path:
        """The output."""
        return self.root / self.name

    @property
    def seal(self) -> Path:
        """Its seal."""
        return self.root / SEALS / f"{self.name}.json"

    @property
    def aside(self) -> Path:
        """Where it goes when it is damaged."""
        return self.root / DAMAGED / self.name


@cache
def root_above(folder: str) -> str | None:
    """The project's folder that a folder lies in; None where there is none."""
    here = Path(folder)
    found = next((above for above in (here, *here.parents) if (above / PROJECT).is_file()), None)
    return str(found) if found else None


def place_of(path: Path) -> Place | None:
    """The place of an output; None of a file that is none. What a link leads to does not matter."""
    full = Path(os.path.abspath(path))  # noqa: PTH100 (links stay what they are)
    above = root_above(str(full.parent))
    if above is None:
        return None
    parts = full.relative_to(above).parts
    if parts[0] not in SEALED or parts[1] == RAW or parts[-1].startswith("."):
        return None
    return Place(Path(above), "/".join(parts))


def sealed_place(path: Path) -> Place | None:
    """The place of a file that is about to be written, where it gets a seal: what stages write, and what others keep for them."""
    place = place_of(path)
    return place if place and (Here.is_stage or place.name.startswith(KEPT)) else None


def content_of(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        return {"size": os.fstat(file.fileno()).st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def seal(place: Place, content: dict[str, Any] | None = None) -> None:
    """Note an output as it is, whole or not at all. content: where it is known already."""
    text = json.dumps({"path": place.name} | (content or content_of(place.path)))
    place.seal.parent.mkdir(parents=True, exist_ok=True)
    # A seal that is lost or old makes a stage run again: it need not wait for the disk.
    temporary = place.seal.with_name(f".{place.seal.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(place.seal)
    finally:
        temporary.unlink(missing_ok=True)


def unseal(place: Place) -> None:
    """Forget an output."""
    place.seal.unlink(missing_ok=True)


def is_whole(place: Place) -> bool | None:
    """Whether an output that is there is as its stage wrote it; None where nothing is known of it."""
    try:
        text = place.seal.read_bytes()
    except FileNotFoundError:
        return None
    try:
        known = json.loads(text)
    except ValueError:
        # Damaged itself: it says nothing, so the output is made again.
        return False
    return bool(known == {"path": place.name} | content_of(place.path))


def is_whole_by_now(place: Place) -> bool:
    """The same of an output that was not: another machine may just have written it. At once on one machine alone."""
    if not any(name in os.environ for name in SCHEDULED):
        return False
    until = time.monotonic() + DELAY
    while time.monotonic() < until:
        time.sleep(LOOK_AGAIN)
        for folder in (place.path.parent, place.seal.parent):
            # Network file systems ask for names anew when a folder is opened.
            os.listdir(folder)  # noqa: PTH208 (iterdir need not open it)
        if is_whole(place) is not False:
            return True
    return False


def checked(path: Path) -> Path:
    """The same path, of a file that is as its stage wrote it. Raises DataError where it is not; the file is then set aside.

    In a command that is no stage it stays where it is.
    """
    place = place_of(path)
    if place is None:
        return path
    try:
        state = path.stat()
        look = (str(place.path), state.st_ino, state.st_size, state.st_mtime_ns)
        if look in SEEN or is_whole(place) is not False or is_whole_by_now(place):
            SEEN.add(look)
            return path
    except FileNotFoundError:
        # Whoever reads it says so.
        return path
    if (BY_DVC in os.environ or not Here.is_stage) and is_locked(place):
        if Here.is_stage:
            seal(place)
        return path
    if Here.is_stage:
        set_aside(place)
        solution = "run the same command again, which makes it again"
    else:
        solution = "run `clustering run full_pipeline_job`, which makes it again"
    raise DataError(f"{place.name} is not as its stage wrote it: it was damaged or replaced", solution=solution)


def stands(path: Path) -> bool:
    """Whether an output is there, and nothing speaks against its being as its stage wrote it."""
    place = place_of(path)
    return path.is_file() and (place is None or is_whole(place) is not False)


def set_aside(place: Place) -> None:
    """Move a damaged output to where it can be looked at, and have its runner miss it."""
    place.aside.parent.mkdir(parents=True, exist_ok=True)
    place.path.replace(place.aside)
    unseal(place)
    if known := locked_md5(place):
        drop_damaged(place.root / ".dvc" / "cache" / "files" / "md5" / known[:2] / known[2:], known)


def drop_damaged(stored: Path, md5: str) -> bool:
    """Delete a file of DVC's cache that is not what its name says: it would come back instead of what a stage makes."""
    if stored.is_file() and md5_of(stored) != md5:
        stored.unlink()
        return True
    return False


def is_locked(place: Place) -> bool:
    """Whether an output is the one that DVC knows last."""
    known = locked_md5(place)
    return known is not None and md5_of(place.path) == known


def locked_md5(place: Place) -> str | None:
    """The hash by which DVC knows an output; None where it knows none."""
    return next((md5 for _, name, md5 in locked(place.root) if name == place.name), None)


def locked(root: Path) -> Sequence[tuple[str, str, str]]:
    """The outputs that dvc.lock has: the stage in DVC's words, the path, the hash; none where DVC itself cannot read it."""
    path = root / "dvc.lock"
    try:
        state = path.stat()
    except OSError:
        return ()
    return outs_of(path, (state.st_ino, state.st_size, state.st_mtime_ns))


@lru_cache(maxsize=4)
def outs_of(path: Path, _state: tuple[int, int, int]) -> Sequence[tuple[str, str, str]]:
    """What `locked` gives of a file in one state: reading it takes longer than hashing an output, and is asked for each."""
    import yaml

    try:
        stages = yaml.load(path.read_bytes(), yaml.CSafeLoader)["stages"]
        outs = [(name, out) for name, stage in stages.items() for out in stage.get("outs", ())]
        return tuple((name, out["path"], out["md5"]) for name, out in outs if "md5" in out)
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError):
        return ()


def md5_of(path: Path) -> str:
    """The hash by which DVC knows a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
