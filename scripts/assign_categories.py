"""Give each sale its category, and set aside the sales that have none or whose store is not known.

The category is the sale's own; where the sale has none it is its product's. Categories that are spelt in several ways are
kept, unified or refused. Writes exact sums by category, store and entry of the product map, the SKUs that the map does not
place in their category, the stores that sell, and the ledger, down to the categories that are clustered.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from logging import Logger
from pathlib import Path

import duckdb

from storelib.accounts.counting import count_entries
from storelib.accounts.ledger import Entry, balanced, log_entries
from storelib.configuration.place import load_place
from storelib.contracts.contract import outputs
from storelib.contracts.ledger import LEDGER
from storelib.contracts.sales import CATEGORY_SALES, CATEGORY_SKUS, SELLING_STORES
from storelib.database import database, one_row
from storelib.errors import DataError, shown
from storelib.raw.spellings import POLICIES, decide
from storelib.sql import literal
from storelib.tables import read_frame

REASONS = {
    "unknown_stores": ("unknown_store", "their store is not in the store table"),
    "skus_without_category": ("no_category", "neither the sale nor the product map gives a category"),
}
BATCH = 100_000


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="configs/<env>.yml, for its limits")
    parser.add_argument(
        "--sales", type=Path, required=True, help="sums by category as spelt, store and entry of the map"
    )
    parser.add_argument("--sku_sales", type=Path, required=True, help="sums of SKUs that the map does not place")
    parser.add_argument(
        "--product_map", type=Path, required=True, help="distinct (sku, category, need_state), by entry"
    )
    parser.add_argument("--stores", type=Path, required=True, help="store table; header only where there is none")
    parser.add_argument("--categories", type=Path, required=True, help="key and name of each category to cluster")
    parser.add_argument("--category_sales", type=Path, required=True, help="output: sums by category, store and entry")
    parser.add_argument("--category_skus", type=Path, required=True, help="output: SKUs not placed, by category")
    parser.add_argument("--selling_stores", type=Path, required=True, help="output: stores with sales in any category")
    parser.add_argument("--ledger", type=Path, required=True, help="output: what was set aside, and why")
    parser.add_argument("--unknown_stores", choices=["keep", "drop", "fail"], required=True)
    parser.add_argument("--skus_without_category", choices=["drop", "fail"], required=True)
    parser.add_argument("--spelling", choices=POLICIES, required=True, help="of categories")
    return parser.parse_args(argv)


def join_tables(connection: duckdb.DuckDBPyConnection, args: argparse.Namespace) -> None:
    """Tables `joined` and `joined_skus`: sums with the sale's or its product's category."""
    connection.execute(
        f"""
        CREATE TABLE products AS
        -- a product in several categories cannot tell the category of a sale
        SELECT entry, CASE WHEN count(DISTINCT category) = 1 THEN max(category) END AS category
        FROM read_parquet({literal(str(args.product_map))}, hive_partitioning = false) GROUP BY entry;
        CREATE TABLE known_stores AS SELECT store_id FROM read_parquet({literal(str(args.stores))}, hive_partitioning = false);
        CREATE TABLE joined AS
        SELECT s.store_id, s.entry, coalesce(s.category, p.category) AS category, s.sales, s.lines,
            (SELECT count(*) > 0 FROM known_stores) AND k.store_id IS NULL AS is_unknown
        FROM read_parquet({literal(str(args.sales))}, hive_partitioning = false) AS s
        LEFT JOIN products AS p USING (entry)
        LEFT JOIN known_stores AS k USING (store_id);
        CREATE TABLE joined_skus AS
        SELECT s.sku, s.entry, coalesce(s.category, p.category) AS category, s.sales, s.lines
        FROM read_parquet({literal(str(args.sku_sales))}, hive_partitioning = false) AS s LEFT JOIN products AS p USING (entry)
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
    """Table `tagged`: sums by category, store and entry, with the reason to set them aside (empty: kept)."""
    connection.execute(
        """
        CREATE TABLE tagged AS
        SELECT coalesce(s.spelling, j.category) AS category, store_id, entry, is_unknown,
            s.spelling IS NOT NULL AS is_respelt, sales, lines,
            CASE
                WHEN is_unknown AND ? <> 'keep' THEN 'unknown_store'
                WHEN j.category IS NULL THEN 'no_category'
                ELSE ''
            END AS reason
        FROM joined AS j LEFT JOIN spellings AS s USING (category)
        """,
        [unknown_stores],
    )


