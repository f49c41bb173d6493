"""Sums of raw files that earlier runs counted, by content: a new file costs one file's work.

One file of the cache holds the sums of one raw file, or of several. Its name says under which settings and of which contents
they are; its first line says so too, with the hash of what follows, so that a damaged file is noticed and counted anew. The
folder may be deleted at any time; what was not used for longest goes when it grows beyond its limit.
"""

import hashlib
import io
import json
from collections import Counter as Multiset
from collections.abc import Iterable, Mapping, Sequence
from logging import Logger
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from storelib.accounts.one_pass import MORE, Ledgers, Sums
from storelib.accounts.sums import Cells
from storelib.arrow import array_of, column_of, texts_of
from storelib.raw.lines import Codes
from storelib.tables import replacing

TEXT = pa.dictionary(pa.int32(), pa.string())
SUMMED = [("cents", pa.int64()), ("lines", pa.int64())]
SCHEMAS = {
    "cells": pa.schema([("store_id", TEXT), ("category", TEXT), ("entry", pa.int32()), *SUMMED]),
    "skus": pa.schema([("sku", TEXT), ("category", TEXT), *SUMMED]),
    "days": pa.schema([("category", TEXT), ("day", pa.int32()), *SUMMED]),
    "marks": pa.schema([("store_id", TEXT), ("mark", pa.int32()), *SUMMED]),
}
# What is asked for beside cells is counted in the same way.
SCHEMAS |= dict.fromkeys(MORE, SCHEMAS["cells"])
IN_CELLS = ("cells", *MORE)
SUFFIX = ".sums"
OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False, unify_dictionaries=False)


# Lines and cents that came in with a raw file, by its content (`Fingerprint.content`).
Counts = dict[str, tuple[int, int]]


class Kept(NamedTuple):
    """One file of the cache: where it is, and the contents of the raw files whose sums it holds, with how often each is in."""

    path: Path
    contents: Multiset[str]


class Found(NamedTuple):
    """What one file of the cache holds."""

    sums: Sums
    counts: Counts


class Cache:
    """Sums of raw files in a folder, under one set of settings.

    settings: a hash of all that the sums depend on beside the files' contents. limit: bytes.
    """

    def __init__(self, folder: Path, settings: str, limit: int, log: Logger) -> None:
        self.folder = folder
        self.settings = settings
        self.limit = limit
        self.log = log

    def cover(self, wanted: Multiset[str]) -> list[Kept]:
        """Which files of the cache to add up for raw files of these contents; those of most raw files come first.

        A total of an earlier run leaves only the new files to be counted.
        """
        known = sorted(self.known(), key=lambda kept: (-kept.contents.total(), kept.path.name))
        left, chosen = wanted.copy(), []
        for kept in known:
            if kept.contents <= left:
                chosen.append(kept)
                while kept.contents <= left:
                    left -= kept.contents
        return chosen

    def known(self) -> list[Kept]:
        """What the folder holds under these settings."""
        found = []
        for path in self.folder.glob(f"{self.settings[:16]}-*{SUFFIX}"):
            try:
                with path.open("rb") as file:
                    head = json.loads(file.readline())
                if head["settings"] == self.settings and head["contents"]:
                    found.append(Kept(path, Multiset(head["contents"])))
            except (OSError, ValueError, KeyError, TypeError) as error:
                self.log.warning("%s is damaged (%s): its raw files are counted anew", path, error)
                self.drop(path)
        return found

    def read(self, kept: Kept, ledgers: Ledgers) -> Found | None:
        """What one file of the cache holds; None where it is damaged or gone, which is told."""
        try:
            line, _, body = kept.path.read_bytes().partition(b"\n")
            head = json.loads(line)
            self.refuse_other(head, body)
            counts = {content: (lines, cents) for content, (lines, cents) in head["counts"].items()}
            found = Found(decoded(body, head["magnitude"], ledgers), counts)
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            self.log.warning("%s is damaged (%s): its raw files are counted anew", kept.path, error)
            self.drop(kept.path)
            return None
        kept.path.touch()
        return found

    def refuse_other(self, head: Mapping[str, Any], body: bytes) -> None:
        """Raise ValueError where a file of the cache is not what was written."""
        if self.hash_of(head, body) != head["sha256"]:
            raise ValueError("its content is not what was written")

    @staticmethod
    def hash_of(head: Mapping[str, Any], body: bytes) -> str:
        """The hash of a whole file of the cache: of its first line, but for this hash, and of the rest."""
        told = json.dumps({key: value for key, value in head.items() if key != "sha256"}, sort_keys=True)
        return hashlib.sha256(told.encode() + b"\n" + body).hexdigest()

    def write(self, contents: Multiset[str], parts: Sequence[Sums], ledgers: Ledgers, counts: Counts) -> Path:
        """Keep the sums of raw files of these contents, and return where.

        counts: of these files at least. A folder that cannot be written to costs the next run time, no more.
        """
        elements = sorted(contents.elements())
        name = hashlib.sha256(json.dumps(elements).encode()).hexdigest()[:32]
        path = self.folder / f"{self.settings[:16]}-{name}{SUFFIX}"
        if path.exists():
            return path
        body = encoded(parts, ledgers)
        magnitude = sum(part.magnitude for part in parts)
        head: dict[str, Any] = {"settings": self.settings, "contents": elements, "magnitude": magnitude}
        head["counts"] = {content: counts[content] for content in sorted(contents)}
        head["sha256"] = self.hash_of(head, body)
        try:
            with replacing(path) as temporary:
                temporary.write_bytes(json.dumps(head).encode() + b"\n" + body)
        except OSError as error:
            self.log.warning("%s cannot be written to (%s): the next run counts these files again", self.folder, error)
        return path

    def shrink(self, used: Iterable[Path]) -> None:
        """Delete what was not used for longest until the folder is within its limit; `used` goes last."""
        needed = set(used)
        files = []
        for path in self.folder.glob(f"*{SUFFIX}"):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue
            files.append((path in needed, stat.st_mtime_ns, stat.st_size, path))
        excess = sum(size for _, _, size, _ in files) - self.limit
        for _, _, size, path in sorted(files):
            if excess <= 0:
                return
            self.drop(path)
            excess -= size

    def drop(self, path: Path) -> None:
        """Delete a file of the cache, unless another run did."""
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            self.log.warning("%s cannot be deleted: %s", path, error)


