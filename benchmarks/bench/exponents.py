"""How cost grows: the exponent b of seconds ~ size^b, by least squares of logarithms."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Exponent(NamedTuple):
    """The slope, its standard error (missing for two sizes, through which a line always goes), and the sizes it rests on."""

    value: float
    error: float | None
    sizes: int


def fit_exponent(sizes: Sequence[float], seconds: Sequence[float], fixed: float = 0.0) -> Exponent | None:
    """The exponent of what exceeds `fixed` seconds. None where fewer than two sizes are left: what grew is not measurable.

    sizes: lines, say; repeated runs of one size count as points of their own. fixed: what a run takes whatever its size.
    """
    above = [(size, taken - fixed) for size, taken in zip(sizes, seconds, strict=True) if taken > fixed]
    if len({size for size, _ in above}) < 2:
        return None
    x, y = np.log(np.array(above)).T
    centred = x - x.mean()
    squares = float(centred @ centred)
    slope = float(centred @ y) / squares
    residuals = y - y.mean() - slope * centred
    error = float(np.sqrt(residuals @ residuals / (len(x) - 2) / squares)) if len(x) > 2 else None
    return Exponent(slope, error, len({size for size, _ in above}))
