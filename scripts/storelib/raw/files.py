"""Which files belong to a source."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from storelib.configuration.place import Place, Source, load_place, named_sources
from storelib.errors import DataError
from storelib.raw.readers import reader_of
from storelib.raw.text_files import PACKED

if TYPE_CHECKING:
    import pyarrow as pa


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


class Fingerprint(NamedTuple):
    """A raw file as it was when it was hashed. state: what changes when it is replaced or written to."""

    path: Path
    sha256: str
    size: int
    state: tuple[int, ...]

    @property
    def content(self) -> str:
        """What its rows follow from: the bytes, and what its name says of them. A suffix tells how they are packed, a folder
        such as `year=2026` holds a column.
        """
        told = [part for part in self.path.parts if "=" in part]
        return "/".join(
            [self.sha256, *told, *(suffix for suffix in self.path.suffixes[-2:] if suffix.lower() in PACKED)]
        )

    def refuse_changed(self) -> None:
        """Raise DataError where the file is not the one that was hashed: what is told of it would be about another."""
        now = state_of(self.path)
        if now == self.state:
            return
        # Some file systems number files anew, and a new name of a file is a change of it too: there the bytes decide.
        if now[2:4] != self.state[2:4] or sha256(self.path) != self.sha256:
            raise DataError(
                f"{self.path} was replaced or written to while it was read",
                solution="run again when the delivery is complete",
            )


def files_table(
    files: Mapping[str, Sequence[Fingerprint]], folder: Path, counts: Mapping[str, tuple[int, int]] | None = None
) -> "pa.Table":
    """The files that were read, by the name of their source, in the order of the contract.

    counts: lines and cents that came in with a file, by its `content`, where they were counted.
    Raises DataError where one is not what it was when it was hashed.
    """
    import pyarrow as pa

    from storelib.money import money_of

    rows = []
    for source, found in sorted(files.items()):
        for file in sorted(found, key=lambda file: file.path.relative_to(folder).as_posix()):
            file.refuse_changed()
            lines, cents = (counts or {}).get(file.content, (None, None))
            sales = None if cents is None else money_of(cents)
            rows.append((source, file.path.relative_to(folder).as_posix(), file.size, file.sha256, lines, sales))
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) or [[] for _ in range(6)]
    types = [pa.string(), pa.string(), pa.int64(), pa.string(), pa.int64(), pa.decimal128(38, 2)]
    names = ["source", "file", "bytes", "sha256", "lines", "sales"]
    return pa.table([pa.array(column, kind) for column, kind in zip(columns, types, strict=True)], names=names)


def fingerprints(paths: Iterable[Path]) -> list[Fingerprint]:
    """The fingerprint of each file; one that has several names is hashed once."""
    hashes: dict[tuple[int, ...], str] = {}
    found = []
    for path in paths:
        state = state_of(path)
        if state not in hashes:
            hashes[state] = sha256(path)
        found.append(Fingerprint(path, hashes[state], state[2], state))
    return found


def refuse_other_delivery(config: Path, place: Place, folder: Path, files: Mapping[str, Sequence[Fingerprint]]) -> None:
    """Raise DataError where what was read is not what a runner would see now, who looks after a stage has ended.

    config: the file that `place` was read from; files: those that were hashed before they were read, by the name of their source.
    """
    if load_place(config).sources != place.sources:
        raise DataError(f"{config} was changed while sources were read", solution="run again")
    for name, source in named_sources(place.sources):
        if name in files:
            differ = {file.path for file in files[name]}.symmetric_difference(source_files(source, folder))
            if differ:
                raise DataError(
                    f"{min(differ)} came or went while {folder / source.path} was read",
                    solution="run again when the delivery is complete",
                )


def state_of(path: Path) -> tuple[int, ...]:
    """Device, inode, size, the time that the file claims, and that of its last change, which nobody can set."""
    stat = path.stat()
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def sha256(path: Path) -> str:
    """A file's fingerprint."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
