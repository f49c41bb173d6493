"""Give each sale its category, and set aside the sales that have none or whose store is not known.

The category is the sale's own; where the sale has none it is its product's. Categories that are spelt in several ways, in the
sales or in the product map, are kept, unified or refused. Writes exact sums by category, store and entry of the product map,
what the map says of each entry, the SKUs that the map does not place in their category, the stores that sell, the total of each
category, and the ledger. Nothing here depends on which categories are clustered.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from decimal import Decimal
from logging import Logger
from pathlib import Path

import duckdb
import pyarrow as pa

from storelib.accounts.counting import count_entries
from storelib.accounts.ledger import Entry, balanced, log_entries
from storelib.accounts.selection import NO_SALES
from storelib.configuration.place import load_place
from storelib.contracts.contract import outputs
from storelib.contracts.ledger import LEDGER
from storelib.contracts.sales import CATEGORY_SALES, CATEGORY_SKUS, CATEGORY_TOTALS, MAP_ENTRIES, MORE, SELLING_STORES
from storelib.database import database, one_row
from storelib.errors import DataError, shown
from storelib.raw.spellings import POLICIES, decide
from storelib.seals import checked
from storelib.sql import literal
from storelib.tables import MONEY, read_table

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
    parser.add_argument("--map_entries", type=Path, required=True, help="output: what the map says of each entry")
    parser.add_argument("--category_totals", type=Path, required=True, help="output: one row per category")
    parser.add_argument("--category_sales", type=Path, required=True, help="output: sums by category, store and entry")
    parser.add_argument("--category_skus", type=Path, required=True, help="output: SKUs not placed, by category")
    parser.add_argument("--selling_stores", type=Path, required=True, help="output: stores with sales in any category")
    parser.add_argument("--ledger", type=Path, required=True, help="output: what was set aside, and why")
    parser.add_argument("--unknown_stores", choices=["keep", "drop", "fail"], required=True)
    parser.add_argument("--skus_without_category", choices=["drop", "fail"], required=True)
    parser.add_argument("--spelling", choices=POLICIES, required=True, help="of categories, in sales and map")
    return parser.parse_args(argv)


def name_tables(connection: duckdb.DuckDBPyConnection, args: argparse.Namespace) -> None:
    """Views of the input tables: `sums`, `sku_sums`, `product_map`, `known_stores`."""
    names = {"sums": "sales", "sku_sums": "sku_sales", "product_map": "product_map", "known_stores": "stores"}
    for name, flag in names.items():
        path = literal(str(checked(vars(args)[flag])))
        connection.execute(f"CREATE VIEW {name} AS FROM read_parquet({path}, hive_partitioning = false)")


def choose_spellings(connection: duckdb.DuckDBPyConnection, policy: str, log: Logger) -> None:
    """Table `spellings`: category and the spelling to use instead.

    How often a spelling occurs is told by sales lines and the map's SKUs together.
    """
    counts = connection.execute(
        """
        SELECT category, CAST(sum(times) AS BIGINT) FROM (
            SELECT category, lines AS times FROM sums
            UNION ALL SELECT category, count(DISTINCT sku) FROM product_map GROUP BY category
        ) WHERE category IS NOT NULL GROUP BY category
        """
    ).fetchall()
    better = decide(policy, dict(counts), "category", "the sales and the product map", log)
    connection.execute("CREATE TABLE spellings (category VARCHAR, spelling VARCHAR)")
    if better:
        connection.executemany("INSERT INTO spellings VALUES (?, ?)", [list(pair) for pair in better.items()])


def join_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Tables `entries`, what the map says, and `joined` and `joined_skus`, sums with the sale's or its product's category."""
    connection.execute(
        f"""
        CREATE TABLE entries AS
        SELECT DISTINCT entry, coalesce(spelling, category) AS category, need_state
        FROM product_map LEFT JOIN spellings USING (category);
        CREATE TABLE products AS
        -- a product in several categories cannot tell the category of a sale
        SELECT entry, CASE WHEN count(DISTINCT category) = 1 THEN max(category) END AS category
        FROM entries GROUP BY entry;
        CREATE TABLE joined AS
        SELECT s.store_id, s.entry, coalesce(b.spelling, s.category, p.category) AS category, s.sales, s.lines,
            {", ".join(f"s.{name}" for name in MORE)}, b.spelling IS NOT NULL AS is_respelt,
            (SELECT count(*) > 0 FROM known_stores) AND k.store_id IS NULL AS is_unknown
        FROM sums AS s
        LEFT JOIN spellings AS b USING (category)
        LEFT JOIN products AS p ON p.entry = s.entry
        LEFT JOIN known_stores AS k ON k.store_id = s.store_id;
        CREATE TABLE joined_skus AS
        SELECT s.sku, s.entry, coalesce(b.spelling, s.category, p.category) AS category, s.sales, s.lines
        FROM sku_sums AS s LEFT JOIN spellings AS b USING (category) LEFT JOIN products AS p ON p.entry = s.entry
        """  # noqa: S608 (ours)
    )


