"""Give each sale its category, and set aside the sales that have none or whose store is not known.

The category is the sale's own; where the sale has none it is its product's. Categories that are spelt in several ways, in the
sales or in the product map, are kept, unified or refused. Writes exact sums by category, store and entry of the product map,
what the map says of each entry, the SKUs that the map does not place in their category, the stores that sell, the total of each
category, and the ledger. Nothing here depends on which categories are clustered.

Texts stay codes throughout: there are few categories, stores and entries, and nearly as many sums as there are combinations.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Mapping, Sequence
from decimal import Decimal
from logging import Logger
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from storelib.accounts.entries import Entries, by_text, entries_of
from storelib.accounts.ledger import Entry, balanced, log_entries, lost_stores
from storelib.accounts.selection import NO_SALES
from storelib.contracts.contract import outputs
from storelib.contracts.ledger import LEDGER
from storelib.contracts.sales import CATEGORY_SALES, CATEGORY_SKUS, CATEGORY_TOTALS, MAP_ENTRIES, MORE, SELLING_STORES
from storelib.errors import DataError, shown
from storelib.money import cents_of, money_column, money_of, occurring, sums_at
from storelib.raw.spellings import POLICIES, decide
from storelib.tables import MONEY, read_table

REASONS = {
    "unknown_stores": ("unknown_store", "their store is not in the store table"),
    "skus_without_category": ("no_category", "neither the sale nor the product map gives a category"),
}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument(
        "--sales", type=Path, required=True, help="sums by category as spelt, store and entry of the map"
    )
    parser.add_argument("--sku_sales", type=Path, required=True, help="sums of SKUs that the map does not place")
    parser.add_argument(
        "--product_map", type=Path, required=True, help="distinct (sku, category, need_state), by entry"
    )
    parser.add_argument("--stores", type=Path, required=True, help="store table; header only where there is none")
    parser.add_argument("--map_entries", type=Path, required=True, help="output: what the map says of each entry")
    parser.add_argument("--category_totals", type=Path, required=True, help="output: one row per category")
    parser.add_argument("--category_sales", type=Path, required=True, help="output: sums by category, store and entry")
    parser.add_argument("--category_skus", type=Path, required=True, help="output: SKUs not placed, by category")
    parser.add_argument("--selling_stores", type=Path, required=True, help="output: stores with sales in any category")
    parser.add_argument("--ledger", type=Path, required=True, help="output: what was set aside, and why")
    parser.add_argument("--unknown_stores", choices=["keep", "drop", "fail"], required=True)
    parser.add_argument("--skus_without_category", choices=["drop", "fail"], required=True)
    parser.add_argument("--spelling", choices=POLICIES, required=True, help="of categories, in sales and map")
    return parser.parse_args(argv)


class Sums(NamedTuple):
    """Sums by category, a second text and entry of the map: what is counted of each combination.

    categories, texts: sorted. By row, all (n,): category and text, places in them, the category -1 where there is none; entry; amounts
    in cents (of units hundredths), by name; lines.
    """

    categories: list[str]
    texts: list[str]
    category: NDArray[np.int64]
    text: NDArray[np.int64]
    entry: NDArray[np.int64]
    amounts: dict[str, NDArray[np.int64]]
    lines: NDArray[np.int64]

    def total(self, rows: NDArray[np.bool_]) -> tuple[int, Decimal]:
        """Lines and sales of some rows."""
        return int(self.lines[rows].sum()), money_of(int(self.amounts["sales"][rows].sum()))

    def united(self, rows: NDArray[np.bool_]) -> "Sums":
        """Some rows, each of which has a category, in their order; those of one category, text and entry are added up."""
        width = int(self.entry.max(initial=0)) + 1
        key = ((self.category * len(self.texts) + self.text) * width + self.entry)[rows]
        order = np.argsort(key, kind="stable")
        key, places = key[order], np.flatnonzero(rows)[order]
        starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])[: len(key)])
        first = places[starts]
        add = {name: np.maximum if name == "largest" else np.add for name in self.amounts}
        return Sums(
            self.categories, self.texts, self.category[first], self.text[first], self.entry[first],
            {name: add[name].reduceat(amounts[places], starts) for name, amounts in self.amounts.items()},
            np.add.reduceat(self.lines[places], starts),
        )  # fmt: skip

    def table(self, second: str) -> pa.Table:
        """As a file. second: what the second text is called."""
        keys = {"category": (self.category, self.categories), second: (self.text, self.texts)}
        return pa.table(
            {name: text_column(places, texts) for name, (places, texts) in keys.items()}
            | {
                "entry": pa.array(self.entry, pa.int32()),
                "sales": money_column(self.amounts["sales"]),
                "lines": self.lines,
            }
            | {name: money_column(amounts) for name, amounts in self.amounts.items() if name != "sales"}
        )


def text_column(places: NDArray[np.int64], texts: Sequence[str]) -> pa.Array:
    """Places in a list as a dictionary of texts."""
    return pa.DictionaryArray.from_arrays(pa.array(places, pa.int32()), pa.array(texts, pa.string()))


def places_of(column: pa.ChunkedArray) -> tuple[NDArray[np.int64], list[str]]:
    """A column that is a dictionary of texts: the place of each row's text in the sorted list of those that occur, -1 for none."""
    column = column.combine_chunks()
    codes = column.indices.fill_null(-1).to_numpy().astype(np.int64)
    found = column.dictionary.to_pylist()
    used = occurring(codes[codes >= 0]).tolist()
    texts = sorted(found[code] for code in used)
    place = {text: number for number, text in enumerate(texts)}
    # One more, for code -1.
    by_code = np.full(len(found) + 1, -1, np.int64)
    by_code[used] = [place[found[code]] for code in used]
    return by_code[codes], texts


