"""DVC's view of a project, by its Python interface: `python -m clustering.dvc_state graph|status|queue|forget|forget_gone|commit`, in
its folder.

A process of its own: importing DVC takes a second, its stages are named by the working folder, and what it has read of a
project it keeps. Names of stages are ours, `merge_segments/beauty`.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from clustering.launch import run
from clustering.runners import environment, why
from storelib.configuration.code import settle_code
from storelib.errors import DataError, PipelineError

# Of the questions that change something the one that waits for a word, and this word.
CHANGE_ON_WORD, GO = "commit", "go"


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
    """Who needs whom, and what is changed. Of code, what the stage that lists it will say: DVC asks its list."""
    settle_code(root)
    return State(**ask_dvc(root, "status"))


def queue(root: Path) -> Queue:
    """The experiments, oldest first, and who works on them."""
    found = ask_dvc(root, "queue")
    return Queue([(name, state, revision) for name, state, revision in found["tasks"]], found["active"])


def forget(root: Path, paths: Sequence[str]) -> None:
    """Have DVC hash files anew, the next time that it is asked about them."""
    ask_dvc(root, "forget", *paths)


def forget_gone(root: Path) -> None:
    """Have DVC forget the hashes of files that are gone: it keeps them for ever, a line for each file that its cache ever held."""
    ask_dvc(root, "forget_gone")


@contextmanager
def commit_prepared(root: Path, stage: str) -> Iterator[Callable[[], None]]:
    """While this lasts, DVC has read the project, or does so, and holds it; what this gives has it record what a stage and all before
    it have made. That raises PipelineError with DVC's own words where it cannot.
    """
    process = subprocess.Popen(
        command(CHANGE_ON_WORD, stage),
        cwd=root,
        env=environment(root),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def commit() -> None:
        said, told = process.communicate(f"{GO}\n")
        if process.returncode:
            result = subprocess.CompletedProcess(process.args, process.returncode, said, told)
            raise PipelineError(
                f"dvc commit failed: {why(result)}", solution="run `dvc status` and `dvc doctor` to see why"
            )

    with process:
        try:
            yield commit
        finally:
            # Without the word it ends and has done nothing.
            if process.poll() is None:
                process.communicate()


def ask_dvc(root: Path, question: str, *paths: str) -> Any:
    """One of ANSWERS, for a project, or `forget` of paths in it, or `forget_gone`. Raises DataError with DVC's own words where it fails."""
    result = call_dvc(root, question, *paths)
    if result.returncode:
        raise DataError(
            f"dvc cannot tell the state of the project: {why(result)}",
            solution="run `dvc status` to see why",
        )
    return json.loads(result.stdout)


def call_dvc(root: Path, question: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Answer in a process of its own: what this module is run for."""
    return subprocess.run(
        command(question, *words), cwd=root, env=environment(root), check=False, capture_output=True, text=True
    )


def command(question: str, *words: str) -> list[str]:
    """What starts a process of DVC's with this module. -P: one of that name in the project is not taken for it."""
    return [sys.executable, "-P", "-m", "clustering.dvc_state", question, *words]


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


def drop_gone(repo: Any, _names: Sequence[str]) -> State:
    """In DVC's process: `forget_gone`."""
    for path in [path for path in repo.state.hashes if not Path(path).exists()]:
        repo.state.hashes.pop(path, None)
    return State({}, {})


def commit_stage(repo: Any, names: Sequence[str]) -> State:
    """In DVC's process: `commit` of a stage with what it needs, on the word, if that comes."""
    from dvc.repo import lock_repo

    with lock_repo(repo):
        # Read once and kept: that takes DVC as long as all that it records.
        repo.stage.collect(names[0], with_deps=True)
        if sys.stdin.readline().strip() == GO:
            for name in names:
                repo.commit(name, with_deps=True, force=True, relink=False)
    return State({}, {})


ANSWERS: dict[str, Callable[[Any], State | Queue]] = {"graph": graph_of, "status": status_of, "queue": queue_of}
CHANGES: dict[str, Callable[[Any, Sequence[str]], State]] = {
    "forget": forget_paths,
    "forget_gone": drop_gone,
    CHANGE_ON_WORD: commit_stage,
}


def main(question: str, *words: str) -> None:
    """Print the answer as JSON, and nothing else."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    # Before it records an output DVC reads git's whole index, to see that git does not know it: a third of the time. `dvc repro`
    # and `dvc status` do so too, and this project's .gitignore has all outputs.
    config = {"core": {"no_scm": True}} if question == CHANGE_ON_WORD else None
    try:
        with redirect_stdout(sys.stderr), Repo(config=config) as repo:
            answer = CHANGES[question](repo, words) if question in CHANGES else ANSWERS[question](repo)
    except (DvcException, OSError) as error:
        sys.exit(f"ERROR: {error}")
    sys.stdout.write(json.dumps(answer._asdict()))


if __name__ == "__main__":
    run(lambda: main(*sys.argv[1:]))
