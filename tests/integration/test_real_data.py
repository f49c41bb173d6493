"""The Iowa example on the real files, which are kept beside the checkout and skipped where they are not."""

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from clustering.templates import make_project
from integration.conftest import Project

SHARED = Path(__file__).parents[3] / "shared" / "data"
FILES = [
    SHARED / "iowa/iowa_sales_lines_2022.parquet",
    SHARED / "iowa/iowa_products.parquet",
    SHARED / "iowa/iowa_stores.parquet",
    SHARED / "demographics/us_county_acs_2017_5yr.parquet",
]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.real_data,
    pytest.mark.skipif(not all(f.is_file() for f in FILES), reason="the real data are not beside this checkout"),
]


@pytest.fixture(scope="module")
def iowa(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("iowa") / "project")
    make_project(project.root, "iowa")
    for path in FILES:
        (project.root / "data/raw/iowa" / path.name).symlink_to(path)
    project.call("clustering", "run", "full_pipeline_job")
    return project


def test_every_selling_store_has_one_segment_in_each_of_its_categories(iowa: Project) -> None:
    sales = pq.read_table(FILES[0], columns=["store_number", "item_number"])
    products = pq.read_table(FILES[1], columns=["item_number", "d_category"])
    joined = (
        sales.join(products, "item_number", join_type="inner").group_by(["store_number", "d_category"]).aggregate([])
    )
    expected = {(str(r["store_number"]), r["d_category"]) for r in joined.to_pylist()}
    names = {r["key"]: r["name"] for r in pq.read_table(iowa.root / "data/internal/categories.parquet").to_pylist()}
    rows = pq.read_table(iowa.root / "data/merging/segments.parquet").to_pylist()
    found = [(r["store_id"], names[r["category"]]) for r in rows]
    assert len(names) == 11
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert all(r["segment"] >= 1 and r["internal_cluster"] >= 1 and r["external_cluster"] >= 1 for r in rows)


def test_ledger_accounts_for_every_line_and_cent(iowa: Project) -> None:
    sales = pq.read_table(FILES[0], columns=["sale_dollars", "item_number"])
    amounts = sales["sale_dollars"]
    total = pc.sum(pc.cast(amounts, pa.decimal128(38, 2))).as_py()
    negative = pc.filter(amounts, pc.less(amounts, Decimal(0)))
    zeros = pc.sum(pc.equal(amounts, Decimal(0))).as_py()
    mapped = pq.read_table(FILES[1], columns=["item_number"])["item_number"]
    unmapped = sales.filter(pc.invert(pc.is_in(sales["item_number"], value_set=mapped.combine_chunks())))
    ledger = pq.read_table(iowa.root / "data/merging/ledger.parquet").to_pylist()

    def lines_and_sales(stage: str, flow: str, reason: str) -> tuple[int, Decimal]:
        rows = [r for r in ledger if (r["stage"], r["flow"], r["reason"]) == (stage, flow, reason)]
        return sum(r["lines"] for r in rows), sum((r["sales"] for r in rows), Decimal("0.00"))

    assert lines_and_sales("ingest_sales", "in", "") == (sales.num_rows, total)
    assert lines_and_sales("ingest_sales", "noted", "negative_sales") == (606, Decimal("-105281.43"))
    assert lines_and_sales("ingest_sales", "noted", "zero_sales") == (zeros, Decimal("0.00"))
    unmapped_total = pc.sum(pc.cast(unmapped["sale_dollars"], pa.decimal128(38, 2))).as_py() or Decimal("0.00")
    assert lines_and_sales("assign_categories", "set_aside", "no_category") == (unmapped.num_rows, unmapped_total)
    assert len(negative) == 606
    segmented = lines_and_sales("merge_segments", "out", "")
    aside = [r for r in ledger if r["flow"] == "set_aside"]
    assert segmented[0] + sum(r["lines"] for r in aside) == sales.num_rows
    assert segmented[1] + sum((r["sales"] for r in aside), Decimal("0.00")) == total


def test_dvc_has_nothing_to_do_after_the_run(iowa: Project) -> None:
    assert iowa.call("dvc", "status", "--quiet", check=False).returncode == 0
