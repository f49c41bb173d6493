"""`clustering split-half`: both halves of the weeks are run, and together they are all that was sold."""

import csv
import json
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from clustering.halves import make_half, workspace
from integration.conftest import Project
from integration.test_command import assert_mistake, clustering
from storelib.configuration.place import load_place
from storelib.errors import DataError

pytestmark = pytest.mark.integration

LABELS = ("internal_cluster_ari", "external_cluster_ari", "segment_ari")


def entered(root: Path) -> tuple[int, Decimal]:
    """Lines and sales that entered the pipeline."""
    rows = pq.read_table(root / "data/merging/ledger.parquet").to_pylist()
    (row,) = [row for row in rows if (row["stage"], row["flow"]) == ("ingest_sales", "in")]
    return row["lines"], row["sales"]


def test_halves_are_all_of_the_sales_and_agree_on_the_planted_clusters(project: Project, tmp_path: Path) -> None:
    before = project.tables()
    result = clustering(project.root, "split-half", "--keep", str(tmp_path / "kept"))
    assert result.returncode == 0, result.stderr
    odd, even = (tmp_path / "kept" / half for half in ("odd", "even"))
    lines, sales = entered(project.root)
    counts = json.loads((tmp_path / "kept/split.json").read_text())
    assert counts["odd"]["weeks"] == counts["even"]["weeks"] == 4
    assert counts["odd"]["lines"] + counts["even"]["lines"] == lines
    assert counts["lines_without_date"] == 0
    assert entered(odd)[0] == counts["odd"]["lines"]
    assert tuple(a + b for a, b in zip(entered(odd), entered(even), strict=True)) == (lines, sales)

    with (project.root / "reports/split_half.csv").open(newline="") as handle:
        rows = {row["view"]: row for row in csv.DictReader(handle)}
    assert list(rows) == ["beauty", "cocktails_rtd", "external"]
    # beauty has four planted kinds of store; 150 stores with half of their lines each
    assert min(float(rows["beauty"][label]) for label in LABELS) > 0.5
    assert int(rows["external"]["stores_both"]) == 150
    assert rows["external"]["segment_ari"] == ""
    assert result.stdout.splitlines()[0].startswith("beauty: k ")
    assert f"ARI: internal {float(rows['beauty']['internal_cluster_ari']):.3f}" in result.stdout

    # The project itself is as it was, and the halves differ from it in nothing but their sales.
    assert project.tables() == before
    assert project.stages_of(project.snakemake) == set()
    for half in (odd, even):
        params, theirs = (yaml.safe_load((root / "params.yaml").read_text()) for root in (project.root, half))
        assert theirs == params | {"demo": {}}
        place, theirs = (yaml.safe_load((root / "configs/dev.yml").read_text()) for root in (project.root, half))
        place["sources"]["sales"] |= {"reader": "parquet", "path": "sales_of_half"}
        assert theirs == place
        for path in (project.root / "data/raw/dev").glob("*.*"):
            assert (half / "data/raw/dev" / path.name).read_bytes() == path.read_bytes()


def test_sales_without_a_date_column_are_a_configuration_error(project: Project) -> None:
    config = project.root / "configs/dev.yml"
    config.write_text(config.read_text().replace("      date: WEEK\n", ""))
    project.change("internal.ingest_sales.period", "all")
    assert_mistake(clustering(project.root, "split-half"), 3, "names no date", "sources.sales.columns")


def test_halves_of_a_csv_file_are_parquet(project: Project, tmp_path: Path) -> None:
    config = project.root / "configs" / "dev.yml"
    place = yaml.safe_load(config.read_text())
    place["sources"]["sales"] |= {"reader": "csv", "path": "sales.csv", "delimiter": ";", "encoding": "cp1252"}
    config.write_text(yaml.safe_dump(place))
    make_half(project.root, tmp_path / "odd", "dev")
    sales = load_place(tmp_path / "odd" / "configs" / "dev.yml").sources.sales
    assert (sales.reader, sales.columns.store_id) == ("parquet", "STORE_NBR")
    assert sales.model_fields_set == {"reader", "path", "columns"}


def test_folder_to_keep_must_be_new(project: Project) -> None:
    (project.root / "full/odd").mkdir(parents=True)
    (project.root / "full/odd/file").write_text("x")
    assert_mistake(clustering(project.root, "split-half", "--keep", "full"), 1, "full/odd is not empty")


def test_failure_of_a_half_is_told_and_its_logs_stay(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    project.change("internal.categories.beauty.name", "BEUATY")
    result = clustering(project.root, "split-half")
    assert_mistake(result, 4, "no sales in category 'BEUATY' (nearest: 'BEAUTY')")
    logs = [
        *(tmp_path / "temporary").rglob("select_categories.log"),
        *(tmp_path / "temporary").rglob("split_need_states/beauty.log"),
    ]
    assert any(str(log) in result.stderr.splitlines()[-1] for log in logs)


def test_workspace_goes_but_for_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with workspace(None) as folder:
        (folder / "file").touch()
    assert not folder.exists()

    def fail() -> None:
        raise DataError("nothing", solution="none")

    with pytest.raises(DataError), workspace(None) as folder:
        fail()
    assert folder.exists()
    with workspace(tmp_path / "kept") as folder:
        folder.mkdir()
    assert folder.exists()
