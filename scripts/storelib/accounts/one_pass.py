"""The one pass over raw sales: each file's lines are read once and counted into small exact tables.

Four tables are made: kept lines by store, category as spelt and entry of the product map; kept lines of SKUs that the map
does not place in their category; kept lines by category and day; and what was set aside or noted, by store. They are the
same whatever the order of lines and files and the number of threads, since whole cents are added. Files whose sums were
kept by an earlier run are not read again.
"""

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import duckdb
import numpy as np
from numpy.typing import NDArray

from storelib.accounts.entries import Entries
from storelib.accounts.sums import Cells, Grid, refuse_too_large
from storelib.configuration.place import Compute, SalesSource
from storelib.database import database
from storelib.names import MONTHS
from storelib.raw.lines import (
    FIRST_DAY,
    LAST_DAY,
    REASONS,
    REWRITTEN,
    Codes,
    Coding,
    LineReader,
    Lines,
    Rules,
    Share,
    shares_of,
)  # fmt: skip
from storelib.raw.sources import unreadable

# What is told of lines, beside the reasons why they are set aside. The sum of `rounded_to_cent` is in parts of a cent.
NOTES = (
    "negative_sales", "zero_sales", "rounded_to_cent", "currency_symbol_removed", "thousands_separator_removed",
    "decimal_sign_replaced", "sign_rewritten", "date_rewritten", *REWRITTEN.values(),
)  # fmt: skip
MARKS = (*(("set_aside", reason) for reason in REASONS), *(("noted", note) for note in NOTES))
# What is counted beside the sales of each cell where it is asked for: hundredths of units, the cents of the largest line, those
# of lines that are cut at a cap of their category, and those of lines of one month of the year.
MORE = ("units", "largest", "capped", *MONTHS)
NO_CAP = np.iinfo(np.int64).max
# Seconds after which a thread that counts lets another one go on. By Python's own five milliseconds two threads are hardly
# faster than one: each step of a batch takes less, and waits that long for its turn.
TURN = 0.0002
# The part of the memory limit that the table of sums may take; DuckDB has the rest.
TABLE_SHARE = 0.4


class Sums(NamedTuple):
    """What was counted: cells by store and combination, skus by SKU and category, days by category and day, marks by store.

    Codes are those of one pass. magnitude: the sum of absolute amounts in cents, and of hundredths of units. more: of the same lines
    as cells, in the same order, what is asked for of MORE; a month has those of its own lines alone.
    """

    cells: Cells
    skus: Cells
    days: Cells
    marks: Cells
    magnitude: float
    more: dict[str, Cells]

    def of(self, name: str) -> Cells:
        """One table by its name."""
        found: Cells = self.more[name] if name in MORE else getattr(self, name)
        return found


class Held(NamedTuple):
    """What came in with raw lines, those that were set aside too."""

    lines: int
    cents: int

    def with_those_of(self, other: "Held") -> "Held":
        """Both."""
        return Held(self.lines + other.lines, self.cents + other.cents)


class Combinations:
    """Numbers for pairs of category and entry, in the order in which they come, and whether the map places such lines."""

    def __init__(self, entries: Entries, categories: Codes) -> None:
        self.entries = entries
        self.categories = categories
        self.pairs: list[tuple[int, int]] = []
        self.is_loose = np.zeros(0, np.bool_)
        self._table = np.full((1, entries.largest + 1), -1, np.int32)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.pairs)

    def of(self, category: NDArray[np.int32], entry: NDArray[np.int32]) -> NDArray[np.int32]:
        """The number of each pair."""
        table = self._table
        if len(table) < len(self.categories):
            with self._lock:
                missing = len(self.categories) - len(self._table)
                if missing > 0:
                    self._table = np.vstack([self._table, np.full((missing, self._table.shape[1]), -1, np.int32)])
                table = self._table
        found = table.reshape(-1).take(category * table.shape[1] + entry)
        if found.min(initial=0) < 0:
            new = np.unique(category[found < 0].astype(np.int64) * table.shape[1] + entry[found < 0])
            with self._lock:
                for pair in new.tolist():
                    self.number(*divmod(pair, table.shape[1]))
                found = self._table[category, entry]
        codes: NDArray[np.int32] = found
        return codes

    def number(self, category: int, entry: int) -> None:
        """Give a new pair the next number. The lock is held."""
        if self._table[category, entry] < 0:
            self.pairs.append((category, entry))
            loose = not self.entries.places(self.categories.texts[category], entry)
            self.is_loose = np.append(self.is_loose, loose)
            # Last, since other threads look here without the lock.
            self._table[category, entry] = len(self.pairs) - 1

    def table(self) -> NDArray[np.int64]:
        """Category and entry of each combination: (n, 2)."""
        return np.array(self.pairs, np.int64).reshape(-1, 2)


