"""Tables in and out of Parquet, whole or not at all.

Every output goes to a temporary file beside its target and is moved over it, so that a killed stage leaves the old file
and a linked DVC cache is never written through. Stages write tables by way of
`storelib.contracts.contract`, which checks them first. Files carry no pandas metadata: equal tables are equal bytes.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from storelib.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

ROW_GROUP = 262_144
MONEY = pa.decimal128(38, 2)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and move it over `path` when the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_table(table: pa.Table, path: Path) -> None:
    """Write one table atomically."""
    with replacing(path) as temporary:
        pq.write_table(table.replace_schema_metadata(None), temporary, compression="zstd", row_group_size=ROW_GROUP)


def write_batches(schema: pa.Schema, batches: Iterable[pa.RecordBatch], path: Path) -> int:
    """Write a stream atomically in row groups of one size, whatever the batches' sizes. Returns the rows written."""
    rows = 0
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        pending: list[pa.RecordBatch] = []
        waiting = 0
        for batch in batches:
            pending.append(batch)
            waiting += batch.num_rows
            while waiting >= ROW_GROUP:
                table = pa.Table.from_batches(pending)
                writer.write_table(table.slice(0, ROW_GROUP), row_group_size=ROW_GROUP)
                pending = table.slice(ROW_GROUP).to_batches()
                waiting -= ROW_GROUP
                rows += ROW_GROUP
        if waiting or rows == 0:
            writer.write_table(pa.Table.from_batches(pending, schema=schema), row_group_size=ROW_GROUP)
            rows += waiting
    return rows


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Read one Parquet file of the pipeline's own. Raises DataError where it is not there or none any more."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist", solution="run the stages that make it: clustering run full_pipeline_job"
        ) from None
    except pa.ArrowException as error:
        raise DataError(
            f"{path} is no whole Parquet file: {error}", solution="delete it, and run the pipeline again"
        ) from None


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """One Parquet file of the pipeline's own, whole. Raises DataError as `reading`."""
    with reading(path):
        return pq.ParquetFile(path).read(columns=columns)


def read_rows(path: Path, column: str, value: str, dictionaries: Sequence[str] = ()) -> pa.Table:
    """The rows with one value in a column; of a file that is sorted by it, no other groups of rows are read.

    dictionaries: columns of texts to be read as such.
    """
    with reading(path):
        # Folders above the file such as `env=prod` are no columns.
        options = {"partitioning": None, "read_dictionary": list(dictionaries), "use_threads": False}
        return pq.read_table(path, filters=[(column, "=", value)], **options)


def read_frame(path: Path, columns: list[str] | None = None) -> "pd.DataFrame":
    """Read one Parquet file into pandas, in the order in which it was written."""
    frame: pd.DataFrame = read_table(path, columns).to_pandas()
    return frame


def write_text(text: str, path: Path) -> None:
    """Write one text file atomically, with Unix line ends."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
