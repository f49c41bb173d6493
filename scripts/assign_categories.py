"""Give each sale its category, and set aside the sales that have none or whose store is not known.

The category is the sale's own; where the sale has none it is its product's. Categories that are spelt in several ways are
kept, unified or refused. Writes exact sums by category, store and
SKU, the stores that sell, and the ledger.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from logging import Logger
from pathlib import Path

import duckdb

from storelib.accounts.counting import count_entries
from storelib.accounts.ledger import Entry, balanced, log_entries
from storelib.contracts.contract import outputs
from storelib.contracts.ledger import LEDGER
from storelib.contracts.sales import CATEGORY_SALES, SELLING_STORES
from storelib.database import database, one_row
from storelib.errors import DataError
from storelib.raw.spellings import POLICIES, decide
from storelib.sql import literal
from storelib.tables import read_frame

REASONS = {
    "unknown_stores": ("unknown_store", "their store is not in the store table"),
    "skus_without_category": ("no_category", "neither the sale nor the product map gives a category"),
}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--sales", type=Path, required=True, help="sums by store, SKU, category and period")
    parser.add_argument("--product_map", type=Path, required=True, help="distinct (sku, category, need_state)")
    parser.add_argument("--stores", type=Path, required=True, help="store table; header only where there is none")
    parser.add_argument("--categories", type=Path, required=True, help="key and name of each category to cluster")
    parser.add_argument("--category_sales", type=Path, required=True, help="output: sums by category, store and SKU")
    parser.add_argument("--selling_stores", type=Path, required=True, help="output: stores with sales in any category")
    parser.add_argument("--ledger", type=Path, required=True, help="output: what was set aside, and why")
    parser.add_argument("--unknown_stores", choices=["keep", "drop", "fail"], required=True)
    parser.add_argument("--skus_without_category", choices=["drop", "fail"], required=True)
    parser.add_argument("--spelling", choices=POLICIES, required=True, help="of categories")
    return parser.parse_args(argv)


def join_tables(connection: duckdb.DuckDBPyConnection, args: argparse.Namespace) -> None:
    """Table `joined`: sums by store, SKU and the sale's or its product's category."""
    connection.execute(
        f"""
        CREATE TABLE joined AS
        WITH products AS (
            -- a SKU in several categories cannot tell the category of a sale
            SELECT sku, CASE WHEN count(DISTINCT category) = 1 THEN max(category) END AS category
            FROM read_parquet({literal(str(args.product_map))}) GROUP BY sku
        ),
        known_stores AS (SELECT store_id FROM read_parquet({literal(str(args.stores))})),
        sums AS (
            SELECT store_id, sku, category, sum(sales) AS sales, CAST(sum(lines) AS BIGINT) AS lines
            FROM read_parquet({literal(str(args.sales))}) GROUP BY ALL
        )
        SELECT s.store_id, s.sku, coalesce(s.category, p.category) AS category, s.sales, s.lines,
            (SELECT count(*) > 0 FROM known_stores) AND k.store_id IS NULL AS is_unknown
        FROM sums AS s
        LEFT JOIN products AS p USING (sku)
        LEFT JOIN known_stores AS k USING (store_id)
        """  # noqa: S608 (quoted file names)
    )


def choose_spellings(connection: duckdb.DuckDBPyConnection, policy: str, names: list[str], log: Logger) -> None:
    """Table `spellings`: category and the spelling to use instead. names: of the categories to cluster, which count."""
    counts = connection.execute(
        "SELECT category, CAST(sum(lines) AS BIGINT) FROM joined WHERE category IS NOT NULL GROUP BY category"
    ).fetchall()
    better = decide(policy, dict(counts), "category", "the sales", log, names)
    connection.execute("CREATE TABLE spellings (category VARCHAR, spelling VARCHAR)")
    if better:
        connection.executemany("INSERT INTO spellings VALUES (?, ?)", [list(pair) for pair in better.items()])


def tag_sales(connection: duckdb.DuckDBPyConnection, unknown_stores: str) -> None:
    """Table `tagged`: sums by category, store and SKU, with the reason to set them aside (empty: kept)."""
    connection.execute(
        """
        CREATE TABLE tagged AS
        SELECT coalesce(s.spelling, j.category) AS category, store_id, sku, is_unknown, s.spelling IS NOT NULL AS is_respelt,
            sum(sales) AS sales, CAST(sum(lines) AS BIGINT) AS lines,
            CASE
                WHEN is_unknown AND ? <> 'keep' THEN 'unknown_store'
                WHEN j.category IS NULL THEN 'no_category'
                ELSE ''
            END AS reason
        FROM joined AS j LEFT JOIN spellings AS s USING (category)
        GROUP BY ALL
        """,
        [unknown_stores],
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


def notes(connection: duckdb.DuckDBPyConnection) -> list[Entry]:
    """Ledger rows for what stays in but deserves a word: unknown stores, and categories that are spelt in another way."""
    found = []
    for flag, reason in (("is_unknown", "unknown_store"), ("is_respelt", "category_respelt")):
        stores, lines, sales = one_row(
            connection,
            f"""SELECT count(DISTINCT store_id), coalesce(sum(lines), 0), coalesce(sum(sales), 0)
            FROM tagged WHERE {flag} AND reason = ''""",  # noqa: S608 (names above)
        )
        if stores:
            found.append(Entry("assign_categories", "", "noted", reason, stores, int(lines), sales))
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Tag, account, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    with database() as connection:
        join_tables(connection, args)
        choose_spellings(connection, args.spelling, read_frame(args.categories)["name"].tolist(), log)
        tag_sales(connection, args.unknown_stores)
        for policy in REASONS:
            if vars(args)[policy] == "fail":
                refuse(connection, policy)
        entries = [*count_entries(connection, "tagged", "assign_categories", ""), *notes(connection)]
        if not one_row(connection, "SELECT count(*) FROM tagged WHERE reason = ''")[0]:
            raise DataError(
                "no sale has both a category and a known store",
                solution="compare the ids in the sales, the product map and the store table",
            )
        with outputs() as write:
            category_sales = connection.sql(
                """SELECT category, store_id, sku, sum(sales) AS sales, CAST(sum(lines) AS BIGINT) AS lines
                FROM tagged WHERE reason = '' GROUP BY category, store_id, sku ORDER BY category, store_id, sku"""
            )
            write(category_sales.to_arrow_reader(100_000), CATEGORY_SALES, args.category_sales)
            selling_stores = connection.sql(
                """SELECT store_id, sum(sales) AS sales, CAST(sum(lines) AS BIGINT) AS lines
                FROM tagged WHERE reason = '' GROUP BY store_id ORDER BY store_id"""
            )
            write(selling_stores.to_arrow_reader(100_000), SELLING_STORES, args.selling_stores)
            write(balanced(entries), LEDGER, args.ledger)
    log_entries(log, entries)


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