class Ledgers:
    """What all threads of one pass share: codes of texts, of combinations and of days, and the entry of each SKU.

    more: which of MORE are asked for; caps: of lines, in cents, by category.
    """

    def __init__(
        self, entries: Entries, more: Sequence[str] = (), caps: Mapping[str | None, int] = MappingProxyType({})
    ) -> None:
        self.more = tuple(more)
        self.caps = caps
        self._cap_of = np.zeros(0, np.int64)
        self.coding = Coding(Codes(), Codes(), Codes())
        self.combinations = Combinations(entries, self.coding.category)
        self.days: list[int] = []
        self._entries = entries
        self._entry_of = np.zeros(1, np.int32)
        self._day_codes = np.full(LAST_DAY - FIRST_DAY + 1, -1, np.int32)
        self._lock = threading.Lock()

    def entry_of(self, sku: NDArray[np.int32]) -> NDArray[np.int32]:
        """The entry of the product map for each SKU, 0 for one that it does not have."""
        if len(self._entry_of) < len(self.coding.sku):
            with self._lock:
                new = self.coding.sku.texts[len(self._entry_of) :]
                more = np.fromiter((self._entries.of_sku.get(str(text), 0) for text in new), np.int32, len(new))
                self._entry_of = np.append(self._entry_of, more)
        return self._entry_of.take(sku)

    def caps_of(self, combination: NDArray[np.int32]) -> NDArray[np.int64]:
        """The cap of each line, by its combination of category and entry; a sale without a category has its product's."""
        if len(self._cap_of) < len(self.combinations):
            with self._lock:
                texts = self.coding.category.texts
                new = self.combinations.pairs[len(self._cap_of) :]
                own = [texts[category] or self._entries.category(entry) for category, entry in new]
                caps = np.array([self.caps.get(category, NO_CAP) for category in own], np.int64)
                self._cap_of = np.append(self._cap_of, caps)
        return self._cap_of.take(combination)

    def day_codes(self, day: NDArray[np.int32]) -> NDArray[np.int32]:
        """A number for each day, in the order in which they come."""
        found = self._day_codes.take(day - FIRST_DAY)
        if found.min(initial=0) < 0:
            with self._lock:
                for new in np.unique(day[found < 0]).tolist():
                    if self._day_codes[new - FIRST_DAY] < 0:
                        self.days.append(new)
                        self._day_codes[new - FIRST_DAY] = len(self.days) - 1
            found = self._day_codes[day - FIRST_DAY]
        return found


