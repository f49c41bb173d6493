"""Tables in and out of Parquet, whole or not at all.

Every output goes to a temporary file beside its target and is moved over it, so that a killed stage leaves the old file
and a linked DVC cache is never written through; it is on the disk before it is moved, and sealed (`storelib.seals`). Stages write
tables by way of `storelib.contracts.contract`, which checks them first. Files carry no pandas metadata: equal tables are equal bytes.
"""

import errno
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from storelib.errors import DataError
from storelib.seals import Here, Place, checked, content_of, seal, sealed_place, unseal

if TYPE_CHECKING:
    import pandas as pd

ROW_GROUP = 262_144
MONEY = pa.decimal128(38, 2)


@contextmanager
def moved_together() -> Iterator[Callable[[Path], Path]]:
    """Give temporary paths beside the files that are to be, and move all of them when the block ends without an error.

    None is moved before every one of them is on the disk; where a stage cannot move one none of them stays. After a kill in
    between the seals of the others tell that these are not as the stage wrote them.
    """
    pairs: list[tuple[Path, Path]] = []

    def temporary(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        pairs.append((beside, path))
        return beside

    try:
        yield temporary
        move(pairs)
    finally:
        for beside, _ in pairs:
            beside.unlink(missing_ok=True)


def move(pairs: Sequence[tuple[Path, Path]]) -> None:
    """Move written files over others, and seal those that are outputs: all of them, or none."""
    # What is temporary itself is moved once more.
    if all(path.name.endswith(".tmp") for _, path in pairs):
        for beside, path in pairs:
            beside.replace(path)
        return
    places = [sealed_place(path) for _, path in pairs]
    contents = [content_of(beside) if place else None for place, (beside, _) in zip(places, pairs, strict=True)]
    for beside, _ in pairs:
        flush(beside)
    try:
        for beside, path in pairs:
            beside.replace(path)
        for place, content in zip(places, contents, strict=True):
            if place:
                seal(place, content)
        for folder in {path.parent for _, path in pairs}:
            flush(folder)
    except BaseException:
        take_back(pairs, places)
        raise


def take_back(pairs: Sequence[tuple[Path, Path]], places: Sequence[Place | None]) -> None:
    """After a move that failed: remove what a stage has moved. What a command has moved is whole, and stays.

    It is a record, or somebody's settings, and what it was before is nowhere else.
    """
    for place, (beside, path) in zip(places, pairs, strict=True):
        if not beside.exists():
            if Here.is_stage:
                path.unlink(missing_ok=True)
            elif place:
                unseal(place)


def flush(path: Path) -> None:
    """Have the system put a file, or the names in a folder, on the disk; not where CLUSTERING_FSYNC says so, as tests do."""
    if os.environ.get("CLUSTERING_FSYNC") == "no":
        return
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        # Some shared drives know no such thing, of folders above all.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP, errno.EBADF}:
            raise
    finally:
        os.close(number)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and move it over `path` when the block ends without an error."""
    with moved_together() as temporary:
        yield temporary(path)


def write_table(table: pa.Table, path: Path) -> None:
    """Write one table atomically, as Parquet, without what pandas adds."""
    with replacing(path) as temporary:
        plain = table.replace_schema_metadata(None)
        pq.write_table(plain, temporary, compression="zstd", row_group_size=ROW_GROUP)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Read one Parquet file of the pipeline's own. Raises DataError where it is not there, or not as its stage wrote it."""
    try:
        checked(path)
        yield
    except FileNotFoundError:
        raise missing(path) from None
    except pa.ArrowException as error:
        raise DataError(
            f"{path} is no whole Parquet file: {error}", solution="delete it, and run the pipeline again"
        ) from None


def read_table(path: Path, columns: list[str] | None = None, dictionaries: Sequence[str] = ()) -> pa.Table:
    """One Parquet file of the pipeline's own, whole. dictionaries: as in `read_rows`. Raises DataError as `reading`."""
    with reading(path):
        return pq.ParquetFile(path, read_dictionary=list(dictionaries)).read(columns=columns)


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


def read_json(path: Path) -> Any:
    """One JSON file of the pipeline's own. Raises DataError as `reading`."""
    try:
        return json.loads(checked(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise missing(path) from None
    except ValueError as error:
        raise DataError(
            f"{path} cannot be read as JSON: {error}", solution="delete it, and run the pipeline again"
        ) from None


def missing(path: Path) -> DataError:
    """A file of the pipeline that is not there."""
    return DataError(f"{path} does not exist", solution="run the stages that make it: clustering run full_pipeline_job")


def write_text(text: str, path: Path) -> None:
    """Write one text file atomically, with Unix line ends."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
