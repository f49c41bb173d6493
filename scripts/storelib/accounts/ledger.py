"""The ledger: how many stores and what sales entered a stage, left it, and were set aside, and why.

One row per stage, category, flow and reason. Flows: `in`, `out`, `set_aside`, `not_selected` for the categories that are not
clustered, and `noted` for what stayed in and is worth knowing. For every stage and category, in = out + set_aside +
not_selected in stores, lines and sales, to the cent; a stage whose ledger does not balance fails. A store is set aside where
nothing of it is left; it then counts under the first reason by name.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from logging import Logger
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from storelib.arrow import column_of, texts_of
from storelib.errors import DataError
from storelib.money import amounts_of
from storelib.tables import MONEY, read_table

SCHEMA = pa.schema(
    [
        ("stage", pa.string()),
        ("category", pa.string()),
        ("flow", pa.string()),
        ("reason", pa.string()),
        ("stores", pa.int64()),
        ("lines", pa.int64()),
        ("sales", MONEY),
    ]
)
FLOWS = ("in", "out", "set_aside", "not_selected", "noted")


class Entry(NamedTuple):
    """One row. `category` is empty where a stage does not tell categories apart; sales are in the source's currency."""

    stage: str
    category: str
    flow: str
    reason: str
    stores: int
    lines: int
    sales: Decimal


def lost_stores(kept: set[int], aside: Mapping[str, set[int]]) -> dict[str, int]:
    """How many stores are lost for each reason, by name: a store of which something is kept is not lost.

    aside: the stores of which something was set aside, by reason. A store that is lost for several reasons counts once, under
    the first by name.
    """
    gone: set[int] = set(kept)
    lost = {}
    for reason in sorted(aside):
        lost[reason] = len(aside[reason] - gone)
        gone |= aside[reason]
    return lost


def check_balance(entries: Iterable[Entry]) -> None:
    """Raise DataError for the first stage and category where in is not out + set_aside + not_selected."""
    balances: dict[tuple[str, str], list[Decimal]] = {}
    signs = {"in": 1, "out": -1, "set_aside": -1, "not_selected": -1, "noted": 0}
    for entry in entries:
        balance = balances.setdefault((entry.stage, entry.category), [Decimal(0)] * 3)
        amounts = (Decimal(entry.stores), Decimal(entry.lines), entry.sales)
        for position, amount in enumerate(amounts):
            balance[position] += signs[entry.flow] * amount
    for (stage, category), (stores, lines, sales) in sorted(balances.items()):
        if stores or lines or sales:
            raise DataError(
                f"the ledger of {stage} {category!r} does not balance: {stores} stores, {lines} lines, {sales} of sales "
                "entered and neither left nor were set aside",
                solution="this is a defect of the pipeline, not of the data: report it with the log",
            )


def ledger_table(entries: Iterable[Entry]) -> pa.Table:
    """Entries as a table, sorted by its key."""
    ordered = sorted(entries, key=lambda e: (e.stage, e.category, FLOWS.index(e.flow), e.reason))
    texts = [texts_of([str(entry[place]) for entry in ordered]) for place in range(4)]
    stores, lines = (np.array([entry[place] for entry in ordered], np.int64) for place in (4, 5))
    amounts = amounts_of([entry.sales for entry in ordered])
    return pa.table([*texts, column_of(stores), column_of(lines), amounts], schema=SCHEMA)


def balanced(entries: list[Entry]) -> pa.Table:
    """Entries as a table, sorted by its key. Raises DataError where they do not balance."""
    check_balance(entries)
    return ledger_table(entries)


def log_entries(log: Logger, entries: Iterable[Entry]) -> None:
    """One line of a stage's log per entry."""
    for entry in entries:
        log.info("%s %s: %s stores, %s lines, %s", entry.flow, entry.reason, entry.stores, entry.lines, entry.sales)


def read_ledger(path: Path) -> list[Entry]:
    """The entries of one file."""
    return [Entry(**row) for row in read_table(path).to_pylist()]
