"""Put stores into the segments that a person has chosen for them.

Every override must name a store and a segment that the category has: one that cannot be followed fails the run, for nobody
would know that it was not. A store that was placed by hand is flagged as an override; its clusters stay what they are.
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
from storelib.contracts.segments import SEGMENTS
from storelib.errors import DataError, nearest_name, shown
from storelib.names import OVERRIDE
from storelib.tables import read_frame


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--category", type=storelib.runtime.view_key, required=True, help="key of the category")
    parser.add_argument("--merged", type=Path, required=True, help="this category's segments as they were found")
    parser.add_argument("--overrides", type=Path, required=True, help="of all categories; header only where none are")
    parser.add_argument("--store_sales", type=Path, required=True, help="lines and net sales of each store")
    parser.add_argument("--segments", type=Path, required=True, help="output: one row per store")
    parser.add_argument("--ledger", type=Path, required=True, help="output: stores and sales, and those placed by hand")
    return parser.parse_args(argv)


def overridden(segments: pd.DataFrame, overrides: pd.DataFrame, category: str) -> pd.DataFrame:
    """The segments with a category's overrides. Raises DataError for one that names a store or segment which is not there.

    segments: one row per store, in the order of `store_id`; overrides: of this category, a store at most once.
    """
    stores, known = segments["store_id"], sorted(segments["segment"].unique())
    for row in overrides.itertuples():
        store, segment = str(row.store_id), int(str(row.segment))
        if not (stores == store).any():
            raise DataError(
                f"overrides: {category} has no store {shown(store)}{nearest_name(store, stores)}, which {row.who} put into "
                f"segment {segment}",
                solution="mend the id in the file of sources.overrides, or delete the row",
            )
        if segment not in known:
            raise DataError(
                f"overrides: {category} has no segment {segment}, into which {row.who} put store {shown(store)}; "
                f"its segments are {', '.join(map(str, known))}",
                solution="write one of these in the file of sources.overrides, or delete the row; `clustering approve` keeps "
                "numbers from one run to the next",
            )
    chosen = stores.map(overrides.set_index("store_id")["segment"])
    flagged = (segments["flags"] + f" {OVERRIDE}").str.strip()
    # A person's choice is not more or less likely.
    placed = chosen.notna()
    return segments.assign(
        confidence=segments["confidence"].mask(placed),
        runner_up_segment=segments["runner_up_segment"].mask(placed),
        is_borderline=segments["is_borderline"] & ~placed,
        segment=chosen.fillna(segments["segment"]).astype("int32"),
        flags=segments["flags"].where(chosen.isna(), flagged),
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Check, place, note, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    found = read_frame(args.merged)
    every = read_frame(args.overrides)
    own = every[every["category"] == args.category]
    result = overridden(found, own, args.category)
    history = read_frame(args.store_sales).set_index("store_id")

    def entry(flow: str, reason: str, stores: pd.Series) -> Entry:
        part = history.loc[stores]
        sales = sum(part["sales"], Decimal(0))
        return Entry("apply_overrides", args.category, flow, reason, len(part), int(part["lines"].sum()), sales)

    entries = [entry("in", "", found["store_id"]), entry("out", "", result["store_id"])]
    if len(own):
        entries.append(entry("noted", OVERRIDE, own["store_id"]))
    with outputs() as write:
        write(result, SEGMENTS, args.segments)
        write(balanced(entries), LEDGER, args.ledger)
    moved = result[result["segment"] != found["segment"]]
    log.info("%d stores were placed by hand, %d of them in another segment", len(own), len(moved))
    emptied = sorted(set(found["segment"]) - set(result["segment"]))
    if emptied:
        log.warning("segment %s has no store any more: all were placed elsewhere by hand", ", ".join(map(str, emptied)))


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
