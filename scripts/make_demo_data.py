"""Make a synthetic retailer whose segments are known, so that the pipeline has something to find.

Writes raw files as a retailer might deliver them, dirt included, and the planted truth beside them:

  sales/part-1.parquet, sales/part-2.parquet   sales lines, first and second half of the weeks
  product_map.csv                              SKU, category and need state, one row per pair
  stores.parquet                               store number, name, county and place
  store_features.csv, county_features.parquet  external data, keyed by store and by county
  planted_segments.parquet                     the truth: one row per store and category with sales

How it is planted. Each category has segments of unequal size. A segment's centre is a vector of need-state shares,
drawn from a Dirichlet until all centres are well apart; a store's own shares are a Dirichlet draw around its segment's
centre; its sales lines follow those shares. Counties belong to one of four external segments and stores inherit their
county's; external features are drawn around that segment's means. Internal and external segments are mildly associated.
The same seed and knobs give the same bytes.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from storelib.demo.retailer import (
    CATEGORIES,
    COUNTY_FEATURES,
    EXTERNAL_SHARES,
    FIRST_WEEK,
    SEGMENT_COUNTS,
    STATES,
    STORE_FEATURES,
    TOWNS,
    Feature,
)
from storelib.errors import DataError
from storelib.names import LARGEST_SEED
from storelib.tables import moved_together, write_table, write_text


@dataclass(frozen=True)
class Places:
    """Every store, selling or not, in order of store number.

    county: index into fips; external and county_external: external segment of stores and of counties, from 0;
    is_silent: never sells; is_unknown: sells, but is in no store table.
    """

    number: np.ndarray
    county: np.ndarray
    external: np.ndarray
    is_silent: np.ndarray
    is_unknown: np.ndarray
    fips: np.ndarray
    county_external: np.ndarray


@dataclass(frozen=True)
class Assortment:
    """The SKUs of all categories.

    number: identifiers as strings; category and home: each SKU's category and main need state; weight: popularity (1
    for a need state's best seller); price: in cents; need_states: those that each SKU serves, home first; is_mapped:
    False where the product map lacks it; names: each category's need states.
    """

    number: np.ndarray
    category: np.ndarray
    home: np.ndarray
    weight: np.ndarray
    price: np.ndarray
    need_states: list[np.ndarray]
    is_mapped: np.ndarray
    names: list[np.ndarray]


@dataclass(frozen=True)
class Planted:
    """One category's stores (indices into Places), their internal segments (0-based), shares and numbers of lines."""

    store: np.ndarray
    segment: np.ndarray
    shares: np.ndarray
    lines: np.ndarray
    is_thin: np.ndarray


PARTS = ("places", "assortment", "segments", "lines", "store_features", "county_features", "product_map")

SALES_SCHEMA = pa.schema(
    [
        ("STORE_NBR", pa.string()),
        ("SKU_NBR", pa.string()),
        ("CAT_DSC", pa.string()),
        ("TOTAL_SALES", pa.decimal128(10, 2)),
        ("WEEK", pa.date32()),
    ]
)


