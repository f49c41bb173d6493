"""Split one category's sales over need states, and make each store's shares of them.

A SKU's sales are divided evenly over its distinct need states in the category; the weight depends on the map alone. The
split is exact: cents are counted in integer fractions (the least common multiple of the numbers of need states), so the
ledger balances without rounding. Shares are of the positive part of a store's net sales per need state, or of its lines, and each
row sums to 1.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from storelib.accounts.entries import Entries, entries_of
from storelib.accounts.ledger import Entry, balanced, log_entries, lost_stores
from storelib.accounts.selection import NO_SALES, category_named
from storelib.configuration.own_settings import parse
from storelib.contracts.contract import outputs
from storelib.contracts.ledger import LEDGER
from storelib.contracts.sales import MORE, NEED_STATE_SALES, SHARES, STORE_SALES
from storelib.errors import DataError, shown
from storelib.money import LARGEST_SUM, cents_of, money_column, money_of, occurring, sums_at
from storelib.names import MONTHS, UNMAPPED
from storelib.tables import MONEY, read_rows, read_table

# Times the usual amount of a line beyond which an amount is far above.
USUAL = 3


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--category", type=storelib.runtime.view_key, required=True, help="key of the category")
    parser.add_argument("--name", required=True, help="its name in the data")
    parser.add_argument("--category_totals", type=Path, required=True, help="the categories of the data")
    parser.add_argument(
        "--category_sales", type=Path, required=True, help="sums by category, store and entry of the map"
    )
    parser.add_argument(
        "--category_skus", type=Path, required=True, help="SKUs that the map does not place, by category"
    )
    parser.add_argument("--map_entries", type=Path, required=True, help="what the map says of each entry")
    parser.add_argument("--need_state_sales", type=Path, required=True, help="output: sales by store and need state")
    parser.add_argument(
        "--shares", type=Path, required=True, help="output: one row per store, one column per need state"
    )
    parser.add_argument("--store_sales", type=Path, required=True, help="output: lines and net sales of each store")
    parser.add_argument("--ledger", type=Path, required=True, help="output: what was set aside, and why")
    parser.add_argument("--unmapped_skus", choices=["own_need_state", "drop", "fail"], required=True)
    parser.add_argument("--skus_of_other_categories", choices=["keep", "unmapped", "fail"], required=True)
    parser.add_argument("--stores_without_net_sales", choices=["place", "drop", "fail"], required=True)
    parser.add_argument("--measure", choices=["sales", "lines", "units"], default="sales", help="what shares are of")
    return parse(parser, argv)


class Policies(NamedTuple):
    """What is done with sales that have no plain place."""

    unmapped_skus: str
    skus_of_other_categories: str
    stores_without_net_sales: str
    measure: str = "sales"


class Sales(NamedTuple):
    """Sums of one category. stores: sorted; the rest by row: place of the store, entry of the map, cents, lines.

    units, in hundredths; largest, the cents of the largest line; capped, cents of which lines above a cap count as much as it; months,
    (n, 12) cents by month of the year: None where they were not counted.
    """

    stores: list[str]
    store: NDArray[np.int64]
    entry: NDArray[np.int64]
    cents: NDArray[np.int64]
    lines: NDArray[np.int64]
    units: NDArray[np.int64] | None = None
    largest: NDArray[np.int64] | None = None
    capped: NDArray[np.int64] | None = None
    months: NDArray[np.int64] | None = None

    def total(self, rows: NDArray[np.bool_]) -> tuple[int, int, Decimal]:
        """Stores, lines and sales of some rows."""
        return len(occurring(self.store[rows])), int(self.lines[rows].sum()), money_of(int(self.cents[rows].sum()))


def sales_of(table: pa.Table) -> Sales:
    """Sums of one category as arrays. table: `category_sales`, with stores as a dictionary of texts."""
    table = table.unify_dictionaries().combine_chunks()
    stores = table["store_id"].combine_chunks()
    used = occurring(stores.indices.to_numpy())
    texts = stores.dictionary.take(pa.array(used)).to_pylist()
    order = np.argsort(np.array(texts, dtype=object))
    place = np.zeros(len(stores.dictionary), np.int64)
    place[used[order]] = np.arange(len(order))
    months = [found for name in MONTHS if (found := beside(table, name)) is not None]
    return Sales(
        [texts[number] for number in order],
        place[stores.indices.to_numpy()],
        table["entry"].to_numpy().astype(np.int64),
        cents_of(table["sales"].combine_chunks()),
        table["lines"].to_numpy(),
        **{name: beside(table, name) for name in MORE if name not in MONTHS},
        months=np.column_stack(months) if months else None,
    )


def beside(table: pa.Table, name: str) -> NDArray[np.int64] | None:
    """A column of sums beside the sales, in hundredths; None where it was not counted."""
    return cents_of(table[name].combine_chunks()) if name in table.column_names else None


@dataclass
class Placing:
    """What the map says of one category's entries: their need states, and which are unmapped or of another category."""

    needs: dict[int, list[str]]
    unmapped: set[int]
    foreign: set[int]


