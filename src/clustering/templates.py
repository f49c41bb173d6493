"""The workflow's files that a project is made of: which they are, and how a new project gets them."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from clustering import TEMPLATE, __version__
from clustering.stamps import Stamp, digest, write_stamp
from clustering.surroundings import Obstacle, checkout_of, of_git
from storelib.errors import ConfigError, PipelineError, nearest_name

FILES = (
    "Snakefile",
    "dvc.yaml",
    "params.yaml",
    ".dvcignore",
    ".gitattributes",
    ".gitignore",
    ".env.example",
    ".dvc/config",
    ".dvc/.gitignore",
    ".dvc/plots/k_scores.json",
)
FOLDERS = ("configs", "envs", "profiles", "rules", "scripts")
# What only a checkout of the workflow needs.
UNWANTED = (".sh", ".bat", ".pyc")


def examples() -> list[str]:
    """Names for --example."""
    return sorted(p.name for p in (TEMPLATE / "examples").iterdir() if (p / "params.yaml").is_file())


def project_files(source: Path) -> Iterator[str]:
    """Every file of a project that a new one gets, by its path there. source: a project, or the template."""
    # A project may do without some of them; the template has them all.
    yield from (name for name in FILES if (source / name).is_file())
    for folder in FOLDERS:
        for path in sorted((source / folder).rglob("*")):
            if path.is_file() and path.suffix not in UNWANTED:
                yield path.relative_to(source).as_posix()


def is_workflow(name: str) -> bool:
    """Whether a file of a project is the workflow's, which `clustering upgrade` may replace; method and place are the user's."""
    path = Path(name)
    if ".." in path.parts or path.is_absolute() or name == "params.yaml" or path.name.startswith(".env"):
        return False
    if path.parts[:1] == ("configs",):
        return path.parts[:2] == ("configs", "schema")
    return name in FILES or path.parts[0] in FOLDERS


def make_project(folder: Path, example: str | None) -> Obstacle | None:
    """Copy the workflow's files into a new folder, with an example's params and configuration over them.

    Returns why it has no versions, where git cannot keep any there.
    """
    from storelib.configuration.params import load_params

    if example is not None and example not in examples():
        hint = nearest_name(example, examples())
        raise ConfigError(f"there is no example {example!r}{hint}", solution=f"choose one of: {', '.join(examples())}")
    copy_workflow(TEMPLATE, folder)
    if example is not None:
        for place in (folder / "configs").glob("*.yml"):
            place.unlink()
        shutil.copytree(TEMPLATE / "examples" / example, folder, dirs_exist_ok=True)
    params = load_params(folder / "params.yaml")
    (folder / "data" / "raw" / params.env).mkdir(parents=True)
    write_stamp(folder, stamp_of(TEMPLATE, __version__))
    return start_git(folder)


def stamp_of(source: Path, version: str) -> Stamp:
    """What a project has of the workflow, when all of it is as in `source`."""
    return Stamp(version, {name: digest(source / name) or "" for name in project_files(source) if is_workflow(name)})


def copy_workflow(source: Path, folder: Path) -> None:
    """Copy the workflow's files of one project, or of the template, into a new folder."""
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise PipelineError(f"{folder} is not empty", solution="name a new folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PipelineError(
            f"{folder} cannot be made: {error.strerror}", solution="name a folder you may write to"
        ) from None
    for name in project_files(source):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, folder / name)


def start_git(folder: Path) -> Obstacle | None:
    """Make a folder a git repository, unless it lies in one: DVC keeps its versions beside git's. Returns why that cannot be."""
    if shutil.which("git") is None or checkout_of(folder) is not None:
        return of_git(folder)
    # Not at the start of each command: it takes long to import.
    from clustering.runners import why

    done = subprocess.run(["git", "init", "--quiet"], cwd=folder, capture_output=True, text=True, check=False)
    return of_git(folder) if done.returncode == 0 else Obstacle(f"git init failed: {why(done)}", "run it by hand")
