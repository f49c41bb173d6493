"""Read known segments of stores: a baseline whose numbers are kept, or a reference to compare with.

Writes one row per store and category. Where the source is not configured the file has a header only.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pandera.pandas as pandera

from storelib.contracts.segments import KNOWN_LABELS
from storelib.names import LABELS
from storelib.raw.delivery import raw_parser
from storelib.raw.given import LABEL, OPTIONAL_LABEL, TEXT, ingest_given

CONTRACT = pandera.DataFrameSchema(
    {"category": TEXT, "store_id": TEXT, **dict.fromkeys(LABELS, LABEL), "chain_segment": OPTIONAL_LABEL},
    unique=["category", "store_id"],
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = raw_parser(__doc__)
    parser.add_argument("--source", choices=["baseline", "reference"], required=True)
    parser.add_argument("--labels", type=Path, required=True, help="output: one row per store and category")
    return parser.parse_args(argv)


def known(texts: pd.DataFrame, where: str) -> pd.DataFrame:  # noqa: ARG001
    """The table of labels, from texts that keep CONTRACT."""
    labels = texts.astype(dict.fromkeys(LABELS, "int32")).reindex(columns=KNOWN_LABELS.names)
    labels["chain_segment"] = labels["chain_segment"].astype("Int32")
    return labels.sort_values(["category", "store_id"], ignore_index=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, check, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    labels = ingest_given(args, args.source, args.labels, KNOWN_LABELS, CONTRACT, known, needs_rows=True)
    if labels is None:
        log.info("no %s is configured", args.source)
        return
    log.info("%s: %d stores in %d categories", args.source, labels["store_id"].nunique(), labels["category"].nunique())


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
