"""Read the names that a person has given to segments: category, segment, name.

Writes one row per named segment. Where the source is not configured the file has a header only. `describe_segments` says where a
name is of a segment that does not exist.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pandera.pandas as pandera

from storelib.contracts.describing import SEGMENT_NAMES
from storelib.errors import DataError
from storelib.raw.delivery import raw_parser
from storelib.raw.given import LABEL, TEXT, ingest_given

LONGEST = 80
CONTRACT = pandera.DataFrameSchema(
    {
        "category": TEXT,
        "segment": LABEL,
        "name": pandera.Column(
            str, pandera.Check.str_length(1, LONGEST, error=f"is longer than {LONGEST} characters"), nullable=False
        ),
    },
    unique=["category", "segment"],
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = raw_parser(__doc__)
    parser.add_argument("--names", type=Path, required=True, help="output: one row per category and segment")
    return parser.parse_args(argv)


def names_of(texts: pd.DataFrame, where: str) -> pd.DataFrame:
    """The table of names, from texts that keep CONTRACT. Raises DataError where two segments of a category share a name."""
    names = texts[SEGMENT_NAMES.names].astype({"segment": "int32"})
    names = names.sort_values(["category", "segment"], ignore_index=True)
    repeated = names[names["name"].str.casefold().to_frame().assign(category=names["category"]).duplicated(keep=False)]
    if len(repeated):
        row = repeated.iloc[0].to_dict()
        raise DataError(
            f"{where}: {len(repeated)} segments share a name within their category, such as {row['name']!r} in {row['category']!r}",
            solution="give each segment of a category a name of its own",
        )
    return names


def main(argv: Sequence[str] | None = None) -> None:
    """Read, check, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    names = ingest_given(args, "segment_names", args.names, SEGMENT_NAMES, CONTRACT, names_of)
    if names is None:
        log.info("no segment_names are configured")
        return
    log.info("%d names in %d categories", len(names), names["category"].nunique())


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
