"""Which version of `clustering` wrote a project's workflow, and what it wrote: `.clustering-project.json`.

It is committed with the project: whoever clones it must know what of it is the workflow's, and `.clustering/` is one machine's.
"""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from clustering import __version__
from storelib.errors import ConfigError

STAMP = Path(".clustering-project.json")


class Stamp(NamedTuple):
    """files: the SHA-256 of each file of the workflow as that version has it, by its path in the project."""

    version: str
    files: dict[str, str]


def digest(path: Path) -> str | None:
    """The SHA-256 of a file; None where there is nothing; an empty text, which no file has, for a link or a folder."""
    if path.is_symlink() or path.is_dir():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def read_stamp(root: Path) -> Stamp | None:
    """A project's stamp; None where it has none. Raises ConfigError where it cannot be read."""
    path = root / STAMP
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Stamp(str(found["version"]), {str(name): str(known) for name, known in found["files"].items()})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(
            f"{path} cannot be read",
            solution="take it from git as it was; without it, `clustering upgrade` keeps every file that differs",
        ) from None


def write_stamp(root: Path, stamp: Stamp) -> None:
    """Write it, whole or not at all; a line a file, which git can merge."""
    from storelib.tables import write_text

    write_text(json.dumps(stamp._asdict(), indent=2, sort_keys=True) + "\n", root / STAMP)


def other_version(root: Path) -> str | None:
    """A sentence where the project's workflow is of another version than this command; None where it is of this."""
    stamp = read_stamp(root)
    if stamp is None or stamp.version == __version__:
        return None
    return (
        f"this project's workflow is of clustering {stamp.version}, and this command is {__version__}: run `clustering upgrade` "
        f"(`--dry-run` says what it does), or install clustering-pipeline {stamp.version}"
    )
