"""Read which stores a person has placed in another segment: store, category, segment, who and why.

Writes one row per store and category; `select_categories` sees to it that there is such a category, `apply_overrides` that there
are such stores and segments. Where the source is not configured the file has a header only.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pandera.pandas as pandera

from storelib.contracts.segments import OVERRIDES
from storelib.raw.delivery import raw_parser
from storelib.raw.given import LABEL, TEXT, ingest_given

CONTRACT = pandera.DataFrameSchema(
    {"category": TEXT, "store_id": TEXT, "segment": LABEL, "who": TEXT, "why": TEXT}, unique=["category", "store_id"]
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = raw_parser(__doc__)
    parser.add_argument("--overrides", type=Path, required=True, help="output: one row per store and category")
    return parser.parse_args(argv)


def overrides_of(texts: pd.DataFrame, where: str) -> pd.DataFrame:  # noqa: ARG001
    """The table of overrides, from texts that keep CONTRACT."""
    table = texts[OVERRIDES.names].astype({"segment": "int32"})
    return table.sort_values(["category", "store_id"], ignore_index=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, check, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    overrides = ingest_given(args, "overrides", args.overrides, OVERRIDES, CONTRACT, overrides_of)
    if overrides is None:
        log.info("no overrides are configured")
        return
    log.info("%d overrides in %d categories", len(overrides), overrides["category"].nunique())


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
