"""Databases through ADBC: rows come and go as Arrow tables."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from clustering.retry import TransientError
from clustering.secrets import address_of, redact
from storelib.configuration.place import Remote
from storelib.errors import ConfigError, DataError

DRIVERS = {
    "postgresql": "adbc_driver_postgresql",
    "sqlite": "adbc_driver_sqlite",
    "snowflake": "adbc_driver_snowflake",
    "bigquery": "adbc_driver_bigquery",
}
# SQLSTATE classes of what may pass by itself: connection lost, rolled back for others' sake, no room, taken down; and a lock
# that others held for too long.
PASSING = ("08", "40", "53", "57", "55P03")
# What libpq says of a lost connection, which has no SQLSTATE.
LOST = ("could not connect", "connection refused", "failed to connect", "server closed the connection", "terminating connection",
        "no connection to the server", "connection reset", "timeout", "database is locked")  # fmt: skip
# What libpq says of a connection that was refused for good.
REFUSED = ("authentication failed", "does not exist", "pg_hba.conf", "invalid")


# Columns of SQLite have no type of their own: what is in the first rows is their type.
SQLITE_ROWS = 500_000


@contextmanager
def connected(where: Remote, root: Path, *, read_only: bool = False) -> Iterator[Any]:
    """A connection in a transaction of its own, which the caller commits; otherwise it is rolled back.

    Raises ConfigError for a driver that is not installed, TransientError for what may pass when tried again, DataError for
    what the database refuses.
    """
    kind = str(where.database)
    try:
        driver = importlib.import_module(f"{DRIVERS[kind]}.dbapi")
    except ImportError:
        package = DRIVERS[kind].replace("_", "-")
        raise ConfigError(f"the driver for {kind} is not installed", solution=f"install {package}") from None
    import adbc_driver_manager

    shown = shown_address(where)
    try:
        with driver.connect(**arguments(where, root, read_only=read_only)) as connection:
            yield connection
    except adbc_driver_manager.Error as error:
        raise translated(error, shown) from None


def look_ahead(cursor: Any, where: Remote, rows: int = SQLITE_ROWS) -> None:
    """Before a query: have the SQLite driver tell a column's type from so many rows, which then come at once, not from 1,024."""
    if where.database == "sqlite":
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(max(rows, 1))})


def batches_of(cursor: Any, where: Remote) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The rows of an executed query as they come. While they do, the driver's errors are those of Arrow; raises as `connected`."""
    reader = cursor.fetch_record_batch()

    def stream() -> Iterator[pa.RecordBatch]:
        while True:
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                return
            except (OSError, pa.ArrowException) as error:
                raise translated(error, shown_address(where)) from None
            yield batch

    return reader.schema, stream()


def arguments(where: Remote, root: Path, *, read_only: bool) -> dict[str, Any]:
    """What the driver is called with. A file of SQLite is relative to the project, and is never made by reading it."""
    uri = str(where.uri)
    if where.database != "sqlite":
        # Snowflake and BigQuery take their address as one option among others.
        return (
            {"uri": uri, "db_kwargs": where.options}
            if where.database == "postgresql"
            else {"db_kwargs": {"uri": uri, **where.options}}
        )
    path = database_file(where, root)
    if read_only and not (path and path.is_file()):
        raise DataError(
            f"{path} does not exist", solution="mend `uri`, the path of the SQLite file, in configs/<env>.yml"
        )
    return {"uri": f"file:{path}?mode={'ro' if read_only else 'rwc'}"}


def database_file(where: Remote, root: Path) -> Path | None:
    """The file of a SQLite database; None for other databases."""
    if where.database != "sqlite":
        return None
    return root / Path(str(where.uri).removeprefix("file:").removeprefix("//")).expanduser()


def shown_address(where: Remote) -> str:
    """A database's address as people and records may see it."""
    uri = str(where.uri)
    return address_of(uri) if urlsplit(uri).netloc else f"{where.database}:{address_of(uri)}"


def translated(error: Any, shown: str) -> Exception:
    """A driver's error as one of ours, in one line and without secrets."""
    text = redact(" ".join(str(error).split()))[:400]
    state = getattr(error, "sqlstate", None) or ""
    lost = any(words in text.lower() for words in LOST) and not any(words in text.lower() for words in REFUSED)
    if state.startswith(PASSING) or (not state and lost):
        return TransientError(f"{shown}: {text}", solution="see that the database can be reached, and try again")
    if "type mismatch in column" in text.lower():
        return DataError(
            f"{shown}: {text}; what is in its first {SQLITE_ROWS:,} rows is a column's type (the first column is 0)",
            solution="cast it in `query`, to text for instance, and have rows where it is known come first: ORDER BY <column> IS NULL",
        )
    return DataError(
        f"{shown}: {text}", solution="mend `uri` or `query` in configs/<env>.yml, or the rights of the user there"
    )
