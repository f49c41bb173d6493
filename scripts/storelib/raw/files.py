"""Which files belong to a source, what their folders say of them, and whether one content came twice."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from logging import Logger
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from storelib.configuration.place import Place, Source, load_place, named_sources
from storelib.errors import DataError, shown
from storelib.raw.patterns import ANY_DEPTH, fixed_parts, is_leftover, matches
from storelib.raw.readers import reader_of
from storelib.raw.text_files import BLOCK, PACKED, unpacked

if TYPE_CHECKING:
    import pyarrow as pa

# What Hive and Spark call a folder whose key is null.
NO_KEY = "__HIVE_DEFAULT_PARTITION__"
# Folders by which table formats know which of the files beside them still count.
TABLE_LOGS = {"_delta_log": "Delta", ".hoodie": "Hudi"}
ICEBERG = ".metadata.json"
# Files with fewer lines may well have the same sum.
FEW = 10


def source_files(source: Source, folder: Path, listing: Iterable[Path] | None = None) -> list[Path]:
    """The files of a source, sorted: one file, a folder of parts, or those that a pattern names from the root of `folder`.

    A file that is named is taken whatever it is called; of folders and patterns the leftovers of other programs are not.
    listing: files to choose from (those that a stage is going to make); by default what is in `folder`.
    """
    pattern = PurePosixPath(source.path).parts
    target, base = folder / source.path, folder.joinpath(*fixed_parts(pattern))
    candidates = sorted(listing if listing is not None else files_below(target if target.is_file() else base))
    if target in candidates:
        return [target]
    own = [p for p in candidates if base in p.parents and not is_leftover(p.relative_to(base).parts)]
    suffixes = reader_of(source.reader).suffixes
    parts = [p for p in own if target in p.parents and p.name.lower().endswith(suffixes)]
    return parts or [p for p in own if matches(pattern, p.relative_to(folder).parts)]


def files_below(path: Path) -> list[Path]:
    """A file, or every file in a folder and below, in folders that are links too."""
    return [path] if path.is_file() else [p for p in entries_below(path) if p.is_file()]


def entries_below(folder: Path) -> Iterator[Path]:
    """Files in a folder and below, and links to nothing. A link to a folder that it lies in itself has no end, and is left out."""
    for name, folders, files in os.walk(folder, followlinks=True):
        here = Path(name)
        inside = here.resolve()
        folders[:] = [
            entry
            for entry in folders
            if not (here / entry).is_symlink() or not inside.is_relative_to((here / entry).resolve())
        ]
        yield from (here / entry for entry in files)


def refuse_broken_links(source: Source, folder: Path) -> None:
    """Raise DataError where a link that belongs to a source leads to nothing: what lies behind it would be missing without a word."""
    pattern = PurePosixPath(source.path).parts
    target, base = folder / source.path, folder.joinpath(*fixed_parts(pattern))
    # It may be a folder of the pattern's.
    heads = [pattern[:number] for number in range(1, len(pattern) + 1)]
    below = [
        path
        for path in entries_below(base)
        if target in path.parents or any(matches(head, path.relative_to(folder).parts) for head in heads)
    ]
    way = [path for path in (target, base, *base.parents) if folder in path.parents]
    for link in sorted({*below, *way}):
        if link.exists() or not link.is_symlink() or is_leftover(link.relative_to(folder).parts):
            continue
        raise DataError(
            f"{link} is a link to {link.readlink()}, which is not there",
            solution="bring back what it leads to (mount the share, for instance), or remove the link where its data no longer counts",
        )


def present_files(source: Source, folder: Path) -> list[Path]:
    """The files of a source. Raises DataError where there is none, and for a table that only its own log can read."""
    refuse_broken_links(source, folder)
    files = source_files(source, folder)
    if not files:
        deeper = [
            p
            for p in files_below(folder)
            if matches((ANY_DEPTH, *PurePosixPath(source.path).parts), p.relative_to(folder).parts)
        ]
        raise DataError(
            f"{folder / source.path} does not exist or holds no {source.reader} file",
            solution=f"put the file there, or mend `path` of this source; {folder} holds: {names_in(folder)}"
            + (f"; {min(deeper)} has that name, and is looked for where `path` says so" if deeper else ""),
        )
    if files != [folder / source.path]:
        refuse_table_formats(files, folder)
    return files


def refuse_table_formats(files: Iterable[Path], folder: Path) -> None:
    """Raise DataError for files of a table in a format with a log of its own."""
    parents = {parent for file in files for parent in file.parents}
    for place in sorted(parent for parent in parents if parent == folder or folder in parent.parents):
        for entry in (*place.iterdir(), *place.glob(f"metadata/*{ICEBERG}")):
            if kind := table_of(PurePosixPath(entry.relative_to(place))).get(PurePosixPath()):
                raise is_table(place, kind)


def table_of(path: PurePosixPath) -> dict[PurePosixPath, str]:
    """The folder of the table to whose log a path belongs, and the table's kind; empty where it belongs to none."""
    if path.parent.name == "metadata" and path.name.endswith(ICEBERG):
        return {path.parent.parent: "Iceberg"}
    logs = (n for n, part in enumerate(path.parts) if part in TABLE_LOGS)
    return {PurePosixPath(*path.parts[:n]): TABLE_LOGS[path.parts[n]] for n in logs}


