r"""How numbers are written, as SQL: `$1,234.50`, `1.234,50 €`, `(4.50)`.

Nothing is guessed. A number has the configured decimal sign, and its thousands are groups of three; anything else is no
number, so that `12.50` is not taken for 1250 where the point separates thousands.
"""

import re
from typing import Protocol

from storelib.sql import literal

# Printed numbers have narrow or no-break spaces between thousands, and a typographic apostrophe.
ALIKE = {" ": "[ \u00a0\u202f\u2009]", "'": "['\u2019]"}
# Between a number and its sign or symbol.
SPACE = "[ \t\u00a0\u202f\u2009]*"
# What is printed for a minus: hyphens, dashes, and the sign itself.
MINUSES = "\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d"


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

    A sign may also be what else is a sign and nothing else: `4.50-`, `- 4.50`, `(4.50)`, a typographic minus.
    text: SQL of a trimmed text.
    """
    bare, signed, digits = without_currency(text, numbers), signed_text(text, numbers), unsigned_shape(numbers)
    # Mostly a number is written plainly, and the rest is not looked at.
    unsigned = f"regexp_extract({signed}, {literal(f'^[-+(]?{SPACE}({digits}){SPACE}[-+)]?$')}, 1)"
    minus = f"CASE WHEN regexp_matches({signed}, '^[-(]|-$') THEN '-' ELSE '' END"
    return (
        f"CASE WHEN {is_plain(bare, digits)} THEN {in_points(bare, numbers)} "
        f"WHEN {is_signed(signed, digits)} THEN {minus} || {in_points(unsigned, numbers)} END"
    )


def is_plain(bare: str, digits: str) -> str:
    """SQL: whether a text is digits with perhaps a sign before them."""
    return f"regexp_full_match({bare}, {literal(f'[+-]?{digits}')})"


def is_signed(signed: str, digits: str) -> str:
    """SQL: whether a text is digits with one sign: before them, behind them, or brackets around them."""
    shape = rf"[-+]?{SPACE}{digits}|{digits}{SPACE}[-+]|\({SPACE}{digits}{SPACE}\)"
    return f"regexp_full_match({signed}, {literal(shape)})"


def unsigned_shape(numbers: Numbers) -> str:
    """A regular expression of digits with the configured signs between them."""
    sign, whole = re.escape(numbers.decimal), r"\d+"
    if numbers.thousands is not None:
        mark = group_mark(numbers.thousands)
        # In India only the last group before the decimal sign has three digits: 12,34,567.00.
        indian = r"|\d{1,2}(,\d{2})+,\d{3}" if numbers.thousands == "," else ""
        whole = rf"(\d{{1,3}}({mark}\d{{3}})+{indian}|\d+)"
    return rf"({whole}({sign}\d*)?|{sign}\d+)([eE][+-]?\d+)?"


def in_points(number: str, numbers: Numbers) -> str:
    """SQL: a number of the configured shape without the sign between thousands, and with a decimal point."""
    mark = "" if numbers.thousands is None else group_mark(numbers.thousands)
    joined = f"regexp_replace({number}, {literal(mark)}, '', 'g')" if mark else number
    return joined if numbers.decimal == "." else f"replace({joined}, {literal(numbers.decimal)}, '.')"


def signed_text(text: str, numbers: Numbers) -> str:
    """SQL: a text with `-` for every kind of minus, and without a currency symbol, which may also stand inside of brackets."""
    plain = f"translate({text}, {literal(MINUSES)}, {literal('-' * len(MINUSES))})"
    symbols = symbols_of(numbers)
    if not symbols:
        return plain
    either = "|".join(re.escape(symbol) for symbol in symbols)
    start, end = rf"^([-+(]?){SPACE}(?:{either}){SPACE}", rf"{SPACE}(?:{either}){SPACE}([-+)]?)$"
    return f"regexp_replace(regexp_replace({plain}, {literal(start)}, '\\1'), {literal(end)}, '\\1')"


def group_mark(thousands: str) -> str:
    """A regular expression of the sign between thousands."""
    return ALIKE.get(thousands, re.escape(thousands))


def without_currency(text: str, numbers: Numbers) -> str:
    """SQL: the text without a currency symbol at its start or end, on either side of the sign."""
    symbols = symbols_of(numbers)
    if not symbols:
        return text
    either = "|".join(re.escape(symbol) for symbol in symbols)
    start, end = rf"^([+-]?){SPACE}(?:{either}){SPACE}", rf"{SPACE}(?:{either})$"
    return f"regexp_replace(regexp_replace({text}, {literal(start)}, '\\1'), {literal(end)}, '')"


def symbols_of(numbers: Numbers) -> list[str]:
    """Every currency symbol, the longest first: `US$` before `$`."""
    symbols = [numbers.currency] if isinstance(numbers.currency, str) else numbers.currency
    return sorted(filter(None, symbols), key=lambda symbol: (-len(symbol), symbol))


def repairs_of(text: str, numbers: Numbers) -> dict[str, str]:
    """SQL conditions under which a text was not written as SQL writes numbers, by the ledger's word for it."""
    found = {}
    if symbols_of(numbers):
        symbol = "|".join(re.escape(symbol) for symbol in symbols_of(numbers))
        found["currency_symbol_removed"] = f"regexp_matches({text}, {literal(symbol)})"
    if numbers.thousands is not None:
        separated = rf"\d{group_mark(numbers.thousands)}\d{{3}}"
        found["thousands_separator_removed"] = f"regexp_matches({text}, {literal(separated)})"
    if numbers.decimal != ".":
        found["decimal_sign_replaced"] = f"contains({text}, {literal(numbers.decimal)})"
    digits = unsigned_shape(numbers)
    # CASE, and not AND, of which both sides are looked at for each line.
    found["sign_rewritten"] = (
        f"CASE WHEN {is_plain(without_currency(text, numbers), digits)} THEN FALSE "
        f"ELSE {is_signed(signed_text(text, numbers), digits)} END"
    )
    return found