class Counter:
    """Counts lines into sums; one for each thread. held: what came in; is_empty: whether there are no sums in it."""

    def __init__(self, ledgers: Ledgers, memory: float, connection: duckdb.DuckDBPyConnection) -> None:
        self.ledgers = ledgers
        # What is counted beside the cells is as large as they are.
        of_cells = memory / (1 + len(ledgers.more))
        self.cells = Grid(of_cells, connection, "cells")
        self.skus = Grid(memory / 4, connection, "skus")
        self.days = Grid(memory / 4, connection, "days")
        self.marks = Grid(memory / 4, connection, "marks")
        self.more = {name: Grid(of_cells, connection, name, largest=name == "largest") for name in ledgers.more}
        self.magnitude = 0.0
        self.held = Held(0, 0)
        self.is_empty = True

    def shapes(self) -> dict[str, tuple[int, int]]:
        """How many rows and columns each table of sums has by now."""
        shared = self.ledgers
        stores, categories = len(shared.coding.store_id), len(shared.coding.category)
        return {
            "cells": (stores, len(shared.combinations)),
            "skus": (len(shared.coding.sku), categories),
            "days": (categories, len(shared.days)),
            "marks": (stores, len(MARKS)),
        } | dict.fromkeys(self.more, (stores, len(shared.combinations)))

    def grid(self, name: str) -> Grid:
        """One table of sums by its name."""
        found: Grid = self.more[name] if name in MORE else getattr(self, name)
        return found

    def add(self, lines: Lines) -> None:
        """Count a batch."""
        self.is_empty = False
        number = len(lines.cents) if lines.times is None else int(lines.times.sum())
        self.held = self.held.with_those_of(Held(number, int(lines.cents.sum())))
        shared = self.ledgers
        codes = shared.coding
        self.magnitude += float(np.abs(lines.cents).sum(dtype=np.float64))
        if lines.reason.any():
            self.mark(lines, np.flatnonzero(lines.reason), lines.reason[lines.reason > 0].astype(np.int32), lines.cents)
            lines = chosen(lines, lines.reason == 0)
        self.note(lines)
        combination = shared.combinations.of(lines.category, shared.entry_of(lines.sku))
        count = 1 if lines.times is None else lines.times
        shape = (len(codes.store_id), len(shared.combinations))
        self.cells.add(lines.store, combination, shape, lines.cents, count)
        months = None if lines.day is None or self.more.keys().isdisjoint(MONTHS) else months_of(lines.day)
        for name, grid in self.more.items():
            if name in MONTHS:
                if months is not None and len(found := np.flatnonzero(months == MONTHS.index(name))):
                    times = count if lines.times is None else lines.times[found]
                    grid.add(lines.store[found], combination[found], shape, lines.cents[found], times)
                continue
            if name == "capped":
                caps = shared.caps_of(combination)
                # Of a row that stands for several lines it is their mean that is held against the cap.
                is_above = caps * np.asarray(count, np.float64) < lines.cents
                amounts = np.where(is_above, caps * count, lines.cents)
            else:
                amounts = amounts_of(name, lines)
            grid.add(lines.store, combination, shape, amounts, count)
        if lines.units is not None:
            self.magnitude += float(np.abs(lines.units).sum(dtype=np.float64))
        is_loose = shared.combinations.is_loose
        loose = np.flatnonzero(is_loose.take(combination)) if is_loose.any() else None
        if loose is not None and len(loose):
            part = chosen(lines, loose)
            shape = (len(codes.sku), len(codes.category))
            self.skus.add(part.sku, part.category, shape, part.cents, 1 if part.times is None else part.times)
        if lines.day is not None:
            days = shared.day_codes(lines.day)
            self.days.add(lines.category, days, (len(codes.category), len(shared.days)), lines.cents, count)

    def note(self, lines: Lines) -> None:
        """What stays in but deserves a word. Negative sales have an amount of their own, and so has what rounding left out."""
        amounts = {"negative_sales": lines.cents, "rounded_to_cent": lines.fractions}
        notes = {"negative_sales": lines.cents < 0, "zero_sales": lines.cents == 0} | lines.notes
        for note, which in notes.items():
            if which.any():
                places = np.flatnonzero(which)
                mark = np.full(len(places), MARKS.index(("noted", note)), np.int32)
                self.mark(lines, places, mark, amounts.get(note))

    def mark(
        self, lines: Lines, places: NDArray[np.intp], mark: NDArray[np.int32], amounts: NDArray[np.int64] | None
    ) -> None:
        """Count some lines under a mark, with their part of `amounts`."""
        shape = (len(self.ledgers.coding.store_id), len(MARKS))
        cents = np.zeros(len(places), np.int64) if amounts is None else amounts[places]
        self.marks.add(lines.store[places], mark, shape, cents, 1 if lines.times is None else lines.times[places])

    def merge(self, sums: Sums) -> None:
        """Add what was counted before."""
        self.is_empty = False
        for name, shape in self.shapes().items():
            found = sums.of(name)
            self.grid(name).add(found.rows, found.columns, shape, found.cents, found.lines)
        self.magnitude += sums.magnitude
        refuse_too_large(self.magnitude)

    def absorb(self, other: "Counter") -> None:
        """Add what another one counted; nothing is left there."""
        self.is_empty, other.is_empty = False, True
        for name, shape in self.shapes().items():
            self.grid(name).absorb(other.grid(name), shape)
        self.magnitude, other.magnitude = self.magnitude + other.magnitude, 0.0
        refuse_too_large(self.magnitude)

    def take_held(self) -> Held:
        """What came in since this was last asked."""
        held, self.held = self.held, Held(0, 0)
        return held

    def take(self) -> Sums:
        """What was counted; nothing is left."""
        self.is_empty = True
        magnitude, self.magnitude = self.magnitude, 0.0
        refuse_too_large(magnitude)
        more = {name: grid.take() for name, grid in self.more.items()}
        return Sums(self.cells.take(), self.skus.take(), self.days.take(), self.marks.take(), magnitude, more)


def months_of(days: NDArray[np.int32]) -> NDArray[np.int64]:
    """The month of the year of days since 1970: 0 is January."""
    months: NDArray[np.int64] = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % len(MONTHS)
    return months


def amounts_of(name: str, lines: Lines) -> NDArray[np.int64]:
    """What is counted of each line of a batch under a name of MORE. A row that stands for several lines has their mean."""
    if name == "units":
        return np.zeros(len(lines.cents), np.int64) if lines.units is None else lines.units
    largest = np.maximum(lines.cents, 0)
    return largest if lines.times is None else largest // lines.times


