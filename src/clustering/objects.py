"""Files of an object store or of a folder outside the project, by way of pyarrow's file systems."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from pyarrow import fs

from clustering.retry import TransientError
from clustering.secrets import address_of, redact
from clustering.unfinished import clear_published
from storelib.configuration.place import Remote
from storelib.errors import ConfigError, DataError
from storelib.raw.files import is_table, table_of
from storelib.raw.patterns import ANY_DEPTH, fixed_parts, is_leftover, matches
from storelib.tables import replacing

BLOCK = 8 << 20
# Seconds that an object store has for a connection, and those in which a byte has to come or go, by default.
CONNECT_S, ANSWER_S = 20, 60


class Place:
    """A file system, and a path in it that may be a glob; `shown` is its address as people may see it.

    waits: says how long a server is waited for.
    """

    def __init__(self, address: str, root: Path, waits: Remote | None = None) -> None:
        self.shown = address_of(address)
        # Parts of the path that stand for themselves, whatever their characters.
        self.literal = 0
        scheme = urlsplit(address).scheme
        if len(scheme) < 2:  # none, or a drive's letter
            self.system: Any = fs.LocalFileSystem()
            local = Path(address).expanduser()
            self.path = (root / local).as_posix()
            self.literal = 0 if local.is_absolute() else len(root.parts)
            return
        # A glob is no part of an address to pyarrow, which takes `?` for the start of its parameters.
        try:
            self.system, path = fs.FileSystem.from_uri(
                address.replace("*", "%2A").replace("[", "%5B").replace("]", "%5D")
            )
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{self.shown}: {redact(' '.join(str(error).split()))}", solution="mend `files` in configs/<env>.yml"
            ) from None
        if isinstance(self.system, fs.S3FileSystem):
            self.system = patient(self.system, waits)
        self.path = unquote(path)

    def list(self) -> list[tuple[str, str]]:
        """Files below the path, sorted: name relative to it (or its own, where it is one file), and path. Raises DataError."""
        pattern = PurePosixPath(self.path).parts
        fixed = [*pattern[: self.literal], *fixed_parts(pattern[self.literal :])]
        base = str(PurePosixPath(*fixed))
        try:
            info = self.system.get_file_info(base)
            if info.type == fs.FileType.File:
                return [(PurePosixPath(base).name, base)]
            below = self.system.get_file_info(fs.FileSelector(base, recursive=True, allow_not_found=True))
        except OSError as error:
            raise self.failure(error) from None
        wanted = pattern[len(fixed) :] or (ANY_DEPTH,)
        found: list[tuple[str, str]] = []
        tables: dict[PurePosixPath, str] = {}
        for entry in below:
            name = PurePosixPath(entry.path).relative_to(base)
            tables |= table_of(name)
            if entry.type == fs.FileType.File and not is_leftover(name.parts) and matches(wanted, name.parts):
                found.append((str(name), entry.path))
        for folder, kind in sorted(tables.items()):
            if any(folder in PurePosixPath(name).parents for name, _ in found):
                raise is_table(f"{self.shown}: {folder}" if folder.parts else self.shown, kind)
        if not found:
            raise DataError(
                f"{self.shown} does not exist or holds no file", solution="mend `files` in configs/<env>.yml"
            )
        return sorted(found)

    def download(self, path: str, target: Path, say: Callable[[int], None]) -> None:
        """Copy one file here, as long as the store says that it is. say: is told the bytes so far."""
        done = 0
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            size = self.system.get_file_info(path).size
            with self.system.open_input_stream(path, compression=None) as source, target.open("wb") as copy:
                while block := source.read(BLOCK):
                    copy.write(block)
                    done += len(block)
                    say(done)
        except OSError as error:
            raise self.failure(error) from None
        if size is not None and done != size:
            raise TransientError(
                f"{self.shown}: {PurePosixPath(path).name} came with {done:,} bytes, and {size:,} were announced",
                solution="see that nobody is writing it, and try again",
            )

    def path_of(self, name: str) -> str:
        """The path of a file below."""
        return str(PurePosixPath(self.path) / name)

    def digest(self, name: str) -> str | None:
        """The sha256 of a file below; None where there is none."""
        digest = hashlib.sha256()
        try:
            if self.system.get_file_info(self.path_of(name)).type != fs.FileType.File:
                return None
            with self.system.open_input_stream(self.path_of(name), compression=None) as source:
                while block := source.read(BLOCK):
                    digest.update(block)
        except OSError as error:
            raise self.failure(error) from None
        return digest.hexdigest()

    def read_text(self, name: str) -> str | None:
        """A small file below, as text; None where there is none."""
        try:
            if self.system.get_file_info(self.path_of(name)).type != fs.FileType.File:
                return None
            with self.system.open_input_stream(self.path_of(name), compression=None) as source:
                return bytes(source.read()).decode(errors="replace")
        except OSError as error:
            raise self.failure(error) from None

    def upload(self, source: Path, name: str) -> None:
        """Copy a file from here to below, whole or not at all: stores put an object when it is complete, in a folder it is renamed."""
        target = self.path_of(name)
        try:
            if isinstance(self.system, fs.LocalFileSystem):
                with replacing(Path(target)) as written:
                    shutil.copyfile(source, written)
                return
            with source.open("rb") as content, self.system.open_output_stream(target, compression=None) as copy:
                while block := content.read(BLOCK):
                    copy.write(block)
        except OSError as error:
            raise self.failure(error) from None

    def clear_up(self, *names: str) -> None:
        """Remove what a kill left of an upload to this folder, and to folders below."""
        if isinstance(self.system, fs.LocalFileSystem):
            clear_published(Path(self.path), *(Path(self.path_of(name)) for name in names))

    def failure(self, error: OSError) -> DataError:
        """An error of the file system in one line; one of a network may pass."""
        text = redact(" ".join(str(error).split()))[:400]
        if isinstance(self.system, fs.LocalFileSystem) or any(
            word in text for word in ("ACCESS_DENIED", "NO_SUCH", "403", "404")
        ):
            return DataError(f"{self.shown}: {text}", solution="mend `files` in configs/<env>.yml, or the rights there")
        return TransientError(
            f"{self.shown}: {text}", solution="see that the object store can be reached, and try again"
        )


def patient(system: fs.S3FileSystem, waits: Remote | None) -> fs.S3FileSystem:
    """The same with how long to wait, which no address can say."""
    _, (options,) = system.__reduce__()
    connect, answer = (waits.connect_timeout, waits.answer_timeout) if waits else (None, None)
    return fs.S3FileSystem(**options | {"connect_timeout": connect or CONNECT_S, "request_timeout": answer or ANSWER_S})
