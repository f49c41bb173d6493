"""Read known segments of stores: a baseline whose numbers are kept, or a reference to compare with.

Writes one row per store and category. Where the source is not configured the file has a header only.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pandera.pandas as pandera

from storelib.configuration.place import load_place
from storelib.contracts.contract import check_table, outputs
from storelib.contracts.raw_files import RAW_FILES
from storelib.contracts.segments import KNOWN_LABELS
from storelib.errors import DataError
from storelib.names import LABELS
from storelib.raw.delivery import Delivery
from storelib.raw.files import files_table
from storelib.raw.sources import by_their_names, read_texts, where_is
from storelib.raw.spellings import refuse_capitals

POSITIVE = pandera.Column(
    str, pandera.Check.str_matches(r"^[1-9][0-9]{0,8}$", error="is no whole number from 1"), nullable=False
)
CONTRACT = pandera.DataFrameSchema(
    {
        "category": pandera.Column(str, nullable=False),
        "store_id": pandera.Column(str, nullable=False),
        **dict.fromkeys(LABELS, POSITIVE),
    },
    unique=["category", "store_id"],
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="configs/<env>.yml")
    parser.add_argument("--raw", type=Path, required=True, help="folder of raw files")
    parser.add_argument("--source", choices=["baseline", "reference"], required=True)
    parser.add_argument("--labels", type=Path, required=True, help="output: one row per store and category")
    parser.add_argument("--files", type=Path, required=True, help="output: the files that were read, with their hashes")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, check, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    place = load_place(args.config)
    sources = place.sources
    source = {"baseline": sources.baseline, "reference": sources.reference}[args.source]
    if source is None:
        with outputs() as write:
            write(KNOWN_LABELS.schema().empty_table(), KNOWN_LABELS, args.labels)
            write(files_table({}, args.raw, {}), RAW_FILES, args.files)
        log.info("no %s is configured", args.source)
        return
    where = str(args.raw / source.path)
    columns = source.columns.model_dump()
    delivery = Delivery(args.config, place, args.raw, {args.source: source})
    lines: dict[str, int] = {}
    names = ["category", *LABELS, "segment_name"]
    texts = read_texts(
        source, args.raw, place.compute, columns, names=names, lines=lines, optional=source.optional_columns
    )
    if texts.empty:
        raise DataError(
            f"{where} holds no row", solution=f"put the file there, or take `{args.source}` out of the config"
        )
    delivery.count(args.source, lines)
    check_table(
        texts[list(CONTRACT.columns)],
        CONTRACT,
        where,
        lambda row: where_is(source, args.raw, by_their_names(row, columns)),
    )
    if source.id_case == "fail":
        refuse_capitals(texts["store_id"], "store", where)
    labels: pd.DataFrame = texts.astype(dict.fromkeys(LABELS, "int32")).reindex(columns=KNOWN_LABELS.names)
    read = delivery.table()
    with outputs() as write:
        write(labels.sort_values(["category", "store_id"], ignore_index=True), KNOWN_LABELS, args.labels)
        write(read, RAW_FILES, args.files)
    delivery.tell(log, read)
    log.info("%s: %d stores in %d categories", args.source, labels["store_id"].nunique(), labels["category"].nunique())


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