def build_parser() -> argparse.ArgumentParser:
    """The command line: where to write, and one flat flag per knob."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--raw", type=Path, required=True, help="folder to write the raw files into")

    def knob(flag: str, default: float, text: str) -> None:
        parser.add_argument(flag, type=type(default), default=default, help=f"{text} (default: %(default)s)")

    knob("--seed", 20, "every random draw follows from this number")
    knob("--stores", 2000, "stores that sell, at least 20")
    knob("--categories", 4, "how many of the four categories, in the order beauty, cocktails_rtd, health_otc, snacks")
    knob("--weeks", 26, "weeks of sales from the first Monday of 2025, 2 to 52")
    knob(
        "--lines_per_store", 130, "median number of sales lines of a store in a category; the mean is about 8 %% higher"
    )
    knob("--lines_spread", 0.4, "standard deviation of the logarithm of that number among stores")
    knob(
        "--concentration", 60.0, "how closely a store's shares follow its segment's centre; lower is harder to recover"
    )
    knob("--min_distance", 0.38, "least Hellinger distance between two segments' centres within a category, below 1")
    knob("--association", 0.25, "how far a store's external segment decides its internal one: 0 not at all, 1 wholly")
    knob("--external_spread", 1.0, "multiplies the spread of external features within an external segment")
    knob("--counties", 100, "number of counties, at most one per four stores")
    knob("--multi_need_state_share", 0.15, "share of mapped SKUs that serve two or three need states")
    knob("--duplicate_rows", 2, "rows of the product map that are repeated exactly")
    knob("--unmapped_share", 0.01, "share of SKUs that sell but are not in the product map")
    knob("--return_share", 0.005, "share of sales lines that are negative")
    knob("--zero_share", 0.002, "share of sales lines of zero dollars")
    knob("--thin_share", 0.02, "share of stores with only 1 to 3 lines in a category")
    knob("--absent_share", 0.05, "share of stores that do not sell a category; each store keeps at least one")
    knob("--unknown_stores", 3, "stores that sell but are in no store table")
    knob("--silent_stores", 10, "stores in the store tables that never sell, on top of --stores")
    knob("--missing_share", 0.03, "share of cells that are missing in the external tables")
    knob("--outlier_share", 0.01, "share of stores, and of counties, with external cells multiplied by 20 to 100")
    knob("--outlier_cells", 4, "how many cells of such a row")
    return parser


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line and refuse values that cannot make a retailer."""
    args = build_parser().parse_args(argv)
    bounds: dict[str, tuple[float, float]] = {
        "seed": (0, LARGEST_SEED),
        "stores": (20, 90_000),
        "categories": (1, len(CATEGORIES)),
        "weeks": (2, 52),
        "lines_per_store": (1, 10_000),
        "lines_spread": (0, 2),
        "concentration": (0.1, 1e6),
        "min_distance": (0, 0.99),
        "association": (0, 1),
        "external_spread": (0, 100),
        "counties": (len(EXTERNAL_SHARES), 5_000),
        "multi_need_state_share": (0, 1),
        "duplicate_rows": (0, 100),
        "unmapped_share": (0, 0.5),
        "return_share": (0, 0.5),
        "zero_share": (0, 0.5),
        "thin_share": (0, 0.5),
        "absent_share": (0, 0.5),
        "unknown_stores": (0, args.stores - 1),
        "silent_stores": (0, 10_000),
        "missing_share": (0, 0.9),
        "outlier_share": (0, 0.5),
        "outlier_cells": (1, len(STORE_FEATURES) - 2),
    }
    for name, (low, high) in bounds.items():
        value = getattr(args, name)
        if not low <= value <= high:
            raise DataError(f"--{name} is {value}", solution=f"give --{name} a value from {low:g} to {high:g}")
    return args


def split_by_shares(total: int, shares: np.ndarray) -> np.ndarray:
    """Whole numbers that sum to total, by largest remainders; at least 1 each where total allows."""
    exact = total * shares / shares.sum()
    counts: np.ndarray = np.floor(exact).astype(np.int64)
    remainder_order = np.argsort(counts - exact, kind="stable")
    counts[remainder_order[: total - counts.sum()]] += 1
    while total >= len(shares) and not counts.all():
        counts[np.argmin(counts)] += 1
        counts[np.argmax(counts)] -= 1
    return counts


def choose(rng: np.random.Generator, candidates: np.ndarray, count: int) -> np.ndarray:
    """Take count of the candidates (all of them if there are fewer), without repetition, in the candidates' order."""
    positions = rng.choice(len(candidates), size=min(count, len(candidates)), replace=False)
    return candidates[np.sort(positions)]


