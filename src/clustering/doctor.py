"""Is everything there that a run needs? Each check says what was found, and what to do."""

import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from clustering import TEMPLATE, __version__
from clustering.checking import Check
from clustering.projects import check_access, load_project
from clustering.runners import RUNNERS, processes_in
from clustering.secrets import is_open, load_environment
from clustering.stamps import other_version, read_stamp
from clustering.surroundings import of_dvc, of_experiments, of_git, of_snakemake, user_has_a_name, windows_line_ends
from storelib.configuration.params import load_params
from storelib.configuration.place import load_place
from storelib.errors import PipelineError

GIGABYTE = 1_000_000_000


def examine(root: Path, access: Callable[[Path, int], bool] = os.access) -> list[Check]:
    """Every check of a project."""
    return [
        *machine(root), *packages(root), workflow(root), *configuration(root, access), *around(root), *raw(root), *locks(root),
        *secrets(root),
    ]  # fmt: skip


def machine(root: Path) -> Iterator[Check]:
    """Python, cores, memory, disk."""
    python = platform.python_version()
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Check("fine" if supported else "mend", "Python", python, "" if supported else "use Python 3.11, 3.12 or 3.13")
    yield Check("fine", "cores", str(os.cpu_count()))
    memory = psutil.virtual_memory().available
    enough = memory > GIGABYTE
    yield Check(
        "fine" if enough else "note",
        "free memory",
        f"{memory / GIGABYTE:.1f} GB",
        "" if enough else "run with --cores 1",
    )
    yield disk(shutil.disk_usage(root).free)


def disk(free: int) -> Check:
    """Room for what a run makes and DVC keeps."""
    found = f"{free / GIGABYTE:.1f} GB"
    if free < GIGABYTE:
        return Check("mend", "free disk", found, "make room: `dvc gc --workspace` removes what no file here needs")
    return Check(
        "note" if free < 5 * GIGABYTE else "fine", "free disk", found, "make room soon" if free < 5 * GIGABYTE else ""
    )


def packages(root: Path) -> Iterator[Check]:
    """Installed versions against the lock file."""
    lock = root / "envs" / "pipeline.txt"
    if not lock.is_file():
        yield Check("note", "packages", "no envs/pipeline.txt", "copy it from a new project")
        return
    wanted = dict(re.findall(r"(?m)^([A-Za-z0-9_.-]+)==([^\s;\\]+)", lock.read_text(encoding="utf-8")))
    wrong = []
    for name, locked in wanted.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            continue  # of another platform or Python
        if found != locked:
            wrong.append(f"{name} {found}, not {locked}")
    found = f"{len(wanted)} locked" + (f"; {', '.join(wrong[:4])}" if wrong else "")
    advice = "install envs/pipeline.txt: other versions may give other bytes" if wrong else ""
    yield Check("note" if wrong else "fine", "packages", found, advice)


def workflow(root: Path) -> Check:
    """The version that wrote the project's workflow."""
    stamp = read_stamp(root)
    if stamp is None:
        # A checkout of the workflow is of its own version.
        ours = root.resolve() == TEMPLATE.resolve()
        advice = "" if ours else "run `clustering upgrade --dry-run`"
        return Check("fine" if ours else "note", "workflow", __version__ if ours else "of a version not known", advice)
    return Check("note" if (advice := other_version(root) or "") else "fine", "workflow", stamp.version, advice)


def configuration(root: Path, access: Callable[[Path, int], bool]) -> Iterator[Check]:
    """params.yaml, every configs/*.yml, and the folders."""
    env = None
    try:
        env = load_params(root / "params.yaml").env
        yield Check("fine", "params.yaml", f"env: {env}")
    except PipelineError as error:
        yield Check("mend", "params.yaml", error.args[0], error.solution)
    for path in sorted((root / "configs").glob("*.yml")):
        load_environment(root, path.stem)
        try:
            load_place(path)
            yield Check("fine", f"configs/{path.name}", "loads")
        except PipelineError as error:
            yield Check("mend", f"configs/{path.name}", error.args[0], error.solution)
    try:
        check_access(root, env or "dev", access)
        yield Check("fine", "folders", "data, logs and reports can be used")
    except PipelineError as error:
        yield Check("mend", "folders", error.args[0], error.solution)


def around(root: Path) -> Iterator[Check]:
    """What runners, git and DVC's queue need of the place that the project lies in."""
    try:
        params = load_params(root / "params.yaml")
        env, demo = params.env, list(params.demo)
    except PipelineError:
        env, demo = "dev", []  # told of above
    looks = {
        "Snakemake": ("mend", of_snakemake(root)),
        "git": ("note", of_git(root)),
        "DVC": ("note", of_dvc(root, demo)),
        "experiments": ("note", of_experiments(root, env, demo)),
    }
    for name, (state, obstacle) in looks.items():
        yield Check(state, name, *obstacle) if obstacle else Check("fine", name, "nothing is in its way")
    if wrong := windows_line_ends(root):
        found = f"{len(wrong)} files with those of Windows, such as {wrong[0].relative_to(root)}"
        yield Check("note", "line ends", found, "DVC takes them for changed files, and make's shell refuses them: check out anew after "
                    "`git config core.autocrlf input`, with the .gitattributes of a new project")  # fmt: skip
    if os.environ.get("PYTHONSAFEPATH"):
        yield Check("note", "PYTHONSAFEPATH", "is set", "unset it where you start `dvc` yourself; `clustering` does so")
    if not user_has_a_name():
        found = f"number {os.getuid()} has no name here"
        yield Check("note", "user", found, "set USER where you start a runner yourself; `clustering` does so")


def raw(root: Path) -> Iterator[Check]:
    """The raw files of the environment that params.yaml names."""
    try:
        params, place, env = load_project(root, None)
    except PipelineError:
        return  # told of above
    from clustering.raw_checks import raw_data

    yield from raw_data(root, params, place, env)


def locks(root: Path) -> Iterator[Check]:
    """Locks of runners that are no longer alive."""
    alive = bool(processes_in(root, RUNNERS))
    snakemake = root / ".snakemake" / "locks"
    stale = snakemake.is_dir() and any(snakemake.iterdir()) and not alive
    dvc = root / ".dvc" / "tmp" / "rwlock"
    owners = re.findall(r'"pid": (\d+)', dvc.read_text(encoding="utf-8")) if dvc.is_file() else []
    dead = [pid for pid in owners if not psutil.pid_exists(int(pid))]
    if stale:
        yield Check(
            "mend",
            "locks",
            ".snakemake/locks of a run that was cut off",
            "run `snakemake --unlock`, or `clustering run`",
        )
    elif dead:
        yield Check(
            "note", "locks", f".dvc/tmp/rwlock names process {dead[0]}, which is gone", "nothing: DVC clears it itself"
        )
    else:
        yield Check("fine", "locks", "a runner is at work" if alive else "none")


def secrets(root: Path) -> Iterator[Check]:
    """Files of secrets that others may read."""
    open_files = [
        path.name
        for path in sorted(root.glob(".env*"))
        if path.is_file() and path.name != ".env.example" and is_open(path)
    ]
    if open_files:
        yield Check(
            "mend", "secrets", f"{', '.join(open_files)} can be read by others", f"chmod 600 {' '.join(open_files)}"
        )
    else:
        yield Check("fine", "secrets", "no .env file is open to others")


def as_json(checks: list[Check]) -> str:
    """The checks for a program."""
    return json.dumps([check._asdict() for check in checks], indent=2)