def asked_for(ledgers: Ledgers) -> dict[str, pa.Schema]:
    """The schema of each table of sums, by name, in the order in which they are kept."""
    return {name: schema for name, schema in SCHEMAS.items() if name not in MORE or name in ledgers.more}


def encoded(parts: Sequence[Sums], ledgers: Ledgers) -> bytes:
    """Sums as Arrow streams, with the texts that their codes stand for."""
    coding, pairs = ledgers.coding, ledgers.combinations.table().astype(np.int32)
    days = np.array(ledgers.days, np.int32)
    sink = io.BytesIO()
    for name, schema in asked_for(ledgers).items():
        with pa.ipc.new_stream(sink, schema, options=OPTIONS) as writer:
            for part in parts:
                cells = part.of(name)
                if name in IN_CELLS:
                    found = pairs[cells.columns]
                    keys = [
                        texts(cells.rows, coding.store_id),
                        texts(found[:, 0], coding.category),
                        column_of(found[:, 1]),
                    ]
                elif name == "skus":
                    keys = [texts(cells.rows, coding.sku), texts(cells.columns, coding.category)]
                elif name == "days":
                    keys = [texts(cells.rows, coding.category), column_of(days[cells.columns])]
                else:
                    keys = [texts(cells.rows, coding.store_id), column_of(cells.columns)]
                columns = [*keys, column_of(cells.cents), column_of(cells.lines)]
                writer.write_batch(pa.record_batch(columns, schema=schema))
    return sink.getvalue()


def texts(codes: NDArray[np.int32], coding: Codes) -> pa.DictionaryArray:
    """Codes as a dictionary of the texts that occur; no text is null."""
    occurs = np.zeros(len(coding.texts), np.bool_)
    occurs[codes] = True
    places = np.cumsum(occurs, dtype=np.int32) - 1
    values = texts_of([coding.texts[code] for code in np.flatnonzero(occurs).tolist()])
    return pa.DictionaryArray.from_arrays(column_of(places[codes]), values)


def decoded(body: bytes, magnitude: float, ledgers: Ledgers) -> Sums:
    """Sums in the codes of this pass. Raises ArrowException where the bytes are none."""
    source = io.BytesIO(body)
    coding = ledgers.coding
    found: dict[str, list[Cells]] = {name: [] for name in asked_for(ledgers)}
    for name, parts in found.items():
        with pa.ipc.open_stream(source) as reader:
            for batch in reader:
                key, *others, cents, lines = batch.columns
                if name in IN_CELLS:
                    category, entry = codes_of(others[0], coding.category), array_of(others[1])
                    rows, columns = codes_of(key, coding.store_id), ledgers.combinations.of(category, entry)
                elif name == "skus":
                    rows, columns = codes_of(key, coding.sku), codes_of(others[0], coding.category)
                elif name == "days":
                    rows, columns = codes_of(key, coding.category), ledgers.day_codes(array_of(others[0]))
                else:
                    rows, columns = codes_of(key, coding.store_id), array_of(others[0])
                parts.append(Cells(rows, columns, array_of(cents), array_of(lines)))
    joined = {name: Cells(*(np.concatenate(part) for part in zip(*own, strict=True))) for name, own in found.items()}
    more = {name: joined.pop(name) for name in ledgers.more}
    return Sums(**joined, magnitude=magnitude, more=more)


def codes_of(column: pa.DictionaryArray, coding: Codes) -> NDArray[np.int32]:
    """The codes of texts."""
    codes: NDArray[np.int32] = coding.of(column.dictionary)[array_of(column.indices)]
    return codes