def draw_places(rng: np.random.Generator, args: argparse.Namespace) -> Places:
    """Counties with their external segment, and stores in counties such that the segments have their planned sizes."""
    n_stores = args.stores + args.silent_stores
    n_counties = min(args.counties, args.stores // 4)
    shares = np.array(EXTERNAL_SHARES)
    county_external = np.repeat(np.arange(len(shares)), split_by_shares(n_counties, shares))
    external = rng.permutation(np.repeat(np.arange(len(shares)), split_by_shares(n_stores, shares)))
    weight = rng.gamma(3.0, size=n_counties)
    county = np.empty(n_stores, dtype=np.int64)
    for segment in range(len(shares)):
        members = np.flatnonzero(county_external == segment)
        here = external == segment
        county[here] = rng.choice(members, size=here.sum(), p=weight[members] / weight[members].sum())

    codes = np.array([f"{state}{odd:03d}" for state in STATES for odd in range(1, 600, 2)])
    width = max(4, len(str(n_stores)))
    numbers = np.sort(rng.choice(10**width - 1, size=n_stores, replace=False)) + 1
    everyone = np.arange(n_stores)
    is_silent = np.isin(everyone, choose(rng, everyone, args.silent_stores))
    is_unknown = np.isin(everyone, choose(rng, np.flatnonzero(~is_silent), args.unknown_stores))
    return Places(
        number=np.array([f"{number:0{width}d}" for number in numbers]),
        county=county,
        external=external,
        is_silent=is_silent,
        is_unknown=is_unknown,
        fips=rng.choice(codes, size=n_counties, replace=False),
        county_external=county_external,
    )


def draw_assortment(rng: np.random.Generator, args: argparse.Namespace) -> Assortment:
    """SKUs of every category: 8 to 14 need states of 8 to 20 SKUs, some serving several, some unmapped."""
    category, home, rank, names = [], [], [], []
    for index, source in enumerate(CATEGORIES[: args.categories]):
        n_need_states = int(rng.integers(8, 15))
        names.append(rng.permutation(np.array(source.need_states))[:n_need_states])
        sizes = rng.integers(8, 21, size=n_need_states)
        category.append(np.full(sizes.sum(), index))
        home.append(np.repeat(np.arange(n_need_states), sizes))
        rank.append(np.concatenate([np.arange(size) for size in sizes]))
    category_of, home_of, rank_of = (np.concatenate(parts) for parts in (category, home, rank))
    n_skus = len(category_of)

    # A need state's best seller is always mapped: thin stores fall back on it.
    is_mapped = np.ones(n_skus, dtype=bool)
    is_mapped[choose(rng, np.flatnonzero(rank_of > 0), round(args.unmapped_share * n_skus))] = False
    mapped = np.flatnonzero(is_mapped)
    several = choose(rng, mapped, round(args.multi_need_state_share * len(mapped)))

    need_states = [np.array([main]) for main in home_of]
    for sku, size in zip(several, rng.integers(2, 4, size=len(several)), strict=True):
        others = np.delete(np.arange(len(names[category_of[sku]])), home_of[sku])
        need_states[sku] = np.append(home_of[sku], rng.permutation(others)[: size - 1])
    return Assortment(
        number=np.array([f"{number:08d}" for number in rng.choice(40_000_000, size=n_skus, replace=False) + 1]),
        category=category_of,
        home=home_of,
        weight=(rank_of + 1.0) ** -0.8,
        price=np.exp(rng.normal(np.log(700.0), 0.35, size=n_skus)),
        need_states=need_states,
        is_mapped=is_mapped,
        names=names,
    )


def draw_centres(rng: np.random.Generator, n_segments: int, n_need_states: int, min_distance: float) -> np.ndarray:
    """Share vectors of the segments, no two nearer than min_distance.

    Returns (n_segments, n_need_states), rows summing to 1. The Hellinger distance of shares p and q is
    sqrt(1 - sum(sqrt(p * q))), from 0 (equal) to 1 (nothing in common). Raises DataError where 20,000 draws do not
    suffice.
    """
    upper = np.triu_indices(n_segments, 1)
    for _ in range(20_000):
        centres = rng.dirichlet(np.ones(n_need_states), size=n_segments)
        affinity = np.sqrt(centres[upper[0]] * centres[upper[1]]).sum(axis=1)
        if np.sqrt(1 - affinity).min() >= min_distance:
            return centres
    raise DataError(
        f"no {n_segments} segment centres over {n_need_states} need states are {min_distance} apart",
        solution="lower --min_distance",
    )


def draw_internal_segments(
    rng: np.random.Generator, external: np.ndarray, shares: np.ndarray, association: float
) -> np.ndarray:
    """Internal segment (0-based) of each store: exact sizes, mildly associated with its external segment.

    A latent score mixes an effect of the external segment (weight association) with noise; the sorted scores are cut at
    the wanted sizes, so association changes who is in a segment but never how many.
    """
    effect = rng.permutation(np.array([-1.34, -0.45, 0.45, 1.34]))
    score = np.sqrt(association) * effect[external] + np.sqrt(1 - association) * rng.standard_normal(len(external))
    segment = np.empty(len(external), dtype=np.int64)
    segment[np.argsort(score, kind="stable")] = np.repeat(
        np.arange(len(shares)), split_by_shares(len(external), shares)
    )
    return segment


def plant_categories(
    rng: np.random.Generator, args: argparse.Namespace, places: Places, assortment: Assortment
) -> list[Planted]:
    """For each category: who sells it, which segment each store is in, its shares and its number of lines."""
    sellers = np.flatnonzero(~places.is_silent)
    sells = np.ones((args.categories, len(sellers)), dtype=bool)
    for row in sells:
        row[rng.choice(len(sellers), size=round(args.absent_share * len(sellers)), replace=False)] = False
    sells[0, ~sells.any(axis=0)] = True
    store_size = rng.standard_normal(len(sellers))
    n_segments = rng.permutation(np.array(SEGMENT_COUNTS))

    planted = []
    for index in range(args.categories):
        store = sellers[sells[index]]
        centres = draw_centres(rng, n_segments[index], len(assortment.names[index]), args.min_distance)
        # Sizes from 1 to 3.3..4.2: the largest is over three times the smallest, and of six the smallest is over 7 %.
        sizes = rng.permutation(np.geomspace(1.0, rng.uniform(3.3, 4.2), n_segments[index]))
        segment = draw_internal_segments(rng, places.external[store], sizes, args.association)
        weights = rng.standard_gamma(args.concentration * centres[segment]) + 1e-12
        own_size = 0.8 * store_size[sells[index]] + 0.6 * rng.standard_normal(len(store))
        lines = np.maximum(4, np.rint(args.lines_per_store * np.exp(args.lines_spread * own_size))).astype(np.int64)
        is_thin = np.zeros(len(store), dtype=bool)
        is_thin[rng.choice(len(store), size=min(len(store), round(args.thin_share * args.stores)), replace=False)] = (
            True
        )
        lines[is_thin] = rng.integers(1, 4, size=is_thin.sum())
        planted.append(Planted(store, segment, weights / weights.sum(axis=1, keepdims=True), lines, is_thin))
    return planted


def draw_skus(
    rng: np.random.Generator, assortment: Assortment, category: int, need_state: int, count: int
) -> np.ndarray:
    """SKUs bought for one need state. One that serves several is bought no more in all, but in part for each."""
    skus = [sku for sku in np.flatnonzero(assortment.category == category) if need_state in assortment.need_states[sku]]
    weight = np.array([assortment.weight[sku] / len(assortment.need_states[sku]) for sku in skus])
    bounds = np.cumsum(weight)
    return np.array(skus)[np.searchsorted(bounds / bounds[-1], rng.random(count), side="right")]


def draw_lines(
    rng: np.random.Generator, args: argparse.Namespace, assortment: Assortment, category: int, planted: Planted
) -> dict[str, np.ndarray]:
    """Sales lines of one category as columns store, sku, category, week (indices) and cents."""
    counts = rng.multinomial(planted.lines, planted.shares)
    owner = np.concatenate([np.repeat(np.arange(len(counts)), column) for column in counts.T])
    sku = np.concatenate([draw_skus(rng, assortment, category, j, total) for j, total in enumerate(counts.sum(axis=0))])

    # A thin store's few lines are clean (mapped, positive): its shares exist, so the truth can be asked for.
    thin_line = planted.is_thin[owner]
    best_seller = np.flatnonzero((assortment.category == category) & (assortment.weight == 1.0))
    sku = np.where(thin_line & ~assortment.is_mapped[sku], best_seller[assortment.home[sku]], sku)

    n_lines = len(owner)
    season = np.cumsum(1.0 + 0.2 * np.sin(np.arange(args.weeks)))
    week = np.searchsorted(season / season[-1], rng.random(n_lines), side="right")
    quantity = 1 + rng.poisson(0.5, size=n_lines)
    discount = np.where(rng.random(n_lines) < 0.1, 0.75, 1.0)
    cents = np.maximum(1, np.rint(assortment.price[sku] * quantity * discount)).astype(np.int64)

    n_returns, n_zeros = round(args.return_share * n_lines), round(args.zero_share * n_lines)
    dirty = rng.permutation(choose(rng, np.flatnonzero(~thin_line), n_returns + n_zeros))
    cents[dirty[:n_returns]] *= -1
    cents[dirty[n_returns:]] = 0
    return {
        "store": planted.store[owner].astype(np.int32),
        "sku": sku.astype(np.int32),
        "category": np.full(n_lines, category, dtype=np.int32),
        "week": week.astype(np.int32),
        "cents": cents,
    }


def gather_lines(per_category: list[dict[str, np.ndarray]], n_skus: int, n_stores: int) -> dict[str, np.ndarray]:
    """All categories' lines, ordered by week, store and SKU."""
    lines = {name: np.concatenate([part[name] for part in per_category]) for name in per_category[0]}
    key = (lines["week"].astype(np.int64) * n_stores + lines["store"]) * n_skus + lines["sku"]
    order = np.argsort(key, kind="stable")
    return {name: column[order] for name, column in lines.items()}


def decimal_array(cents: np.ndarray) -> pa.Array:
    """Exact decimal(10, 2) from whole cents: Arrow keeps a decimal as a 128-bit integer, low word then sign words."""
    words = np.empty((len(cents), 2), dtype="<i8")
    words[:, 0] = cents
    words[:, 1] = cents >> 63
    return pa.Array.from_buffers(pa.decimal128(10, 2), len(cents), [None, pa.py_buffer(words)])


def sales_table(lines: dict[str, np.ndarray], rows: slice, places: Places, assortment: Assortment) -> pa.Table:
    """Some rows of the sales lines, spelled as the source spells them."""
    weeks = np.datetime64(FIRST_WEEK, "D") + 7 * lines["week"][rows]
    names = [source.name for source in CATEGORIES]

    def spelled(codes: np.ndarray, values: Sequence[str]) -> pa.Array:
        return pa.DictionaryArray.from_arrays(codes, pa.array(values, pa.string())).cast(pa.string())

    return pa.table(
        [
            spelled(lines["store"][rows], places.number.tolist()),
            spelled(lines["sku"][rows], assortment.number.tolist()),
            spelled(lines["category"][rows], names),
            decimal_array(lines["cents"][rows]),
            pa.array(weeks, pa.date32()),
        ],
        schema=SALES_SCHEMA,
    )


def product_map_rows(rng: np.random.Generator, assortment: Assortment, n_duplicates: int) -> list[list[str]]:
    """One row per mapped SKU and need state, sorted, then the rows that are repeated exactly.

    The first of these is of a SKU with several need states: counting its rows instead of its distinct need states would
    change how its sales are split.
    """
    rows = sorted(
        [
            assortment.number[sku],
            CATEGORIES[assortment.category[sku]].name,
            assortment.names[assortment.category[sku]][need_state],
        ]
        for sku in np.flatnonzero(assortment.is_mapped)
        for need_state in assortment.need_states[sku]
    )
    rows_of = Counter(row[0] for row in rows)
    is_several = np.array([rows_of[row[0]] > 1 for row in rows])
    repeated = np.concatenate(
        [
            choose(rng, np.flatnonzero(is_several), min(1, n_duplicates)),
            choose(rng, np.flatnonzero(~is_several), max(0, n_duplicates - 1)),
        ]
    )
    return rows + [rows[index] for index in repeated]


def draw_features(
    rng: np.random.Generator, features: Sequence[Feature], segment: np.ndarray, args: argparse.Namespace
) -> np.ndarray:
    """External features of each place, (n_places, n_features), with outliers and missing cells (NaN)."""
    columns = []
    for feature in features:
        mean = np.array(feature.means, dtype=float)[segment]
        spread = feature.spread * args.external_spread
        if feature.kind == "count":
            column = rng.poisson(mean).astype(float)
        elif feature.kind == "log":
            column = mean * np.exp(spread * rng.standard_normal(len(segment)))
        else:
            column = np.maximum(mean + spread * rng.standard_normal(len(segment)), 0.1)
        columns.append(np.round(column, feature.decimals))
    table = np.column_stack(columns)

    # At least one outlying row per table, however small. Zero counts are passed over: multiplied, they stay zero.
    n_outliers = max(round(args.outlier_share * len(table)), 1 if args.outlier_share > 0 else 0)
    rows = choose(rng, np.arange(len(table)), n_outliers)
    preference = np.where(table[rows] > 0, rng.random((len(rows), table.shape[1])), -1.0)
    columns_hit = np.argsort(-preference, axis=1, kind="stable")[:, : args.outlier_cells]
    cells = (rows[:, None] * table.shape[1] + columns_hit).ravel()
    scale = 10.0 ** np.array([feature.decimals for feature in features])[cells % table.shape[1]]
    grown = table.ravel()[cells] * rng.uniform(20, 100, size=len(cells))
    table.ravel()[cells] = np.rint(grown * scale) / scale

    others = np.setdiff1d(np.arange(table.size), cells)
    table.ravel()[choose(rng, others, round(args.missing_share * table.size))] = np.nan
    return table


def stores_table(rng: np.random.Generator, places: Places) -> pa.Table:
    """The store table: every store but the unknown ones, placed around its county's middle."""
    middle = np.column_stack([rng.uniform(31, 47, len(places.fips)), rng.uniform(-120, -76, len(places.fips))])
    place = np.round(middle[places.county] + rng.normal(0, 0.12, (len(places.county), 2)), 5)
    towns = rng.integers(len(TOWNS), size=len(places.number))
    names = [f"{TOWNS[town]} {number}" for town, number in zip(towns, places.number, strict=True)]
    table = pa.table(
        {
            "STORE_NBR": pa.array(places.number.tolist(), pa.string()),
            "STORE_NAME": pa.array(names, pa.string()),
            "COUNTY_FIPS": pa.array(places.fips[places.county].tolist(), pa.string()),
            "LAT": pa.array(place[:, 0], pa.float64()),
            "LON": pa.array(place[:, 1], pa.float64()),
        }
    )
    return table.filter(pa.array(~places.is_unknown))


def store_feature_rows(table: np.ndarray, places: Places) -> list[list[str]]:
    """Store features as CSV fields, missing cells empty; unknown stores are left out."""
    rows = []
    for number, values in zip(places.number[~places.is_unknown], table[~places.is_unknown], strict=True):
        cells = [
            "" if np.isnan(value) else f"{value:.{feature.decimals}f}"
            for value, feature in zip(values, STORE_FEATURES, strict=True)
        ]
        rows.append([number, *cells])
    return rows


def county_features_table(table: np.ndarray, places: Places) -> pa.Table:
    """County features, sorted by FIPS code, missing cells null."""
    order = np.argsort(places.fips, kind="stable")
    columns = {"COUNTY_FIPS": pa.array(places.fips[order].tolist(), pa.string())}
    for index, feature in enumerate(COUNTY_FEATURES):
        columns[feature.name] = pa.array(table[order, index], pa.float64(), from_pandas=True)
    return pa.table(columns)


def planted_table(planted: list[Planted], places: Places) -> pa.Table:
    """The truth: per category and store the internal and external clusters and their cross, each numbered from 1."""
    tables = []
    for source, plan in sorted(zip(CATEGORIES, planted, strict=False), key=lambda pair: pair[0].key):
        internal, external = plan.segment + 1, places.external[plan.store] + 1
        _, pair = np.unique(np.column_stack([internal, external]), axis=0, return_inverse=True)
        tables.append(
            pa.table(
                {
                    "store_id": pa.array(places.number[plan.store].tolist(), pa.string()),
                    "category": pa.array([source.key] * len(plan.store), pa.string()),
                    "internal_cluster": pa.array(internal, pa.int32()),
                    "external_cluster": pa.array(external, pa.int32()),
                    "segment": pa.array(pair.ravel() + 1, pa.int32()),
                }
            )
        )
    return pa.concat_tables(tables)


def csv_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Comma-separated text with newline ends on every system."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def main(argv: Sequence[str] | None = None) -> None:
    """Plant, draw and write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    # One independent stream per part: a knob of one part leaves the draws of the others alone.
    seeds = np.random.SeedSequence(args.seed).spawn(len(PARTS))
    rng = {part: np.random.Generator(np.random.PCG64(seed)) for part, seed in zip(PARTS, seeds, strict=True)}

    places = draw_places(rng["places"], args)
    assortment = draw_assortment(rng["assortment"], args)
    planted = plant_categories(rng["segments"], args, places, assortment)
    lines = gather_lines(
        [draw_lines(rng["lines"], args, assortment, index, plan) for index, plan in enumerate(planted)],
        n_skus=len(assortment.number),
        n_stores=len(places.number),
    )
    half = int(np.searchsorted(lines["week"], (args.weeks + 1) // 2))
    total = len(lines["week"])
    raw = args.raw
    with moved_together() as beside:
        write_table(sales_table(lines, slice(0, half), places, assortment), beside(raw / "sales" / "part-1.parquet"))
        write_table(
            sales_table(lines, slice(half, total), places, assortment), beside(raw / "sales" / "part-2.parquet")
        )

        map_rows = product_map_rows(rng["product_map"], assortment, args.duplicate_rows)
        write_text(csv_text(["PRODUCT_ID", "CATEGORY", "NEED_STATE"], map_rows), beside(raw / "product_map.csv"))

        write_table(stores_table(rng["places"], places), beside(raw / "stores.parquet"))
        store_features = draw_features(rng["store_features"], STORE_FEATURES, places.external, args)
        header = ["STORE_NBR", *(feature.name for feature in STORE_FEATURES)]
        write_text(csv_text(header, store_feature_rows(store_features, places)), beside(raw / "store_features.csv"))
        county_features = draw_features(rng["county_features"], COUNTY_FEATURES, places.county_external, args)
        write_table(county_features_table(county_features, places), beside(raw / "county_features.parquet"))

        write_table(planted_table(planted, places), beside(raw / "planted_segments.parquet"))
    log.info("%d sales lines, %d SKUs, %d counties", total, len(assortment.number), len(places.fips))
    for index, plan in enumerate(planted):
        sizes = np.bincount(plan.segment).tolist()
        log.info(
            "%s: %d need states, segments of %s stores", CATEGORIES[index].key, len(assortment.names[index]), sizes
        )


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