def is_table(place: Path | str, kind: str) -> DataError:
    """What is wrong with a folder that is a table of a format with a log."""
    return DataError(
        f"{place} is a {kind} table: files that it replaced or deleted lie beside those that count, and only its log tells "
        "them apart",
        solution="write the table's rows as plain Parquet into another folder (with Spark, DuckDB or the package deltalake, "
        "for instance), and name that one",
    )


def names_in(folder: Path) -> str:
    """What a folder holds, for an error message."""
    names = sorted(p.name for p in folder.iterdir())[:20] if folder.is_dir() else []
    return ", ".join(names) or "nothing"


def unread_files(source: Source, folder: Path) -> list[Path]:
    """Files in the folder of a source that its reader does not know by their names, leftovers of other programs aside."""
    target = folder / source.path
    if not target.is_dir():
        return []
    known = reader_of(source.reader).suffixes
    others = (p for p in files_below(target) if not p.name.lower().endswith(known))
    return sorted(p for p in others if not is_leftover(p.relative_to(target).parts))


def folder_keys(file: Path, folder: Path) -> list[tuple[str, str | None]]:
    """Keys and values in the names of the folders between `folder` and a file, such as `STORE=007/`."""
    found = []
    for part in file.relative_to(folder).parts[:-1]:
        key, sign, value = part.partition("=")
        if sign:
            found.append((unquote(key), None if value == NO_KEY else unquote(value)))
    return found


def partition_values(file: Path, source: Source, folder: Path) -> dict[str, str | None]:
    """The values of a source's `partitions` for one file. Raises DataError where its folders give one not once."""
    keys = folder_keys(file, folder)
    for key in source.partitions:
        times = sum(key == other for other, _ in keys)
        if times != 1:
            raise DataError(
                f"{file} lies in {times or 'no'} folder{'s' * (times > 1)} {key}=..., and `partitions` of this source names {key!r}",
                solution="move the file, or mend `partitions` of this source",
            )
    return {key: value for key, value in keys if key in source.partitions}


class Fingerprint(NamedTuple):
    """A raw file as it was when it was hashed. state: what changes when it is replaced or written to.

    keys: what its folders say of its rows, as far as the source asks for that.
    """

    path: Path
    sha256: str
    size: int
    state: tuple[int, ...]
    keys: tuple[str, ...] = ()

    @property
    def content(self) -> str:
        """What its rows follow from: the bytes, and what its name says of them. A suffix tells how they are packed."""
        packed = (suffix for suffix in self.path.suffixes[-2:] if suffix.lower() in PACKED)
        return "/".join([self.sha256, *self.keys, *packed])

    @property
    def unpacked_sha256(self) -> str:
        """The hash of what a compressed file holds; of another file its own."""
        if self.path.suffix.lower() not in PACKED:
            return self.sha256
        digest = hashlib.sha256()
        with unpacked(self.path) as stream:
            while block := stream.read(BLOCK):
                digest.update(block)
        return digest.hexdigest()

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


# Tells the SHA-256 of files.
HashesOf = Callable[[Sequence[Path]], Mapping[Path, str]]
# Lines that came in with a file, and cents where they are counted, by its `content`.
Counts = Mapping[str, tuple[int, int | None]]


def counts_of(files: Iterable[Fingerprint], lines: Mapping[str, int]) -> Counts:
    """Counts of files whose lines are known by their paths; a file that gave no row is not among these."""
    return {file.content: (lines.get(str(file.path), 0), None) for file in files}