def read_sums(path: Path, second: str) -> Sums:
    """Sums of sales lines, with categories as they are spelt."""
    table = read_table(path, dictionaries=["category", second]).unify_dictionaries().combine_chunks()
    category, categories = places_of(table["category"])
    text, texts = places_of(table[second])
    names = [name for name in ("sales", *MORE) if name in table.column_names]
    amounts = {name: cents_of(table[name].combine_chunks()) for name in names}
    entry = table["entry"].to_numpy().astype(np.int64)
    return Sums(categories, texts, category, text, entry, amounts, table["lines"].to_numpy())


def choose_spellings(sales: Sums, product_map: pa.Table, policy: str, log: Logger) -> dict[str, str]:
    """What to respell: categories of sales and map, and the spelling to use instead.

    How often a spelling occurs is told by sales lines and the map's SKUs together.
    """
    (lines,) = sums_at(sales.category[sales.category >= 0], len(sales.categories), sales.lines[sales.category >= 0])
    counts = dict(zip(sales.categories, lines.tolist(), strict=True))
    pairs = set(zip(product_map["category"].to_pylist(), product_map["sku"].to_pylist(), strict=True))
    for category, _ in pairs:
        if category is not None:
            counts[category] = counts.get(category, 0) + 1
    return decide(policy, counts, "category", "the sales and the product map", log)


def spelt(entries: Entries, spellings: Mapping[str, str]) -> Entries:
    """What the map says, with the spellings that were chosen."""

    def said(pairs: Sequence[tuple[str | None, str | None]]) -> tuple[tuple[str | None, str | None], ...]:
        chosen = {(None if category is None else spellings.get(category, category), need) for category, need in pairs}
        return tuple(sorted(chosen, key=by_text))

    return Entries(entries.of_sku, {entry: said(pairs) for entry, pairs in entries.pairs.items()})


def with_categories(sums: Sums, entries: Entries, spellings: Mapping[str, str]) -> Sums:
    """Sums with the sale's own category, as it was chosen to be spelt, or else its product's; rows stay what they are."""
    own = [spellings.get(category, category) for category in sums.categories]
    of_products = [entries.category(entry) for entry in range(max(entries.largest, int(sums.entry.max(initial=0))) + 1)]
    categories = sorted({*own, *(category for category in of_products if category is not None)})
    place: dict[str | None, int] = {category: number for number, category in enumerate(categories)} | {None: -1}
    by_own = np.array([place[category] for category in [*own, None]], np.int64)
    by_product = np.array([place[category] for category in of_products], np.int64)
    category = np.where(sums.category >= 0, by_own[sums.category], by_product[sums.entry])
    return sums._replace(categories=categories, category=category)


