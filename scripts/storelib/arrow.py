"""Arrow's columns and values, to and from NumPy's and Python's, without pandas.

`pyarrow.array`, `pyarrow.scalar` and `to_numpy` load pandas, whatever they are given: 0.1 to 0.2 seconds of a process that may have
no other use for it, such as the stage that reads sales, or a runner that reads settings. Arrow's own functions call
`pyarrow.scalar` too, for numbers and texts of Python's. What is made here is the same.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def column_of(values: NDArray[Any], known: NDArray[np.bool_] | None = None) -> pa.Array:
    """(n,) truths or numbers; numbers are not copied. known: which are not missing, where some are."""
    data = bits(values) if values.dtype == np.bool_ else pa.py_buffer(np.ascontiguousarray(values))
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [None if known is None else bits(known), data])


def array_of(column: pa.Array) -> NDArray[Any]:
    """(n,) truths or numbers as NumPy holds them; numbers are not copied. Where values are missing it is as `to_numpy` has it."""
    if not len(column):
        return np.empty(0, column.type.to_pandas_dtype())
    if column.null_count:
        found: NDArray[Any] = column.to_numpy(zero_copy_only=False)
        return found
    if not pa.types.is_boolean(column.type):
        return np.from_dlpack(column)
    truths = np.unpackbits(np.frombuffer(column.buffers()[1], np.uint8), bitorder="little").view(np.bool_)
    return truths[column.offset : column.offset + len(column)]


def texts_of(values: Sequence[str | None]) -> pa.Array:
    """Texts; None is a missing one."""
    parts = [b"" if value is None else value.encode() for value in values]
    ends = np.cumsum([0, *map(len, parts)], dtype=np.int64)
    buffers = [known_of(values), pa.py_buffer(ends), pa.py_buffer(b"".join(parts))]
    return pa.Array.from_buffers(pa.large_string(), len(parts), buffers).cast(pa.string())


def known_of(values: Sequence[object]) -> pa.Buffer | None:
    """Which values are not missing, as Arrow has it."""
    known = [value is not None for value in values]
    return None if all(known) else bits(known)


def bits(truths: NDArray[np.bool_] | Sequence[bool]) -> pa.Buffer:
    """Truths as Arrow holds them."""
    return pa.py_buffer(np.packbits(truths, bitorder="little"))


def value_of(value: float | str) -> pa.Scalar:
    """One truth, number or text: what Arrow's functions take beside a column."""
    return texts_of([value])[0] if isinstance(value, str) else column_of(np.array([value]))[0]
