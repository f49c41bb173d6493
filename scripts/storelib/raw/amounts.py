"""The amount of a line, as SQL: one column, or quantity times price, exact until it is rounded once to the cent.

Quantity and price are decimals of up to six places; their product is exact. What is rounded is rounded half away from zero, line by
line, and what that leaves out is told in parts of a cent.
"""

from collections.abc import Mapping
from typing import NamedTuple

from storelib.configuration.place import SalesSource
from storelib.raw.sources import is_rounded, known_figure, number_of, number_repairs

FACTORS = ("quantity", "price")
FIGURES = ("sales", *FACTORS)


class Amount(NamedTuple):
    """SQL of one amount. missing: whether it is not known; exact: before it is rounded; rounded: whether that changes it, if it can.

    repairs: SQL conditions, by the ledger's word, under which its text was not written as SQL writes numbers.
    """

    missing: str
    exact: str
    rounded: str | None
    repairs: dict[str, str]

    @property
    def value(self) -> str:
        """SQL: the amount in currency, with two places; null where it is none or too large."""
        return f"TRY_CAST({self.exact} AS DECIMAL(18, 2))"

    @property
    def fraction(self) -> str:
        """SQL: what rounding leaves out of an amount, in ten-thousandths of a cent; null where there is nothing to round."""
        if self.rounded is None:
            return "NULL"
        exact = f"TRY_CAST({self.exact} AS DECIMAL(38, 12))"
        return f"CASE WHEN {self.rounded} THEN TRY_CAST(({exact} - {self.value}) * 1000000 AS BIGINT) END"


def figure_names(types: Mapping[str, str]) -> tuple[str, ...]:
    """The columns that an amount is made of, by our names."""
    return ("sales",) if "sales" in types else FACTORS


def amount_of(types: Mapping[str, str], source: SalesSource) -> Amount:
    """The amount of a line. types: SQL types by our names, under which the columns are."""
    if "sales" in types:
        kind = types["sales"]
        rounded = is_rounded("sales", kind, source)
        return Amount(
            is_missing("sales", kind, source),
            number_of("sales", kind, source),
            rounded,
            number_repairs("sales", kind, source),
        )
    missing, factors = [], []
    repairs: dict[str, str] = {}
    for name in FACTORS:
        kind = types[name]
        missing.append(is_missing(name, kind, source))
        # Each has at most twelve digits before the point, so that the product has no more than 38 in all.
        factor = f"TRY_CAST({number_of(name, kind, source)} AS DECIMAL(18, 6))"
        factors.append(f"CAST({factor} AS DECIMAL(38, 6))")
        for reason, condition in number_repairs(name, kind, source).items():
            repairs[reason] = f"{repairs[reason]} OR ({condition})" if reason in repairs else f"({condition})"
    product = f"({' * '.join(factors)})"
    rounded = f"{product} <> TRY_CAST({product} AS DECIMAL(18, 2))"
    return Amount(" OR ".join(missing), product, rounded, repairs)


def is_missing(name: str, kind: str, source: SalesSource) -> str:
    """SQL: whether a figure is not known."""
    return f"({known_figure(name, kind, source)}) IS NULL"
