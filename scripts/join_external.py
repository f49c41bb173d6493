"""Join external sources to stores, by key: one row per store, one column per feature, named `<source>.<feature>`.

A store without a match, or without the column that a source joins on, keeps its row and has missing values.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pandas as pd

from storelib.accounts.ledger import Entry, balanced
from storelib.contracts.contract import outputs
from storelib.contracts.ledger import LEDGER
from storelib.contracts.places import STORE_FEATURES
from storelib.errors import DataError
from storelib.tables import read_frame


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--selling_stores", type=Path, required=True, help="stores with sales in any category")
    parser.add_argument("--stores", type=Path, required=True, help="store table; header only where there is none")
    parser.add_argument("--sources", type=Path, required=True, help="one row per source, key and feature")
    parser.add_argument("--store_features", type=Path, required=True, help="output: one row per store")
    parser.add_argument("--ledger", type=Path, required=True, help="output: stores that came in and left")
    parser.add_argument("--stores_without_sales", choices=["keep", "drop"], required=True)
    return parser.parse_args(argv)


def join_sources(stores: pd.DataFrame, sources: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int], dict[str, int]]:
    """Features by store, how many stores each source has no match for, and how many it has, but with a value missing.

    stores: `store_id` and the columns that sources join on, as text. sources: source, column, key, feature, value.
    Raises DataError where a source matches no store at all.
    """
    features = stores[["store_id"]]
    unmatched, incomplete = {}, {}
    for (name, column), source in sources.groupby(["source", "column"], sort=True):
        wide = source.pivot(index="key", columns="feature", values="value").sort_index(axis="columns")
        wide = wide.add_prefix(f"{name}.").rename_axis(columns=None)
        found = stores[column].isin(wide.index)
        unmatched[str(name)] = int((~found).sum())
        if not found.any():
            ours, theirs = stores[column].dropna().iloc[:1].tolist(), wide.index[:1].tolist()
            raise DataError(
                f"external source {name!r} matches no store by {column!r}: stores have values like {ours}, it has {theirs}",
                solution="compare the two columns (leading zeros? another id?) and mend `key` of this source",
            )
        # The store table's own column may be missing, so the left side is looked up, not the right side spread.
        matched = wide.reindex(stores[column]).set_axis(stores.index, axis="index")
        incomplete[str(name)] = int((found & matched.isna().any(axis="columns")).sum())
        features = pd.concat([features, matched], axis="columns")
    return features, unmatched, incomplete


def main(argv: Sequence[str] | None = None) -> None:
    """Join, account, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    selling = read_frame(args.selling_stores)
    known = read_frame(args.stores)
    sources = read_frame(args.sources)
    if sources.empty:
        raise DataError(
            "no external source is configured, so stores cannot be clustered by external data",
            solution="name at least one source under sources.external in configs/<env>.yml",
        )
    stores = sorted({*selling["store_id"], *known["store_id"]})
    kept = sorted(selling["store_id"]) if args.stores_without_sales == "drop" else stores
    features, unmatched, incomplete = join_sources(known.set_index("store_id").reindex(kept).reset_index(), sources)

    lines, sales = int(selling["lines"].sum()), sum(selling["sales"], Decimal(0))
    entries = [
        Entry("join_external", "", "in", "", len(stores), lines, sales),
        Entry("join_external", "", "out", "", len(kept), lines, sales),
    ]
    if len(kept) < len(stores):
        entries.append(Entry("join_external", "", "set_aside", "no_sales", len(stores) - len(kept), 0, Decimal(0)))
    for words, counts in (("not in", unmatched), ("value missing in", incomplete)):
        for name, count in counts.items():
            if count:
                entries.append(Entry("join_external", "", "noted", f"{words} {name}", count, 0, Decimal(0)))
    with outputs() as write:
        write(features, STORE_FEATURES, args.store_features)
        write(balanced(entries), LEDGER, args.ledger)
    log.info("%d stores, %d features; without a match: %s", len(features), features.shape[1] - 1, unmatched)


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
