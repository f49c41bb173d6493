"""Which stores stand for a group: those that train, or all of a group in which none does."""

import numpy as np
from numpy.typing import NDArray

Truths = NDArray[np.bool_]


def standing_for(members: Truths, trains: Truths) -> Truths:
    """Of the members of one group those that train, or all of them where none does."""
    used = members & trains
    return used if used.any() else members
