"""Databases through ADBC: rows come and go as Arrow tables."""

import importlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from clustering.retry import TransientError
from clustering.secrets import address_of, redact
from clustering.watching import watched
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


# Seconds that a server has for a connection, and those in which a byte has to come or go, by default.
CONNECT_S, ANSWER_S = 20, 600
# What libpq is told of a server's machine that is gone, where the address does not say so itself.
PROBES = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
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
    with watched(ports_of(where), where.answer_timeout or ANSWER_S) as watch:
        try:
            with driver.connect(**arguments(where, root, read_only=read_only)) as connection:
                yield connection
        except (adbc_driver_manager.Error, TransientError) as error:
            if watch.is_silent:
                raise silent(where) from None
            raise error if isinstance(error, TransientError) else translated(error, shown) from None


def ports_of(where: Remote) -> set[int]:
    """Where a PostgreSQL server listens; other drivers give up by themselves."""
    if where.database != "postgresql":
        return set()
    found = re.findall(r"(?::|port=)(\d{1,5})(?=[/?,&\s]|$)", str(where.uri))
    return {*map(int, found), int(os.environ.get("PGPORT") or 5432)}


def silent(where: Remote) -> TransientError:
    """What is wrong with a server that was waited for in vain."""
    return TransientError(
        f"{shown_address(where)}: the server has not sent or taken a byte in {where.answer_timeout or ANSWER_S} seconds",
        solution="see that it is alive; where it needs longer, set `answer_timeout` beside `uri` in configs/<env>.yml",
    )


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
            {"uri": patient(uri, where.connect_timeout or CONNECT_S), "db_kwargs": where.options}
            if where.database == "postgresql"
            else {"db_kwargs": {"uri": uri, **where.options}}
        )
    path = database_file(where, root)
    if read_only and not (path and path.is_file()):
        raise DataError(
            f"{path} does not exist", solution="mend `uri`, the path of the SQLite file, in configs/<env>.yml"
        )
    return {"uri": f"file:{path}?mode={'ro' if read_only else 'rwc'}"}


def patient(uri: str, seconds: int) -> str:
    """PostgreSQL's address, an URI or words such as `host=...`, with how long to wait where it does not say so itself."""
    wanted = {"connect_timeout": seconds, **PROBES}
    words = [f"{name}={value}" for name, value in wanted.items() if f"{name}=" not in uri]
    if "://" not in uri:
        return " ".join([uri, *words])
    return uri + ("&" if "?" in uri else "?") + "&".join(words) if words else uri


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
