"""DVC's view of a project, by its Python interface: `python -m clustering.dvc_state graph|status`, in the project's folder.

A process of its own: importing DVC takes a second, its stages are named by the working folder, and what it has read of a
project it keeps. The parent side is `stage_graph` and `stale_stages`; names are ours, `merge_segments/beauty`.
"""

import json
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from clustering.runners import environment, last_line
from storelib.errors import DataError


class State(NamedTuple):
    """needs: the stages whose outputs a stage reads; changed: why, in DVC's words, for those it finds changed themselves."""

    needs: dict[str, list[str]]
    changed: dict[str, list[Any]]


def ask_dvc(root: Path, what: str) -> State:
    """`graph`: who needs whom; `status`: and what is changed. Raises DataError with DVC's own words where it fails."""
    # -P: a module of that name in the project is not taken for this one.
    command = [sys.executable, "-P", "-m", "clustering.dvc_state", what]
    result = subprocess.run(command, cwd=root, env=environment(), check=False, capture_output=True, text=True)
    if result.returncode:
        raise DataError(
            f"dvc cannot tell what would run: {last_line(result.stderr)}", solution="run `dvc status` to see why"
        )
    return State(**json.loads(result.stdout))


def look(*, status: bool) -> State:
    """The project in the working folder."""
    from dvc.repo import Repo

    def name(stage: Any) -> str:
        return str(stage.addressing).replace("@", "/", 1)

    with Repo() as repo:
        graph = repo.index.graph
        needs = {name(stage): sorted(map(name, graph.successors(stage))) for stage in graph}
        changed = repo.status() if status else {}
    return State(needs, {stage.replace("@", "/", 1): reasons for stage, reasons in changed.items()})


def main(what: str) -> None:
    """Print the state as JSON, and nothing else."""
    from dvc.exceptions import DvcException

    try:
        with redirect_stdout(sys.stderr):
            state = look(status=what == "status")
    except DvcException as error:
        sys.exit(f"ERROR: {error}")
    sys.stdout.write(json.dumps(state._asdict()))


if __name__ == "__main__":
    main(sys.argv[1])
