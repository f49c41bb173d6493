"""The agreement of two halves, by hand."""

import csv
from typing import Any

import pandas as pd
import pytest

import compare_halves
from clustering.commands.split_half import show_halves

SEGMENTS = ["store_id", "category", "internal_cluster", "external_cluster", "segment", "flags"]


def write(bench: Any, half: str, rows: list[tuple[str, str, int, int, int, str]], clusters: dict[str, int]) -> None:
    bench.parquet(f"{half}_segments.parquet", dict(zip(SEGMENTS, map(list, zip(*rows, strict=True)), strict=True)))
    labels = {"store_id": list(clusters), "cluster": list(clusters.values()), "exclusion": [""] * len(clusters)}
    bench.parquet(f"{half}_external.parquet", labels)


def test_views_are_compared_over_the_stores_of_both_halves(bench: Any) -> None:
    odd = [
        ("a", "x", 1, 1, 1, ""), ("b", "x", 1, 1, 1, "external:outlier"), ("c", "x", 2, 2, 2, ""), ("d", "x", 2, 2, 3, ""),
        ("e", "x", 3, 1, 4, ""),
    ]  # fmt: skip
    # in another order, numbered otherwise; e is gone and f is new
    even = [
        ("f", "x", 1, 1, 1, ""), ("d", "x", 1, 1, 1, "internal:thin external:outlier"), ("c", "x", 1, 2, 2, ""),
        ("b", "x", 2, 1, 1, ""), ("a", "x", 2, 2, 2, ""),
    ]  # fmt: skip
    write(bench, "odd", [*odd, ("a", "w", 1, 1, 1, "")], {"a": 1, "b": 1, "c": 2, "e": 3})
    write(bench, "even", even, {"c": 5, "b": 5, "a": 9})
    inputs = {
        f"{half}_{what}": bench / f"{half}_{what}.parquet"
        for half in ("odd", "even")
        for what in ("segments", "external")
    }
    bench.run(compare_halves, **inputs, comparison=bench / "split_half.csv")
    found = pd.read_csv(bench / "split_half.csv").set_index("view")
    assert list(found.index) == ["w", "x", "external"]
    counts = ["k_odd", "k_even", "stores_odd", "stores_even", "stores_both"]
    # category w has no store in the even half
    assert found.loc["w", counts].tolist() == [1, 0, 1, 0, 0]
    assert found.loc["x", counts].tolist() == [3, 2, 5, 5, 4]
    assert found.loc["external", counts].tolist() == [3, 2, 4, 3, 3]
    # internal: ab|cd both times. External: ab|cd against bd|ac, no pair in both: (0 - 2*2/6) / ((2 + 2)/2 - 2*2/6) = -0.5.
    # Segment: ab|c|d against bd|ac: (0 - 1*2/6) / ((1 + 2)/2 - 1*2/6) = -2/7
    aris = [f"{label}_ari" for label in compare_halves.LABELS]
    assert found.loc["x", aris].tolist() == pytest.approx([1, -0.5, -2 / 7], abs=1e-6)
    # external view: ab|c against bc|a: (0 - 1*1/3) / (1 - 1/3) = -0.5
    assert found.loc["external", "external_cluster_ari"] == -0.5
    assert found.loc["external", ["internal_cluster_ari", "segment_ari"]].isna().all()
    assert found.loc["w", [*aris, "trained_ari"]].isna().all()
    # d was thin in one half; an outlier of the other view trained in this one: a, b | c both times
    assert found.loc["x", ["stores_trained", "trained_ari"]].tolist() == [3, 1]
    assert found.loc["external", ["stores_trained", "trained_ari"]].tolist() == [3, -0.5]


def test_one_cluster_in_both_halves_is_nothing_to_compare(bench: Any, capsys: pytest.CaptureFixture[str]) -> None:
    # In x all stores are in cluster 1 of both views: an index of 1 would look like perfect agreement.
    odd = [("a", "x", 1, 1, 1, ""), ("b", "x", 1, 1, 1, ""), ("c", "x", 1, 1, 1, "")]
    even = [("a", "x", 1, 1, 1, ""), ("b", "x", 1, 2, 2, ""), ("c", "x", 1, 2, 2, "")]
    write(bench, "odd", odd, dict.fromkeys("abc", 1))
    write(bench, "even", even, dict.fromkeys("abc", 1))
    inputs = {
        f"{half}_{what}": bench / f"{half}_{what}.parquet"
        for half in ("odd", "even")
        for what in ("segments", "external")
    }
    bench.run(compare_halves, **inputs, comparison=bench / "split_half.csv")
    found = pd.read_csv(bench / "split_half.csv").set_index("view")
    assert found.loc[["x", "external"], ["internal_cluster_ari", "trained_ari"]].isna().all(axis=None)
    # One segment against two: no pair could agree by more than chance.
    assert found.loc["x", "segment_ari"] == 0
    with (bench / "split_half.csv").open(newline="") as handle:
        show_halves(list(csv.DictReader(handle)))
    shown = capsys.readouterr().out
    assert "x: one cluster in both halves: nothing to compare" in shown
    assert "external: one cluster in both halves: nothing to compare" in shown
    assert "1.000" not in shown
