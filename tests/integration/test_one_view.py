"""A project without sales, by both runners."""

import shutil
from pathlib import Path

import pytest

from bad_input.project import Project as Small
from integration.conftest import Project
from pipeline.graphs import copy_project

pytestmark = pytest.mark.integration


def test_both_runners_segment_stores_without_sales_alike(tmp_path: Path) -> None:
    root = tmp_path / "snakemake"
    root.mkdir()
    copy_project(root)
    made = Small.make(tmp_path / "small")
    shutil.copytree(made / "data", root / "data")
    for name in ("params.yaml", "configs/dev.yml"):
        shutil.copyfile(made / name, root / name)
    small = Small(root)
    small.place("sources.sales", None)
    small.place("sources.product_map", None)
    small.params("internal.categories", "all")
    first = Project(root)

    refused = first.call("clustering", "run", "merging", check=False)
    assert refused.returncode == 3
    assert "internal.categories is 'all'" in refused.stderr
    assert "Added all_stores: All stores" in first.call("clustering", "categories", "--write").stdout
    shutil.copytree(root, tmp_path / "dvc")
    second = Project(tmp_path / "dvc")

    said = first.call("clustering", "run", "merging").stdout
    assert "There are no sales: the segments are the clusters by external data, one for all categories." in said
    second.call("clustering", "run", "merging", "--engine", "dvc")
    tables = first.tables()
    assert tables == second.tables()
    assert tables["data/merging/segments.parquet"] == tables["data/merging/segments.parquet"]
    # What DVC did is Snakemake's too: nothing is left to do.
    assert (
        "0 stages" in second.call("clustering", "run", "merging", "--dry-run").stdout
        or "nothing to do" in second.call("clustering", "run", "merging", "--dry-run").stdout
    )
