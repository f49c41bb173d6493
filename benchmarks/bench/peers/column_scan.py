"""The floor: DuckDB reads the four columns that the sums need, and does next to nothing with them.

Minima and counts alone could be had from the files' statistics; lengths and sums make every value be decoded.

usage: python benchmarks/bench/peers/column_scan.py --raw FOLDER [--threads 2]
"""

import argparse
from pathlib import Path

import duckdb

QUERY = """
SELECT count(*), sum(strlen(STORE_NBR)), sum(strlen(SKU_NBR)), sum(strlen(CAT_DSC)), sum(TOTAL_SALES)
FROM read_parquet(?)
"""


def main() -> None:
    """Read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--raw", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    with duckdb.connect(config={"threads": args.threads}) as connection:
        ((lines, *_),) = connection.execute(QUERY, [str(args.raw / "sales" / "*.parquet")]).fetchall()
    print(f"{lines} lines")


if __name__ == "__main__":
    main()
