"""Planted worlds: made-up retailers of every kind of difficulty, whose segments are known.

A world is a row of worlds.csv: how many stores, how many segments by sales mix and by place, how far apart, how uneven, how
dirty. From it this module makes both views' tables and the truth, always the same. Nothing else decides what a world is,
so the file freezes the benchmark. `dirt` has a random stream of its own: the same world without it is the same stores.
"""

import csv
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

WORLDS = Path(__file__).parent / "worlds.csv"


@dataclass(frozen=True)
class World:
    """One planted retailer.

    purpose: tuning or final. stores: their number. sizes: Dirichlet parameter of the segments' shares, which are at least
    smallest: low is uneven. tails: normal, or heavy (a store's spread is drawn too).

    Sales mix: segments, need_states; distance: least Hellinger distance between segments' centres; concentration: of a store's
    shares around its centre (Dirichlet), low is wide; absent: share of need states that a segment does not sell; lines:
    median sales lines of a store, few make many zeros; strangers: share of stores with a mix like no segment's.

    Place: external_segments, features, informative (share of the features that tell segments apart); separation: standard
    deviation of segment means in units of the spread within; correlation: between features within a segment; skewed: share
    of lognormal features; missing: share of cells; dirt: share of stores with four cells multiplied by 20 to 100.
    association: how far a store's external segment decides its internal one.
    """

    name: str
    purpose: str
    seed: int
    stores: int
    sizes: float
    smallest: float
    tails: str
    segments: int
    need_states: int
    distance: float
    concentration: float
    absent: float
    lines: int
    strangers: float
    external_segments: int
    features: int
    informative: float
    separation: float
    correlation: float
    skewed: float
    missing: float
    dirt: float
    association: float

    def clean(self) -> "World":
        """The same stores in the same places, without gross errors."""
        return replace(self, dirt=0.0)


@dataclass(frozen=True)
class View:
    """One table of features by store, the lines of each store where it has sales, and each store's planted segment."""

    table: pd.DataFrame
    lines: NDArray[np.int64] | None
    truth: NDArray[np.int64]


def load_worlds(purpose: str | None = None, path: Path = WORLDS) -> list[World]:
    """The worlds of a purpose, or all."""
    kinds = {field.name: field.type for field in fields(World)}
    with path.open(encoding="utf-8", newline="") as file:
        rows = [World(**{k: kinds[k](v) for k, v in row.items()}) for row in csv.DictReader(file)]  # type: ignore[operator, arg-type]
    return [world for world in rows if purpose in (None, world.purpose)]


def segment_shares(rng: np.random.Generator, count: int, evenness: float, smallest: float) -> NDArray[np.float64]:
    """Shares of stores, each at least `smallest`, that sum to 1."""
    return smallest + (1 - count * smallest) * rng.dirichlet(np.full(count, evenness))


