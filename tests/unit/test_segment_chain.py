"""One segmentation of the chain: evidence and agreement by hand, and what is found."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import segment_chain
from storelib.errors import DataError
from storelib.method.chain import agreement, evidence

# Two categories: a and b are together in both, c with them in one, d is alone in x and does not sell y.
LABELS = pd.DataFrame({"x": [1, 1, 1, 2], "y": [1, 1, 2, None]}, index=list("abcd"))


def test_squared_distance_is_the_share_of_categories_that_have_two_stores_apart() -> None:
    points = evidence(LABELS)
    squares = ((points[:, None, :] - points[None, :, :]) ** 2).sum(axis=2)
    # a, b: never; a, c: one of two. d is apart in x, and in y like the average (2/3, 1/3): from a (1/3, 1/3) away,
    # (2/9) / 2 of one category, so (1 + 1/9) / 2.
    assert squares[0, 1:] == pytest.approx([0, 0.5, (1 + 1 / 9) / 2])


def test_agreement_is_with_the_other_stores_of_the_chain_segment() -> None:
    found = agreement(LABELS, pd.Series([1, 1, 1, 2], index=list("abcd")))
    # in x all three are together; in y a and b are, and c is with neither. d has no fellow.
    assert found["x"].tolist()[:3] == [1, 1, 1]
    assert found["y"].tolist()[:3] == [0.5, 0.5, 0]
    assert math.isnan(found.loc["d", "x"])
    assert math.isnan(found.loc["d", "y"])


def segmented(bench: Any, *, contradicts: bool = False) -> tuple[pd.DataFrame, list[int]]:
    # 30 stores of two kinds: three categories tell them apart, one is noise.
    stores = [f"{n:02d}" for n in range(30)]
    kinds = [1 + n % 2 for n in range(30)]
    noise = np.random.default_rng(1).integers(1, 3, 30).tolist()
    rows = [(key, s, k) for key in "abc" for s, k in zip(stores, kinds, strict=True)]
    rows += [("d", s, k) for s, k in zip(stores, noise, strict=True)]
    names = ("category", "store_id", "segment")
    for key in "abcd":
        own = [row for row in rows if row[0] == key]
        bench.parquet(
            f"category_segments/{key}.parquet", dict(zip(names, map(list, zip(*own, strict=True)), strict=True))
        )
    # Three of the even stores were segment 7 of the chain, and one of the odd ones segment 4.
    bench.labels(
        *(("a", store, 1, 1, 1, None, 7) for store in ("00", "02", "04")), ("b", "01", 1, 1, 1, None, 4), ("b", "03", 1, 1, 1, None, None),
        *([("b", "00", 1, 1, 1, None, 8)] if contradicts else ()),
    )  # fmt: skip
    bench.run(
        segment_chain, categories=bench.categories(A="a", B="b", C="c", D="d"), category_segments=bench / "category_segments",
        baseline=bench / "baseline.parquet", chain_segments=bench / "chain.parquet", chain_csv=bench / "chain.csv",
        max_segments=2, n_init=5, seed=1,
    )  # fmt: skip
    return bench.frame("chain.parquet"), kinds


def test_chain_refuses_a_baseline_that_contradicts_itself(bench: Any) -> None:
    with pytest.raises(DataError, match="store '00' has several values of chain_segment"):
        segmented(bench, contradicts=True)


def test_stores_that_most_categories_have_together_are_one_segment(bench: Any) -> None:
    found, kinds = segmented(bench)
    # and the numbers are those of the baseline
    assert found["segment"].tolist() == [7, 4] * 15
    assert found.groupby(kinds)["segment"].nunique().tolist() == [1, 1]
    assert found["segment"].nunique() == 2
    assert set(found["categories"]) == {4}
    assert (found[["a", "b", "c"]] == 1).all(axis=None)
    assert found["agreement"].to_numpy() == pytest.approx((3 + found["d"].to_numpy()) / 4)
    assert (bench / "chain.csv").read_text().startswith("store_id,segment,categories,agreement,a,b,c,d\n00,")
