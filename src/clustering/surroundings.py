"""What lies around a project and keeps a runner, git or DVC's queue from working; each with what to do about it.

Looked at before anything runs: the runners' own words for it come late, and some of them say nothing of the cause.
"""

import configparser
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from storelib.errors import ConfigError

# Folders of outputs. DVC keeps nothing that lies behind a link.
OUTPUTS = ("data", "data/raw", "data/internal", "data/external", "data/merging", "reports", "reports/figures")
SAMPLED = ("Snakefile", "dvc.yaml", "params.yaml", "rules/*.smk", "configs/*.yml", "scripts/*.py", "scripts/*.sh")


class Obstacle(NamedTuple):
    """What is in the way, and what to do."""

    what: str
    advice: str

    def error(self, doing: str = "") -> ConfigError:
        """The same as an error. doing: what cannot be done."""
        return ConfigError(f"{doing}: {self.what}" if doing else self.what, solution=self.advice)


def of_snakemake(root: Path) -> Obstacle | None:
    """Why Snakemake could not run here."""
    if {"{", "}"} & set(str(root)):
        return Obstacle(
            f"the path {root} holds a brace, and Snakemake takes what is in braces for a name",
            "move the project to a folder without { and }",
        )
    return None


def of_dvc(root: Path, demo: Iterable[str] = ()) -> Obstacle | None:
    """Why DVC could not take note of anything here. demo: environments whose raw files a stage makes."""
    if not (root / ".dvc").is_dir():
        return Obstacle(
            f"{root} has no folder .dvc", "take it from git, or copy that of a new project (clustering init)"
        )
    if not without_git(root) and checkout_of(root) is None:
        return Obstacle(
            "the project is in no git repository, and DVC keeps its versions beside those of git",
            "run `git init`, if you want versions and experiments; Snakemake needs none",
        )
    for name in (*OUTPUTS, *(f"data/raw/{env}" for env in demo)):
        if (root / name).is_symlink():
            return Obstacle(
                f"{root / name} is a link, and DVC keeps nothing that lies behind one",
                f"let the whole project lie where the link leads, or put a folder in place of {name}",
            )
    return None


def of_git(root: Path) -> Obstacle | None:
    """Why git would not say which revision this is."""
    if shutil.which("git") is None:
        return Obstacle("git is not installed", "install git, if you want versions and experiments")
    if checkout_of(root) is None:
        return Obstacle("the project is in no git repository", "run `git init`, if you want versions and experiments")
    asked = ["git", "rev-parse", "--git-dir"]
    done = subprocess.run(asked, cwd=root, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode == 0:
        return None
    if "dubious ownership" in done.stderr:
        return Obstacle(
            "git does not trust this checkout, which belongs to another user",
            f'git config --global --add safe.directory "{checkout_of(root)}"',
        )
    words = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
    return Obstacle(f"git cannot read the repository: {words}", "run `git status` to see why")


def of_experiments(root: Path, env: str, demo: Iterable[str]) -> Obstacle | None:
    """Why an experiment, which runs in a copy that DVC makes, could not be one of this project as it is here."""
    if found := of_dvc(root, demo) or of_git(root):
        return found
    if not str(root).isascii():
        return Obstacle(
            f"the path {root} holds letters beyond ASCII, which DVC's queue cannot write down",
            "move the project to a path of plain letters for experiments; runs work here",
        )
    made = {root / "data" / "raw" / env / name for name in demo_files()} if env in demo else set()
    folder = root / "data" / "raw" / env
    loose = next((path for path in raw_files(folder) if path not in made and not any(known_to_dvc(path, root))), None)
    if loose:
        name = loose.relative_to(root) if made else f"data/raw/{env}"
        return Obstacle(
            f"DVC does not know {loose.relative_to(root)}, which an experiment would lack: it runs in a copy of the project",
            f"dvc add {name} && git add data/raw && git commit -m 'Raw data'",
        )
    asked = ["git", "ls-files", "--others", "--exclude-standard", "-z", "--", "data/raw", f"configs/{env}.yml"]
    done = subprocess.run(asked, cwd=root, capture_output=True, text=True, errors="replace", check=False)
    new = [name for name in done.stdout.split("\0") if name.endswith((".dvc", ".yml"))]
    if new:
        return Obstacle(
            f"git does not know {new[0]}, which an experiment would lack: it runs in a copy of what git knows",
            f"git add {shlex.quote(new[0])}",
        )
    return None


def demo_files() -> tuple[str, ...]:
    """What the stage of the demo makes."""
    # Its module imports Snakemake, which takes a moment.
    from storelib.configuration.workflow import DEMO_FILES

    return DEMO_FILES


def raw_files(folder: Path) -> Iterator[Path]:
    """Files of a folder that are not hidden, in order; DVC's own notes left out."""
    for path in sorted(folder.rglob("*")):
        if (
            path.is_file()
            and path.suffix != ".dvc"
            and not any(p.startswith(".") for p in path.relative_to(folder).parts)
        ):
            yield path


def known_to_dvc(path: Path, root: Path) -> Iterator[bool]:
    """For a file and each folder above it, whether there is a note of DVC's about it."""
    for part in (path, *path.parents):
        if part == root:
            return
        yield part.with_name(f"{part.name}.dvc").is_file()


def without_git(root: Path) -> bool:
    """Whether DVC is told, by `core.no_scm`, to do without git."""
    found = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        found.read([root / ".dvc" / "config", root / ".dvc" / "config.local"], encoding="utf-8")
        return found.getboolean("core", "no_scm", fallback=False)
    except (configparser.Error, ValueError, UnicodeDecodeError):
        # DVC says itself what is wrong with its files.
        return False


def checkout_of(root: Path) -> Path | None:
    """The top of the git repository that a folder lies in."""
    return next((folder for folder in (root.absolute(), *root.absolute().parents) if (folder / ".git").exists()), None)


def windows_line_ends(root: Path) -> list[Path]:
    """Files of the workflow whose lines end as on Windows."""
    found = []
    for pattern in SAMPLED:
        for path in sorted(root.glob(pattern)):
            with path.open("rb") as handle:
                found += [path] if handle.readline().endswith(b"\r\n") else []
    return found


def home(root: Path) -> dict[str, str]:
    """Variables that a runner misses where the user has no home or no name, as in a container started with any number.

    Snakemake and DVC keep settings and caches below the home, and call the user by name.
    """
    found = {}
    folder = root / ".clustering" / "home"
    try:
        own = Path.home()
        missing, closed = not own.is_dir(), not os.access(own, os.W_OK | os.X_OK)
    except RuntimeError:
        missing = closed = True
    if missing:
        found["HOME"] = str(folder)
    elif closed and "XDG_CACHE_HOME" not in os.environ:
        # It may still hold settings of git's.
        found["XDG_CACHE_HOME"] = str(folder)
    if found:
        folder.mkdir(parents=True, exist_ok=True)
    if not user_has_a_name():
        found["USER"] = found["LOGNAME"] = f"user{os.getuid()}"
    return found


def user_has_a_name() -> bool:
    """Whether Python can tell what the user is called."""
    import getpass

    try:
        return bool(getpass.getuser())
    except (OSError, KeyError, ImportError):
        return False


@contextmanager
def exported(name: str, value: str) -> Iterator[None]:
    """While this lasts, this process and what it starts have a variable in their environment; then it is what it was before."""
    outer = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if outer is None:
            del os.environ[name]
        else:
            os.environ[name] = outer
