"""Projects: the nearest one, its configuration, and whether its folders may be used."""

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from clustering.stamps import other_version
from clustering.surroundings import of_snakemake
from storelib.errors import ConfigError, DataError

if TYPE_CHECKING:
    from storelib.configuration.params import Params
    from storelib.configuration.place import Place


def find_project() -> Path:
    """The nearest project. Warns where its workflow is of another version than this command."""
    root = nearest_project()
    if sentence := other_version(root):
        sys.stderr.write(f"Warning: {sentence}\n")
    return root


def nearest_project() -> Path:
    """The nearest folder, from here upwards, with a Snakefile and a params.yaml."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "Snakefile").is_file() and (folder / "params.yaml").is_file():
            return folder
    raise ConfigError(
        f"{here} is not in a project", solution="change to a project's folder, or make one: clustering init DIR"
    )


def check_project(
    root: Path, env: str | None, load: "Callable[[Path], Params] | None" = None
) -> "tuple[Params, Place, str]":
    """The configuration of a run, as `load_project`, that there are raw files, and that there is a view for each category."""
    from storelib.configuration.views import check_views

    if obstacle := of_snakemake(root):
        raise obstacle.error()
    params, place, env = load_project(root, env, load)
    check_views(params, place)
    raw = root / "data" / "raw" / env
    if env not in params.demo and not (raw.is_dir() and any(raw.iterdir())):
        solution = (
            f"run `clustering fetch --env {env}`" if place.fetch else "put the raw files there (or `dvc pull` them)"
        )
        raise DataError(f"{raw} does not exist or is empty", solution=solution)
    return params, place, env


def load_project(
    root: Path, env: str | None, load: "Callable[[Path], Params] | None" = None
) -> "tuple[Params, Place, str]":
    """Method, place and environment. Loads `.env.<env>` and `.env` into the environment, and opens the command's log.

    load: reads the method where it need not be whole yet.
    """
    # Building their models takes a quarter of a second, which --help and completion are spared.
    from clustering.journal import open_journal
    from clustering.secrets import load_environment
    from storelib.configuration.params import load_params
    from storelib.configuration.place import load_place

    params = (load or load_params)(root / "params.yaml")
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
    written = ("data", "logs", "reports", ".clustering", ".snakemake", ".dvc")
    wanted = {f"data/raw/{env}": os.R_OK} | dict.fromkeys(written, os.W_OK)
    # Folders of an earlier run may belong to whoever started it.
    for name in ("data/internal", "data/external", "data/merging", "logs", "reports", ".snakemake", ".dvc/tmp"):
        below = [path for depth in ("*", "*/*") for path in (root / name).glob(depth) if path.is_dir()]
        wanted |= dict.fromkeys([name, *(path.relative_to(root).as_posix() for path in below)], os.W_OK)
    for name, need in wanted.items():
        path = root / name
        if not path.exists():
            path = root
        verb = "written to" if need == os.W_OK else "read"
        if not path.is_dir():
            raise ConfigError(f"{path} is not a folder", solution="move it away, and make a folder of that name")
        if not access(path, need | os.X_OK):
            raise ConfigError(f"{path} cannot be {verb}", solution=access_to(path))
    # Snakemake writes over its cache of what is there, and DVC over its lock.
    for path in [root / "dvc.lock", *(root / ".snakemake" / "iocache").glob("*")]:
        if path.is_file() and not access(path, os.W_OK):
            raise ConfigError(f"{path} cannot be written to", solution=access_to(path))


def access_to(path: Path) -> str:
    """What gives a user access to a file, or to a folder and what is in it."""
    if path.stat().st_uid != os.getuid():
        return f'it belongs to another user: have it given to you, as by: sudo chown -R "$(id -un)" {shlex.quote(str(path))}'
    return f"give yourself access, as by: chmod -R u+rwX {shlex.quote(str(path))}"
