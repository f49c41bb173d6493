"""Units and the largest line of two million real lines, against what Arrow sums; skipped where the files are not there."""

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import ingest_sales
from unit.conftest import Bench

LINES = Path(__file__).parents[3] / "shared/data/iowa/iowa_sales_lines_2022.parquet"
pytestmark = [
    pytest.mark.integration,
    pytest.mark.real_data,
    pytest.mark.skipif(not LINES.is_file(), reason="the real data are not beside this checkout"),
]


def test_bottles_and_the_largest_line_of_each_store_are_exact(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.raw.mkdir(parents=True, exist_ok=True)
    (bench.raw / LINES.name).symlink_to(LINES)
    bench.product_map(("none", "NONE", "none"))
    columns = {"store_id": "store_number", "sku": "item_number", "sales": "sale_dollars", "units": "bottles_sold"}
    place = bench.place(
        sales={"reader": "parquet", "path": LINES.name, "columns": columns},
        product_map={"reader": "csv", "path": "map.csv", "columns": {"sku": "S", "need_state": "N", "category": "C"}},
    )
    tables = ("sales", "sku_sales", "period_sales", "files", "ledger")
    bench.run(
        ingest_sales, config=place, raw=bench.raw, product_map=bench / "product_map.parquet",
        **{name: bench / f"{name}.parquet" for name in tables}, period="all", negative_sales="keep", invalid_lines="drop",
        largest_lines=[],
    )  # fmt: skip
    found = {
        store: (units, largest) for store, units, largest in bench.rows("sales.parquet", "store_id", "units", "largest")
    }
    lines = pq.read_table(LINES, columns=["store_number", "bottles_sold", "sale_dollars"])
    lines = lines.filter(pc.is_valid(lines["store_number"]))
    lines = lines.set_column(1, "bottles_sold", lines["bottles_sold"].cast(pa.int64()))
    sums = lines.group_by("store_number").aggregate([("bottles_sold", "sum"), ("sale_dollars", "max")]).to_pylist()
    assert len(sums) > 1000
    assert found == {
        str(row["store_number"]): (Decimal(row["bottles_sold_sum"]), max(row["sale_dollars_max"], Decimal(0)))
        for row in sums
    }