def refuse(connection: duckdb.DuckDBPyConnection, policy: str) -> None:
    """Raise DataError where the policy is to fail and there is something to fail about."""
    reason, why = REASONS[policy]
    count, amount, store = one_row(
        connection, "SELECT sum(lines), sum(sales), min(store_id) FROM tagged WHERE reason = ?", [reason]
    )
    if count:
        examples = [f"store {shown(store)}"]
        if reason == "no_category":
            (sku,) = one_row(connection, "SELECT min(sku) FROM joined_skus WHERE category IS NULL")
            examples.append(f"SKU {shown(sku)}")
        raise DataError(
            f"{count} lines of sales ({amount}) cannot be used: {why}, such as {' or '.join(examples)}",
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


def selection_entries(connection: duckdb.DuckDBPyConnection, keys: dict[str, str]) -> list[Entry]:
    """The ledger between all sales with a category and the selected categories.

    keys: category as the source spells it to its key.
    """
    rows = connection.execute(
        """SELECT category, count(DISTINCT store_id), CAST(sum(lines) AS BIGINT), sum(sales)
        FROM tagged WHERE reason = '' GROUP BY category"""
    ).fetchall()
    entries = []
    for name, *amounts in rows:
        category = str(keys.get(name, name))
        flow = ("out", "") if name in keys else ("set_aside", "category_not_selected")
        entries += [
            Entry("select_categories", category, "in", "", *amounts),
            Entry("select_categories", category, *flow, *amounts),
        ]
    return entries


def main(argv: Sequence[str] | None = None) -> None:
    """Tag, account, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    categories = read_frame(args.categories)
    keys = dict(zip(categories["name"], categories["key"], strict=True))
    with database(load_place(args.config).compute) as connection:
        join_tables(connection, args)
        choose_spellings(connection, args.spelling, list(keys), log)
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
        selected = selection_entries(connection, keys)
        with outputs() as write:
            category_sales = connection.sql(
                """SELECT category, store_id, entry, sum(sales) AS sales, CAST(sum(lines) AS BIGINT) AS lines
                FROM tagged WHERE reason = '' GROUP BY category, store_id, entry ORDER BY category, store_id, entry"""
            )
            write(category_sales.to_arrow_reader(BATCH), CATEGORY_SALES, args.category_sales)
            category_skus = connection.sql(
                """SELECT coalesce(s.spelling, j.category) AS category, sku, any_value(entry) AS entry, sum(sales) AS sales,
                    CAST(sum(lines) AS BIGINT) AS lines
                FROM joined_skus AS j LEFT JOIN spellings AS s USING (category)
                WHERE j.category IS NOT NULL GROUP BY ALL ORDER BY 1, 2"""
            )
            write(category_skus.to_arrow_reader(BATCH), CATEGORY_SKUS, args.category_skus)
            selling_stores = connection.sql(
                """SELECT store_id, sum(sales) AS sales, CAST(sum(lines) AS BIGINT) AS lines
                FROM tagged WHERE reason = '' GROUP BY store_id ORDER BY store_id"""
            )
            write(selling_stores.to_arrow_reader(BATCH), SELLING_STORES, args.selling_stores)
            write(balanced([*entries, *selected]), LEDGER, args.ledger)
    log_entries(log, entries)


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
