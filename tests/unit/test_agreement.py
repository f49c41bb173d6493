"""How far two partitions agree."""

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from storelib.method.agreement import adjusted_rand, compare


def test_adjusted_rand_by_hand() -> None:
    # aabb against abab: of 12 ordered pairs 4 are together in each, none in both: (0 - 4 * 4 / 12) / (4 - 4 * 4 / 12) = -0.5
    assert adjusted_rand(np.array([[1, 1], [1, 1]])) == -0.5
    assert adjusted_rand(np.array([[0, 3], [2, 0]])) == 1
    # one part against one part, and single things against single things, are the same partition
    assert adjusted_rand(np.array([[5]])) == adjusted_rand(np.eye(4, dtype=np.int64)) == 1
    # one part against two: chance alone
    assert adjusted_rand(np.array([[2, 2]])) == 0


def test_adjusted_rand_is_that_of_scikit_learn_to_the_last_digit() -> None:
    draw = np.random.default_rng(3)
    for _ in range(300):
        stores = int(draw.integers(1, 60))
        first = draw.integers(0, draw.integers(1, 8), stores)
        second = np.where(draw.random(stores) < 0.6, first, draw.integers(0, 5, stores))
        assert adjusted_rand(pd.crosstab(first, second).to_numpy()) == adjusted_rand_score(first, second)


def test_only_stores_in_both_count() -> None:
    first = pd.Series([1, 1, 2, 2, 3], index=list("abcdx"))
    second = pd.Series([1, 2, 1, 2, 9], index=list("abcdy"))
    assert compare(first, second) == (4, 2, 2, -0.5)
    assert compare(first, second[["y"]])[:3] == (0, 0, 0)
