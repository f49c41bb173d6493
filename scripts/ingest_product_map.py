"""Read the product map: which need states each SKU serves, and its category where the map gives one.

Writes the distinct pairs of SKU and need state, with the number of the SKU's entry: SKUs of which the map says the same
share it. A row whose need state is missing keeps the SKU's category but maps it to nothing. Need states that are spelt in
several ways (` DRY SKIN`, `Dry skin`) are kept, unified or refused; categories stay as they are spelt (see `assign_categories`).
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from logging import Logger
from pathlib import Path

import pandas as pd
import pandera.pandas as pandera

from storelib.accounts.entries import numbered
from storelib.configuration.place import Compute, ProductMapSource, listed, load_place
from storelib.contracts.contract import check_table, outputs
from storelib.contracts.raw_files import RAW_FILES
from storelib.contracts.sales import PRODUCT_MAP
from storelib.errors import DataError
from storelib.raw.delivery import Delivery, raw_parser, write_nothing
from storelib.raw.sources import by_their_names, read_texts, where_is
from storelib.raw.spellings import POLICIES, decide, refuse_capitals

CONTRACT = pandera.DataFrameSchema({"sku": pandera.Column(str, nullable=False)})


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = raw_parser(__doc__)
    parser.add_argument("--product_map", type=Path, required=True, help="output: distinct (sku, category, need_state)")
    parser.add_argument("--spelling", choices=POLICIES, required=True, help="of need states")
    return parser.parse_args(argv)


def read_map(source: ProductMapSource, raw: Path, limits: Compute, lines: dict[str, int]) -> pd.DataFrame:
    """One row per row of the source: sku, category, need_state. lines: is told how many rows came from each file.

    Several need-state columns are joined by a space; where one of them is missing there is no need state.
    """
    columns = map_columns(source)
    frame = read_texts(source, raw, limits, columns, names=columns.keys() - {"sku"}, lines=lines)
    parts = [name for name in columns if name.startswith("part_")]
    joined = frame[parts[0]]
    for name in parts[1:]:
        joined = joined + " " + frame[name]
    category = frame["category"] if source.columns.category else None
    return pd.DataFrame({"sku": frame["sku"], "category": category, "need_state": joined}).astype("str")


def map_columns(source: ProductMapSource) -> dict[str, str | list[str]]:
    """Columns of the source by our names: sku, part_0, part_1 ... of the need state, and category where there is one."""
    columns: dict[str, str | list[str]] = {"sku": source.columns.sku}
    columns |= {f"part_{i}": column for i, column in enumerate(listed(source.columns.need_state))}
    return columns | ({"category": source.columns.category} if source.columns.category else {})


def unify_spellings(rows: pd.DataFrame, policy: str, where: str, log: Logger) -> pd.DataFrame:
    """The rows with one spelling for each need state, as far as the policy says so.

    How often a spelling occurs is told by distinct SKUs.
    """
    counts = rows[["sku", "need_state"]].drop_duplicates()["need_state"].value_counts()
    better = decide(policy, {str(name): int(count) for name, count in counts.items()}, "need state", where, log)
    return rows.assign(need_state=rows["need_state"].replace(better)) if better else rows


def with_entries(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs with the number of each SKU's entry: SKUs of which the map says the same have the same."""
    rows = pairs.astype("object").where(pairs.notna(), None).itertuples(index=False, name=None)
    return pairs.assign(entry=pairs["sku"].map(numbered(rows)).astype("int32"))


def distinct_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """Distinct rows in key order; a SKU with a need state in a category loses its rows without one there."""
    pairs = rows.drop_duplicates()
    mapped = pairs.groupby(["sku", "category"], dropna=False)["need_state"].transform("count") > 0
    return pairs[pairs["need_state"].notna() | ~mapped].sort_values(
        ["sku", "category", "need_state"], ignore_index=True
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Read, check, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    place = load_place(args.config)
    source = place.sources.product_map
    if source is None:
        write_nothing(PRODUCT_MAP, args.product_map, args)
        log.info("no product map is configured: there are no sales")
        return
    where = str(args.raw / source.path)
    delivery = Delivery(args.config, place, args.raw, {"product_map": source})
    lines: dict[str, int] = {}
    rows = read_map(source, args.raw, place.compute, lines)
    if rows.empty:
        raise DataError(f"{where} holds no row", solution="put the product map there")
    delivery.count("product_map", lines)
    check_table(rows, CONTRACT, where, lambda row: where_is(source, args.raw, by_their_names(row, map_columns(source))))
    if source.id_case == "fail":
        refuse_capitals(rows["sku"], "SKU", where)
    pairs = distinct_pairs(unify_spellings(rows, args.spelling, where, log))
    read = delivery.table()
    with outputs() as write:
        write(with_entries(pairs), PRODUCT_MAP, args.product_map)
        write(read, RAW_FILES, args.files)
    delivery.tell(log, read)
    unmapped = int((pairs.groupby("sku")["need_state"].count() == 0).sum())
    log.info("%d rows, %d SKUs, %d of them without a need state", len(rows), pairs["sku"].nunique(), unmapped)


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