def placing_of(entries: Entries, found: Sequence[int], name: str, foreign_policy: str) -> Placing:
    """Need states of entries in a category.

    An entry that the map knows in this category has its need states there. One that the map knows in other categories alone has
    all of them, unless the policy says that it has none.
    """
    placing = Placing({}, set(), set())
    for entry in found:
        needs, is_foreign = entries.needs(name, entry)
        if is_foreign:
            placing.foreign.add(entry)
            if foreign_policy == "unmapped":
                needs, _ = entries.needs(None, entry)
        placing.needs[entry] = sorted(needs)
        if not placing.needs[entry]:
            placing.unmapped.add(entry)
            placing.needs[entry] = [UNMAPPED]
    return placing


class Split(NamedTuple):
    """Sales by store and need state. units: (n_stores, n_needs), of which per_cent make a cent; sold: where there were any."""

    needs: list[str]
    units: NDArray[Any]
    sold: NDArray[np.bool_]
    per_cent: int


def split_sales(sales: Sales, rows: NDArray[np.bool_], placing: Placing) -> Split:
    """Cents of some rows, divided evenly over the need states of their entries."""
    present = occurring(sales.entry[rows]).tolist()
    per_cent = math.lcm(*(len(placing.needs[entry]) for entry in present))
    needs = sorted({need for entry in present for need in placing.needs[entry]})
    column = {need: number for number, need in enumerate(needs)}
    # Python's own numbers: the least common multiple of many numbers fits neither 64 bits nor a float.
    magnitude = max(int(np.abs(sales.cents[rows]).sum(dtype=np.float64)), 1) * per_cent
    # Fractions that might not fit a 64-bit number are counted as Python counts.
    units = np.zeros((len(sales.stores), len(needs)), np.int64 if magnitude < LARGEST_SUM else object)
    sold = np.zeros(units.shape, np.bool_)
    counts = np.zeros(max(present, default=0) + 1, np.int64)
    weights = np.zeros(len(counts), units.dtype)
    for entry in present:
        counts[entry] = len(placing.needs[entry])
        weights[entry] = per_cent // len(placing.needs[entry])
    starts = np.cumsum(counts) - counts
    columns = np.array([column[need] for entry in present for need in placing.needs[entry]], np.int64)
    entry = sales.entry[rows]
    times = counts[entry]
    # Each row once for each need state of its entry.
    offsets = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    target = columns[np.repeat(starts[entry], times) + offsets]
    store = np.repeat(sales.store[rows], times)
    parts = np.repeat(sales.cents[rows].astype(units.dtype) * weights[entry], times)
    np.add.at(units, (store, target), parts)
    sold[store, target] = True
    return Split(needs, units, sold, per_cent)


def refuse_skus(skus: pd.DataFrame, which: set[int], words: str, policy: str, name: str) -> None:
    """Raise DataError where a SKU of this category has one of some entries. skus: those that the map does not place."""
    found = skus[skus["entry"].isin(which)]
    if len(found):
        raise DataError(
            f"{len(found)} SKUs of category {shown(name)} {words}, such as {shown(found['sku'].min())} "
            f"(sales {sum(found['sales'], Decimal(0))})",
            solution=f"complete the map, or choose another policy in internal.split_need_states.{policy}",
        )


