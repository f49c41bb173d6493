"""Pass the state of one runner on to the other.

Both keep their own record of what is up to date. After Snakemake, `record` commits its outputs to DVC; after DVC, `sync` has
Snakemake take note of the files. Each does so only when its runner finds nothing left to do, so a record never claims more
than was made; whoever forgets them gets a re-run that was not needed, never a stale file.
"""

import hashlib
import time
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from clustering.dvc_state import commit_prepared, status
from clustering.events import planned
from clustering.inputs import differences, forget_lists, look_again, raw_files, told
from clustering.jobs import JOBS
from clustering.mending import dvc_cache, keep_lock, mend_records, seal_outputs
from clustering.plans import stages_needed
from clustering.runners import STATE, ask, why
from clustering.surroundings import of_dvc
from clustering.unfinished import remove_notes
from storelib.configuration.params import Params, load_params
from storelib.configuration.place import load_place
from storelib.errors import PipelineError
from storelib.leftovers import prune
from storelib.raw.files import state_of
from storelib.tables import write_text

# What decides whether a project is as `record` left it, beside raw files; DVC's own files are in it too.
SETTINGS = ("params.yaml", "dvc.yaml", "dvc.lock", "Snakefile")
FOLDERS = ("rules", "scripts", "data/internal", "data/external", "data/merging", "reports", ".snakemake/metadata")


def fingerprint(root: Path, params: Params) -> str:
    """What `record` left behind: content of configuration and raw files, and size and time of every other file that counts."""
    digest = hashlib.sha256()
    for name in (*SETTINGS, f"configs/{params.env}.yml"):
        path = root / name
        digest.update(path.read_bytes() if path.is_file() else b"")
    files = raw_files(root, params.env)
    digest.update(repr(sorted((name, sorted(found.items())) for name, found in files.items())).encode())
    # Variables of the environment may stand in the file.
    digest.update(load_place(root / "configs" / f"{params.env}.yml").sources.model_dump_json().encode())
    digest.update(repr(sorted(states(root / name for name in FOLDERS))).encode())
    return digest.hexdigest()


def states(folders: Iterable[Path]) -> Iterable[tuple[str, tuple[int, ...]]]:
    """Size and time of every file in these folders that a stage makes or is; a receipt is neither."""
    for folder in folders:
        for path in folder.rglob("*") if folder.is_dir() else ():
            if path.is_file() and not {"published", "__pycache__"} & {*path.relative_to(folder).parts}:
                yield str(path), state_of(path)[2:4]


def is_recorded(root: Path, params: Params) -> bool:
    """Whether all is as `record` or `sync` left it: then no runner finds anything to do, and none need be asked."""
    marker = root / STATE / "recorded"
    return marker.is_file() and marker.read_text() == fingerprint(root, params)


def note(root: Path, params: Params) -> None:
    """Remember how all was left."""
    keep_lock(root)
    write_text(fingerprint(root, params), root / STATE / "recorded")


def pending(root: Path) -> list[str]:
    """Files that Snakemake would make anew for the whole pipeline."""
    return [path for event in planned(root, "full_pipeline") for path in event["output"] or [event["rule"]]]


def record(root: Path, *, part: bool = False) -> list[str]:
    """Commit what Snakemake made to DVC. Returns the files that are not up to date, where it did nothing.

    part: whether a part of the pipeline was made, and the rest may well be of before.
    """
    params = load_params(root / "params.yaml")
    if obstacle := of_dvc(root, params.demo):
        raise obstacle.error("DVC can record nothing here")
    if is_recorded(root, params):
        return []
    mend_records(root)
    prune(params.internal.categories, root)
    lock = root / "dvc.lock"
    with ExitStack() as stack:
        # With what the last stage needs, which is all: a demo of another environment may never have been made.
        prepare = partial(commit_prepared, root, JOBS["full_pipeline"][-1])
        # DVC reads the project while Snakemake does, where it is likely that there is something to record.
        commit = None if part else stack.enter_context(prepare())
        # What a stage read is looked at last: it may be replaced until then.
        late = pending(root) or [told([found]) for found in differences(root, params.env, params)]
        if late:
            return late
        look_again(root, params.env)
        before = lock.read_bytes() if lock.is_file() else None
        began = time.time()
        commit = commit or stack.enter_context(prepare())
        commit()
    if found := differences(root, params.env, params):
        # DVC has hashed what came after the look above.
        lock.unlink() if before is None else lock.write_bytes(before)
        forget_runs(root, began)
        return [told(found)]
    note(root, params)
    return []


def forget_runs(root: Path, since: float) -> None:
    """Delete what DVC has noted of runs since then: it would bring back what was made of other raw files as made of these."""
    notes = [path for path in (dvc_cache(root) / "runs").rglob("*") if path.is_file()]
    # A clock of files may be some milliseconds behind.
    remove_notes([note for note in notes if note.stat().st_ctime >= since - 1])


def sync(root: Path) -> bool:
    """Have Snakemake take note of what DVC made.

    Returns False, having done nothing, where DVC is not up to date or made it of other raw files than today's.
    """
    params = load_params(root / "params.yaml")
    if obstacle := of_dvc(root, params.demo):
        raise obstacle.error("DVC has made nothing here")
    mend_records(root)
    prune(params.internal.categories, root)
    look_again(root, params.env)
    state = status(root)
    if state.changed.keys() & stages_needed(state.needs, "full_pipeline") or differences(root, params.env, params):
        return False
    result = ask(root, "snakemake", ["--touch", "--forceall", "--cores", "1", "--quiet", "all", "--", "full_pipeline"])
    if result.returncode:
        raise PipelineError(f"snakemake --touch failed: {why(result)}", solution="run it by hand to see why")
    if found := differences(root, params.env, params):
        # Snakemake has taken note of what came after the look above.
        forget_lists(root, found)
        return False
    seal_outputs(root)
    note(root, params)
    return True
