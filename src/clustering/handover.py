"""Pass the state of one runner on to the other.

Both keep their own record of what is up to date. After Snakemake, `record` commits its outputs to DVC; after DVC, `sync` has
Snakemake take note of the files. Each does so only when its runner finds nothing left to do, so a record never claims more
than was made; whoever forgets them gets a re-run that was not needed, never a stale file.
"""

import hashlib
from pathlib import Path

from clustering.dvc_state import status
from clustering.events import planned
from clustering.jobs import JOBS
from clustering.plans import stages_needed
from clustering.runners import STATE, ask, why
from clustering.surroundings import of_dvc
from storelib.configuration.params import Params, load_params
from storelib.errors import PipelineError
from storelib.leftovers import prune


def fingerprint(root: Path, params: Params) -> str:
    """What `record` left behind: configuration, DVC's lock and the times of Snakemake's own records."""
    digest = hashlib.sha256()
    for name in ("params.yaml", "dvc.yaml", "dvc.lock", f"configs/{params.env}.yml"):
        path = root / name
        digest.update(path.read_bytes() if path.is_file() else b"")
    metadata = root / ".snakemake" / "metadata"
    times = (
        sorted((p.name, p.stat().st_mtime_ns) for p in metadata.rglob("*") if p.is_file()) if metadata.is_dir() else []
    )
    digest.update(repr(times).encode())
    return digest.hexdigest()


def pending(root: Path) -> list[str]:
    """Files that Snakemake would make anew for the whole pipeline."""
    return [path for event in planned(root, "full_pipeline") for path in event["output"] or [event["rule"]]]


def record(root: Path) -> list[str]:
    """Commit what Snakemake made to DVC. Returns the files that are not up to date, where it did nothing."""
    params = load_params(root / "params.yaml")
    if obstacle := of_dvc(root, params.demo):
        raise obstacle.error("DVC can record nothing here")
    marker = root / STATE / "recorded"
    if marker.is_file() and marker.read_text() == fingerprint(root, params):
        return []
    prune(params.internal.categories, root)
    late = pending(root)
    if late:
        return late
    # With what the last stage needs, which is all: a demo of another environment may never have been made.
    words = ["commit", "--force", "--no-relink", "--with-deps", JOBS["full_pipeline"][-1]]
    result = ask(root, "dvc", words)
    if result.returncode:
        raise PipelineError(
            f"dvc commit failed: {why(result)}", solution="run `dvc status` and `dvc doctor` to see why"
        )
    marker.parent.mkdir(exist_ok=True)
    marker.write_text(fingerprint(root, params))
    return []


def sync(root: Path) -> bool:
    """Have Snakemake take note of what DVC made. Returns False, having done nothing, where DVC is not up to date."""
    params = load_params(root / "params.yaml")
    if obstacle := of_dvc(root, params.demo):
        raise obstacle.error("DVC has made nothing here")
    prune(params.internal.categories, root)
    state = status(root)
    if state.changed.keys() & stages_needed(state.needs, "full_pipeline"):
        return False
    result = ask(root, "snakemake", ["--touch", "--forceall", "--cores", "1", "--quiet", "all", "--", "full_pipeline"])
    if result.returncode:
        raise PipelineError(f"snakemake --touch failed: {why(result)}", solution="run it by hand to see why")
    (root / STATE).mkdir(exist_ok=True)
    (root / STATE / "recorded").write_text(fingerprint(root, params))
    return True
