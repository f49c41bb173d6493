"""Hashes of files at the cost of a look: a file is read again only where the system says another thing of it than before.

What decides whether a raw file is new is what is in it, not its time: files keep the times of their making when they are unpacked
or copied, and clocks differ. The hashes are kept in one file, which may be deleted at any time; stages do not use it, and hash
what they read.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from storelib.configuration.place import Sources, named_sources
from storelib.raw.files import sha256, source_files, state_of
from storelib.tables import write_text

KEPT = Path(".clustering", "cache", "hashes.json")
# A file may be written to again within one tick of its file system's clock: a hash counts only of one left alone for so long.
SETTLED_NS = 2_000_000_000


class Known(NamedTuple):
    """What was found of a file: its state, as `state_of`, and its hash."""

    state: tuple[int, ...]
    sha256: str


class Hashes:
    """Hashes of files below a folder, kept in it. unseen: files that changed, and whose inode, size and time did not."""

    def __init__(self, root: Path = Path()) -> None:
        self.root = root
        self.known: dict[str, Known] = {}
        self.unseen: set[str] = set()
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            # One that is missing or damaged costs reading the files again, no more.
            kept = json.loads((root / KEPT).read_text(encoding="utf-8"))
            self.known = {
                str(name): Known(tuple(state), str(digest)) for name, (state, digest) in kept["known"].items()
            }
            self.unseen = set(map(str, kept["unseen"]))

    def of(self, paths: Iterable[Path]) -> dict[Path, str]:
        """The hash of each file; of one that cannot be read, why: whoever reads it tells so. Paths are relative to the folder."""
        found, new = {}, False
        for path in paths:
            name = path.as_posix()
            old = self.known.get(name)
            try:
                state = state_of(self.root / path)
                if old is not None and old.state == state:
                    found[path] = old.sha256
                    continue
                began = time.time_ns()
                found[path] = sha256(self.root / path)
                same = state_of(self.root / path) == state
            except OSError as error:
                found[path] = f"cannot be read: {error.strerror}"
                continue
            new = True
            if old is not None and old.state[1:4] == state[1:4] and old.sha256 != found[path]:
                self.unseen.add(name)
            # Of a file that may be written to again within a tick the hash is remembered, and taken in no state for that of today.
            settled = same and began - state[4] > SETTLED_NS
            self.known[name] = Known(state if settled else (*state[:4], 0), found[path])
        if new:
            self.save()
        return found

    def save(self) -> None:
        """Write what is known, of files that are still there."""
        self.known = {name: known for name, known in self.known.items() if (self.root / name).exists()}
        content = {"known": self.known, "unseen": sorted(self.unseen)}
        # Where the project cannot be written to, the files are read again next time.
        with suppress(OSError):
            write_text(json.dumps(content) + "\n", self.root / KEPT)

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
