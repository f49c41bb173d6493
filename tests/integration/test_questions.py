"""Commands that ask and change no result: compare, explain, categories, doctor, completion."""

import csv
import hashlib
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from integration.conftest import Project
from integration.test_command import assert_mistake, clustering
from storelib.seals import SEALS

pytestmark = pytest.mark.integration


def test_compare_finds_the_stores_that_a_larger_minimum_moved(project: Project, tmp_path: Path) -> None:
    project.call("git", "add", "-f", "reports/metrics.json", "dvc.lock")
    project.commit()
    before = pq.read_table(project.root / "data/merging/segments.parquet").to_pylist()
    path = project.root / "data/merging/segments.parquet"
    table = pq.read_table(path)
    moved = [dict(row) for row in before]
    (first, *_) = [row for row in moved if row["category"] == "beauty" and row["segment"] == 1]
    first["segment"] = 2
    pq.write_table(type(table).from_pylist(moved, schema=table.schema), path)
    # As segments of another machine: its seal would tell of the change.
    (project.root / SEALS / "data/merging/segments.parquet.json").unlink()
    result = clustering(project.root, "compare", "HEAD", "workspace", "--out", str(tmp_path / "moved.csv"))
    assert result.returncode == 0, result.stderr
    assert "beauty, segment: 1 of 142 stores moved" in result.stdout
    for label in ("beauty, internal cluster", "cocktails_rtd, segment", "cocktails_rtd, internal cluster"):
        assert f"{label}: 0 of 142 stores moved, ARI 1.000" in result.stdout
    assert "external, external cluster: 0 of 149 stores moved" in result.stdout
    assert "internal.beauty.k" in result.stdout
    with (tmp_path / "moved.csv").open(newline="") as handle:
        (row,) = csv.DictReader(handle)
    assert (row["view"], row["label"], row["store_id"], row["before"]) == ("beauty", "segment", first["store_id"], "1")
    assert_mistake(clustering(project.root, "compare", "nonsense", "last"), 3, "'nonsense' is no run")


def test_explain_says_what_the_files_say(project: Project) -> None:
    (row, *_) = pq.read_table(project.root / "data/merging/segments.parquet").to_pylist()
    store = row["store_id"]
    text = clustering(project.root, "explain", store).stdout
    (sales,) = [
        r
        for r in pq.read_table(project.root / "data/internal/store_sales/beauty.parquet").to_pylist()
        if r["store_id"] == store
    ]
    assert f"beauty (BEAUTY): sales {sales['sales']:,.2f} in {sales['lines']} lines" in text
    assert f"segment {row['segment']}, from {row['merged_cluster']}" in text
    assert f"; {row['confidence']:.0%} sure" in text
    assert row["runner_up_segment"] is None or f"; otherwise {row['runner_up_segment']}" in text
    assert row["segment_name"] in text
    (fit,) = [
        r
        for r in pq.read_table(project.root / "data/merging/store_fit/beauty.parquet").to_pylist()
        if r["store_id"] == store
    ]
    assert f"distance to the segment's centre {fit['distance']:.3f}" in text
    raw = project.root / "data/raw/dev/product_map.csv"
    assert f"sha256 {hashlib.sha256(raw.read_bytes()).hexdigest()}" in text
    (cluster,) = [
        r for r in pq.read_table(project.root / "data/external/clusters.parquet").to_pylist() if r["store_id"] == store
    ]
    assert f"external: cluster {cluster['cluster']} at distance {cluster['distance']:.3f}" in text
    assert_mistake(clustering(project.root, "explain", f"{store}9"), 4, "no segment is known", f"nearest: '{store}'")


def test_categories_are_listed_and_written_with_comments_kept(project: Project) -> None:
    comments = [
        line for line in (project.root / "params.yaml").read_text().splitlines() if line.strip().startswith("#")
    ]
    listed = clustering(project.root, "categories").stdout
    ledger = pq.read_table(project.root / "data/internal/store_sales/beauty.parquet")["sales"].to_pylist()
    assert f"{sum(ledger):,.2f}" in listed
    assert "not selected" in listed
    written = clustering(project.root, "categories", "--write").stdout
    assert "Added health_beauty_otc: Health & Beauty/OTC" in written
    text = (project.root / "params.yaml").read_text()
    assert yaml.safe_load(text)["internal"]["categories"]["health_beauty_otc"] == {"name": "Health & Beauty/OTC"}
    assert [line for line in comments if line not in text] == []
    assert "not selected" not in clustering(project.root, "categories").stdout


def test_doctor_is_content_with_a_new_project_and_names_what_is_wrong(project: Project) -> None:
    shutil.copyfile(Path(__file__).parents[2] / "envs/pipeline.txt", project.root / "envs/pipeline.txt")
    result = clustering(project.root, "doctor")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "fine: configs/dev.yml: loads" in result.stdout
    (project.root / ".env").write_text("SECRET=x")
    (project.root / ".env").chmod(0o644)
    assert_mistake(clustering(project.root, "doctor"), 3, "chmod 600 .env")
