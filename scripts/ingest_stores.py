"""Read the store table: where each store is, and the columns that external sources join on.

Writes one row per store, every column as text. Rows of one store that say the same, or complete each other, are one row;
rows that contradict each other are refused. Where no store table is configured the file has a header only.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pandera.pandas as pandera

from storelib.configuration.place import load_place
from storelib.contracts.contract import check_table, outputs
from storelib.contracts.places import STORES
from storelib.contracts.raw_files import RAW_FILES
from storelib.errors import DataError, shown
from storelib.raw.delivery import Delivery, raw_parser, write_nothing
from storelib.raw.sources import by_their_names, read_texts, where_is
from storelib.raw.spellings import refuse_capitals

CONTRACT = pandera.DataFrameSchema({"store_id": pandera.Column(str, nullable=False)})
# Columns that the map draws: they are numbers, and written as the source writes numbers.
COORDINATES = ("latitude", "longitude")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = raw_parser(__doc__)
    parser.add_argument("--stores", type=Path, required=True, help="output: one row per store")
    return parser.parse_args(argv)


def refuse_contradictions(rows: pd.DataFrame, locate: Callable[[Mapping[str, str | None]], str]) -> None:
    """Raise DataError where two rows of a store give a column two values."""
    counts = rows.groupby("store_id").nunique()
    several = counts.index[(counts > 1).any(axis="columns")]
    if not len(several):
        return
    store = min(several)
    column = counts.columns[counts.loc[store] > 1][0]
    first, second = sorted(rows.loc[rows["store_id"] == store, column].dropna().unique())[:2]
    places = [locate({"store_id": store, column: value}) for value in (first, second)]
    raise DataError(
        f"{places[0]}: store {shown(store)} has {shown(first)} in column {column!r}, but {shown(second)} in "
        f"{places[1]} ({len(several)} stores have rows that contradict each other)",
        solution="give each store one row, or leave a column that is not needed out of `columns`",
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Read, check, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    place = load_place(args.config)
    source = place.sources.stores
    if source is None:
        write_nothing(STORES, args.stores, args)
        log.info("no store table is configured")
        return
    where = str(args.raw / source.path)
    columns = {"store_id": source.columns["store_id"], **source.columns}

    def locate(row: Mapping[str, str | None]) -> str:
        return where_is(source, args.raw, by_their_names(row, columns))

    delivery = Delivery(args.config, place, args.raw, {"stores": source})
    lines: dict[str, int] = {}
    rows = read_texts(source, args.raw, place.compute, columns, numbers=COORDINATES, names=["name"], lines=lines)
    if rows.empty:
        raise DataError(
            f"{where} holds no row", solution="put the store table there, or take `stores` out of the config"
        )
    delivery.count("stores", lines)
    check_table(rows, CONTRACT, where, locate)
    if source.id_case == "fail":
        refuse_capitals(rows["store_id"], "store", where)
    refuse_contradictions(rows, locate)
    # What is missing in one row of a store is taken from another.
    stores = rows.groupby("store_id", as_index=False).first()[list(columns)]
    read = delivery.table()
    with outputs() as write:
        write(stores.sort_values("store_id", ignore_index=True), STORES, args.stores)
        write(read, RAW_FILES, args.files)
    delivery.tell(log, read)
    log.info("%d stores in %d rows", len(stores), len(rows))


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