def members(rng: np.random.Generator, stores: int, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """A segment for each store, sizes as the shares say, in random order."""
    edges = np.round(np.cumsum(shares) * stores).astype(int)
    sizes = np.diff(np.concatenate([[0], edges]))
    return rng.permutation(np.repeat(np.arange(len(shares)), sizes))


def associate(
    rng: np.random.Generator, internal: NDArray[np.int64], external: NDArray[np.int64], share: float
) -> NDArray[np.int64]:
    """The same internal segments, dealt out so that a share of stores follow their external segment."""
    follows = rng.random(len(internal)) < share
    dealt = internal.copy()
    places = np.flatnonzero(follows)
    by_place = places[np.argsort(external[places], kind="stable")]
    dealt[by_place] = np.sort(internal[places])
    return dealt


def mix_centres(rng: np.random.Generator, world: World) -> NDArray[np.float64]:
    """Need-state shares of each segment, (segments, need_states), any two at least `distance` apart (Hellinger)."""
    centres: list[NDArray[np.float64]] = []
    tries = 0
    while len(centres) < world.segments:
        tries += 1
        if tries > 20000:
            raise ValueError(f"{world.name}: {world.segments} centres {world.distance} apart do not fit")
        weight = rng.gamma(1.2, size=world.need_states)
        weight[rng.random(world.need_states) < world.absent] = 0
        if not weight.any():
            continue
        centre = weight / weight.sum()
        apart = [np.sqrt(((np.sqrt(centre) - np.sqrt(other)) ** 2).sum() / 2) for other in centres]
        if all(distance >= world.distance for distance in apart):
            centres.append(centre)
    return np.array(centres)


def sales_mix(world: World, truth: NDArray[np.int64]) -> View:
    """Shares of need states by store: Dirichlet around the segment's centre, seen through a number of sales lines."""
    rng = np.random.default_rng([world.seed, 2])
    centres = mix_centres(rng, world)
    concentration = np.full(world.stores, world.concentration)
    if world.tails == "heavy":
        concentration = concentration * rng.chisquare(3, world.stores) / 3
    shapes = np.maximum(centres[truth] * concentration[:, None], 1e-12)
    gammas = rng.gamma(shapes)
    lines = np.maximum(np.round(world.lines * np.exp(rng.normal(0, 0.4, world.stores))), 10).astype(int)
    dirt = np.random.default_rng([world.seed, 4])
    strange = dirt.random(world.stores) < world.strangers
    gammas[strange] = dirt.gamma(0.3, size=(int(strange.sum()), world.need_states))
    shares = (gammas + 1e-300) / (gammas + 1e-300).sum(axis=1, keepdims=True)
    counts = np.array([rng.multinomial(n, p) for n, p in zip(lines, shares, strict=True)])
    # Lines have prices: sales are not counts.
    sales = counts * np.exp(rng.normal(0, 0.15, counts.shape))
    table = pd.DataFrame(
        sales / sales.sum(axis=1, keepdims=True), columns=[f"need_{i:02d}" for i in range(world.need_states)]
    )
    return View(table, lines, truth)


def places(world: World, truth: NDArray[np.int64]) -> View:
    """External features by store: Gaussian (or Student) around the segment's means, some of them lognormal."""
    rng = np.random.default_rng([world.seed, 3])
    informative = rng.random(world.features) < world.informative
    informative[: min(2, world.features)] = True
    means = rng.normal(0, world.separation, size=(world.external_segments, world.features)) * informative
    loading = rng.choice([-1.0, 1.0], size=world.features) * np.sqrt(world.correlation)
    noise = rng.normal(size=(world.stores, world.features)) * np.sqrt(1 - world.correlation)
    noise += rng.normal(size=(world.stores, 1)) * loading
    if world.tails == "heavy":
        noise *= np.sqrt(3 / rng.chisquare(5, size=(world.stores, 1)))
    values = means[truth] + noise
    skewed = rng.random(world.features) < world.skewed
    units = 10 ** rng.uniform(-1, 4, world.features)
    table = np.where(skewed, np.exp(0.5 * values), 12 + values) * units
    missing = rng.random(table.shape) < world.missing
    dirt = np.random.default_rng([world.seed, 5])
    dirty = dirt.random(world.stores) < world.dirt
    for store in np.flatnonzero(dirty):
        cells = dirt.choice(world.features, size=min(4, world.features), replace=False)
        table[store, cells] *= dirt.uniform(20, 100, size=len(cells))
    table[missing] = np.nan
    return View(pd.DataFrame(table, columns=[f"feature_{i:02d}" for i in range(world.features)]), None, truth)


def make(world: World) -> dict[str, View]:
    """Both views of a world, `internal` and `external`, by store in the same order."""
    rng = np.random.default_rng([world.seed, 1])
    external = members(rng, world.stores, segment_shares(rng, world.external_segments, world.sizes, world.smallest))
    internal = members(rng, world.stores, segment_shares(rng, world.segments, world.sizes, world.smallest))
    internal = associate(rng, internal, external, world.association)
    return {"internal": sales_mix(world, internal), "external": places(world, external)}
