"""Write a made-up retailer of any size as raw files, in bounded memory: what the benchmark runs on.

  sales/part-000.parquet ...   sales lines, an equal number of weeks' worth a file
  product_map.csv              SKU, category and need state, one row per pair
  stores.parquet               store number, name, county and place
  county_features.parquet      external features, by county

How it is planted. In each category stores belong to one of five kinds, and counties to one of four; a kind is a mix of sets of need
states, drawn from a Dirichlet, and a store's own mix is drawn around its kind's. Each line is drawn by itself: store, category, set
of need states by the store's mix, SKU. One line in a hundred is a return, one SKU in a hundred is in no product map. Amounts are
whole cents, written as floating-point numbers as in most extracts. The same arguments give the same bytes.

`totals.json` says how many lines there are, and the cents they sum to.

usage: python benchmarks/bench/retailer.py FOLDER [--lines 300000] [--stores 500] [--categories 4] [--skus 2000] [--parts 6]
"""

import argparse
import csv
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

FIRST_WEEK = date(2026, 1, 5)
WEEKS = 52
KINDS = 5
PLACES = 4
NEED_STATES = 40
# 258 sets for 160 need states: most SKUs serve one, some two or three.
SETS_PER_NEED_STATE = 258 / 160
UNMAPPED = RETURNED = 0.01
CHUNK = 1_000_000
COPY = b"copy-%08d"
TOTALS = "totals.json"
FEATURES = ("INCOME", "POPULATION", "DENSITY", "AGE", "HOUSEHOLD", "OWNERS", "CARS", "DEGREES")
SALES_SCHEMA = pa.schema(
    [
        ("STORE_NBR", pa.string()),
        ("SKU_NBR", pa.string()),
        ("CAT_DSC", pa.string()),
        ("TOTAL_SALES", pa.float64()),
        ("WEEK", pa.date32()),
    ]
)


@dataclass(frozen=True)
class Size:
    """How large a retailer is. `parts` are the files of its sales."""

    lines: int
    stores: int
    categories: int = 4
    skus: int = 2_000
    parts: int = 6
    seed: int = 9

    def words(self) -> str:
        """Such as `18,000,000 lines × 9,000 stores × 4 categories × 2,000 SKUs`."""
        named = (self.lines, "lines"), (self.stores, "stores"), (self.categories, "categories"), (self.skus, "SKUs")
        return " × ".join(f"{number:,} {noun}" for number, noun in named)

    def __post_init__(self) -> None:
        if min(asdict(self).values()) < 1 or self.skus < 8 * self.categories:
            raise ValueError("every size is at least 1, and a category has at least 8 SKUs")


@dataclass(frozen=True)
class Assortment:
    """SKUs, numbered so that those of one set of need states are neighbours.

    sets: of each category, the sets of need states; first, count: of each category and set, its first SKU and how many it has;
    cents: price of each SKU; is_mapped: False where the product map lacks it; home: category and set of each SKU.
    """

    sets: list[list[tuple[int, ...]]]
    first: NDArray[np.int64]
    count: NDArray[np.int64]
    cents: NDArray[np.int64]
    is_mapped: NDArray[np.bool_]
    home: list[tuple[int, int]]


def category_name(index: int) -> str:
    """As the source spells it."""
    return f"CATEGORY {index:03d}"


def category_key(index: int) -> str:
    """As params.yaml spells it."""
    return f"category_{index:03d}"


def need_state_name(index: int) -> str:
    """The same names in every category."""
    return f"need {index:02d}"


def draw_sets(rng: np.random.Generator, need_states: int, wanted: int) -> list[tuple[int, ...]]:
    """Distinct sets of need states: each need state alone, then pairs and threes."""
    found = [(one,) for one in range(need_states)]
    several = [*combinations(range(need_states), 2), *combinations(range(need_states), 3)]
    pairs = need_states * (need_states - 1) // 2
    # Half of them pairs: threes are many more, and would crowd them out.
    odds = np.where(np.arange(len(several)) < pairs, 0.5 / pairs, 0.5 / max(len(several) - pairs, 1))
    chosen = rng.choice(len(several), size=min(wanted - need_states, len(several)), replace=False, p=odds / odds.sum())
    return found + [several[index] for index in np.sort(chosen)]


