"""Hashes of files at the cost of a look: a file is read again only where the system says another thing of it than before.

What decides whether a raw file is new is what is in it, not its time: files keep the times of their making when they are unpacked
or copied, and clocks differ. The hashes are kept in a file, which may be deleted at any time. The stage that has a file's sums
from an earlier run keeps such a file too; what it reads it hashes (`Hashes.confirm`).
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from storelib.configuration.place import Sources, named_sources
from storelib.errors import DataError
from storelib.raw.files import sha256, source_files, state_of
from storelib.tables import write_text

KEPT = Path(".clustering", "cache", "hashes.json")
# A file may be written to again within one tick of its file system's clock: a hash counts only of one left alone for so long.
SETTLED_NS = 2_000_000_000
# Before the reason, in the place of a hash.
UNREADABLE = "cannot be read: "


class Known(NamedTuple):
    """What was found of a file: its state, as `state_of`, and its hash."""

    state: tuple[int, ...]
    sha256: str


class Hashes:
    """Hashes of files below a folder, kept in it. unseen: files that changed, and whose inode, size and time did not.

    kept: where they are kept; threads: how many files are read at a time.
    """

    def __init__(self, root: Path = Path(), kept: Path = KEPT, threads: int = 1) -> None:
        self.root = root
        self.kept = root / kept
        self.threads = threads
        self.known: dict[str, Known] = {}
        self.unseen: set[str] = set()
        self.read: set[Path] = set()
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            # One that is missing or damaged costs reading the files again, no more.
            content = json.loads(self.kept.read_text(encoding="utf-8"))
            if content.pop("sha256") == hash_of(content):
                self.known = {name: Known(tuple(state), digest) for name, (state, digest) in content["known"].items()}
                self.unseen = set(content["unseen"])

    def of(self, paths: Iterable[Path]) -> dict[Path, str]:
        """The hash of each file; of one that cannot be read, why: whoever reads it tells so. Paths are relative to the folder."""
        wanted = list(dict.fromkeys(paths))
        # A look that fails, as for a file that has gone, is told by the reading.
        states = {path: state for path in wanted if (state := self.state(path)) is not None}
        old = {path: self.known.get(path.as_posix()) for path in wanted}
        found = {path: known.sha256 for path, known in old.items() if known and known.state == states.get(path)}
        to_read = [path for path in wanted if path not in found]
        for path, (digest, began) in zip(to_read, self.digests(to_read), strict=True):
            found[path] = digest
            state, before = states.get(path), old[path]
            if began is None or state is None:
                continue
            self.read.add(path)
            if before is not None and before.state[1:4] == state[1:4] and before.sha256 != digest:
                self.unseen.add(path.as_posix())
            # Of a file that may be written to again within a tick the hash is remembered, and taken in no state for that of today.
            settled = self.state(path) == state and began - state[4] > SETTLED_NS
            self.known[path.as_posix()] = Known(state if settled else (*state[:4], 0), digest)
        if self.read.intersection(to_read):
            self.save()
        return {path: found[path] for path in wanted}

    def of_readable(self, paths: Iterable[Path]) -> dict[Path, str]:
        """The hash of each file. Raises OSError for one that cannot be read."""
        found = self.of(paths)
        for path in [path for path, digest in found.items() if digest.startswith(UNREADABLE)]:
            found[path] = sha256(self.root / path)
        return found

    def state(self, path: Path) -> tuple[int, ...] | None:
        """As `state_of`; None where there is no looking at it."""
        with suppress(OSError):
            return state_of(self.root / path)
        return None

    def digests(self, paths: Iterable[Path]) -> list[tuple[str, int | None]]:
        """What reading each file says, and when it began; None where it cannot be read."""

        def digest(path: Path) -> tuple[str, int | None]:
            began = time.time_ns()
            try:
                return sha256(self.root / path), began
            except OSError as error:
                return f"{UNREADABLE}{error.strerror}", None

        with ThreadPoolExecutor(self.threads) as pool:
            return list(pool.map(digest, paths))

    def confirm(self, expected: Mapping[Path, str]) -> None:
        """Read those of these files whose hashes were known without reading. Raises DataError where one has another by now."""
        remembered = [path for path in expected if path not in self.read]
        digests = zip(remembered, self.digests(remembered), strict=True)
        differ = [path for path, (digest, _) in digests if digest != expected[path]]
        self.read.update(remembered)
        if differ:
            # All of them, or each would cost a run.
            for path in differ:
                self.known.pop(path.as_posix(), None)
            self.save()
            raise DataError(
                f"{differ[0]} holds something else than when it was hashed, and the file system says that nobody has written to it",
                solution="look whether the disk is damaged, and run again: the file is hashed anew",
            )

    def save(self) -> None:
        """Write what is known, of files that are still there."""
        self.known = {name: known for name, known in self.known.items() if (self.root / name).exists()}
        content = {"known": self.known, "unseen": sorted(self.unseen)}
        # Where the project cannot be written to, the files are read again next time.
        with suppress(OSError):
            write_text(json.dumps(content | {"sha256": hash_of(content)}) + "\n", self.kept)

    def settle_times(self, paths: Iterable[Path]) -> None:
        """Give today's time to files of the workflow whose own would mislead a runner that goes by times.

        Such is a time ahead of the clock, and one that is older than that of another content which was there before.
        """
        files = list(paths)
        before = {path: self.known.get(path.as_posix()) for path in files}
        found = self.of(files)
        for path in files:
            old = before[path]
            self.settle(path, replaced=old is not None and old.sha256 != found[path])

    def settle(self, path: Path, *, replaced: bool = False) -> None:
        """The same for one file. replaced: its content is another than before."""
        # What is gone, or somebody else's, is told of by who needs it.
        with suppress(OSError):
            if replaced or (self.root / path).stat().st_mtime > time.time():
                os.utime(self.root / path)


def hash_of(content: Mapping[str, object]) -> str:
    """The hash of what is kept: a flipped bit in it is noticed."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def raw_hashes(name: str, sources: Sources, folder: Path, hashes: Hashes) -> dict[tuple[str, str], str]:
    """The hash of every file of a source, by the source's name and the file's path in `folder`.

    name: a key under `sources`; `external` is all of these, which are named `external.<name>`. folder: relative to that of
    `hashes`.
    """
    own = [(full, source) for full, source in named_sources(sources) if name in (full, full.partition(".")[0])]
    where = hashes.root / folder
    files = [(full, path.relative_to(where)) for full, source in own for path in source_files(source, where)]
    found = hashes.of(folder / path for _, path in files)
    return {(full, path.as_posix()): found[folder / path] for full, path in files}


def told_content(found: Mapping[tuple[str, str], str]) -> str:
    """Files of a source in a few words: how many, and the beginning of a hash of their names and contents."""
    if not found:
        return "no file"
    digest = hashlib.sha256(json.dumps(sorted(found.items())).encode()).hexdigest()
    return f"{len(found)} {'file' if len(found) == 1 else 'files'}, content {digest[:16]}"
