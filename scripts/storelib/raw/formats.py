r"""How numbers and dates are written, as SQL: `$1,234.50`, `1.234,50 €`, `31.12.2024`.

Nothing is guessed. A number has the configured decimal sign, and its thousands are groups of three; anything else is no
number, so that `12.50` is not taken for 1250 where the point separates thousands.
"""

import re
from collections.abc import Sequence
from typing import Protocol

from storelib.sql import literal

# Printed numbers have narrow or no-break spaces between thousands, and a typographic apostrophe.
ALIKE = {" ": "[ \u00a0\u202f\u2009]", "'": "['\u2019]"}
ISO = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}([ T].*)?"


class Numbers(Protocol):
    """How a source writes numbers."""

    @property
    def decimal(self) -> str:
        """Decimal sign."""
        ...

    @property
    def thousands(self) -> str | None:
        """Sign between groups of three digits, where there is one."""
        ...

    @property
    def currency(self) -> str | list[str]:
        """Symbols to remove."""
        ...


def plain_number(text: str, numbers: Numbers) -> str:
    """SQL: the number in `text` as SQL reads it (`-1234.5`), null where it is none as configured.

    text: SQL of a trimmed text.
    """
    bare = without_currency(text, numbers)
    sign, whole, joined = re.escape(numbers.decimal), r"\d+", bare
    if numbers.thousands is not None:
        mark = group_mark(numbers.thousands)
        whole = rf"(\d{{1,3}}({mark}\d{{3}})+|\d+)"
        joined = f"regexp_replace({bare}, {literal(mark)}, '', 'g')"
    shape = rf"[+-]?({whole}({sign}\d*)?|{sign}\d+)([eE][+-]?\d+)?"
    number = joined if numbers.decimal == "." else f"replace({joined}, {literal(numbers.decimal)}, '.')"
    return f"CASE WHEN regexp_full_match({bare}, {literal(shape)}) THEN {number} END"


def group_mark(thousands: str) -> str:
    """A regular expression of the sign between thousands."""
    return ALIKE.get(thousands, re.escape(thousands))


def without_currency(text: str, numbers: Numbers) -> str:
    """SQL: the text without a currency symbol at its start or end, on either side of the sign."""
    symbols = symbols_of(numbers)
    if not symbols:
        return text
    either = "|".join(re.escape(symbol) for symbol in symbols)
    start, end = rf"^([+-]?)\s*(?:{either})\s*", rf"\s*(?:{either})$"
    return f"regexp_replace(regexp_replace({text}, {literal(start)}, '\\1'), {literal(end)}, '')"


def symbols_of(numbers: Numbers) -> list[str]:
    """Every currency symbol, the longest first: `US$` before `$`."""
    symbols = [numbers.currency] if isinstance(numbers.currency, str) else numbers.currency
    return sorted(filter(None, symbols), key=lambda symbol: (-len(symbol), symbol))


def repairs_of(text: str, numbers: Numbers) -> dict[str, str]:
    """SQL conditions under which a text was not written as SQL writes numbers, by the ledger's word for it."""
    found = {}
    if symbols_of(numbers):
        found["currency_symbol_removed"] = f"{without_currency(text, numbers)} <> {text}"
    if numbers.thousands is not None:
        separated = rf"\d{group_mark(numbers.thousands)}\d{{3}}"
        found["thousands_separator_removed"] = f"regexp_matches({text}, {literal(separated)})"
    if numbers.decimal != ".":
        found["decimal_sign_replaced"] = f"contains({text}, {literal(numbers.decimal)})"
    return found


def day_of(text: str, formats: Sequence[str]) -> str:
    """SQL: the date in `text`, null where it is none, or where two formats read two different days.

    formats: as strptime has them; none: YYYY-MM-DD, perhaps with a time.
    """
    if not formats:
        return in_our_time(f"CASE WHEN regexp_full_match({text}, {literal(ISO)}) THEN TRY_CAST({text} AS DATE) END")
    days = days_of(text, formats)
    # min and max ignore nulls: they differ where the formats do.
    return f"CASE WHEN list_min({days}) = list_max({days}) THEN list_min({days}) END"


def is_ambiguous(text: str, formats: Sequence[str]) -> str:
    """SQL: whether two formats read two different days."""
    days = days_of(text, formats)
    return f"coalesce(list_min({days}) <> list_max({days}), FALSE)" if formats else "FALSE"


def days_of(text: str, formats: Sequence[str]) -> str:
    """SQL: the list of what each format reads in a text; DuckDB would also read the word `infinity`."""
    days = ", ".join(in_our_time(f"TRY_CAST(try_strptime({text}, {literal(form)}) AS DATE)") for form in formats)
    return f"(CASE WHEN regexp_matches({text}, '[0-9]') THEN [{days}] END)"


def in_our_time(day: str) -> str:
    """SQL: a date, null where it lies before the year 1000: 24-01-05 is no day of the year 24."""
    return f"CASE WHEN {day} BETWEEN DATE '1000-01-01' AND DATE '9999-12-31' THEN {day} END"
