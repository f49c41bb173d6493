"""The same stores have the same numbers again after a small change, on a world that is easy to look at."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import steady
from worlds import load_worlds


def test_who_keeps_a_number_is_counted_among_those_that_were_sure() -> None:
    before = pd.DataFrame({"segment": [1, 1, 2, 2], "is_borderline": [False, True, False, False]}, index=list("abcd"))
    after = pd.DataFrame({"segment": [1, 2, 1, 2]}, index=list("dbca")).sort_index(ascending=False)
    # a was 1 and is 2, b 1 and 2, c 2 and 1, d 2 and 1: none is kept. Of a, c and d, which were sure, none.
    assert steady.kept(before, after) == (3, 0, 4, 0)
    after = pd.DataFrame({"segment": [2, 2, 1, 1]}, index=list("dcba"))
    assert steady.kept(before, after) == (3, 3, 4, 4)


def test_a_change_of_sales_is_of_two_per_cent() -> None:
    shares = pd.DataFrame(np.full((2000, 2), 0.5))
    found = steady.changed(shares, np.random.default_rng(1))
    # Of two equal parts that change by 2 % each, independently, the first's share changes by 2 % / (2 sqrt 2).
    assert found[0].std() == pytest.approx(0.02 / (2 * np.sqrt(2)), rel=0.05)
    assert found.sum(axis="columns").to_numpy() == pytest.approx(1)


def test_stores_that_are_sure_keep_their_number() -> None:
    world = next(w for w in load_worlds("final") if w.segments == 3 and w.external_segments <= 4 and w.distance > 0.3)
    changes, permuted = steady.tried(replace(world, stores=240))
    assert all(found.stores == 240 and found.sure > 200 for found in changes)
    assert all(found.share >= 0.98 for found in changes)
    assert permuted.kept_of_all == 240
