"""Join external sources to stores, by key: one row per store, one column per feature, named `<source>.<feature>`.

A store without a match, or without the column that a source joins on, keeps its row and has missing values. Where no source is
configured, stores have no features, and are segmented by what sells alone.
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
from storelib.raw.spellings import JOINT, joined
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


def store_keys(stores: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """What a source is matched with, by row: one column of the stores, or several joined; null where one is missing."""
    if len(columns) == 1:
        return stores[columns[0]]
    parts = stores[list(columns)]
    keys = [joined(row) for row in parts.fillna("").itertuples(index=False, name=None)]
    return pd.Series(keys, index=stores.index, dtype="object").where(parts.notna().all(axis="columns"), None)


def join_sources(
    stores: pd.DataFrame, sources: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, pd.Series], dict[str, pd.Series]]:
    """Features by store; by source, whether it has no match for a store, and whether it has, but with a value missing.

    stores: `store_id` and the columns that sources join on, as text. sources: source, column, key, feature, value.
    Raises DataError where a source matches no store at all.
    """
    features = stores[["store_id"]]
    unmatched, incomplete = {}, {}
    for (name, column), source in sources.groupby(["source", "column"], sort=True):
        keys = store_keys(stores, str(column).split(JOINT))
        wide = source.pivot(index="key", columns="feature", values="value").sort_index(axis="columns")
        wide = wide.add_prefix(f"{name}.").rename_axis(columns=None)
        found = keys.isin(wide.index)
        unmatched[str(name)] = ~found
        if not found.any():
            ours, theirs = keys.dropna().iloc[:1].tolist(), wide.index[:1].tolist()
            raise DataError(
                f"external source {name!r} matches no store by {column!r}: stores have values like {ours}, it has {theirs}",
                solution="compare the two columns (leading zeros? another id?) and mend `key` of this source",
            )
        # The store table's own column may be missing, so the left side is looked up, not the right side spread.
        matched = wide.reindex(keys).set_axis(stores.index, axis="index")
        incomplete[str(name)] = found & matched.isna().any(axis="columns")
        features = pd.concat([features, matched], axis="columns")
    return features, unmatched, incomplete


def main(argv: Sequence[str] | None = None) -> None:
    """Join, account, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    selling = read_frame(args.selling_stores)
    known = read_frame(args.stores)
    sources = read_frame(args.sources)
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
    sells = features["store_id"].isin(selling["store_id"])
    for words, flags in (("not in", unmatched), ("value missing in", incomplete)):
        for name, flag in flags.items():
            # The share of stores that a source has is of those that sell: others are told apart.
            for count, idle in ((int((flag & sells).sum()), ""), (int((flag & ~sells).sum()), ", no sales")):
                if count:
                    entries.append(Entry("join_external", "", "noted", f"{words} {name}{idle}", count, 0, Decimal(0)))
    with outputs() as write:
        write(features, STORE_FEATURES, args.store_features)
        write(balanced(entries), LEDGER, args.ledger)
    lost = {name: int(flag.sum()) for name, flag in unmatched.items()}
    log.info("%d stores, %d features; without a match: %s", len(features), features.shape[1] - 1, lost)
    if sources.empty:
        log.info("no external source is configured: segments are the clusters by what sells")


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
