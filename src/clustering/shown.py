"""What commands print, and how: lines for people, tables as wide as they need, how far a piece of work is; JSON for programs."""

import json
import re
import sys
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from clustering.journal import LOGGER

console = Console()
# Columns of a table whose reader is a program.
WIDE = 400
NUMBER = re.compile(r"|-?[\d,.]+( ?%)?")


class Mode(StrEnum):
    """How a run is shown."""

    plain = "plain"
    live = "live"
    json = "json"
    quiet = "quiet"


def choose_mode(*, quiet: bool, as_json: bool, terminal: bool) -> Mode:
    """What was asked for; by default live on a terminal and plain elsewhere."""
    if as_json:
        return Mode.json
    if quiet:
        return Mode.quiet
    return Mode.live if terminal else Mode.plain


def emit(event: str, **fields: Any) -> None:
    """One JSON object on one line."""
    sys.stdout.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """One line, whatever its length, as it is."""
    console.print(text, soft_wrap=True, highlight=False, markup=False)


def show_rows(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table, its numbers to the right; where a terminal is too narrow for it, a line for each value, so that none is cut."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    # With a space on either side of each column.
    width = sum(widths) + 2 * len(widths)
    if console.is_terminal and width > console.width:
        for name, *values in rows:
            say(name)
            for head, value in zip(heads[1:], values, strict=True):
                if value:
                    say(f"  {head}: {value}")
        return
    table = Table(box=None)
    for at, head in enumerate(heads):
        is_number = at > 0 and all(NUMBER.fullmatch(row[at]) for row in rows)
        table.add_column(escape(head), justify="right" if is_number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(escape, row))
    shown = console if console.is_terminal else Console(width=width)
    shown.print(table, highlight=False)


def show_whole(table: Table) -> None:
    """A table as wide as the terminal; elsewhere a line a row, whatever its length, so that a program finds it."""
    shown = console if console.is_terminal else Console(width=WIDE)
    shown.print(table, highlight=False)


def tell(line: Status, name: str, text: str) -> None:
    """How far the work on one source or target is, on a line that is written over; in the log, what was tried again."""
    from clustering.secrets import redact

    line.update(escape(f"{name}: {redact(text)}"))
    if "trying again" in text:
        LOGGER.warning("%s: %s", name, text)
