"""Which format fits dates that could not be read: advice for a message, never a guess that is used.

The texts of the lines at fault are read by common formats. What reads all of them is proposed; where two read them as different
days, such as 03/04/2026, both are named and the user decides.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

import duckdb

from storelib.raw.days import UTC, day_by, in_our_time

DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%m.%d.%Y",
    "%d%m%Y", "%m%d%Y", "%d %m %Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%m-%d-%y", "%y%m%d", "%d-%b-%Y",
    "%d %b %Y", "%d.%b.%Y", "%d-%b-%y", "%d %b %y", "%d %B %Y", "%b %d, %Y", "%b %d %Y", "%B %d, %Y", "%B %d %Y", "%Y-%b-%d",
    "%a %d %b %Y", "%a, %d %b %Y", "%A, %d %B %Y", "%A, %B %d, %Y", "%Y-%m", "%Y%m", "%Y/%m", "%m/%Y", "%m.%Y", "%m-%Y",
    "%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%G-W%V", "%GW%V", "%G%V", "%V/%G", "W%V %G", "W%V/%G", "Week %V %G",
)  # fmt: skip
TIMES = (
    "", " %H:%M", " %H:%M:%S", "T%H:%M:%S", "T%H:%M", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %H:%M:%S",
    ", %I:%M %p", ", %I:%M:%S %p", " %H:%M:%S %z", " %H:%M:%S%z", " %H:%M %z",
)  # fmt: skip
# Distinct texts that are looked at, and how many of them are tried first.
ENOUGH = 5000
FIRST = 40
LIKELY = range(1970, 2101)
# Formats that are named, where several fit and differ.
NAMED = 3
HALF = 0.5


class Fit(NamedTuple):
    """A format, and the part of the texts that it reads."""

    form: str
    share: float


def fitting_formats(
    connection: duckdb.DuckDBPyConnection, texts: Sequence[str], known: Sequence[str] = ()
) -> list[Fit]:
    """The formats that read most of some texts, and at least half of them; of those that read the same days, the first.

    known: the formats in question; by default common ones.
    """
    sample = sorted(set(texts))[:ENOUGH]
    if not sample:
        return []
    connection.execute("CREATE OR REPLACE TEMP TABLE unread AS SELECT unnest(?) AS text", [sample])
    fits: dict[tuple[date | None, ...], Fit] = {}
    for form in known or likely_formats(sample[:: -(-len(sample) // FIRST)]):
        day = in_our_time(day_by("text", form, UTC))
        found = connection.execute(f"SELECT {day} FROM unread ORDER BY text").fetchall()  # noqa: S608 (ours)
        days = tuple(day for (day,) in found)
        fits.setdefault(days, Fit(form, sum(day is not None for day in days) / len(days)))
    most = max((fit.share for fit in fits.values()), default=0.0)
    return [fit for fit in fits.values() if fit.share == most and most >= HALF]


def likely_formats(texts: Sequence[str]) -> list[str]:
    """Those that read most of a few texts, as Python reads them; none where none reads any."""
    forms = [day + time for day in DATES for time in TIMES]
    counts = {form: sum(is_likely(text, form) for text in texts) for form in forms}
    most = max(counts.values())
    return [form for form, count in counts.items() if count == most > 0]


def is_likely(text: str, form: str) -> bool:
    """Whether a format reads a day of our time in a text."""
    try:
        # Python reads a week with a day of it alone.
        day = datetime.strptime(f"{text} 1", f"{form} %u") if "%V" in form else datetime.strptime(text, form)  # noqa: DTZ007 (a day)
    except ValueError:
        return False
    return day.year in LIKELY


def proposal(fits: Sequence[Fit], beside: Sequence[str]) -> str:
    """Advice in words; empty where nothing fits. beside: formats of the dates that could be read."""
    if not fits:
        return ""
    written = [setting([*beside, fit.form]) for fit in fits[:NAMED]]
    reads = "all of them" if fits[0].share == 1 else f"{fits[0].share:.0%} of them"
    if len(written) == 1:
        return f"set `date_format` of sources.sales to {written[0]}, which reads {reads}"
    return f"set `date_format` of sources.sales to {' or '.join(written)}: each reads {reads}, but as different days"


def setting(forms: Sequence[str]) -> str:
    """Formats as YAML writes them."""
    quoted = [f'"{form}"' for form in dict.fromkeys(forms)]
    return quoted[0] if len(quoted) == 1 else f"[{', '.join(quoted)}]"
