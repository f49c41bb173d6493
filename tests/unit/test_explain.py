"""`clustering explain`: why a store is in its segment, in words."""

from typing import Any

import pandas as pd

from clustering.explain import apart, segment_lines


def part(**changes: Any) -> dict[str, Any]:
    fit = {"distance": 0.5, "nearest_other": 4, "nearest_other_distance": 1.25}
    reasons = [
        {"kind": "mix", "feature": "Nail Care", "value": 0.314, "mean": 0.28, "rest": 0.12},
        {"kind": "place", "feature": "county.MEDIAN_INCOME", "value": None, "mean": 84_300.0, "rest": 55_120.4},
    ]
    return {"reasons": reasons, "rules": "Nail Care above 20 %", "fit": fit} | changes


def test_the_stores_values_stand_beside_both_means() -> None:
    assert segment_lines(part()) == [
        "why: Nail Care 31.4%; its segment 28.0%, all other stores 12.0%",
        "why: median income unknown; its segment 84,300, all other stores 55,120",
        "rule: Nail Care above 20 %",
        "distance to the segment's centre 0.500; to the nearest other one, of segment 4, 1.250",
    ]


def test_what_a_store_does_not_share_with_its_segment_is_no_reason() -> None:
    # 16 is nearer to 12 than to 28; 20 is as near to both
    (reason, *_), (away, half) = part()["reasons"], (0.16, 0.2)
    told = [segment_lines(part(reasons=[reason | {"value": value}]))[0] for value in (away, half)]
    assert told == [
        "although: Nail Care 16.0%; its segment 28.0%, all other stores 12.0%",
        "why: Nail Care 20.0%; its segment 28.0%, all other stores 12.0%",
    ]


def test_one_segment_without_a_rule() -> None:
    fit = {"distance": 0.5, "nearest_other": None, "nearest_other_distance": None}
    assert segment_lines(part(reasons=[], rules="", fit=fit)) == [
        "rule: none of so few conditions finds the segment", "distance to the segment's centre 0.500",
    ]  # fmt: skip


def test_what_tells_a_store_apart_is_furthest_from_the_others() -> None:
    chain = pd.DataFrame(
        {"a": [0.0, 0.0, 4.0, 4.0], "b": [1.0, 1.0, 1.0, 5.0], "same": [3.0] * 4, "near": [0.0, 2.0, 1.0, 1.0]}
    )
    # b: 5 is 3 above a mean of 2 with a deviation of 1.73; a: 2 from a mean of 2 with 2; near: at the mean; same: nobody differs
    assert apart(chain.iloc[3], chain, 1.0) == [("b", 5.0, 2.0), ("a", 4.0, 2.0)]
