"""Read the names that a person has given to segments: category, segment, name.

Writes one row per named segment. Where the source is not configured the file has a header only. `describe_segments` says where a
name is of a segment that does not exist.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandera.pandas as pandera

from storelib.configuration.place import load_place
from storelib.contracts.contract import check_table, outputs
from storelib.contracts.describing import SEGMENT_NAMES
from storelib.contracts.raw_files import RAW_FILES
from storelib.errors import DataError
from storelib.raw.delivery import Delivery
from storelib.raw.files import files_table
from storelib.raw.sources import by_their_names, read_texts, where_is

LONGEST = 80
CONTRACT = pandera.DataFrameSchema(
    {
        "category": pandera.Column(str, nullable=False),
        "segment": pandera.Column(
            str, pandera.Check.str_matches(r"^[1-9][0-9]{0,8}$", error="is no whole number from 1"), nullable=False
        ),
        "name": pandera.Column(
            str, pandera.Check.str_length(1, LONGEST, error=f"is longer than {LONGEST} characters"), nullable=False
        ),
    },
    unique=["category", "segment"],
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="configs/<env>.yml")
    parser.add_argument("--raw", type=Path, required=True, help="folder of raw files")
    parser.add_argument("--names", type=Path, required=True, help="output: one row per category and segment")
    parser.add_argument("--files", type=Path, required=True, help="output: the files that were read, with their hashes")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, check, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    place = load_place(args.config)
    source = place.sources.segment_names
    if source is None:
        with outputs() as write:
            write(SEGMENT_NAMES.schema().empty_table(), SEGMENT_NAMES, args.names)
            write(files_table({}, args.raw, {}), RAW_FILES, args.files)
        log.info("no segment_names are configured")
        return
    where = str(args.raw / source.path)
    columns = source.columns.model_dump()
    delivery = Delivery(args.config, place, args.raw, {"segment_names": source})
    lines: dict[str, int] = {}
    texts = read_texts(source, args.raw, place.compute, columns, names=SEGMENT_NAMES.names, lines=lines)
    # A file that holds a header only is how names begin, and how the last one is taken back.
    delivery.count("segment_names", lines)
    check_table(
        texts[SEGMENT_NAMES.names],
        CONTRACT,
        where,
        lambda row: where_is(source, args.raw, by_their_names(row, columns)),
    )
    names = (
        texts[SEGMENT_NAMES.names].astype({"segment": "int32"}).sort_values(["category", "segment"], ignore_index=True)
    )
    repeated = names[names["name"].str.casefold().to_frame().assign(category=names["category"]).duplicated(keep=False)]
    if len(repeated):
        row = repeated.iloc[0].to_dict()
        raise DataError(
            f"{where}: {len(repeated)} segments share a name within their category, such as {row['name']!r} in {row['category']!r}",
            solution="give each segment of a category a name of its own",
        )
    read = delivery.table()
    with outputs() as write:
        write(names, SEGMENT_NAMES, args.names)
        write(read, RAW_FILES, args.files)
    delivery.tell(log, read)
    log.info("%d names in %d categories", len(names), names["category"].nunique())


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
