"""Exact sums of raw lines: tables of whole cents and lines, which are added up in any order to the same result.

Amounts are 64-bit numbers of cents. A sum of amounts that could leave them is refused, never wrapped around.
"""

import math
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from storelib.arrow import column_of
from storelib.errors import DataError
from storelib.money import LARGEST_SUM

CELL_BYTES = 16


class Cells(NamedTuple):
    """Sums by two codes: (n,) rows, columns, cents and lines."""

    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    cents: NDArray[np.int64]
    lines: NDArray[np.int64]


class Grid:
    """Sums by two codes, in a dense table that grows, or in DuckDB where that would need too much memory.

    memory: bytes that the dense table may take; connection: takes what does not fit, in a table of this name, and spills it
    to disk. largest: of the amounts, none of which is below 0, the largest instead of their sum; lines are summed all the same.
    """

    def __init__(
        self, memory: float, connection: duckdb.DuckDBPyConnection, name: str, *, largest: bool = False
    ) -> None:
        self.add_at = np.maximum.at if largest else np.add.at
        self.add_all = np.maximum if largest else np.add
        united = "max(cents)" if largest else "sum(cents)"
        self.summed = f"CAST({united} AS BIGINT) AS cents, CAST(sum(lines) AS BIGINT) AS lines"
        self.memory = memory
        self.connection = connection
        self.name = name
        self.shape = (0, 0)
        self.cents = np.zeros(0, np.int64)
        self.lines = np.zeros(0, np.int64)
        self.is_spilling = False

    @property
    def size(self) -> float:
        """How many sums it has room for, which is no less than it holds."""
        return math.inf if self.is_spilling else len(self.lines)

    def absorb(self, other: "Grid", shape: tuple[int, int]) -> None:
        """Add what another grid holds; nothing is left there. shape: how many rows and columns there are by now."""
        if self.is_spilling or other.is_spilling or not self.grow(shape):
            found = other.take()
            self.add(found.rows, found.columns, shape, found.cents, found.lines)
            return
        rows, columns = (min(one, most) for one, most in zip(other.shape, shape, strict=True))
        for name, unite in (("cents", self.add_all), ("lines", np.add)):
            theirs = getattr(other, name)
            ours = getattr(self, name).reshape(self.shape)[:rows, :columns]
            unite(ours, theirs.reshape(other.shape)[:rows, :columns], out=ours)
            theirs.fill(0)

    def add(
        self,
        rows: NDArray[np.int32],
        columns: NDArray[np.int32],
        shape: tuple[int, int],
        cents: NDArray[np.int64],
        lines: NDArray[np.int64] | int,
    ) -> None:
        """Add amounts at (row, column). shape: how many rows and columns there are by now."""
        if not len(rows):
            return
        if not self.is_spilling and not self.grow(shape):
            self.spill()
        if self.is_spilling:
            self.insert(rows, columns, cents, np.broadcast_to(np.asarray(lines, np.int64), rows.shape))
            return
        places = rows.astype(np.int64) * self.shape[1] + columns
        self.add_at(self.cents, places, cents)
        np.add.at(self.lines, places, lines)

    def grow(self, shape: tuple[int, int]) -> bool:
        """Make room; whether there is enough."""
        if shape[0] <= self.shape[0] and shape[1] <= self.shape[1]:
            return True
        wanted = tuple(
            have if need <= have else max(need, have + have // 2) for need, have in zip(shape, self.shape, strict=True)
        )
        if wanted[0] * wanted[1] * CELL_BYTES > self.memory:
            wanted = shape
            if wanted[0] * wanted[1] * CELL_BYTES > self.memory:
                return False
        for name in ("cents", "lines"):
            grown = np.zeros(wanted, np.int64)
            grown[: self.shape[0], : self.shape[1]] = getattr(self, name).reshape(self.shape)
            setattr(self, name, grown.reshape(-1))
        self.shape = (wanted[0], wanted[1])
        return True

    def spill(self) -> None:
        """Go on in DuckDB."""
        rows, columns, cents, lines = self.take()
        self.is_spilling = True
        self.shape, self.cents, self.lines = (0, 0), np.zeros(0, np.int64), np.zeros(0, np.int64)
        self.connection.execute(
            f"CREATE OR REPLACE TABLE {self.name} (a INTEGER, b INTEGER, cents BIGINT, lines BIGINT)"
        )
        self.insert(rows, columns, cents, lines)

    def insert(
        self, rows: NDArray[np.int32], columns: NDArray[np.int32], cents: NDArray[np.int64], lines: NDArray[np.int64]
    ) -> None:
        """Sums of a batch into DuckDB."""
        arrays = [column_of(values) for values in (rows, columns, cents, lines)]
        batch = pa.table(arrays, names=["a", "b", "cents", "lines"])
        self.connection.register("batch", batch)
        self.connection.execute(f"INSERT INTO {self.name} SELECT a, b, {self.summed} FROM batch GROUP BY a, b")  # noqa: S608 (ours)

    def take(self) -> Cells:
        """What was added, by row and column; nothing is left."""
        if self.is_spilling:
            query = f"SELECT a, b, {self.summed} FROM {self.name} GROUP BY a, b ORDER BY a, b"  # noqa: S608 (ours)
            found = self.connection.sql(query).to_arrow_table()
            self.connection.execute(f"DELETE FROM {self.name}")  # noqa: S608 (ours)
            return Cells(*(found[name].to_numpy() for name in ("a", "b", "cents", "lines")))
        places = np.flatnonzero(self.lines)
        cents, lines = self.cents[places], self.lines[places]
        self.cents[places] = 0
        self.lines[places] = 0
        width = max(self.shape[1], 1)
        return Cells((places // width).astype(np.int32), (places % width).astype(np.int32), cents, lines)


def refuse_too_large(magnitude: float) -> None:
    """Raise DataError where sums of cents might not fit a 64-bit number."""
    if magnitude > LARGEST_SUM:
        raise DataError(
            f"the amounts add up to {magnitude / 100:.3g}, whatever their sign: sums of more than {LARGEST_SUM / 100:.3g} cannot be exact",
            solution="mend amounts that are too large, or give sales in thousands",
        )