class Result(NamedTuple):
    """The tables of one category."""

    need_state_sales: pa.Table
    shares: pd.DataFrame
    store_sales: pa.Table
    ledger: list[Entry]


def split_category(
    key: str, name: str, sales: Sales, entries: Entries, skus: pd.DataFrame, policies: Policies
) -> Result:
    """Split, account and share one category. skus: of this category, those that the map does not place. Raises DataError."""
    placing = placing_of(entries, occurring(sales.entry).tolist(), name, policies.skus_of_other_categories)
    if policies.skus_of_other_categories == "fail":
        words = "are in the product map for other categories only"
        refuse_skus(skus, placing.foreign, words, "skus_of_other_categories", name)
    if policies.unmapped_skus == "fail":
        refuse_skus(skus, placing.unmapped, "have no need state in the product map", "unmapped_skus", name)
    unmapped = np.isin(sales.entry, sorted(placing.unmapped))
    aside = {"unmapped_sku": unmapped & (policies.unmapped_skus == "drop")}
    kept = ~aside["unmapped_sku"]
    split = split_sales(sales, kept, placing)
    has_sales = split.sold.any(axis=1)
    empty = has_sales & ~((split.units > 0) & split.sold).any(axis=1).astype(bool)
    if empty.any() and policies.stores_without_net_sales == "fail":
        raise DataError(
            f"{int(empty.sum())} stores have no net sales in category {shown(name)}, such as "
            f"{shown(sales.stores[int(np.flatnonzero(empty)[0])])}",
            solution="choose another policy in internal.split_need_states.stores_without_net_sales",
        )
    if policies.stores_without_net_sales == "drop":
        aside["no_net_sales"] = kept & empty[sales.store]
        kept &= ~aside["no_net_sales"]
        split.sold[empty] = False
    if not kept.any():
        raise DataError(
            f"every sale of category {shown(name)} was set aside", solution="look at the policies in params.yaml"
        )
    notes = {
        "unmapped_sku": unmapped & kept,
        "no_net_sales": empty[sales.store] & kept,
        "sku_of_other_category": np.isin(sales.entry, sorted(placing.foreign)) & kept,
    }
    ledger = ledger_entries(key, sales, kept, aside, notes, split)
    long = need_state_table(sales, split)
    amounts = measured(sales, policies.measure, name)
    table = (
        long
        if amounts is sales.cents
        else need_state_table(sales, split_sales(sales._replace(cents=amounts), kept, placing))
    )
    shares = shares_of(table.to_pandas(), name)
    if "store_id" in shares.columns:
        raise DataError(
            "a need state is called 'store_id', the name of the key", solution="rename it in the product map"
        )
    return Result(long, shares.reset_index(), store_table(sales, kept, empty), ledger)


def measured(sales: Sales, measure: str, name: str) -> NDArray[np.int64]:
    """What shares are of, by row, in hundredths. Raises DataError where units are asked for and the sales of a category have none."""
    if measure == "lines":
        return 100 * sales.lines
    if measure == "units":
        if sales.units is None:
            raise DataError(
                f"category {shown(name)}: measure is units, and the sales have none",
                solution="name their column as `units` under sources.sales.columns, or set measure: sales or lines",
            )
        return sales.units
    return sales.cents if sales.capped is None else sales.capped


