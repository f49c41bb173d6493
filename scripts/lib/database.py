"""DuckDB within limits, names and texts as SQL, and the ledger of a table.

SQL in this project is built from column names through `identifier` and from file names through `literal`; values are
bound.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import duckdb

from lib.errors import DataError
from lib.ledger import Entry


@contextmanager
def database(memory_limit: str = "512MB", threads: int = 2) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB within limits, spilling to a temporary folder that is removed.

    Raises DataError where the limit is too small, and where a file that is read inside of the block is not there or broken.
    """
    with tempfile.TemporaryDirectory(prefix="clustering-") as folder:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory_limit,
            "threads": threads,
            "temp_directory": folder,
        }
        with duckdb.connect(":memory:", config=settings) as connection:
            connection.execute("SET preserve_insertion_order = false")
            connection.execute("SET enable_progress_bar = false")
            try:
                yield connection
            except duckdb.OutOfMemoryException as error:
                raise DataError(
                    f"DuckDB needs more than its {memory_limit} of memory, or than the disk has to spill to: {first_line(error)}",
                    solution="raise compute.memory_limit in configs/<env>.yml, or lower compute.threads",
                ) from None
            except (duckdb.IOException, duckdb.InvalidInputException) as error:
                raise DataError(
                    f"a file cannot be read: {first_line(error)}", solution="delete it, and run the pipeline again"
                ) from None


def first_line(error: duckdb.Error) -> str:
    """What DuckDB says first; the rest is advice on its own options."""
    return str(error).splitlines()[0].strip()


def identifier(name: str) -> str:
    """A column name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"


def one_row(connection: duckdb.DuckDBPyConnection, query: str, values: Sequence[object] = ()) -> tuple[Any, ...]:
    """The only row of a query; the result is read to its end, so that the connection is free again."""
    (row,) = connection.execute(query, list(values)).fetchall()
    return tuple(row)


def count_entries(connection: duckdb.DuckDBPyConnection, relation: str, stage: str, category: str) -> list[Entry]:
    """The entries of one stage and category, counted by DuckDB.

    relation: a table or view with columns reason (empty: stays in), store_id, lines, sales (decimal).
    """
    totals = f"count(DISTINCT store_id), coalesce(sum(lines), 0), coalesce(sum(sales), 0) FROM {relation}"
    whole = one_row(connection, f"SELECT {totals}")
    kept = one_row(connection, f"SELECT {totals} WHERE reason = ''")
    aside = connection.execute(
        f"""
        WITH gone AS (
            SELECT store_id, min(reason) AS reason FROM {relation} GROUP BY store_id HAVING min(reason) <> ''
        )
        SELECT r.reason,
               (SELECT count(store_id) FROM gone WHERE gone.reason = r.reason),
               sum(r.lines), sum(r.sales)
        FROM {relation} AS r WHERE r.reason <> '' GROUP BY r.reason
        """  # noqa: S608
    ).fetchall()
    rows = [("in", "", *whole), ("out", "", *kept), *(("set_aside", *row) for row in aside)]
    return [
        Entry(stage, category, flow, reason, int(stores), int(lines), Decimal(sales))
        for flow, reason, stores, lines, sales in rows
    ]