def chosen(lines: Lines, which: NDArray[np.bool_] | NDArray[np.intp]) -> Lines:
    """Some lines of a batch."""
    return Lines(
        lines.store[which],
        lines.sku[which],
        lines.category[which],
        lines.cents[which],
        lines.reason[which],
        None if lines.day is None else lines.day[which],
        None if lines.times is None else lines.times[which],
        {name: column[which] for name, column in lines.notes.items()},
        None if lines.fractions is None else lines.fractions[which],
        None if lines.units is None else lines.units[which],
    )


# Told a file, its rows and how many sums there may be of it: whether they are wanted by themselves.
Wanted = Callable[[Path, int, float], bool]
# Given a file, what it held and its sums, part by part; none where they are added to those of other files.
Done = Callable[[Path, Held, list[Sums]], None]


class Pass(NamedTuple):
    """How files are read: as the source says, under the rules, within the limits of `compute`."""

    source: SalesSource
    raw: Path
    rules: Rules
    compute: Compute

    def read(self, files: Sequence[Path], total: Counter, wanted: Wanted, done: Done) -> None:
        """Count files, each as a whole. `done` is told of each when it was read, one call at a time.

        Sums that are not wanted by themselves are added to `total` here, and all others by `done`.
        No more than `compute.threads` threads are busy. Raises DataError for a file that cannot be read.
        """
        threads = self.compute.threads
        pieces = max(1, -(-2 * threads // max(len(files), 1)))
        with ExitStack() as stack:
            try:
                plans = {file: shares_of(file, self.source, self.raw, self.rules, pieces) for file in files}
                by_arrow = {file: shares for file, shares in plans.items() if shares[0].row_groups is not None}
                if by_arrow:
                    workers = [self.worker(stack, total.ledgers, threads) for _ in range(threads)]
                    stack.callback(sys.setswitchinterval, sys.getswitchinterval())
                    sys.setswitchinterval(TURN)
                    read_shares(by_arrow, workers, total, wanted, done)
                if len(by_arrow) < len(plans):
                    # DuckDB uses all threads for one file.
                    reader, counter = self.worker(stack, total.ledgers, 1)
                    for file in [file for file in files if file not in by_arrow]:
                        for lines in reader.read(plans[file][0]):
                            counter.add(lines)
                        done(file, counter.take_held(), [counter.take()])
            except duckdb.Error as error:
                raise unreadable(self.source, self.raw, error) from None

    def worker(self, stack: ExitStack, ledgers: Ledgers, number: int) -> tuple[LineReader, Counter]:
        """One of `number` readers, each with its part of the limits."""
        connection = stack.enter_context(
            database(self.compute, parts=2 * number, thread_count=self.compute.threads // number or 1)
        )
        reader = LineReader(self.source, self.raw, self.rules, ledgers.coding, connection)
        return reader, Counter(ledgers, self.compute.megabytes * 1e6 * TABLE_SHARE / number, connection)


def read_shares(
    plans: dict[Path, list[Share]],
    workers: list[tuple[LineReader, Counter]],
    total: Counter,
    wanted: Wanted,
    done: Done,
) -> None:
    """Let the workers read shares in turn; whoever reads the last share of a file tells `done`."""
    idle = list(workers)
    lock = threading.Lock()
    rows = {file: sum(share.rows for share in shares) for file, shares in plans.items()}
    found: dict[Path, list[tuple[Held, Sums | None]]] = {file: [] for file in plans}

    def count(share: Share) -> None:
        reader, counter = idle.pop()
        if not counter.is_empty and wanted(share.file, rows[share.file], counter.cells.size):
            with lock:
                total.absorb(counter)
        is_alone = counter.is_empty
        for lines in reader.read(share):
            counter.add(lines)
        is_apart = is_alone and wanted(share.file, rows[share.file], counter.cells.size)
        result = counter.take_held(), counter.take() if is_apart else None
        idle.append((reader, counter))
        with lock:
            found[share.file].append(result)
            if len(found[share.file]) == len(plans[share.file]):
                finish(share.file)

    def finish(file: Path) -> None:
        """Tell of a file. Sums of a part of it are of no use by themselves."""
        results = found.pop(file)
        parts = [sums for _, sums in results if sums is not None]
        if len(parts) < len(results):
            for part in parts:
                total.merge(part)
            parts = []
        held = Held(0, 0)
        for one, _ in results:
            held = held.with_those_of(one)
        done(file, held, parts)

    with ThreadPoolExecutor(len(workers)) as pool:
        tasks = [pool.submit(count, share) for shares in plans.values() for share in shares]
        try:
            for task in tasks:
                task.result()
        finally:
            # After a fault the rest is not read.
            for task in tasks:
                task.cancel()
    for _, counter in workers:
        total.absorb(counter)
