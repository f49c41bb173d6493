"""The ledger of a table, counted by DuckDB."""

from decimal import Decimal

import duckdb

from storelib.accounts.ledger import Entry
from storelib.database import one_row


def count_entries(connection: duckdb.DuckDBPyConnection, relation: str, stage: str, category: str) -> list[Entry]:
    """The entries of one stage and category, counted by DuckDB.

    relation: a table or view with columns reason (empty: stays in), store_id, lines, sales (decimal).
    """
    totals = f"count(DISTINCT store_id), coalesce(sum(lines), 0), coalesce(sum(sales), 0) FROM {relation}"
    whole = one_row(connection, f"SELECT {totals}")
    kept = one_row(connection, f"SELECT {totals} WHERE reason = ''")
    aside = connection.execute(
        f"""
        WITH gone AS (
            SELECT store_id, min(reason) AS reason FROM {relation} GROUP BY store_id HAVING min(reason) <> ''
        )
        SELECT r.reason,
               (SELECT count(store_id) FROM gone WHERE gone.reason = r.reason),
               sum(r.lines), sum(r.sales)
        FROM {relation} AS r WHERE r.reason <> '' GROUP BY r.reason
        """  # noqa: S608
    ).fetchall()
    rows = [("in", "", *whole), ("out", "", *kept), *(("set_aside", *row) for row in aside)]
    return [
        Entry(stage, category, flow, reason, int(stores), int(lines), Decimal(sales))
        for flow, reason, stores, lines, sales in rows
    ]