def draw_assortment(size: Size) -> Assortment:
    """Sets, SKUs and prices."""
    rng = np.random.default_rng([size.seed, 1])
    skus_of = [size.skus // size.categories + (c < size.skus % size.categories) for c in range(size.categories)]
    sets, homes = [], []
    for category, skus in enumerate(skus_of):
        need_states = min(NEED_STATES, skus // 2)
        # Rounded so that the sum over the first categories is right: 64, 65, 64, 65 of 40 need states are 258.
        bounds = [round(number * need_states * SETS_PER_NEED_STATE) for number in (category, category + 1)]
        sets.append(draw_sets(rng, need_states, min(bounds[1] - bounds[0], skus)))
        several = np.concatenate([np.arange(len(sets[-1])), rng.integers(len(sets[-1]), size=skus - len(sets[-1]))])
        homes += [(category, int(index)) for index in np.sort(several)]
    width = max(map(len, sets))
    count = np.zeros((size.categories, width), dtype=np.int64)
    np.add.at(count, tuple(np.array(homes).T), 1)
    first = (np.cumsum(count.ravel()) - count.ravel()).reshape(count.shape)
    cents = np.rint(np.exp(rng.normal(6.2, 0.6, size.skus))).astype(np.int64)
    is_mapped = np.ones(size.skus, dtype=bool)
    is_mapped[rng.choice(size.skus, size=max(1, round(UNMAPPED * size.skus)), replace=False)] = False
    return Assortment(sets, first, count, cents, is_mapped, homes)


def draw_bounds(size: Size, assortment: Assortment) -> NDArray[np.float64]:
    """Upper bounds of each set's chance, row after row of (store, category), the row's number added: sorted as a whole."""
    rng = np.random.default_rng([size.seed, 2])
    width = assortment.count.shape[1]
    bounds = np.empty((size.stores, size.categories, width))
    for category, sets in enumerate(assortment.sets):
        kinds = rng.dirichlet(np.full(len(sets), 0.5), size=KINDS) + 1e-4
        kind = rng.choice(KINDS, size=size.stores, p=np.array([0.3, 0.25, 0.2, 0.15, 0.1]))
        mix = rng.standard_gamma(200 * kinds[kind])
        bounds[:, category, : len(sets)] = np.cumsum(mix / mix.sum(axis=1, keepdims=True), axis=1)
        bounds[:, category, len(sets) - 1 :] = 1
    flat = bounds.reshape(-1, width) + np.arange(size.stores * size.categories)[:, None]
    return flat.ravel()


def spelled(codes: NDArray[np.int64], words: Sequence[str]) -> pa.Array:
    """Codes as the words they stand for."""
    return pa.DictionaryArray.from_arrays(codes.astype(np.int32), pa.array(words, pa.string()))


def draw_part(
    size: Size, part: int, assortment: Assortment, bounds: NDArray[np.float64], weight: NDArray[np.float64]
) -> Iterator[pa.RecordBatch]:
    """The lines of one file, some at a time."""
    lines = size.lines * (part + 1) // size.parts - size.lines * part // size.parts
    width = assortment.count.shape[1]
    stores = [f"{number:05d}" for number in range(size.stores)]
    skus = [f"{100_000 + number}" for number in range(size.skus)]
    categories = [category_name(index) for index in range(size.categories)]
    begins, ends = WEEKS * part // size.parts, max(WEEKS * (part + 1) // size.parts, WEEKS * part // size.parts + 1)
    days = np.array([FIRST_WEEK + timedelta(weeks=week) for week in range(begins, ends)], dtype="datetime64[D]")
    for chunk, start in enumerate(range(0, lines, CHUNK)):
        rng = np.random.default_rng([size.seed, 3, part, chunk])
        count = min(CHUNK, lines - start)
        # In order of store and category, as tills deliver them, and because a sorted search is the faster one.
        row = np.sort(
            np.searchsorted(weight, rng.random(count), side="right") * size.categories
            + rng.integers(size.categories, size=count)
        )
        store, category = row // size.categories, row % size.categories
        # Not so near the next row that the sum is rounded up to it.
        found = np.searchsorted(bounds, row + (1 - 1e-9) * rng.random(count), side="right") - row * width
        number = assortment.count[category, found]
        sku = assortment.first[category, found] + (rng.random(count) ** 1.5 * number).astype(np.int64)
        cents = assortment.cents[sku] * rng.integers(1, 4, size=count)
        cents[rng.random(count) < RETURNED] *= -1
        yield pa.record_batch(
            [
                spelled(store, stores),
                spelled(sku, skus),
                spelled(category, categories),
                pa.array(cents / 100),
                pa.array(days[rng.integers(len(days), size=count)]),
            ],
            names=SALES_SCHEMA.names,
        )


def write_sales(folder: Path, size: Size, assortment: Assortment) -> int:
    """Every part, chunk by chunk. Returns the cents of all lines."""
    folder.mkdir(parents=True)
    bounds = draw_bounds(size, assortment)
    weight = np.random.default_rng([size.seed, 4]).lognormal(0, 0.4, size.stores)
    weight = np.cumsum(weight) / weight.sum()
    weight[-1] = 1
    total = 0
    for part in range(size.parts):
        with pq.ParquetWriter(folder / f"part-{part:03d}.parquet", SALES_SCHEMA, compression="snappy") as writer:
            for batch in draw_part(size, part, assortment, bounds, weight):
                writer.write_table(pa.Table.from_batches([batch]).cast(SALES_SCHEMA))
                total += int(np.rint(batch["TOTAL_SALES"].to_numpy() * 100).sum())
            writer.add_key_value_metadata({"copy": COPY.decode() % 0})
    return total


def write_map(path: Path, assortment: Assortment) -> None:
    """The product map, one row per SKU and need state."""
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["PRODUCT_ID", "CATEGORY", "NEED_STATE"])
        for sku, (category, index) in enumerate(assortment.home):
            if assortment.is_mapped[sku]:
                for need_state in assortment.sets[category][index]:
                    writer.writerow([100_000 + sku, category_name(category), need_state_name(need_state)])


def write_places(folder: Path, size: Size) -> None:
    """Stores, each in a county, and what is known of each county."""
    rng = np.random.default_rng([size.seed, 5])
    counties = max(8, size.stores // 6)
    fips = [f"{1_000 + number:05d}" for number in range(counties)]
    middle = np.column_stack([rng.uniform(31, 47, counties), rng.uniform(-120, -76, counties)])
    kind = rng.integers(PLACES, size=counties)
    centres = rng.normal(0, 2.5, (PLACES, len(FEATURES)))
    features = np.round(100 * np.exp(0.3 * (centres[kind] + rng.normal(size=(counties, len(FEATURES))))), 2)
    county = rng.integers(counties, size=size.stores)
    place = np.round(middle[county] + rng.normal(0, 0.1, (size.stores, 2)), 5)
    names = [f"{number:05d}" for number in range(size.stores)]
    pq.write_table(
        pa.table(
            {
                "STORE_NBR": names,
                "STORE_NAME": [f"Store {name}" for name in names],
                "COUNTY_FIPS": [fips[index] for index in county],
                "LAT": place[:, 0],
                "LON": place[:, 1],
            }
        ),
        folder / "stores.parquet",
    )
    columns = {"COUNTY_FIPS": fips} | dict(zip(FEATURES, features.T, strict=True))
    pq.write_table(pa.table(columns), folder / "county_features.parquet")


def write_retailer(folder: Path, size: Size) -> None:
    """Every raw file of a retailer, in a new folder."""
    assortment = draw_assortment(size)
    cents = write_sales(folder / "sales", size, assortment)
    write_totals(folder, size.lines, cents)
    write_map(folder / "product_map.csv", assortment)
    write_places(folder, size)


def write_totals(folder: Path, lines: int, cents: int) -> None:
    """What every contender must find."""
    (folder / TOTALS).write_text(json.dumps({"lines": lines, "cents": cents}) + "\n", encoding="utf-8")


def repeat_sales(folder: Path, times: int, *, distinct: bool) -> None:
    """Have the sales of a retailer of one part `times` times: files of their own, or hard links of that part.

    distinct: each copy differs in a number in its footer, so that nothing that goes by content takes it for another.
    """
    original = folder / "sales" / "part-000.parquet"
    place = original.read_bytes().rfind(COPY % 0)
    for number in range(1, times):
        copy = original.with_name(f"part-{number:03d}.parquet")
        if distinct:
            shutil.copyfile(original, copy)
            with copy.open("r+b") as handle:
                handle.seek(place)
                handle.write(COPY % number)
        else:
            os.link(original, copy)
    once = json.loads((folder / TOTALS).read_text(encoding="utf-8"))
    write_totals(folder, times * once["lines"], times * once["cents"])


def main() -> None:
    """Write one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lines", type=int, default=300_000)
    parser.add_argument("--stores", type=int, default=500)
    for name in ("categories", "skus", "parts", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Size, name))
    args = vars(parser.parse_args())
    write_retailer(args.pop("folder"), Size(**args))


if __name__ == "__main__":
    main()