def ledger_entries(
    category: str,
    sales: Sales,
    kept: NDArray[np.bool_],
    aside: Mapping[str, NDArray[np.bool_]],
    notes: Mapping[str, NDArray[np.bool_]],
    split: Split,
) -> list[Entry]:
    """In, out and set aside, with notes on what stayed in. Raises DataError where a fraction of a cent was lost."""

    def entry(flow: str, reason: str, stores: int, lines: int, amount: Decimal) -> Entry:
        return Entry("split_need_states", category, flow, reason, stores, lines, amount)

    whole, out = sales.total(np.ones(len(kept), np.bool_)), sales.total(kept)
    units = sum(split.units[split.sold].tolist())
    if units != int(out[2] * 100) * split.per_cent:
        raise DataError(
            f"category {category}: {units} units of {split.per_cent} to the cent came of {out[2]}",
            solution="this is a defect of the pipeline, not of the data: report it with the log",
        )
    entries = [entry("in", "", *whole), entry("out", "", *out)]
    stores = {reason: set(sales.store[rows].tolist()) for reason, rows in aside.items() if rows.any()}
    for reason, lost in lost_stores(set(sales.store[kept].tolist()), stores).items():
        _, lines, amount = sales.total(aside[reason])
        entries.append(entry("set_aside", reason, lost, lines, amount))
    entries += [entry("noted", reason, *sales.total(rows)) for reason, rows in notes.items() if rows.any()]
    negative = split.sold & (split.units < 0).astype(bool)
    if negative.any():
        amount = Decimal(sum(split.units[negative].tolist())) / (100 * split.per_cent)
        amount = amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
        entries.append(entry("noted", "negative_need_state", int(negative.any(axis=1).sum()), 0, amount))
    return entries


def need_state_table(sales: Sales, split: Split) -> pa.Table:
    """Sales by store and need state, where there were any, in the order of both."""
    stores, needs = np.nonzero(split.sold)
    units, per_unit = split.units[stores, needs], 100 * split.per_cent
    if units.dtype == object:
        amounts = np.array([unit / per_unit for unit in units.tolist()], np.float64)
    else:
        amounts = units.astype(np.float64) / per_unit
    return pa.table(
        {
            "store_id": pa.array([sales.stores[store] for store in stores.tolist()], pa.string()),
            "need_state": pa.array([split.needs[need] for need in needs.tolist()], pa.string()),
            "sales": amounts,
        }
    )


