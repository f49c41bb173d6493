"""Split one category's sales over need states, and make each store's shares of them.

A SKU's sales are divided evenly over its distinct need states in the category; the weight depends on the map alone. The
split is exact: cents are counted in integer fractions (the least common multiple of the numbers of need states), so the
ledger balances without rounding. Shares are of the positive part of a store's net sales per need state, and each row sums to 1.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
import math
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd

from storelib.accounts.counting import count_entries
from storelib.accounts.ledger import Entry, balanced, log_entries
from storelib.contracts.contract import outputs
from storelib.contracts.ledger import LEDGER
from storelib.contracts.sales import NEED_STATE_SALES, SHARES, STORE_SALES
from storelib.database import database, one_row
from storelib.errors import DataError, nearest_name, shown
from storelib.sql import literal

UNMAPPED = "(unmapped)"


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--category", type=storelib.runtime.view_key, required=True, help="key of the category")
    parser.add_argument("--name", required=True, help="the category as the source spells it")
    parser.add_argument("--category_sales", type=Path, required=True, help="sums by category, store and SKU")
    parser.add_argument("--product_map", type=Path, required=True, help="distinct (sku, category, need_state)")
    parser.add_argument("--need_state_sales", type=Path, required=True, help="output: sales by store and need state")
    parser.add_argument(
        "--shares", type=Path, required=True, help="output: one row per store, one column per need state"
    )
    parser.add_argument("--store_sales", type=Path, required=True, help="output: lines and net sales of each store")
    parser.add_argument("--ledger", type=Path, required=True, help="output: what was set aside, and why")
    parser.add_argument("--unmapped_skus", choices=["own_need_state", "drop", "fail"], required=True)
    parser.add_argument("--stores_without_net_sales", choices=["place", "drop", "fail"], required=True)
    return parser.parse_args(argv)


def refuse_unknown_category(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """A category that the sales do not have is a misspelling or a missing file."""
    known = [row[0] for row in connection.execute("SELECT DISTINCT category FROM category_sales").fetchall()]
    if name not in known:
        raise DataError(
            f"no sales in category {shown(name)}{nearest_name(name, known)}; categories in the data: {', '.join(sorted(known)[:30])}",
            solution="mend the name under internal.categories in params.yaml, or take the category out",
        )


def split_sales(connection: duckdb.DuckDBPyConnection, name: str, unmapped_skus: str) -> int:
    """Table `split` (reason, store_id, sku, need_state, lines, sales, units): one row per store, SKU and need state.

    `units` are fractions of a cent, of which the returned number makes a cent. `lines` and `sales` are whole, on the first
    of a SKU's need states, so that their sums count each line once.
    """
    connection.execute(
        """
        CREATE TABLE joined AS
        WITH mapped AS (
            -- need states within this category; all of the SKU's where the map does not know it in this category
            SELECT sku, need_state FROM product_map
            QUALIFY category IS NOT DISTINCT FROM ? OR NOT coalesce(bool_or(category = ?) OVER (PARTITION BY sku), FALSE)
        ),
        need_states AS (SELECT DISTINCT sku, need_state FROM mapped WHERE need_state IS NOT NULL),
        weighted AS (SELECT *, count(*) OVER (PARTITION BY sku) AS parts FROM need_states)
        SELECT s.store_id, s.sku, coalesce(w.need_state, ?) AS need_state, coalesce(w.parts, 1) AS parts,
            row_number() OVER (PARTITION BY s.store_id, s.sku ORDER BY w.need_state) = 1 AS is_first,
            s.lines, s.sales, CAST(s.sales * 100 AS HUGEINT) AS cents,
            CASE WHEN w.sku IS NULL AND ? = 'drop' THEN 'unmapped_sku' ELSE '' END AS reason,
            w.sku IS NULL AS is_unmapped
        FROM category_sales AS s LEFT JOIN weighted AS w USING (sku)
        WHERE s.category = ?
        """,
        [name, name, UNMAPPED, unmapped_skus, name],
    )
    parts = [row[0] for row in connection.execute("SELECT DISTINCT parts FROM joined").fetchall()]
    per_cent = math.lcm(*parts)
    connection.execute(
        """
        CREATE TABLE split AS
        SELECT reason, store_id, sku, need_state, is_unmapped,
            CASE WHEN is_first THEN lines ELSE 0 END AS lines,
            CASE WHEN is_first THEN sales ELSE 0 END AS sales,
            cents * (CAST(? AS HUGEINT) // parts) AS units
        FROM joined
        """,
        [per_cent],
    )
    return per_cent


def refuse_unmapped(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Raise DataError where a SKU of this category has no need state."""
    skus, example, sales = one_row(
        connection, "SELECT count(DISTINCT sku), min(sku), sum(sales) FROM split WHERE is_unmapped"
    )
    if skus:
        raise DataError(
            f"{skus} SKUs of category {shown(name)} have no need state in the product map, "
            f"such as {shown(example)} (sales {sales})",
            solution="complete the map, or choose another policy in internal.split_need_states.unmapped_skus",
        )


def handle_stores_without_net_sales(connection: duckdb.DuckDBPyConnection, policy: str, name: str) -> None:
    """Tell apart the stores whose every need state nets to nothing: they have no shares of their own."""
    connection.execute(
        """
        CREATE TABLE netted AS
        SELECT store_id, need_state, sum(units) AS units FROM split WHERE reason = '' GROUP BY ALL;
        CREATE TABLE empty_stores AS SELECT store_id FROM netted GROUP BY store_id HAVING max(units) <= 0;
        """
    )
    count, example = one_row(connection, "SELECT count(*), min(store_id) FROM empty_stores")
    if count and policy == "fail":
        raise DataError(
            f"{count} stores have no net sales in category {shown(name)}, such as {shown(example)}",
            solution="choose another policy in internal.split_need_states.stores_without_net_sales",
        )
    if policy == "drop":
        connection.execute(
            """
            UPDATE split SET reason = 'no_net_sales'
            WHERE reason = '' AND store_id IN (SELECT store_id FROM empty_stores);
            DELETE FROM netted WHERE store_id IN (SELECT store_id FROM empty_stores);
            """
        )


def ledger_entries(connection: duckdb.DuckDBPyConnection, category: str, per_cent: int) -> list[Entry]:
    """In, out and set aside, with notes on what stayed in. Raises DataError where a fraction of a cent was lost."""
    entries = count_entries(connection, "split", "split_need_states", category)
    (units,) = one_row(connection, "SELECT coalesce(sum(units), 0) FROM netted")
    (out,) = (entry for entry in entries if entry.flow == "out")
    if int(units) != int(out.sales * 100) * per_cent:
        raise DataError(
            f"category {category}: {units} units of {per_cent} to the cent came of {out.sales}",
            solution="this is a defect of the pipeline, not of the data: report it with the log",
        )
    for reason, query in {
        "unmapped_sku": "SELECT count(DISTINCT store_id), sum(lines), sum(sales) FROM split WHERE is_unmapped AND reason = ''",
        "no_net_sales": """SELECT count(DISTINCT store_id), sum(lines), sum(sales)
            FROM split JOIN empty_stores USING (store_id) WHERE reason = ''""",
        "negative_need_state": f"""SELECT count(DISTINCT store_id), 0, round(sum(units) / {100 * per_cent}, 2)
            FROM netted WHERE units < 0""",  # noqa: S608 (a number)
    }.items():
        stores, lines, sales = one_row(connection, query)
        if stores:
            amount = Decimal(str(sales)).quantize(Decimal("0.01"))
            entries.append(Entry("split_need_states", category, "noted", reason, stores, int(lines), amount))
    return entries


def shares_of(sales: pd.DataFrame, name: str) -> pd.DataFrame:
    """Shares of positive sales, stores x need states, both sorted.

    sales: store_id, need_state, sales (net, may be negative). A store without positive sales gets the chain's shares.
    name: of the category. Raises DataError where nothing is positive.
    """
    wide = sales.pivot(index="store_id", columns="need_state", values="sales").fillna(0.0).clip(lower=0.0)
    wide = wide.sort_index().sort_index(axis="columns")
    totals = wide.sum(axis="columns")
    chain = wide.sum(axis="index")
    if not chain.sum() > 0:
        raise DataError(
            f"category {shown(name)}: no store has positive net sales in any need state",
            solution="look at the sales of this category, or take it out",
        )
    shares = wide.div(totals.where(totals > 0, 1.0), axis="index")
    shares.loc[totals <= 0] = (chain / chain.sum()).to_numpy()
    return shares


def main(argv: Sequence[str] | None = None) -> None:
    """Split, account, share, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    with database() as connection:
        for view in ("category_sales", "product_map"):
            connection.execute(f"CREATE VIEW {view} AS SELECT * FROM read_parquet({literal(str(vars(args)[view]))})")  # noqa: S608
        refuse_unknown_category(connection, args.name)
        per_cent = split_sales(connection, args.name, args.unmapped_skus)
        if args.unmapped_skus == "fail":
            refuse_unmapped(connection, args.name)
        handle_stores_without_net_sales(connection, args.stores_without_net_sales, args.name)
        entries = ledger_entries(connection, args.category, per_cent)
        sales = connection.sql(
            f"""SELECT store_id, need_state, CAST(units AS DOUBLE) / {100 * per_cent} AS sales
            FROM netted ORDER BY store_id, need_state"""  # noqa: S608 (a number)
        ).to_arrow_table()
        store_sales = connection.sql(
            """SELECT store_id, CAST(sum(lines) AS BIGINT) AS lines, sum(sales) AS sales,
                store_id NOT IN (SELECT store_id FROM empty_stores) AS has_net_sales
            FROM split WHERE reason = '' GROUP BY store_id ORDER BY store_id"""
        ).to_arrow_table()
    if sales.num_rows == 0:
        raise DataError(
            f"every sale of category {shown(args.name)} was set aside", solution="look at the policies in params.yaml"
        )
    shares = shares_of(sales.to_pandas(), args.name)
    if "store_id" in shares.columns:
        raise DataError(
            "a need state is called 'store_id', the name of the key", solution="rename it in the product map"
        )
    with outputs() as write:
        write(sales, NEED_STATE_SALES, args.need_state_sales)
        write(shares.reset_index(), SHARES, args.shares)
        write(store_sales, STORE_SALES, args.store_sales)
        write(balanced(entries), LEDGER, args.ledger)
    log.info("%d stores, %d need states", *shares.shape)
    log_entries(log, entries)


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
