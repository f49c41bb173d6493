"""Pictures to scale: moves, silhouettes, distributions, and the graph of stages."""

import numpy as np
import pandas as pd

from clustering.ui.graph import Stage, columns_of, reduced
from clustering.ui.pictures import TALLEST, histogram, moves_picture, silhouettes


def test_moves_are_to_scale_and_lose_no_store() -> None:
    both = pd.DataFrame({"first": [1] * 6 + [2] * 4, "second": [1] * 5 + [2] + [2] * 4})
    found = moves_picture(both)
    assert [(block.number, block.stores) for block in found.blocks] == [(1, 6), (2, 4), (1, 5), (2, 5)]
    assert [(band.before, band.after, band.stores) for band in found.bands] == [(1, 1, 5), (1, 2, 1), (2, 2, 4)]
    assert [block.height for block in found.blocks] == [TALLEST * n / 10 for n in (6, 4, 5, 5)]
    assert moves_picture(both.iloc[:0]).bands == []


def test_silhouettes_count_the_stores_that_are_nearer_elsewhere() -> None:
    clusters = pd.DataFrame({"cluster": [1, 1, 2, 2], "silhouette": [0.5, -0.1, 0.25, None]})
    found, height = silhouettes(clusters)
    assert [(one.cluster, one.stores, one.below, round(one.mean, 3)) for one in found] == [
        (1, 2, 1, 0.2),
        (2, 1, 0, 0.25),
    ]
    assert height > found[-1].y + found[-1].height


def test_a_distribution_counts_every_known_value() -> None:
    bins = histogram(np.array([1.0, 1.0, 2.0, np.nan, np.inf, 5.0]))
    assert [int(one.told.rpartition(": ")[2]) for one in bins] == [
        3,
        0,
        1,
    ]  # three values differ: 1 to 2.33, to 3.67, to 5
    assert bins[0].height == 29
    assert histogram(np.array([np.nan])) == []


def test_stages_stand_behind_what_they_read_and_short_cuts_are_left_out() -> None:
    after = {"a": [], "b": ["a"], "c": ["a", "b"], "d": [], "e": ["c", "d"]}
    assert reduced(after) == {"a": [], "b": ["a"], "c": ["b"], "d": [], "e": ["c", "d"]}
    then = {"a": ["b"], "b": ["c"], "c": ["e"], "d": ["e"], "e": []}
    assert columns_of(list(after), reduced(after), then) == [["a"], ["b"], ["c", "d"], ["e"]]
    assert Stage("a", [], {}, by_category=False).name == "a"