def refuse_ambiguous(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise DataError where no sale has a category of its own, and a SKU of the map lies in two: it cannot tell which."""
    if one_row(connection, "SELECT count(category) FROM sums")[0]:
        return
    several = connection.execute(
        """
        SELECT sku, list_sort(list(DISTINCT e.category)) FROM product_map AS m JOIN entries AS e USING (entry)
        WHERE e.category IS NOT NULL GROUP BY sku HAVING count(DISTINCT e.category) > 1 ORDER BY sku
        """
    ).fetchall()
    if several:
        sku, found = several[0]
        raise DataError(
            f"the product map: {len(several)} SKUs lie in more than one category, such as {shown(sku)} in {found}",
            solution="give each SKU one category, or name a category column in sales.columns",
        )


def tag_sales(connection: duckdb.DuckDBPyConnection, unknown_stores: str) -> None:
    """View `tagged`: sums by category, store and entry, with the reason to set them aside (empty: kept)."""
    aside = "FALSE" if unknown_stores == "keep" else "is_unknown"
    connection.execute(
        f"""
        CREATE VIEW tagged AS
        SELECT *, CASE WHEN {aside} THEN 'unknown_store' WHEN category IS NULL THEN 'no_category' ELSE '' END AS reason
        FROM joined
        """  # noqa: S608 (ours)
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
    """Ledger rows for what stays in and is worth knowing: unknown stores, and categories that are spelt in another way."""
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


def write_no_sales(args: argparse.Namespace) -> int:
    """One category that stands for all, with every store of the store table and no sales. Returns how many stores.

    In the ledger stores come in with their category: nothing was sold that could have come in before.
    """
    stores = read_table(args.stores, ["store_id"])["store_id"].sort()
    count = len(stores)
    if not count:
        raise DataError(
            f"{args.stores} has no store, and there are no sales",
            solution="name a store table under sources.stores in configs/<env>.yml",
        )
    nothing, category = pa.array([Decimal(0)] * count, MONEY), pa.array([NO_SALES] * count)
    lines, entry = (pa.array([0] * count, kind) for kind in (pa.int64(), pa.int32()))
    by_store = {"category": category, "store_id": stores, "entry": entry, "sales": nothing, "lines": lines}
    by_store |= dict.fromkeys(MORE, pa.nulls(count, MONEY))
    totals = {
        "category": [NO_SALES],
        "stores": [count],
        "sales": [Decimal(0)],
        "lines": [0],
        "takes_other_spellings": [False],
    }
    entries = [Entry("assign_categories", "", flow, "", 0, 0, Decimal(0)) for flow in ("in", "out")]
    with outputs() as write:
        write(MAP_ENTRIES.schema().empty_table(), MAP_ENTRIES, args.map_entries)
        write(pa.table(totals, CATEGORY_TOTALS.schema()), CATEGORY_TOTALS, args.category_totals)
        write(pa.table(by_store), CATEGORY_SALES, args.category_sales)
        write(CATEGORY_SKUS.schema().empty_table(), CATEGORY_SKUS, args.category_skus)
        write(pa.table({"store_id": stores, "sales": nothing, "lines": lines}), SELLING_STORES, args.selling_stores)
        write(balanced(entries), LEDGER, args.ledger)
    return count


def main(argv: Sequence[str] | None = None) -> None:
    """Tag, account, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    if not read_table(args.sales, ["lines"]).num_rows:
        log.info("no sales are configured: one category stands for all, with %d stores", write_no_sales(args))
        return
    with database(load_place(args.config).compute) as connection:
        name_tables(connection, args)
        choose_spellings(connection, args.spelling, log)
        join_tables(connection)
        refuse_ambiguous(connection)
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
            map_entries = connection.sql("SELECT entry, category, need_state FROM entries ORDER BY ALL NULLS LAST")
            write(map_entries.to_arrow_reader(BATCH), MAP_ENTRIES, args.map_entries)
            category_totals = connection.sql(
                f"""SELECT category, count(DISTINCT store_id) AS stores, sum(sales) AS sales, CAST(sum(lines) AS BIGINT) AS lines,
                    {"true" if args.spelling == "unify" else "false"} AS takes_other_spellings
                FROM tagged WHERE reason = '' GROUP BY category ORDER BY category"""  # noqa: S608 (true or false)
            )
            write(category_totals.to_arrow_reader(BATCH), CATEGORY_TOTALS, args.category_totals)
            united = ", ".join(f"{'max' if name == 'largest' else 'sum'}({name}) AS {name}" for name in MORE)
            category_sales = connection.sql(
                f"""SELECT category, store_id, entry, sum(sales) AS sales, CAST(sum(lines) AS BIGINT) AS lines, {united}
                FROM tagged WHERE reason = '' GROUP BY category, store_id, entry ORDER BY category, store_id, entry"""  # noqa: S608 (ours)
            )
            write(category_sales.to_arrow_reader(BATCH), CATEGORY_SALES, args.category_sales)
            category_skus = connection.sql(
                """SELECT category, sku, any_value(entry) AS entry, sum(sales) AS sales, CAST(sum(lines) AS BIGINT) AS lines
                FROM joined_skus WHERE category IS NOT NULL GROUP BY category, sku ORDER BY category, sku"""
            )
            write(category_skus.to_arrow_reader(BATCH), CATEGORY_SKUS, args.category_skus)
            selling_stores = connection.sql(
                """SELECT store_id, sum(sales) AS sales, CAST(sum(lines) AS BIGINT) AS lines
                FROM tagged WHERE reason = '' GROUP BY store_id ORDER BY store_id"""
            )
            write(selling_stores.to_arrow_reader(BATCH), SELLING_STORES, args.selling_stores)
            write(balanced(entries), LEDGER, args.ledger)
    log_entries(log, entries)


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