def in_large_lines(sales: Sales, kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The part of each store's sales that is in amounts far above usual lines, (n_stores,); 0 where it sells nothing.

    The usual line of an entry is the median, over the stores that sell it, of its sales by its lines. What an entry has in a
    store beyond USUAL times as much for each of its lines is far above. Returns are left out.
    """
    rows = np.flatnonzero(kept & (sales.cents > 0))
    means = sales.cents[rows] / sales.lines[rows]
    usual = pd.Series(means).groupby(sales.entry[rows]).transform("median").to_numpy()
    above = np.maximum(sales.cents[rows] - USUAL * usual * sales.lines[rows], 0.0)
    size = len(sales.stores)
    whole = np.bincount(sales.store[rows], sales.cents[rows], size)
    parts: NDArray[np.float64] = np.bincount(sales.store[rows], above, size) / np.where(whole > 0, whole, 1.0)
    return parts


def in_largest_line(sales: Sales, kept: NDArray[np.bool_], stores: NDArray[np.intp]) -> pa.Array:
    """The part of some stores' sales, returns left out, that is their largest line; null where it was not looked for."""
    if sales.largest is None:
        return pa.nulls(len(stores), pa.float64())
    size = len(sales.stores)
    largest = np.zeros(size, np.int64)
    np.maximum.at(largest, sales.store[kept], sales.largest[kept])
    rows = kept & (sales.cents > 0)
    whole = np.bincount(sales.store[rows], sales.cents[rows], size)
    # A return of the same article may have made the rest smaller than the line.
    parts = np.minimum(largest / np.where(whole > 0, whole, 1.0), 1.0)
    return pa.array(np.where(largest > 0, parts, 0.0)[stores])


def units_sold(sales: Sales, kept: NDArray[np.bool_], stores: NDArray[np.intp]) -> pa.Array:
    """Net units of some stores; null where they were not counted."""
    if sales.units is None:
        return pa.nulls(len(stores), MONEY)
    units, _ = sums_at(sales.store[kept], len(sales.stores), sales.units[kept], sales.lines[kept])
    return money_column(units[stores])


def by_month(sales: Sales, kept: NDArray[np.bool_], stores: NDArray[np.intp]) -> dict[str, pa.Array]:
    """Net sales of some stores by month of the year; null where they were not counted."""
    if sales.months is None:
        return dict.fromkeys(MONTHS, pa.nulls(len(stores), MONEY))
    cents = np.zeros((len(sales.stores), len(MONTHS)), np.int64)
    np.add.at(cents, sales.store[kept], sales.months[kept])
    return {name: money_column(cents[stores, number]) for number, name in enumerate(MONTHS)}


def store_table(sales: Sales, kept: NDArray[np.bool_], empty: NDArray[np.bool_]) -> pa.Table:
    """Lines and net sales of each store that is kept."""
    cents, lines = sums_at(sales.store[kept], len(sales.stores), sales.cents[kept], sales.lines[kept])
    stores = np.flatnonzero(lines)
    return pa.table(
        {
            "store_id": pa.array([sales.stores[store] for store in stores.tolist()], pa.string()),
            "lines": lines[stores],
            "sales": money_column(cents[stores]),
            "has_net_sales": ~empty[stores],
            "large_lines": in_large_lines(sales, kept)[stores],
            "largest_line": in_largest_line(sales, kept, stores),
            "units": units_sold(sales, kept, stores),
            **by_month(sales, kept, stores),
        }
    )


def shares_of(sales: pd.DataFrame, name: str) -> pd.DataFrame:
    """Shares of positive sales, stores x need states, both sorted.

    sales: store_id, need_state, sales (net, may be negative; or lines). A store without positive sales gets the chain's shares.
    name: of the category. Raises DataError where nothing is positive.
    """
    wide = sales.pivot(index="store_id", columns="need_state", values="sales").fillna(0.0).clip(lower=0.0)
    wide = wide.sort_index().sort_index(axis="columns")
    totals = wide.sum(axis="columns")
    chain = wide.sum(axis="index")
    if not chain.sum() > 0:
        raise DataError(
            f"category {shown(name)}: no store has positive net sales in any need state",
            solution="look at the sales of this category, or take it out",
        )
    shares = wide.div(totals.where(totals > 0, 1.0), axis="index")
    shares.loc[totals <= 0] = (chain / chain.sum()).to_numpy()
    return shares


def write_no_shares(args: argparse.Namespace, sales: Sales) -> None:
    """The tables of stores of which no sales are known."""
    count = len(sales.stores)
    stores = pa.array(sales.stores, pa.string())
    entries = [Entry("split_need_states", args.category, flow, "", count, 0, Decimal(0)) for flow in ("in", "out")]
    history = {
        "store_id": stores, "lines": sales.lines, "sales": money_column(sales.cents), "has_net_sales": np.zeros(count, np.bool_),
        "large_lines": np.zeros(count), "largest_line": pa.nulls(count, pa.float64()),
        **dict.fromkeys(("units", *MONTHS), pa.nulls(count, MONEY)),
    }  # fmt: skip
    with outputs() as write:
        write(NEED_STATE_SALES.schema().empty_table(), NEED_STATE_SALES, args.need_state_sales)
        write(pa.table({"store_id": stores}), SHARES, args.shares)
        write(pa.table(history), STORE_SALES, args.store_sales)
        write(balanced(entries), LEDGER, args.ledger)


def main(argv: Sequence[str] | None = None) -> None:
    """Split, account, share, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    name = category_named(args.name, read_table(args.category_totals))
    if name != args.name:
        log.info("category %s is spelt %s in the data", shown(args.name), shown(name))
    sales = sales_of(read_rows(args.category_sales, "category", name, ["store_id"]))
    if name == NO_SALES:
        write_no_shares(args, sales)
        log.info("%s: %d stores, and no sales", args.category, len(sales.stores))
        return
    skus: pd.DataFrame = read_rows(args.category_skus, "category", name).to_pandas()
    entries = entries_of(read_table(args.map_entries))
    policies = Policies(args.unmapped_skus, args.skus_of_other_categories, args.stores_without_net_sales, args.measure)
    found = split_category(args.category, name, sales, entries, skus, policies)
    with outputs() as write:
        write(found.need_state_sales, NEED_STATE_SALES, args.need_state_sales)
        write(found.shares, SHARES, args.shares)
        write(found.store_sales, STORE_SALES, args.store_sales)
        write(balanced(found.ledger), LEDGER, args.ledger)
    log.info("%s: %d stores, %d need states", args.category, len(found.shares), len(found.shares.columns) - 1)
    log_entries(log, found.ledger)


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
