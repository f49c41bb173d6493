"""Read the store table: where each store is, and the columns that external sources join on.

Writes one row per store, every column as text. Where no store table is configured the file has a header only.
"""

import lib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandera.pandas as pandera
import pyarrow as pa

from lib.config import load_place
from lib.contracts import check_table
from lib.errors import DataError
from lib.sources import read_texts
from lib.tables import write_frame, write_table

CONTRACT = pandera.DataFrameSchema({"store_id": pandera.Column(str, nullable=False)}, unique=["store_id"])


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = lib.runtime.stage_parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="configs/<env>.yml")
    parser.add_argument("--raw", type=Path, required=True, help="folder of raw files")
    parser.add_argument("--stores", type=Path, required=True, help="output: one row per store")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, check, write."""
    args = parse_args(argv)
    log = lib.runtime.start_log(args.log)
    source = load_place(args.config).sources.stores
    if source is None:
        write_table(pa.schema([("store_id", pa.string())]).empty_table(), args.stores)
        log.info("no store table is configured")
        return
    where = str(args.raw / source.path)
    columns = {"store_id": source.columns["store_id"], **source.columns}
    stores = read_texts(source, args.raw, columns)
    if stores.empty:
        raise DataError(
            f"{where} holds no row", solution="put the store table there, or take `stores` out of the config"
        )
    check_table(stores, CONTRACT, where)
    schema = pa.schema([(name, pa.string()) for name in stores.columns])
    write_frame(stores.sort_values("store_id", ignore_index=True), schema, args.stores)
    log.info("%d stores", len(stores))


if __name__ == "__main__":
    lib.runtime.run_stage(main)