def refuse_repeated(source: Source, files: Sequence[Fingerprint], counts: Counts) -> None:
    """Raise DataError for two files with the same content: a copy under another name, or a file beside its compressed self.

    Files without lines say nothing twice: programs that write in parts leave many of them. A compressed file is unpacked here
    only where another one gave as many lines, and as much of sales.
    """
    if source.repeated_files == "read" or len(files) < 2:
        return
    alike: dict[object, list[Fingerprint]] = {}
    for file in files:
        if counts[file.content][0]:
            alike.setdefault((file.keys, counts[file.content]), []).append(file)
    for group in alike.values():
        if len(group) < 2:
            continue
        seen: dict[str, Fingerprint] = {}
        for file in sorted(group):
            digest = file.unpacked_sha256
            if digest in seen:
                raise DataError(
                    f"{file.path} has the same content as {seen[digest].path}: {counts[file.content][0]} lines would count twice",
                    solution="delete one of them, name those to read in `path`, or set `repeated_files: read` of this source "
                    "where both are meant",
                )
            seen[digest] = file


def log_files(log: Logger, sources: Mapping[str, Source], folder: Path, table: "pa.Table") -> None:
    """Tell the log every file that was read, what may have come twice, and what lies beside them and was not read.

    table: see `files_table`.
    """
    seen: dict[tuple[str, int, Any], str] = {}
    for row in table.to_pylist():
        lines = "" if row["lines"] is None else f", {row['lines']} lines"
        sales = "" if row["sales"] is None else f", {row['sales']}"
        log.info("read %s: %s (%d bytes%s%s)", row["source"], shown(row["file"]), row["bytes"], lines, sales)
        figures = row["source"], row["lines"], row["sales"]
        # A workbook that was saved again, or a table in another format of Parquet: other bytes, the same rows.
        if row["sales"] is not None and row["lines"] >= FEW:
            if figures in seen:
                log.warning(
                    "%s and %s have as many lines, and the same sum: did one come twice?", seen[figures], row["file"]
                )
            seen[figures] = row["file"]
    for name, source in sorted(sources.items()):
        for file in unread_files(source, folder):
            told = shown(file.relative_to(folder).as_posix())
            log.warning("not read: %s, whose name is none of a %s file (%s)", told, source.reader, name)


def files_table(files: Mapping[str, Sequence[Fingerprint]], folder: Path, counts: Mapping[str, Counts]) -> "pa.Table":
    """The files that were read, by the name of their source, in the order of the contract.

    counts: by the same names; lines and cents that came in with a file.
    Raises DataError where one is not what it was when it was hashed.
    """
    import numpy as np
    import pyarrow as pa

    from storelib.arrow import column_of, texts_of
    from storelib.money import amounts_of, money_of

    rows = []
    for source, found in sorted(files.items()):
        for file in sorted(found, key=lambda file: file.path.relative_to(folder).as_posix()):
            file.refuse_changed()
            lines, cents = counts[source][file.content]
            sales = None if cents is None else money_of(cents)
            rows.append((source, file.path.relative_to(folder).as_posix(), file.size, file.sha256, lines, sales))
    return pa.table(
        {
            "source": texts_of([row[0] for row in rows]),
            "file": texts_of([row[1] for row in rows]),
            "bytes": column_of(np.array([row[2] for row in rows], np.int64)),
            "sha256": texts_of([row[3] for row in rows]),
            "lines": column_of(np.array([row[4] for row in rows], np.int64)),
            "sales": amounts_of([row[5] for row in rows]),
        }
    )


def fingerprints(
    paths: Iterable[Path],
    source: Source,
    folder: Path,
    hashes_of: HashesOf | None = None,
) -> list[Fingerprint]:
    """The fingerprint of each file of a source; one that has several names is hashed once.

    hashes_of: tells the hashes; without it the files are read one by one.
    """
    states = {path: state_of(path) for path in paths}
    first = {state: path for path, state in reversed(states.items())}
    digests = hashes_of([*first.values()]) if hashes_of else {path: sha256(path) for path in first.values()}
    found = []
    for path, state in states.items():
        keys = tuple(f"{key}={value}" for key, value in sorted(partition_values(path, source, folder).items()))
        found.append(Fingerprint(path, digests[first[state]], state[2], state, keys))
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
