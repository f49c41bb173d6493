"""Give each sale its category, and set aside the sales that have none or whose store is not known.

The category is the sale's own; where the sale has none it is its product's. Writes exact sums by category, store and
SKU, the stores that sell, and the ledger.
"""

import lib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

import duckdb

from lib.database import count_entries, database, literal, one_row
from lib.errors import DataError
from lib.ledger import Entry, log_entries, write_ledger
from lib.tables import write_batches

REASONS = {
    "unknown_stores": ("unknown_store", "their store is not in the store table"),
    "skus_without_category": ("no_category", "neither the sale nor the product map gives a category"),
}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = lib.runtime.stage_parser(__doc__)
    parser.add_argument("--sales", type=Path, required=True, help="sums by store, SKU, category and period")
    parser.add_argument("--product_map", type=Path, required=True, help="distinct (sku, category, need_state)")
    parser.add_argument("--stores", type=Path, required=True, help="store table; header only where there is none")
    parser.add_argument("--category_sales", type=Path, required=True, help="output: sums by category, store and SKU")
    parser.add_argument("--selling_stores", type=Path, required=True, help="output: stores with sales in any category")
    parser.add_argument("--ledger", type=Path, required=True, help="output: what was set aside, and why")
    parser.add_argument("--unknown_stores", choices=["keep", "drop", "fail"], required=True)
    parser.add_argument("--skus_without_category", choices=["drop", "fail"], required=True)
    return parser.parse_args(argv)


def tag_sales(connection: duckdb.DuckDBPyConnection, args: argparse.Namespace) -> None:
    """Table `tagged`: sums by category, store and SKU, with the reason to set them aside (empty: kept)."""
    connection.execute(
        f"""
        CREATE TABLE tagged AS
        WITH products AS (
            -- a SKU in several categories cannot tell the category of a sale
            SELECT sku, CASE WHEN count(DISTINCT category) = 1 THEN max(category) END AS category
            FROM read_parquet({literal(str(args.product_map))}) GROUP BY sku
        ),
        known_stores AS (SELECT store_id FROM read_parquet({literal(str(args.stores))})),
        sums AS (
            SELECT store_id, sku, category, sum(sales) AS sales, CAST(sum(lines) AS BIGINT) AS lines
            FROM read_parquet({literal(str(args.sales))}) GROUP BY ALL
        ),
        joined AS (
            SELECT s.store_id, s.sku, coalesce(s.category, p.category) AS category, s.sales, s.lines,
                (SELECT count(*) > 0 FROM known_stores) AND k.store_id IS NULL AS is_unknown
            FROM sums AS s
            LEFT JOIN products AS p USING (sku)
            LEFT JOIN known_stores AS k USING (store_id)
        )
        SELECT category, store_id, sku, is_unknown, sum(sales) AS sales, CAST(sum(lines) AS BIGINT) AS lines,
            CASE
                WHEN is_unknown AND ? <> 'keep' THEN 'unknown_store'
                WHEN category IS NULL THEN 'no_category'
                ELSE ''
            END AS reason
        FROM joined GROUP BY ALL
        """,  # noqa: S608 (quoted file names)
        [args.unknown_stores],
    )


def refuse(connection: duckdb.DuckDBPyConnection, policy: str) -> None:
    """Raise DataError where the policy is to fail and there is something to fail about."""
    reason, why = REASONS[policy]
    count, amount, store, sku = one_row(
        connection, "SELECT count(*), sum(sales), min(store_id), min(sku) FROM tagged WHERE reason = ?", [reason]
    )
    if count:
        raise DataError(
            f"{count} sums of sales ({amount}) cannot be used: {why}, such as store {store!r} or SKU {sku!r}",
            solution=f"complete the tables, or choose another policy in internal.assign_categories.{policy}",
        )


def kept_unknown(connection: duckdb.DuckDBPyConnection) -> list[Entry]:
    """A ledger row for unknown stores that stay in."""
    stores, lines, sales = one_row(
        connection,
        """SELECT count(DISTINCT store_id), coalesce(sum(lines), 0), coalesce(sum(sales), 0)
        FROM tagged WHERE is_unknown AND reason = ''""",
    )
    return [Entry("assign_categories", "", "noted", "unknown_store", stores, int(lines), sales)] if stores else []


def main(argv: Sequence[str] | None = None) -> None:
    """Tag, account, write."""
    args = parse_args(argv)
    log = lib.runtime.start_log(args.log)
    with database() as connection:
        tag_sales(connection, args)
        for policy in REASONS:
            if vars(args)[policy] == "fail":
                refuse(connection, policy)
        entries = [*count_entries(connection, "tagged", "assign_categories", ""), *kept_unknown(connection)]
        if not one_row(connection, "SELECT count(*) FROM tagged WHERE reason = ''")[0]:
            raise DataError(
                "no sale has both a category and a known store",
                solution="compare the ids in the sales, the product map and the store table",
            )
        write_batches(
            connection.sql(
                """SELECT category, store_id, sku, sales, lines FROM tagged WHERE reason = ''
                ORDER BY category, store_id, sku"""
            ).to_arrow_reader(100_000),
            args.category_sales,
        )
        write_batches(
            connection.sql(
                """SELECT store_id, sum(sales) AS sales, CAST(sum(lines) AS BIGINT) AS lines
                FROM tagged WHERE reason = '' GROUP BY store_id ORDER BY store_id"""
            ).to_arrow_reader(100_000),
            args.selling_stores,
        )
    write_ledger(entries, args.ledger)
    log_entries(log, entries)


if __name__ == "__main__":
    lib.runtime.run_stage(main)
