"""Weights of the two views, and the least size of a segment: what the method says, as figures."""

import math
from fractions import Fraction

# What the weights may add to: shares, or percentages.
WHOLES = (1, 100)


def view_shares(internal: float, external: float) -> tuple[float, float]:
    """The two weights as shares of 1. Raises ValueError where they add neither to 1 nor to 100.

    They are taken as they are written: 0.1 and 0.9 are 1, whatever binary fractions make of them.
    """
    parts = Fraction(str(internal)), Fraction(str(external))
    whole = sum(parts)
    if whole not in WHOLES:
        raise ValueError(
            f"internal_weight {internal} and external_weight {external} add to {float(whole):g}; percentages that add to 100, "
            "such as 70 and 30, or shares that add to 1 are expected"
        )
    first, second = (float(part / whole) for part in parts)
    return first, second


def least_stores(size: Fraction, stores: int) -> int:
    """The stores that a segment needs. size: how many, or below 1 the share of a category's stores, rounded up."""
    return math.ceil(size * stores) if size < 1 else int(size)
