"""How much memory each reader takes for raw sales ten times as many: the ingesting stage streams, so it should hardly grow.

Writes made-up sales lines (same stores, SKUs and weeks, so the sums are as many) in each format that may be large, ingests a tenth of
them and all of them within a memory limit, each in a process of its own, and prints the most memory that each held, and the seconds.
A workbook holds at most a million rows, and is read whole.

usage: python benchmarks/reader_memory.py [LINES] [MEMORY_LIMIT]
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

SCRIPT = Path(__file__).parents[1] / "scripts" / "ingest_sales.py"
COPIES = {
    "parquet": "(FORMAT parquet)",
    "csv": "(FORMAT csv, HEADER)",
    "csv.gz": "(FORMAT csv, HEADER, COMPRESSION gzip)",
    "jsonl": "(FORMAT json)",
}
MAP = pa.schema([("sku", pa.string()), ("category", pa.string()), ("need_state", pa.string()), ("entry", pa.int32())])
READERS = {"parquet": "parquet", "csv": "csv", "csv.gz": "csv", "jsonl": "json"}


def write_lines(path: Path, lines: int, how: str) -> None:
    """Sales of 200 stores and 50 SKUs in 10 weeks, in no order."""
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (
                SELECT format('{{:04d}}', hash(i) % 200) AS STORE, format('sku{{}}', hash(i + 1) % 50) AS SKU, 'BEAUTY' AS CAT,
                    CAST((hash(i + 2) % 10000) / 100 AS DECIMAL(10, 2)) AS AMOUNT,
                    strftime(DATE '2026-01-05' + INTERVAL 7 DAY * (hash(i + 3) % 10)::INT, '%Y-%m-%d') AS DAY
                FROM range({lines}) AS t(i)
            ) TO '{path}' {how}"""  # noqa: S608 (names above)
        )


def ingest(folder: Path, name: str, reader: str, limit: str) -> tuple[float, float]:
    """Seconds, and peak resident memory in MB."""
    columns = {"store_id": "STORE", "sku": "SKU", "category": "CAT", "sales": "AMOUNT", "date": "DAY"}
    sources = {
        "sales": {"reader": reader, "path": name, "columns": columns},
        "product_map": {"reader": "csv", "path": "map.csv", "columns": {"sku": "SKU", "need_state": "NEED"}},
    }
    config = folder / "bench.yml"
    config.write_text(yaml.safe_dump({"sources": sources, "compute": {"memory_limit": limit, "threads": 2}}))
    words = [
        sys.executable, str(SCRIPT), "--config", str(config), "--raw", str(folder), "--product_map", str(folder / "map.parquet"),
        "--sales", str(folder / "out/sales.parquet"), "--sku_sales", str(folder / "out/sku.parquet"),
        "--period_sales", str(folder / "out/period.parquet"), "--files", str(folder / "out/files.parquet"),
        "--ledger", str(folder / "out/ledger.parquet"), "--period", "week", "--negative_sales", "keep", "--invalid_lines", "fail",
        "--log", str(folder / "out/log"),
    ]  # fmt: skip
    started, peak = time.monotonic(), 0.0
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as run:
        process = psutil.Process(run.pid)
        while run.poll() is None:
            try:
                peak = max(peak, process.memory_info().rss / 1e6)
            except psutil.NoSuchProcess:
                break
            time.sleep(0.01)
        said = run.stderr.read() if run.stderr else ""
    if run.returncode:
        raise SystemExit(said)
    return time.monotonic() - started, peak


def main() -> None:
    """Measure every format, print a table."""
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000
    limit = sys.argv[2] if len(sys.argv) > 2 else "256MB"
    print(f"memory limit {limit}: MB (and seconds) for {lines // 10:,} and for {lines:,} lines")
    for kind, how in COPIES.items():
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            product_map = {"sku": ["sku1"], "category": [None], "need_state": ["x"], "entry": [1]}
            pq.write_table(pa.Table.from_pydict(product_map, MAP), folder / "map.parquet")
            found = []
            for number in (lines // 10, lines):
                name = f"sales-{number}.{kind}"
                write_lines(folder / name, number, how)
                found.append((*ingest(folder, name, READERS[kind], limit), (folder / name).stat().st_size / 1e6))
            (few_s, few, _), (many_s, many, size) = found
            print(
                f"{kind:8} {few:5.0f} ({few_s:.1f} s)  {many:5.0f} ({many_s:.1f} s)  {many / few:.2f} times; {size:,.0f} MB of file"
            )


if __name__ == "__main__":
    main()
