"""DVC's view of a project, by its Python interface: `python -m clustering.dvc_state graph|status|queue|forget`, in its folder.

A process of its own: importing DVC takes a second, its stages are named by the working folder, and what it has read of a
project it keeps. Names of stages are ours, `merge_segments/beauty`.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from clustering.runners import environment, why
from storelib.errors import DataError


class State(NamedTuple):
    """needs: the stages whose outputs a stage reads; changed: why, in DVC's words, for those it finds changed themselves.

    commands: of those that are changed, the command when they ran last (None: they never did), and as it is.
    """

    needs: dict[str, list[str]]
    changed: dict[str, list[Any]]
    commands: dict[str, tuple[str | None, str]] = {}  # noqa: RUF012 (never written to)


class Queue(NamedTuple):
    """tasks: of each experiment its name, its state, and the revision that holds what it was queued with; active: busy workers."""

    tasks: list[tuple[str, str, str]]
    active: int


def graph(root: Path) -> State:
    """Who needs whom."""
    return State(**ask_dvc(root, "graph"))


def status(root: Path) -> State:
    """Who needs whom, and what is changed."""
    return State(**ask_dvc(root, "status"))


def queue(root: Path) -> Queue:
    """The experiments, oldest first, and who works on them."""
    found = ask_dvc(root, "queue")
    return Queue([(name, state, revision) for name, state, revision in found["tasks"]], found["active"])


def forget(root: Path, paths: Sequence[str]) -> None:
    """Have DVC hash files anew, the next time that it is asked about them."""
    ask_dvc(root, "forget", *paths)


def ask_dvc(root: Path, question: str, *paths: str) -> Any:
    """One of ANSWERS, for a project, or `forget` of paths in it. Raises DataError with DVC's own words where it fails."""
    # -P: a module of that name in the project is not taken for this one.
    command = [sys.executable, "-P", "-m", "clustering.dvc_state", question, *paths]
    result = subprocess.run(command, cwd=root, env=environment(root), check=False, capture_output=True, text=True)
    if result.returncode:
        raise DataError(
            f"dvc cannot tell the state of the project: {why(result)}",
            solution="run `dvc status` to see why",
        )
    return json.loads(result.stdout)


def ours(name: str) -> str:
    """A stage of DVC as we call it."""
    return name.replace("@", "/", 1)


def graph_of(repo: Any) -> State:
    """In DVC's process: `graph`."""

    def name(stage: Any) -> str:
        return ours(stage.addressing)

    edges = repo.index.graph
    return State({name(stage): sorted(map(name, edges.successors(stage))) for stage in edges}, {})


def status_of(repo: Any) -> State:
    """In DVC's process: `status`."""
    import yaml

    found = repo.status()
    lock = Path(repo.root_dir, "dvc.lock")
    ran = yaml.load(lock.read_bytes(), yaml.CSafeLoader).get("stages", {}) if lock.is_file() else {}
    # Files of `dvc add` are stages to DVC, without a command.
    commands = {stage.addressing: stage.cmd or "" for stage in repo.index.stages}
    return graph_of(repo)._replace(
        changed={ours(name): reasons for name, reasons in found.items()},
        commands={
            ours(name): (ran.get(name, {}).get("cmd") if commands[name] else "", commands[name]) for name in found
        },
    )


def queue_of(repo: Any) -> Queue:
    """In DVC's process: `queue`."""
    found = repo.experiments.celery_queue
    tasks = sorted(found.status(), key=lambda task: task["timestamp"])
    workers = found.worker_status()
    return Queue(
        [(task["name"] or "", task["status"], task["rev"]) for task in tasks], sum(map(bool, workers.values()))
    )


def forget_paths(repo: Any, paths: Sequence[str]) -> State:
    """In DVC's process: `forget`. What it knows of a file goes, and of the folders that the file lies in."""
    top = Path(repo.root_dir)
    for path in paths:
        for place in [top / path, *(top / path).parents]:
            if top in place.parents:
                repo.state.hashes.pop(str(place), None)
    return State({}, {})


ANSWERS: dict[str, Callable[[Any], State | Queue]] = {"graph": graph_of, "status": status_of, "queue": queue_of}


def main(question: str, *paths: str) -> None:
    """Print the answer as JSON, and nothing else."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with redirect_stdout(sys.stderr), Repo() as repo:
            answer = forget_paths(repo, paths) if question == "forget" else ANSWERS[question](repo)
    except DvcException as error:
        sys.exit(f"ERROR: {error}")
    sys.stdout.write(json.dumps(answer._asdict()))


if __name__ == "__main__":
    main(*sys.argv[1:])
