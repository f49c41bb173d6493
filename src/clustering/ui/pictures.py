"""Pictures as SVG: how stores moved between two sets of segments, silhouettes, scores by number of clusters, distributions."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storelib.pages.flows import band_path
from storelib.pages.report import mark

WIDE, BAR, GAP, TOP, TALLEST = 900.0, 14.0, 8.0, 10.0, 420.0
LEFT = 150.0
THINNEST = 1.0
# Bars of one cluster's silhouette; more stores than this are drawn by the quantiles.
SILHOUETTES = 160


class Block(NamedTuple):
    """One segment on one side."""

    number: int
    stores: int
    x: float
    y: float
    height: float
    colour: str


class Move(NamedTuple):
    """The stores of one segment that are in one of the other side."""

    before: int
    after: int
    stores: int
    path: str


class Moves(NamedTuple):
    """The whole picture."""

    blocks: list[Block]
    bands: list[Move]
    height: float


def moves_picture(both: pd.DataFrame) -> Moves:
    """Segments on both sides, and bands by how many stores they share. both: `first` and `second` by store, as numbers."""
    counts = both.groupby(["first", "second"]).size()
    sides = [both[name].value_counts().sort_index() for name in ("first", "second")]
    scale = TALLEST / max(len(both), 1)
    places: list[dict[int, float]] = [{}, {}]
    blocks = []
    for side, (sizes, x) in enumerate(zip(sides, (LEFT, WIDE - LEFT - BAR), strict=True)):
        y = TOP
        for number, stores in sizes.items():
            high = max(stores * scale, THINNEST)
            blocks.append(
                Block(int(str(number)), int(stores), x, round(y, 1), round(high, 1), mark(int(str(number)))[0])
            )
            places[side][int(str(number))] = y
            y += high + GAP
    bands = []
    for before, after, stores in counts.reset_index(name="stores").itertuples(index=False, name=None):
        thick = max(stores * scale, THINNEST)
        path = band_path(LEFT + BAR, places[0][before], WIDE - LEFT - BAR, places[1][after], thick)
        bands.append(Move(int(before), int(after), int(stores), path))
        places[0][before] += thick
        places[1][after] += thick
    height = max((block.y + block.height for block in blocks), default=TOP) + TOP
    return Moves(blocks, bands, round(height, 1))


class Silhouette(NamedTuple):
    """One cluster's stores by silhouette, as a polygon from `y` on. mean: of its stores; below: how many are under 0."""

    cluster: int
    stores: int
    mean: float
    below: int
    points: str
    y: float
    height: float
    colour: str


def silhouettes(clusters: pd.DataFrame, width: float = 300.0) -> tuple[list[Silhouette], float]:
    """A picture of every cluster's silhouettes, and its height. -1 is at 0, 1 at the width. clusters: `cluster`, `silhouette`."""
    known = clusters.dropna(subset="silhouette")
    found, y = [], 4.0
    for cluster, own in known.groupby("cluster"):
        values: NDArray[np.float64] = np.sort(own["silhouette"].to_numpy(dtype="float64"))[::-1]
        drawn = values
        if len(values) > SILHOUETTES:
            drawn = np.quantile(values, np.linspace(1, 0, SILHOUETTES))
        high = max(12.0, 160.0 * len(values) / max(len(known), 1))
        step = high / len(drawn)
        zero = width / 2
        line = " ".join(
            f"{zero + value * zero:.1f},{y + at * step:.1f} {zero + value * zero:.1f},{y + (at + 1) * step:.1f}"
            for at, value in enumerate(drawn)
        )
        points = f"{zero:.1f},{y:.1f} {line} {zero:.1f},{y + high:.1f}"
        number = int(str(cluster))
        found.append(
            Silhouette(
                number, len(values), float(values.mean()), int((values < 0).sum()), points, y, high, mark(number)[0]
            )
        )
        y += high + 4
    return found, y


class Bin(NamedTuple):
    """One bar of a distribution, in a box of 100 x 30."""

    x: float
    y: float
    width: float
    height: float
    told: str


def histogram(values: NDArray[np.float64], told: Sequence[str] | None = None) -> list[Bin]:
    """Up to 24 bars over the range of known values; told: the words of each bar, else its range."""
    values = values[np.isfinite(values)]
    if not len(values):
        return []
    counts, edges = np.histogram(values, bins=min(24, max(1, len(np.unique(values[:5000])))))
    return bars(
        counts, told or [f"{a:.4g} to {b:.4g}: {n:,}" for a, b, n in zip(edges, edges[1:], counts, strict=False)]
    )


def bars(counts: Sequence[int] | NDArray[np.integer], told: Sequence[str]) -> list[Bin]:
    """Bars of some heights."""
    highest = max(map(int, counts), default=0) or 1
    step = 100 / max(len(counts), 1)
    return [
        Bin(
            round(at * step, 2),
            round(30 - 29 * int(n) / highest, 2),
            round(step * 0.9, 2),
            round(29 * int(n) / highest, 2),
            words,
        )
        for at, (n, words) in enumerate(zip(counts, told, strict=True))
    ]
