"""Projects: the folder with the workflow's files, found or newly made."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from clustering import TEMPLATE
from clustering.journal import open_journal
from clustering.secrets import load_environment
from storelib.configuration.params import Params, load_params
from storelib.configuration.place import Place, load_place
from storelib.errors import ConfigError, DataError, PipelineError, nearest_name

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


def find_project() -> Path:
    """The nearest folder, from here upwards, with a Snakefile and a params.yaml."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Snakefile").is_file() and (folder / "params.yaml").is_file():
            return folder
    raise ConfigError(
        f"{here} is not in a project", solution="change to a project's folder, or make one: clustering init DIR"
    )


def check_project(root: Path, env: str | None) -> tuple[Params, Place, str]:
    """The configuration of a run, as `load_project`, and that there are raw files."""
    params, place, env = load_project(root, env)
    raw = root / "data" / "raw" / env
    if env not in params.demo and not (raw.is_dir() and any(raw.iterdir())):
        solution = (
            f"run `clustering fetch --env {env}`" if place.fetch else "put the raw files there (or `dvc pull` them)"
        )
        raise DataError(f"{raw} does not exist or is empty", solution=solution)
    return params, place, env


def load_project(root: Path, env: str | None) -> tuple[Params, Place, str]:
    """Method, place and environment. Loads `.env.<env>` and `.env` into the environment, and opens the command's log."""
    params = load_params(root / "params.yaml")
    env = env or params.env
    load_environment(root, env)
    place = load_place(root / "configs" / f"{env}.yml")
    open_journal(place.logging, root)
    if (root / "data").exists() and not (root / "data").is_dir():
        raise ConfigError(f"{root / 'data'} is not a folder", solution="move it away, and make a folder of that name")
    return params, place, env


def check_access(root: Path, env: str, access: Callable[[Path, int], bool] = os.access) -> None:
    """Raise ConfigError, naming the folder, where a run could not read its raw files or write what it makes.

    access: as `os.access`, which root passes everywhere.
    """
    wanted = {"data": os.W_OK, f"data/raw/{env}": os.R_OK, "data/internal": os.W_OK, "data/external": os.W_OK,
              "data/merging": os.W_OK, "logs": os.W_OK, "reports": os.W_OK}  # fmt: skip
    for name, need in wanted.items():
        path = root / name
        if not path.exists():
            path = root
        verb = "written to" if need == os.W_OK else "read"
        if not path.is_dir():
            raise ConfigError(f"{path} is not a folder", solution="move it away, and make a folder of that name")
        if not access(path, need | os.X_OK):
            raise ConfigError(
                f"{path} cannot be {verb}", solution=f"give yourself access, as by: chmod -R u+rwX {path}"
            )


def examples() -> list[str]:
    """Names for --example."""
    return sorted(p.name for p in (TEMPLATE / "examples").iterdir() if (p / "params.yaml").is_file())


def make_project(folder: Path, example: str | None) -> None:
    """Copy the workflow's files into a new folder, with an example's params and configuration over them."""
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
