"""Sales by store, category and need state in one query, as a good writer of SQL would have it.

Lines are summed exactly by store and by their SKU's set of need states, of which there are few, and only these sums are split.
They are split in sixths of a cent, since a SKU serves one to three need states. No check, no ledger, no policy.

usage: python benchmarks/bench/peers/duckdb_alone.py --raw FOLDER --out FILE [--threads 2]
"""

import argparse
from pathlib import Path

import duckdb

QUERY = """
COPY (
    WITH pairs AS (SELECT DISTINCT PRODUCT_ID, CATEGORY, NEED_STATE FROM read_csv($map, all_varchar = true)),
    served AS (
        SELECT PRODUCT_ID, CATEGORY, list(NEED_STATE ORDER BY NEED_STATE) AS need_states FROM pairs GROUP BY ALL
    ),
    numbered AS (SELECT *, dense_rank() OVER (ORDER BY need_states) AS number FROM served),
    sums AS (
        SELECT STORE_NBR, CAT_DSC, number, sum(CAST(TOTAL_SALES AS DECIMAL(18, 2))) AS sales
        FROM read_parquet($sales) LEFT JOIN numbered ON SKU_NBR = PRODUCT_ID AND CAT_DSC = CATEGORY
        GROUP BY ALL
    ),
    sets AS (SELECT DISTINCT number, need_states FROM numbered),
    split AS (
        SELECT STORE_NBR, CAT_DSC, unnest(coalesce(need_states, ['(unmapped)'])) AS need_state,
            CAST(sales * 600 AS HUGEINT) // coalesce(len(need_states), 1) AS sixths
        FROM sums LEFT JOIN sets USING (number)
    )
    SELECT STORE_NBR AS store_id, CAT_DSC AS category, need_state, CAST(sum(sixths) AS DOUBLE) / 600 AS sales
    FROM split GROUP BY ALL ORDER BY ALL
) TO '{out}' (FORMAT parquet)
"""


def main() -> None:
    """Ask, and say the total."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    files = {"sales": str(args.raw / "sales" / "*.parquet"), "map": str(args.raw / "product_map.csv")}
    with duckdb.connect(config={"threads": args.threads}) as connection:
        connection.execute(QUERY.format(out=str(args.out).replace("'", "''")), files)
        ((total,),) = connection.execute("SELECT sum(sales) FROM read_parquet(?)", [str(args.out)]).fetchall()
    print(f"total {total:.2f}")


if __name__ == "__main__":
    main()
