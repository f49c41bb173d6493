"""A category's segments as a grid: clusters by what sells against clusters by place."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from storelib.pages.language import say
from storelib.pages.report import shade
from storelib.pages.words import NOTABLE, OVER, UNDER, Trait, with_unit

# Of a head: need states above and below the chain, and external features.
MOST_OVER, MOST_UNDER, MOST_PLACES = 2, 1, 2


class Crossing(NamedTuple):
    """The stores of one cluster by what sells and one by place: how many, and of which segments, the largest first."""

    stores: int
    segments: list[tuple[int, int]]
    background: str
    ink: str


class Grid(NamedTuple):
    """Rows are clusters by what sells, columns clusters by place; each head is its number, a few words and its stores."""

    columns: list[tuple[int, str, int]]
    rows: list[tuple[int, str, int, list[Crossing]]]


def grid_of(
    segments: pd.DataFrame, mixes: Mapping[int, Sequence[Trait]], places: Mapping[int, Sequence[Trait]]
) -> Grid:
    """Of one category. segments: labels by store; mixes, places: traits of the clusters of either view."""
    labels = ["internal_cluster", "external_cluster", "segment"]
    counts = segments.groupby(labels).size().rename("stores").reset_index()
    cells: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row, column, segment, stores in counts.to_numpy(dtype="int64").tolist():
        cells.setdefault((row, column), []).append((segment, stores))
    largest = max(sum(stores for _, stores in found) for found in cells.values())
    of_sales, of_place = (
        {number: int((segments[name] == number).sum()) for number in sorted(set(map(int, segments[name])))}
        for name in labels[:2]
    )
    columns = [(number, place_head(places.get(number, [])), size) for number, size in of_place.items()]
    rows = [
        (
            number,
            mix_head(mixes.get(number, [])),
            size,
            [crossing(cells.get((number, column), []), largest) for column in of_place],
        )
        for number, size in of_sales.items()
    ]
    return Grid(columns, rows)


def crossing(found: Sequence[tuple[int, int]], largest: int) -> Crossing:
    """One cell, the darker the more stores it has. largest: stores of the largest cell."""
    stores = sum(size for _, size in found)
    # Never darker than letters on it can be read.
    background, ink = shade(0.45 * stores / largest) if stores else ("#ffffff", "#222222")
    return Crossing(stores, sorted(found, key=lambda part: (-part[1], part[0])), background, ink)


def mix_head(traits: Sequence[Trait]) -> str:
    """What sells in a few words: the largest differences in share above the chain, and below."""
    known = [t for t in traits if not math.isnan(t.level)]
    over = sorted((t for t in known if t.level >= OVER), key=lambda t: (t.chain - t.mean, t.name))[:MOST_OVER]
    under = sorted((t for t in known if t.level <= UNDER), key=lambda t: (t.mean - t.chain, t.name))[:MOST_UNDER]
    words = [t.name for t in over] + [say("little %(name)s", name=t.name) for t in under]
    return ", ".join(words) or say("like the chain")


def place_head(traits: Sequence[Trait]) -> str:
    """Where stores lie in a few words: the external features that are furthest from the chain's."""
    notable = [t for t in traits if not math.isnan(t.distance) and abs(t.distance) >= NOTABLE]
    notable = sorted(notable, key=lambda t: (-abs(t.distance), t.name))[:MOST_PLACES]
    words = [say("high %(name)s" if t.distance > 0 else "low %(name)s", name=with_unit(t.name)[0]) for t in notable]
    return ", ".join(words) or say("like the chain")
