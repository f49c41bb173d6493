"""Whether what lies there follows from today's raw files: every stage that reads some leaves a list of what it read.

Runners look at the files when a stage starts or after it has ended; a file that is replaced in between is found here alone.
"""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from clustering import dvc_state
from clustering.jobs import JOBS, Engine
from clustering.plans import Plan
from clustering.reasons import some
from clustering.runners import ask, failure
from storelib.configuration.params import Params
from storelib.configuration.place import load_place
from storelib.configuration.stages import READERS, Made
from storelib.errors import DataError
from storelib.raw.hashes import Hashes, raw_hashes
from storelib.tables import read_table


class Difference(NamedTuple):
    """A raw file that is not as a stage read it. what: what became of it."""

    stage: str
    file: str
    what: str


def differences(root: Path, env: str, params: Params, job: str = "full_pipeline") -> list[Difference]:
    """The raw files that are not as the stages of a job read them, as far as these have run."""
    made = Made(root / "dvc.yaml", params.internal.categories, env).by(*JOBS[job])
    every = raw_files(root, env)
    found = []
    for stage, (listing, _) in READERS.items():
        if listing not in made or not (root / listing).is_file():
            continue
        rows = read_table(root / listing, ["source", "file", "sha256"]).to_pylist()
        read, today = {(row["source"], row["file"]): row["sha256"] for row in rows}, every[stage]
        for key in sorted(read.keys() | today.keys()):
            if read.get(key) != today.get(key):
                what = "file gone" if key not in today else "file changed" if key in read else "new file"
                found.append(Difference(stage, f"data/raw/{env}/{key[1]}", what))
    return found


def told(found: Sequence[Difference]) -> str:
    """The first differences in words."""
    return some([f"{difference.what}: {difference.file}" for difference in found])


def refuse_differences(root: Path, env: str, params: Params, job: str = "full_pipeline") -> None:
    """Raise DataError where the results of a job do not follow from today's raw files."""
    if found := differences(root, env, params, job):
        raise DataError(
            f"{told(found)}: the results are not of today's raw files",
            solution=f"run `clustering run {job}_job --env {env}` when the delivery is complete",
        )


def written_since(root: Path, env: str, began: int) -> str:
    """The raw files that were written since a run began, in words. began: nanoseconds since 1970."""
    files = {f"data/raw/{env}/{path}" for of_stage in raw_files(root, env).values() for _, path in of_stage}
    return some(sorted(path for path in files if (root / path).stat().st_ctime_ns > began))


def with_reasons(plan: Plan, found: Sequence[Difference]) -> Plan:
    """A plan in which the stages that read other raw files than today's say which: of these a runner knows a hash, or nothing."""
    by_stage: dict[str, list[Difference]] = {}
    for difference in found:
        by_stage.setdefault(difference.stage, []).append(difference)
    return plan | {stage: told(of_stage) for stage, of_stage in by_stage.items()}


def have_read_again(root: Path, env: str, params: Params, job: str, engine: Engine) -> None:
    """See that the stages which read other files than there are today start, also where their runner takes them for current.

    Raises DataError where one fails.
    """
    if engine is Engine.dvc:
        look_again(root, env)
    found = differences(root, env, params, job)
    if found and engine is Engine.dvc:
        changed = dvc_state.status(root).changed
        stages = {difference.stage for difference in found}
        stale = {stage for stage in stages if not any("changed deps" in why for why in changed.get(stage, ()))}
        # Where a list is missing DVC would bring it back from its cache.
        began = time.time()
        if stale and ask(root, "dvc", ["repro", "--single-item", "--force", *sorted(stale)]).returncode:
            raise failure(root, job, began)
        return
    forget_lists(root, found)


def forget_lists(root: Path, found: Iterable[Difference]) -> None:
    """Have Snakemake miss the lists of stages that read other files than there are: it would take them for current."""
    for stage in {difference.stage for difference in found}:
        (root / READERS[stage][0]).unlink()


def raw_files(root: Path, env: str, hashes: Hashes | None = None) -> dict[str, dict[tuple[str, str], str]]:
    """The raw files of today by the stage that reads them: the hash of each by its source and path."""
    sources = load_place(root / "configs" / f"{env}.yml").sources
    folder, hashes = Path("data", "raw", env), hashes or Hashes(root)
    return {stage: raw_hashes(name, sources, folder, hashes) for stage, (_, name) in READERS.items()}


def look_again(root: Path, env: str) -> None:
    """Have DVC hash the raw files anew that it could not tell from those before: of the same inode, size and time."""
    hashes = Hashes(root)
    raw_files(root, env, hashes)
    if hashes.unseen:
        dvc_state.forget(root, sorted(hashes.unseen))
        hashes.unseen.clear()
        hashes.save()