def refuse_ambiguous(entries: Entries) -> None:
    """Raise DataError where a SKU of the map lies in two categories: it cannot tell which a sale is of."""
    found = {entry: {category for category, _ in pairs} - {None} for entry, pairs in entries.pairs.items()}
    several = sorted(sku for sku, entry in entries.of_sku.items() if len(found[entry]) > 1)
    if several:
        categories = sorted(map(str, found[entries.of_sku[several[0]]]))
        raise DataError(
            f"the product map: {len(several)} SKUs lie in more than one category, such as {shown(several[0])} in {categories}",
            solution="give each SKU one category, or name a category column in sales.columns",
        )


class Tags(NamedTuple):
    """What is known of each row, (n,) all. is_unknown: its store; is_respelt: its category; aside: by reason, why it does not go on."""

    is_unknown: NDArray[np.bool_]
    is_respelt: NDArray[np.bool_]
    aside: dict[str, NDArray[np.bool_]]

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Whether a row goes on."""
        kept: NDArray[np.bool_] = ~np.logical_or.reduce(list(self.aside.values()))
        return kept


def tags_of(read: Sums, sales: Sums, stores: Sequence[str], spellings: Mapping[str, str], unknown_stores: str) -> Tags:
    """What is known of each row. read: with categories as they were spelt; stores: of the store table, where there is one."""
    known = set(stores)
    is_unknown = np.array([bool(known) and store not in known for store in sales.texts], np.bool_)[sales.text]
    # One more, for rows without a category.
    is_respelt = np.array([*(category in spellings for category in read.categories), False], np.bool_)[read.category]
    unknown = is_unknown if unknown_stores != "keep" else np.zeros(len(is_unknown), np.bool_)
    return Tags(is_unknown, is_respelt, {"unknown_store": unknown, "no_category": ~unknown & (sales.category < 0)})


def refuse(policy: str, sales: Sums, tags: Tags, skus: Sums) -> None:
    """Raise DataError where the policy is to fail and there is something to fail about."""
    reason, why = REASONS[policy]
    rows = tags.aside[reason]
    if not rows.any():
        return
    count, amount = sales.total(rows)
    examples = [f"store {shown(sales.texts[int(sales.text[rows].min())])}"]
    if reason == "no_category":
        examples.append(f"SKU {shown(skus.texts[int(skus.text[skus.category < 0].min())])}")
    raise DataError(
        f"{count} lines of sales ({amount}) cannot be used: {why}, such as {' or '.join(examples)}",
        solution=f"complete the tables, or choose another policy in internal.assign_categories.{policy}",
    )


def ledger_entries(sales: Sums, tags: Tags) -> list[Entry]:
    """In, out, set aside; and noted what stays in and is worth knowing: unknown stores, categories that are spelt in another way."""

    def entry(flow: str, reason: str, stores: int, rows: NDArray[np.bool_]) -> Entry:
        return Entry("assign_categories", "", flow, reason, stores, *sales.total(rows))

    def stores_in(rows: NDArray[np.bool_]) -> set[int]:
        return set(occurring(sales.text[rows]).tolist())

    everything, kept = np.ones(len(sales.text), np.bool_), tags.kept
    stores = stores_in(kept)
    aside = {reason: rows for reason, rows in tags.aside.items() if rows.any()}
    lost = lost_stores(stores, {reason: stores_in(rows) for reason, rows in aside.items()})
    found = [
        entry("in", "", len(stores_in(everything)), everything),
        entry("out", "", len(stores), kept),
        *(entry("set_aside", reason, lost[reason], rows) for reason, rows in aside.items()),
    ]
    for reason, flag in (("unknown_store", tags.is_unknown), ("category_respelt", tags.is_respelt)):
        rows = flag & kept
        if rows.any():
            found.append(entry("noted", reason, len(stores_in(rows)), rows))
    return found


def totals_table(sums: Sums, *, takes_other_spellings: bool) -> pa.Table:
    """One row for each category that has sales. sums: united."""
    size = len(sums.categories)
    cents, lines = sums_at(sums.category, size, sums.amounts["sales"], sums.lines)
    pairs = occurring(sums.category * len(sums.texts) + sums.text)
    stores = np.bincount(pairs // len(sums.texts), minlength=size)
    which = np.flatnonzero(lines)
    return pa.table(
        {
            "category": pa.array([sums.categories[place] for place in which.tolist()], pa.string()),
            "stores": stores[which],
            "sales": money_column(cents[which]),
            "lines": lines[which],
            "takes_other_spellings": np.full(len(which), takes_other_spellings),
        }
    )


def stores_table(sums: Sums) -> pa.Table:
    """One row for each store that has sales."""
    cents, lines = sums_at(sums.text, len(sums.texts), sums.amounts["sales"], sums.lines)
    which = np.flatnonzero(lines)
    return pa.table(
        {
            "store_id": pa.array([sums.texts[place] for place in which.tolist()], pa.string()),
            "sales": money_column(cents[which]),
            "lines": lines[which],
        }
    )


def entries_table(entries: Entries) -> pa.Table:
    """What the map says, by entry."""
    rows = [(entry, category, need) for entry in sorted(entries.pairs) for category, need in entries.pairs[entry]]
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    kinds = {"entry": pa.int32(), "category": pa.string(), "need_state": pa.string()}
    return pa.table(
        {name: pa.array(list(values), kind) for (name, kind), values in zip(kinds.items(), columns, strict=True)}
    )


def write_no_sales(args: argparse.Namespace) -> int:
    """One category that stands for all, with every store of the store table and no sales. Returns how many stores.

    In the ledger stores come in with their category: nothing was sold that could have come in before.
    """
    stores = read_table(args.stores, ["store_id"])["store_id"].sort()
    count = len(stores)
    if not count:
        raise DataError(
            f"{args.stores} has no store, and there are no sales",
            solution="name a store table under sources.stores in configs/<env>.yml",
        )
    nothing, category = pa.array([Decimal(0)] * count, MONEY), pa.array([NO_SALES] * count)
    lines, entry = (pa.array([0] * count, kind) for kind in (pa.int64(), pa.int32()))
    by_store = {"category": category, "store_id": stores, "entry": entry, "sales": nothing, "lines": lines}
    totals = {
        "category": [NO_SALES],
        "stores": [count],
        "sales": [Decimal(0)],
        "lines": [0],
        "takes_other_spellings": [False],
    }
    entries = [Entry("assign_categories", "", flow, "", 0, 0, Decimal(0)) for flow in ("in", "out")]
    with outputs() as write:
        write(MAP_ENTRIES.schema().empty_table(), MAP_ENTRIES, args.map_entries)
        write(pa.table(totals, CATEGORY_TOTALS.schema()), CATEGORY_TOTALS, args.category_totals)
        write(pa.table(by_store), CATEGORY_SALES, args.category_sales)
        write(CATEGORY_SKUS.schema().empty_table(), CATEGORY_SKUS, args.category_skus)
        write(pa.table({"store_id": stores, "sales": nothing, "lines": lines}), SELLING_STORES, args.selling_stores)
        write(balanced(entries), LEDGER, args.ledger)
    return count


def main(argv: Sequence[str] | None = None) -> None:
    """Tag, account, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    read = read_sums(args.sales, "store_id")
    if not len(read.lines):
        log.info("no sales are configured: one category stands for all, with %d stores", write_no_sales(args))
        return
    product_map = read_table(args.product_map)
    spellings = choose_spellings(read, product_map, args.spelling, log)
    entries = spelt(entries_of(product_map), spellings)
    if not read.categories:
        refuse_ambiguous(entries)
    sales = with_categories(read, entries, spellings)
    skus = with_categories(read_sums(args.sku_sales, "sku"), entries, spellings)
    stores = read_table(args.stores, ["store_id"])["store_id"].to_pylist()
    tags = tags_of(read, sales, stores, spellings, args.unknown_stores)
    for policy in REASONS:
        if vars(args)[policy] == "fail":
            refuse(policy, sales, tags, skus)
    found = ledger_entries(sales, tags)
    if not tags.kept.any():
        raise DataError(
            "no sale has both a category and a known store",
            solution="compare the ids in the sales, the product map and the store table",
        )
    kept = sales.united(tags.kept)
    with outputs() as write:
        write(entries_table(entries), MAP_ENTRIES, args.map_entries)
        totals = totals_table(kept, takes_other_spellings=args.spelling == "unify")
        write(totals, CATEGORY_TOTALS, args.category_totals)
        write(kept.table("store_id"), CATEGORY_SALES, args.category_sales)
        write(skus.united(skus.category >= 0).table("sku"), CATEGORY_SKUS, args.category_skus)
        write(stores_table(kept), SELLING_STORES, args.selling_stores)
        write(balanced(found), LEDGER, args.ledger)
    log_entries(log, found)


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
