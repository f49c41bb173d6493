"""Patterns of paths, part by part from the root of a folder; and which files other programs leave behind.

In a part `*`, `?` and `[abc]` stand for characters of one name; the part `**` stands for any number of folders. Capitals count.
Raw files and what `clustering fetch` brings are chosen by the same patterns.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

MAGIC = frozenset("*?[")
ANY_DEPTH = "**"
# Names of files, and of folders with all that is in them, that hold no data of their own: what is hidden; what Spark, Hadoop,
# Databricks and Dask write beside their parts; locks of Excel; downloads and copies that are not complete; DVC's own.
LEFTOVERS = (
    ".*", "~$*", "*~", "_temporary*", "_tmp.*", "_SUCCESS", "_started_*", "_committed_*", "_metadata", "_common_metadata",
    "_delta_log", "_change_data", "_spark_metadata", "*_$folder$", "__MACOSX", "*.crc", "*.tmp", "*.temp", "*.part", "*.partial",
    "*.filepart", "*.crdownload", "*.bak", "*.dvc", "Thumbs.db", "desktop.ini",
)  # fmt: skip


def is_pattern(part: str) -> bool:
    """Whether a part of a path stands for several names."""
    return not MAGIC.isdisjoint(part)


def fixed_parts(pattern: Sequence[str]) -> Sequence[str]:
    """The parts before the first that stands for several names."""
    first = next((n for n, part in enumerate(pattern) if is_pattern(part)), len(pattern))
    return pattern[:first]


def matches(pattern: Sequence[str], path: Sequence[str]) -> bool:
    """Whether a path, by its parts, is what a pattern says, from the first part to the last."""
    if not pattern:
        return not path
    first, rest = pattern[0], pattern[1:]
    if first == ANY_DEPTH:
        # At the end of a pattern it stands for every file below.
        return any(matches(rest, path[n:]) for n in range(len(path) + 1)) if rest else bool(path)
    return bool(path) and fnmatchcase(path[0], first) and matches(rest, path[1:])


def is_leftover(path: Sequence[str]) -> bool:
    """Whether a file, by the parts of its path, or a folder that it lies in, is one of `LEFTOVERS`."""
    return any(fnmatchcase(part, name) for part in path for name in LEFTOVERS)
