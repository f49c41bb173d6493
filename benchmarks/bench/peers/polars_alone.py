"""Sales by store, category and need state with Polars: one lazy query, streamed, the same steps as duckdb_alone.py.

Cents are whole numbers, so the sums are exact. No check, no ledger, no policy.

usage: python benchmarks/bench/peers/polars_alone.py --raw FOLDER --out FILE    (POLARS_MAX_THREADS says how many threads)
"""

import argparse
from pathlib import Path

import polars as pl

UNMAPPED = "(unmapped)"


def need_state_sales(raw: Path) -> pl.LazyFrame:
    """The query."""
    served = (
        pl.scan_csv(raw / "product_map.csv", infer_schema=False)
        .unique()
        .group_by("PRODUCT_ID", "CATEGORY")
        .agg(pl.col("NEED_STATE").sort().alias("need_states"))
    )
    sets = served.select("need_states").unique().sort("need_states").with_row_index("number")
    numbered = served.join(sets, on="need_states").select("PRODUCT_ID", "CATEGORY", "number")
    sums = (
        pl.scan_parquet(raw / "sales" / "*.parquet")
        .select("STORE_NBR", "SKU_NBR", "CAT_DSC", (pl.col("TOTAL_SALES") * 100).round().cast(pl.Int64).alias("cents"))
        .join(numbered, left_on=["SKU_NBR", "CAT_DSC"], right_on=["PRODUCT_ID", "CATEGORY"], how="left")
        .group_by("STORE_NBR", "CAT_DSC", "number")
        .agg(pl.col("cents").sum())
    )
    split = (
        sums.join(sets, on="number", how="left")
        .with_columns((pl.col("cents") * 6 // pl.col("need_states").list.len().fill_null(1)).alias("sixths"))
        .explode("need_states")
        .with_columns(pl.col("need_states").fill_null(UNMAPPED))
    )
    keys = {"store_id": "STORE_NBR", "category": "CAT_DSC", "need_state": "need_states"}
    return (
        split.group_by(*keys.values())
        .agg(pl.col("sixths").sum())
        .select(*(pl.col(theirs).alias(ours) for ours, theirs in keys.items()), (pl.col("sixths") / 600).alias("sales"))
        .sort(*keys)
    )


def main() -> None:
    """Ask, and say the total."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    sales = need_state_sales(args.raw).collect(engine="streaming")
    sales.write_parquet(args.out)
    print(f"total {sales['sales'].sum():.2f}")


if __name__ == "__main__":
    main()
