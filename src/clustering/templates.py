"""The workflow's files that a project is made of: which they are, and how a new project gets them."""

import os
import shutil
import subprocess
from pathlib import Path

from clustering import TEMPLATE
from storelib.errors import ConfigError, PipelineError, nearest_name

FILES = (
    "Snakefile",
    "dvc.yaml",
    "params.yaml",
    ".dvcignore",
    ".gitignore",
    ".env.example",
    ".dvc/config",
    ".dvc/.gitignore",
    ".dvc/plots/k_scores.json",
)
FOLDERS = ("configs", "envs", "profiles", "rules", "scripts")
UNWANTED = shutil.ignore_patterns("__pycache__", "*.sh", "*.bat")


def examples() -> list[str]:
    """Names for --example."""
    return sorted(p.name for p in (TEMPLATE / "examples").iterdir() if (p / "params.yaml").is_file())


def make_project(folder: Path, example: str | None) -> None:
    """Copy the workflow's files into a new folder, with an example's params and configuration over them."""
    from storelib.configuration.params import load_params

    if example is not None and example not in examples():
        hint = nearest_name(example, examples())
        raise ConfigError(f"there is no example {example!r}{hint}", solution=f"choose one of: {', '.join(examples())}")
    copy_workflow(TEMPLATE, folder)
    if example is not None:
        for place in (folder / "configs").glob("*.yml"):
            place.unlink()
        shutil.copytree(TEMPLATE / "examples" / example, folder, ignore=UNWANTED, dirs_exist_ok=True)
    params = load_params(folder / "params.yaml")
    (folder / "data" / "raw" / params.env).mkdir(parents=True)
    start_git(folder)


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
    for name in FILES:
        # A project may do without some of them; the template has them all.
        if (source / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, folder / name)
    for name in FOLDERS:
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name, ignore=UNWANTED)


def start_git(folder: Path) -> None:
    """Make a folder a git repository, unless it lies in one: DVC keeps its versions beside git's."""
    inside = subprocess.run(
        ["git", "rev-parse", "--git-dir"], cwd=folder, capture_output=True, check=False, env=os.environ
    )
    if inside.returncode:
        subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
