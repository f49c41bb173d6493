"""Results as tables of a database: all of them in one transaction, so that readers see one run or the other."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clustering.databases import batches_of, connected, database_file, look_ahead, shown_address
from clustering.results import Results
from clustering.retry import retried
from storelib.configuration.place import Publish
from storelib.errors import ConfigError, DataError
from storelib.sql import identifier

Say = Callable[[str], None]
# How long a transaction waits for another one's lock before it is tried again.
LOCK_TIMEOUT = "30s"
KEYS = {"segments": ("category", "store_id"), "profiles": ("category", "cluster", "feature")}


class DatabaseSink:
    """Current segments and profiles in a table each, and an archive of the segments of every published run."""

    def __init__(self, wanted: Publish, root: Path, results: Results) -> None:
        self.wanted, self.root, self.run_id = wanted, root, str(results.run["id"])
        self.shown = shown_address(wanted)
        self.tables = {"segments": results.segments, "profiles": results.profiles}
        self.names = {
            "segments": wanted.table,
            "profiles": f"{wanted.table}_profiles",
            "archive": f"{wanted.table}_archive",
        }
        self.written = False

    def prepare(self, say: Say) -> None:
        """See that the database answers, and that tables that are there have the columns that are published."""
        path = database_file(self.wanted, self.root)
        if path is not None and not path.is_file():
            if not path.parent.is_dir():
                raise DataError(
                    f"{self.shown}: the folder of this file does not exist",
                    solution="make it, or mend `uri` in configs/<env>.yml",
                )
            return

        def look() -> None:
            with self.transaction(read_only=True) as connection:
                self.missing_tables(connection)

        retried(look, say)

    def commit(self, now: datetime, say: Say) -> str:
        """Replace both tables and this run's part of the archive, in one transaction."""
        return retried(lambda: self.replace_all(now, say), say)

    def replace_all(self, now: datetime, say: Say) -> str:
        """One attempt. What is there already is left alone."""
        archived = self.tables["segments"].append_column(
            "published_at", pa.array([now] * self.tables["segments"].num_rows, pa.timestamp("us", "UTC"))
        )
        with self.transaction() as connection, connection.cursor() as cursor:
            self.wait_for_others(cursor)
            missing = self.missing_tables(connection)
            for table in missing:
                schema = archived.schema if table == "archive" else self.tables[table].schema
                self.ingest(cursor, table, schema.empty_table(), mode="create")
            changed = False
            for table, rows in self.tables.items():
                if table in missing or not self.holds(cursor, table, rows, KEYS[table]):
                    changed = True
                    say(f"{rows.num_rows:,} rows to {self.names[table]}")
                    cursor.execute(f"DELETE FROM {self.sql_name(table)} WHERE 1 = 1")  # noqa: S608 (quoted)
                    self.ingest(cursor, table, rows, mode="append")
            if not self.holds(cursor, "archive", self.tables["segments"], KEYS["segments"], of_run=True):
                changed = True
                say(f"{archived.num_rows:,} rows to {self.names['archive']}")
                where = f"WHERE {identifier('run_id')} = {self.parameter}"
                cursor.execute(f"DELETE FROM {self.sql_name('archive')} {where}", [self.run_id])  # noqa: S608 (quoted, bound)
                self.ingest(cursor, "archive", archived, mode="append")
            if not changed:
                # A commit whose answer was lost is found here when it is tried again.
                return "published" if self.written else "unchanged"
            self.written = True
            connection.commit()
        return "published"

    @contextmanager
    def transaction(self, *, read_only: bool = False) -> Iterator[Any]:
        """A connection whose work is rolled back unless it is committed. Raises ConfigError where there is no such thing."""
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            with connected(self.wanted, self.root, read_only=read_only) as connection:
                if any("autocommit" in str(warning.message) for warning in told):
                    raise ConfigError(
                        f"{self.shown}: its driver has no transactions, without which readers would see half of what is published",
                        solution="publish `files`, and load them there",
                    )
                yield connection

    @property
    def parameter(self) -> str:
        """How a bound value is written in SQL."""
        return "$1" if self.wanted.database == "postgresql" else "?"

    def wait_for_others(self, cursor: Any) -> None:
        """One publisher at a time; the lock goes with the transaction. SQLite locks by itself."""
        if self.wanted.database == "postgresql":
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            name = f"clustering publish {self.wanted.schema_name or ''}.{self.wanted.table}"
            cursor.execute("SELECT 1 WHERE pg_advisory_xact_lock(hashtextextended($1, 0)) IS NOT NULL", [name])
            cursor.fetchall()

    def missing_tables(self, connection: Any) -> list[str]:
        """The tables that are not there yet. Raises DataError for one that has other columns."""
        schema = self.schema_of(connection)
        missing = []
        for table, name in self.names.items():
            if not exists(connection, schema, name):
                missing.append(table)
                continue
            found = connection.adbc_get_table_schema(name, db_schema_filter=schema)
            rows = self.tables["segments" if table == "archive" else table]
            fields = list(rows.schema)
            fields += [pa.field("published_at", pa.timestamp("us", "UTC"))] if table == "archive" else []
            # Other databases give their own types back, and take ours.
            self.check_columns(name, found, fields, with_types=self.wanted.database == "postgresql")
        return missing

    def schema_of(self, connection: Any) -> str | None:
        """The schema of the tables, whether it is configured or the user's own. Raises DataError where there is none."""
        if self.wanted.database == "sqlite":
            return None
        if self.wanted.schema_name is None:
            current: str = connection.adbc_current_db_schema
            return current
        found = connection.adbc_get_objects(depth="db_schemas", db_schema_filter=self.wanted.schema_name).read_all()
        names = {
            part["db_schema_name"] for catalog in found.to_pylist() for part in catalog["catalog_db_schemas"] or ()
        }
        if self.wanted.schema_name not in names:
            raise DataError(
                f"{self.shown}: there is no schema {self.wanted.schema_name}",
                solution="have it made there, or mend `schema_name` in configs/<env>.yml",
            )
        return self.wanted.schema_name

    def check_columns(self, name: str, found: pa.Schema, fields: list[pa.Field], *, with_types: bool) -> None:
        """Raise DataError where a table is not ours."""
        advice = f"name another `table` in configs/<env>.yml, or rename {name} there; a new one is made"
        wanted = [field.name for field in fields]
        if sorted(found.names) != sorted(wanted):
            raise DataError(
                f"{self.shown}: table {name} has columns {', '.join(sorted(found.names))}, and {', '.join(sorted(wanted))} are expected",
                solution=advice,
            )
        for field in fields if with_types else ():
            there = found.field(field.name).type
            if there != field.type:
                raise DataError(
                    f"{self.shown}: table {name}: column {field.name} is {there} there, and {field.type} is expected",
                    solution=advice,
                )

    def sql_name(self, table: str) -> str:
        """A table's name as SQL."""
        parts = [self.wanted.schema_name, self.names[table]]
        return ".".join(identifier(part) for part in parts if part is not None)

    def ingest(self, cursor: Any, table: str, rows: pa.Table, *, mode: str) -> None:
        """Rows into a table."""
        cursor.adbc_ingest(self.names[table], rows, mode=mode, db_schema_name=self.wanted.schema_name)

    def holds(self, cursor: Any, table: str, rows: pa.Table, key: tuple[str, ...], *, of_run: bool = False) -> bool:
        """Whether a table, or its part of this run, has exactly these rows, in whatever order."""
        where, values = (f" WHERE {identifier('run_id')} = {self.parameter}", [self.run_id]) if of_run else ("", None)
        cursor.execute(f"SELECT count(*) FROM {self.sql_name(table)}{where}", values)  # noqa: S608 (quoted, bound)
        if cursor.fetchall() != [(rows.num_rows,)]:
            return False
        look_ahead(cursor, self.wanted, rows.num_rows)
        columns = ", ".join(map(identifier, rows.column_names))
        cursor.execute(f"SELECT {columns} FROM {self.sql_name(table)}{where}", values)  # noqa: S608 (quoted, bound)
        schema, batches = batches_of(cursor, self.wanted)
        found = pa.Table.from_batches(batches, schema)
        try:
            found = found.cast(rows.schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return False
        return bool(in_order(found, key).equals(in_order(rows, key)))

    def receipt(self) -> dict[str, Any]:
        """Tables and their rows."""
        sizes = {"segments": self.tables["segments"].num_rows, "profiles": self.tables["profiles"].num_rows}
        return {
            "tables": [
                {"table": self.names[table], "rows": sizes.get(table, sizes["segments"])}
                | ({"of_run": self.run_id} if table == "archive" else {})
                for table in self.names
            ]
        } | ({"schema": self.wanted.schema_name} if self.wanted.schema_name else {})

    def close(self) -> None:
        """Nothing lies here."""


def exists(connection: Any, schema: str | None, name: str) -> bool:
    """Whether a database has a table; the driver's own filters are patterns, in which `_` is any character."""
    found = connection.adbc_get_objects(depth="tables", db_schema_filter=schema, table_name_filter=name).read_all()
    return any(
        table["table_name"] == name and (schema is None or part["db_schema_name"] == schema)
        for catalog in found.to_pylist()
        for part in catalog["catalog_db_schemas"] or ()
        for table in part["db_schema_tables"] or ()
    )


def in_order(table: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """A table sorted by its key, in one piece."""
    return table.take(pc.sort_indices(table, [(name, "ascending") for name in key])).combine_chunks()
