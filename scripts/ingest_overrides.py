"""Read which stores a person has placed in another segment: store, category, segment, who and why.

Writes one row per store and category; `select_categories` sees to it that there is such a category, `apply_overrides` that there
are such stores and segments. Where the source is not configured the file has a header only.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandera.pandas as pandera

from storelib.configuration.place import load_place
from storelib.contracts.contract import check_table, outputs
from storelib.contracts.raw_files import RAW_FILES
from storelib.contracts.segments import OVERRIDES
from storelib.raw.delivery import Delivery
from storelib.raw.files import files_table
from storelib.raw.sources import by_their_names, read_texts, where_is
from storelib.raw.spellings import refuse_capitals

CONTRACT = pandera.DataFrameSchema(
    {
        "category": pandera.Column(str, nullable=False),
        "store_id": pandera.Column(str, nullable=False),
        "segment": pandera.Column(
            str, pandera.Check.str_matches(r"^[1-9][0-9]{0,8}$", error="is no whole number from 1"), nullable=False
        ),
        "who": pandera.Column(str, nullable=False),
        "why": pandera.Column(str, nullable=False),
    },
    unique=["category", "store_id"],
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="configs/<env>.yml")
    parser.add_argument("--raw", type=Path, required=True, help="folder of raw files")
    parser.add_argument("--overrides", type=Path, required=True, help="output: one row per store and category")
    parser.add_argument("--files", type=Path, required=True, help="output: the files that were read, with their hashes")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, check, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    place = load_place(args.config)
    source = place.sources.overrides
    if source is None:
        with outputs() as write:
            write(OVERRIDES.schema().empty_table(), OVERRIDES, args.overrides)
            write(files_table({}, args.raw, {}), RAW_FILES, args.files)
        log.info("no overrides are configured")
        return
    where = str(args.raw / source.path)
    columns = source.columns.model_dump()
    delivery = Delivery(args.config, place, args.raw, {"overrides": source})
    lines: dict[str, int] = {}
    names = ["category", "segment", "who", "why"]
    texts = read_texts(source, args.raw, place.compute, columns, names=names, lines=lines)[OVERRIDES.names]
    # A file that holds a header only is how overrides begin, and how the last one is taken back.
    delivery.count("overrides", lines)
    check_table(texts, CONTRACT, where, lambda row: where_is(source, args.raw, by_their_names(row, columns)))
    if source.id_case == "fail":
        refuse_capitals(texts["store_id"], "store", where)
    overrides = texts.astype({"segment": "int32"}).sort_values(["category", "store_id"], ignore_index=True)
    read = delivery.table()
    with outputs() as write:
        write(overrides, OVERRIDES, args.overrides)
        write(read, RAW_FILES, args.files)
    delivery.tell(log, read)
    log.info("%d overrides in %d categories", len(overrides), overrides["category"].nunique())


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
