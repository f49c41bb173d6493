"""Bring sources from where they live to data/raw/<env>/, as snapshots with a fingerprint.

A snapshot is made beside the one that is there, looked at, and moved into its place whole; where its content is the same the old
files stay, so nothing downstream runs. `data/raw/<env>.fetch.json`, which git keeps, says of each where it came from, its rows,
content hash and times.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from clustering.databases import batches_of, connected, look_ahead, shown_address
from clustering.objects import Place
from clustering.retry import retried
from clustering.secrets import filled_in, redact
from clustering.unfinished import clear_up, remove, retired, stage_of_fetch
from storelib.configuration.place import Compute, Fetch, Source
from storelib.database import database, one_row
from storelib.errors import ConfigError, DataError
from storelib.raw.files import sha256
from storelib.raw.patterns import fixed_parts
from storelib.raw.readers import reader_of
from storelib.raw.sources import open_source, require_columns, unreadable
from storelib.tables import write_text

Say = Callable[[str], None]


class Fetched(NamedTuple):
    """What became of one source: `fetched`, `unchanged` (the same content) or `kept` (not asked for)."""

    source: str
    state: str
    fingerprint: dict[str, Any]
    path: Path


def target_of(name: str, source: Source) -> Path:
    """The file or folder that a snapshot of a source is, relative to data/raw/<env>/. Raises ConfigError where it has none."""
    fixed = fixed_parts(Path(source.path).parts)
    if not fixed:
        raise ConfigError(
            f"sources.{name}.path: {source.path!r} is a pattern without a folder, and what is fetched needs a place of its own",
            solution=f"give it a folder, such as {name.rpartition('.')[2]}/{source.path}",
        )
    return Path(*fixed)


def fetch_source(root: Path, env: str, name: str, source: Source, wanted: Fetch, *, refresh: bool, say: Say) -> Fetched:
    """Bring one source here. Raises ConfigError, or DataError with the old snapshot left as it was."""
    config = Path("configs", f"{env}.yml")
    folder = root / "data" / "raw" / env
    path = target_of(name, source)
    target = folder / path
    wanted = filled_in(wanted, config)
    origin = {"from": shown_address(wanted) if wanted.database else Place(str(wanted.files), root).shown}
    origin |= {"query": redact(wanted.query)} if wanted.query else {}
    old = read_fingerprints(root, env).get(name, {}) if target.exists() else {}
    if old and not refresh and all(old.get(key) == value for key, value in origin.items()):
        return Fetched(name, "kept", old, target)
    with staging(folder) as stage:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        if wanted.database:
            retried(lambda: query_to_parquet(wanted, root, stage / path, say), say)
        else:
            retried(lambda: copy_files(Place(str(wanted.files), root, wanted), source, stage, path, say), say)
        rows = looked_at(name, source, stage)
        digest = content_hash(stage / path, by_rows=wanted.database is not None)
        same = target.exists() and content_hash(target, by_rows=wanted.database is not None) == digest
        if not same:
            put_in_place(stage / path, target)
    new = {**origin, "path": path.as_posix(), "rows": rows, "sha256" if wanted.files else "rows_md5": digest}
    new |= {"fetched": old.get("fetched", now) if same else now, "checked": now}
    every = dict(sorted({**read_fingerprints(root, env), name: new}.items()))
    write_text(json.dumps(every, indent=2, ensure_ascii=False) + "\n", fingerprints(root, env))
    return Fetched(name, "unchanged" if same else "fetched", new, target)


def fingerprints(root: Path, env: str) -> Path:
    """The file that says where the snapshots of an environment came from; outside their folder, which DVC keeps as a whole."""
    return root / "data" / "raw" / f"{env}.fetch.json"


def read_fingerprints(root: Path, env: str) -> dict[str, Any]:
    """What is known of each snapshot, by source. Raises DataError for a file that is not what this command wrote."""
    path = fingerprints(root, env)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(part, dict) for part in found.values()):
        raise DataError(
            f"{path} is not a file of fingerprints", solution="delete it, or take it from git; fetch writes it anew"
        )
    return found


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A folder beside the snapshots, which no source and no runner sees; what killed fetches left is put right first."""
    folder.mkdir(parents=True, exist_ok=True)
    clear_up(folder)
    stage = stage_of_fetch(folder)
    stage.mkdir()
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def query_to_parquet(wanted: Fetch, root: Path, target: Path, say: Say) -> None:
    """Stream the rows of a query into one Parquet file, batch by batch."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with connected(wanted, root, read_only=True) as connection, connection.cursor() as cursor:
        look_ahead(cursor, wanted)
        cursor.execute(wanted.query)
        theirs, batches = batches_of(cursor, wanted)
        schema = pa.schema([pa.field(field.name, plain_type(field.type)) for field in theirs])
        rows = 0
        try:
            with pq.ParquetWriter(target, schema, compression="zstd") as writer:
                for batch in batches:
                    columns = [plain_array(column) for column in batch.columns]
                    writer.write_table(pa.Table.from_arrays(columns, schema=schema))
                    rows += batch.num_rows
                    say(f"{rows:,} rows")
        except pa.ArrowNotImplementedError as error:
            kinds = ", ".join(f"{field.name} {field.type}" for field in schema)
            raise DataError(
                f"{shown_address(wanted)}: a column cannot be kept as Parquet: {error} (columns: {kinds})",
                solution="cast it in the query, to text for instance",
            ) from None


def plain_type(kind: pa.DataType) -> pa.DataType:
    """A type without a database's own wrapping: PostgreSQL's numeric comes as its exact text."""
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def plain_array(column: pa.Array) -> pa.Array:
    """A column of a plain type."""
    return column.storage if isinstance(column, pa.ExtensionArray) else column


def copy_files(place: Place, source: Source, stage: Path, path: Path, say: Say) -> None:
    """Copy the files of a source below `stage`, as it will be read there."""
    found = place.list()
    suffixes = reader_of(source.reader).suffixes
    one = path.name.lower().endswith(suffixes)
    if one and len(found) > 1:
        raise DataError(
            f"{place.shown} holds {len(found)} files, and {source.path} is one",
            solution="name one file there, or a folder as `path` of the source",
        )
    shutil.rmtree(stage / path, ignore_errors=True)
    for number, (name, origin) in enumerate(found, 1):
        target = stage / path if one else stage / path / name

        def told(done: int, number: int = number, name: str = name) -> None:
            say(f"file {number} of {len(found)}, {name}: {done / 1e6:,.0f} MB")

        place.download(origin, target, told)


def looked_at(name: str, source: Source, stage: Path) -> int:
    """The rows of a new snapshot. Raises DataError where it cannot be read, lacks a column, or is empty."""
    with database(Compute()) as connection:
        types = open_source(connection, source, stage, "source")
        require_columns(types, source.named_columns, source, stage)
        try:
            (rows,) = one_row(connection, "SELECT count(*) FROM source")
        except duckdb.Error as error:
            raise unreadable(source, stage, error) from None
    if not rows:
        raise DataError(
            f"{name}: there are no rows there", solution="mend the query or the address; the old snapshot was kept"
        )
    return int(rows)


def content_hash(path: Path, *, by_rows: bool) -> str:
    """What a snapshot holds. Of files their names and bytes; of rows their values, in whatever order they came.

    Rows are summed as two 64-bit halves of the MD5 of each, so that a table's order, and how it is packed, say nothing: it tells
    apart what differs by chance, not what somebody forged.
    """
    if not by_rows:
        digest = hashlib.sha256()
        for file in sorted(p for p in ([path] if path.is_file() else path.rglob("*")) if p.is_file()):
            digest.update(f"{sha256(file)} {file.relative_to(path).as_posix()}\n".encode())
        return digest.hexdigest()
    schema = hashlib.md5(str(pq.read_schema(path).remove_metadata()).encode(), usedforsecurity=False).hexdigest()
    with database(Compute()) as connection:
        # No name in the statement is the data's: the file is a bound value.
        low, high, rows = one_row(
            connection,
            "SELECT sum(md5_number_lower(t)) % 18446744073709551616, sum(md5_number_upper(t)) % 18446744073709551616, count(*) "
            "FROM (SELECT CAST(to_json(r) AS VARCHAR) AS t FROM read_parquet(?, hive_partitioning = false) AS r)",
            [str(path)],
        )
    return f"{schema[:16]}{int(high or 0):016x}{int(low or 0):016x}-{rows}"


def put_in_place(new: Path, target: Path) -> None:
    """Move a new snapshot over the old one. A folder is exchanged; what a kill leaves in between `clear_up` mends."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if new.is_file() and not target.is_dir():
        new.replace(target)
        return
    old = retired(target)
    if os.path.lexists(target):
        target.rename(old)
    new.rename(target)
    remove(old)
