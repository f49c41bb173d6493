"""Exact amounts: decimals with two places in files, whole cents in between."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from storelib.arrow import array_of, known_of
from storelib.tables import MONEY

# Beyond this a sum of absolute amounts, in cents or in fractions of them, might not fit a 64-bit number.
LARGEST_SUM = 9.2e18
# Parts in which fractions of a cent are counted.
PARTS_OF_A_CENT = 10_000


def money_of(cents: int) -> Decimal:
    """Cents as an amount."""
    return Decimal(cents).scaleb(-2)


def exact_money(parts: int) -> Decimal:
    """Parts of a cent as an amount, with all its places."""
    return Decimal(parts) / (100 * PARTS_OF_A_CENT)


def money_column(cents: np.ndarray) -> pa.Array:
    """Whole cents as exact amounts: the same number, with two places after the point."""
    halves = np.empty((len(cents), 2), np.int64)
    halves[:, 0] = cents
    halves[:, 1] = cents >> 63
    return pa.Array.from_buffers(MONEY, len(cents), [None, pa.py_buffer(np.ascontiguousarray(halves))])


def amounts_of(values: Sequence[Decimal | None]) -> pa.Array:
    """Amounts with two places as a column; None is a missing one. Raises ArrowInvalid for one that has more places."""
    cents = b"".join(whole_cents(value or Decimal(0)).to_bytes(16, "little", signed=True) for value in values)
    return pa.Array.from_buffers(MONEY, len(values), [known_of(values), pa.py_buffer(cents)])


def whole_cents(amount: Decimal) -> int:
    """An amount in cents. Raises ArrowInvalid where it has more than two places."""
    top, bottom = amount.as_integer_ratio()
    cents, rest = divmod(100 * top, bottom)
    if rest:
        raise pa.ArrowInvalid(f"{amount} has more than two places")
    return cents


def sums_at(places: NDArray[np.integer], size: int, *amounts: NDArray[np.int64]) -> tuple[NDArray[np.int64], ...]:
    """The sum of each of several (n,) amounts at (n,) places, as (size,) tables."""
    tables = tuple(np.zeros(size, np.int64) for _ in amounts)
    for table, amount in zip(tables, amounts, strict=True):
        np.add.at(table, places, amount)
    return tables


def occurring(places: NDArray[np.integer]) -> NDArray[np.int64]:
    """Which of (n,) places from 0 occur, in order: as `np.unique`, which takes ten times as long, of places that are no far ones."""
    return np.flatnonzero(np.bincount(places))


def cents_of(amounts: pa.Array) -> NDArray[np.int64]:
    """Decimals with two places in cents, 0 where there is none: the lower half of what Arrow holds.

    The upper half is the sign alone, for amounts whose cents fit 64 bits: others never come into a file.
    """
    halves = np.frombuffer(amounts.buffers()[1], dtype="<i8")[2 * amounts.offset :: 2][: len(amounts)]
    if amounts.null_count:
        return np.where(array_of(amounts.is_valid()), halves, 0)
    return halves
