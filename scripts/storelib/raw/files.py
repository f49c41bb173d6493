"""Which files belong to a source."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from storelib.configuration.place import Source
from storelib.raw.readers import reader_of


def source_files(source: Source, folder: Path, listing: Iterable[Path] | None = None) -> list[Path]:
    """The files of a source, sorted: one file, a folder of parts, or a glob.

    listing: files to choose from (those that a stage is going to make); by default what is in `folder`.
    """
    suffixes = reader_of(source.reader).suffixes
    candidates = sorted(listing if listing is not None else (p for p in folder.rglob("*") if p.is_file()))
    target = folder / source.path
    exact = [p for p in candidates if p == target]
    if exact:
        return exact
    parts = [p for p in candidates if target in p.parents and p.name.lower().endswith(suffixes)]
    matched = parts or [p for p in candidates if p.relative_to(folder).match(source.path)]
    return [p for p in matched if not is_hidden(p.relative_to(folder))]


def is_hidden(path: Path) -> bool:
    """Whether a file, or a folder that it lies in, is no part of any source: one that is being written, for instance."""
    return any(part.startswith(".") for part in path.parts)


def sha256(path: Path) -> str:
    """A file's fingerprint."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
