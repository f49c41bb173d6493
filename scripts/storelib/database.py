"""DuckDB within limits."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import duckdb

from storelib.errors import DataError
from storelib.runtime import threads

# What DuckDB needs to start, in megabytes.
LEAST = 64
# What most files need, in megabytes: the default limit.
ENOUGH = 512
# What one of its threads needs at the least, in megabytes (https://duckdb.org/docs/stable/guides/performance/environment).
OF_A_THREAD = 125
# What DuckDB makes of ^C while it is at work: no error of its own.
INTERRUPTED = "Query interrupted"


class Limits(Protocol):
    """What one stage may use: `compute` of configs/<env>.yml."""

    @property
    def memory_limit(self) -> str:
        """Such as 512MB."""
        ...

    @property
    def megabytes(self) -> int:
        """The same as a number."""
        ...

    @property
    def threads(self) -> int:
        """At least 1."""
        ...


@contextmanager
def database(limits: Limits, parts: int = 1, thread_count: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB within limits, and the threads that the runner gives; it spills to a temporary folder that is removed.

    parts: how many share the memory; thread_count: fewer threads than those of the limits.
    Raises DataError where the limit is too small, and where a file that is read inside of the block is not there or broken.
    """
    megabytes = max(limits.megabytes // parts, min(limits.megabytes, LEAST))
    with tempfile.TemporaryDirectory(prefix=f"clustering-{os.getpid()}-") as folder:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{megabytes}MB",
            "threads": min(threads(thread_count or limits.threads), max(megabytes // OF_A_THREAD, 1)),
            "temp_directory": folder,
        }
        with duckdb.connect(":memory:", config=settings) as connection:
            # Otherwise that of the machine: what an instant is as text, or as a day, would depend on it.
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET preserve_insertion_order = false")
            connection.execute("SET enable_progress_bar = false")
            try:
                yield connection
            except duckdb.OutOfMemoryException as error:
                raise DataError(
                    f"DuckDB needs more than its {limits.memory_limit} of memory, or than the disk has to spill to: {first_line(error)}",
                    solution=f"set compute.memory_limit in configs/<env>.yml to {max(2 * limits.megabytes, ENOUGH)}MB or more, "
                    "or compute.threads to 1",
                ) from None
            except (duckdb.IOException, duckdb.InvalidInputException) as error:
                raise DataError(
                    f"a file cannot be read: {first_line(error)}",
                    solution="deliver it again, if it is a raw file; any other in data/ may be deleted, and the pipeline run again",
                ) from None
            except RuntimeError as error:
                if str(error) != INTERRUPTED:
                    raise
                raise KeyboardInterrupt from None


def first_line(error: duckdb.Error) -> str:
    """What DuckDB says first; the rest is advice on its own options."""
    return str(error).splitlines()[0].strip()


def one_row(connection: duckdb.DuckDBPyConnection, query: str, values: Sequence[object] = ()) -> tuple[Any, ...]:
    """The only row of a query; the result is read to its end, so that the connection is free again."""
    (row,) = connection.execute(query, list(values)).fetchall()
    return tuple(row)
