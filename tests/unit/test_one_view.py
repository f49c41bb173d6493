"""Any one view is enough: what sells without external sources, and external sources without sales."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from bad_input.project import ROOT, Project
from clustering.ui.app import make_app
from clustering.ui.guard import Access
from storelib.accounts.selection import NO_SALES, category_named
from storelib.configuration.place import load_place
from storelib.configuration.views import view_words
from storelib.contracts.contract import checked
from storelib.contracts.sales import SELLING_STORES
from storelib.errors import ConfigError, DataError

# Stores 000 to 024 lie in county number % 8; odd counties are poor.
COUNTIES = ["FIPS,income", *(f"{county:05d},{10 if county % 2 else 1000}" for county in range(8))]
EVERY_STORE = [f"{store:03d}" for store in range(25)]


def without_sales(project: Project) -> None:
    project.place("sources.sales", None)
    project.place("sources.product_map", None)


def made(root: Path, change: Callable[[Project], None]) -> Project:
    """A small project with one view, every stage run."""
    project = Project.make(root)
    shutil.rmtree(root / "scripts")
    (root / "scripts").symlink_to(ROOT / "scripts")
    project.lines("counties.csv", *COUNTIES)
    change(project)
    assert project.check().code == 0
    for name in project.stages():
        told = project.run(name)
        assert told.code == 0, told.said
    return project


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Stores and external sources alone."""

    def change(project: Project) -> None:
        without_sales(project)
        project.params("internal.categories", {"all_stores": {"name": "All stores"}})
        project.params("external.cluster_stores.rule", "silhouette")

    return made(tmp_path_factory.mktemp("placed") / "project", change)


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Sales alone."""

    def change(project: Project) -> None:
        project.place("sources.external", {})
        project.place("sources.stores", ...)
        project.params("merging.max_segments", 2)

    return made(tmp_path_factory.mktemp("sold") / "project", change)


def report(project: Project) -> str:
    text = (project / "reports/report.html").read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text[text.index("<body>") :]))


def checks(project: Project) -> dict[tuple[str, str], float]:
    found = json.loads((project / "reports/checks.json").read_text(encoding="utf-8"))["checks"]
    return {(check["check"], check["view"]): check["value"] for check in found}


def test_without_sales_segments_are_the_external_clusters_one_for_all(placed: Project) -> None:
    rows = placed.rows("merging/segments.parquet", "category", "store_id", "merged_cluster", "segment")
    # 13 stores have an even number and 12 an odd one: the larger cluster is the first
    assert rows == [("all_stores", store, f"1x{1 + int(store) % 2}", 1 + int(store) % 2) for store in EVERY_STORE]
    assert placed.rows("merging/chain_segments.parquet", "segment") == [1 + int(store) % 2 for store in EVERY_STORE]


def test_without_sales_every_store_is_in_the_ledger(placed: Project) -> None:
    entries = placed.rows("merging/ledger.parquet", "stage", "flow", "reason", "stores", "lines", "sales")
    assert all(lines == 0 and sales == 0 for *_, lines, sales in entries)
    out = {stage: stores for stage, flow, reason, stores, *_ in entries if (flow, reason) == ("out", "")}
    assert out == {
        "ingest_sales": 0, "assign_categories": 0, "select_categories": 25, "split_need_states": 25, "join_external": 25,
        "merge_segments": 25, "apply_overrides": 25,
    }  # fmt: skip
    # and each store was found where it was looked for
    found = checks(placed)
    assert [found["found_stores", name] for name in ("sources.stores", "sources.external.county")] == [1.0, 1.0]


def test_without_sales_the_report_says_so_and_speaks_of_no_sales(placed: Project) -> None:
    text = report(placed)
    assert "There are no sales, so the segments are the clusters by external data, one for all categories." in text
    assert "25 stores, 2 segments." in text
    assert "of sales" not in text.partition("Method")[0]
    assert "What sells" not in text


def test_without_external_sources_segments_are_the_clusters_by_what_sells(sold: Project) -> None:
    rows = sold.rows("merging/segments.parquet", "category", "internal_cluster", "external_cluster", "merged_cluster")
    assert {category for category, *_ in rows} == {"beauty", "snacks"}
    assert all((place, merged) == (1, f"{mix}x1") for _, mix, place, merged in rows)
    # each kind of assortment is a third of the stores: 000 to 023, and 900 that sells beauty as the kind of 000 does
    assert sold.rows("internal/clusters/snacks.parquet", "cluster") == [
        {0: a, 1: b, 2: c}[store % 3] for store in range(24) for a, b, c in [first_three(sold)]
    ]
    # three segments explain nearly all, and two are asked for
    assert sorted(set(sold.rows("merging/category_segments/snacks.parquet", "segment"))) == [1, 2]
    assert sold.rows("merging/predictions/beauty.parquet", "verdict") == ["no data"]
    assert ("borderline_stores", "external") in checks(sold)


def first_three(project: Project) -> tuple[int, int, int]:
    clusters = project.rows("internal/clusters/snacks.parquet", "cluster")[:3]
    assert sorted(clusters) == [1, 2, 3]
    return clusters[0], clusters[1], clusters[2]


def test_without_external_sources_the_report_says_so(sold: Project) -> None:
    text = report(sold)
    assert "There are no external sources, so the segments of a category are its clusters by what sells." in text
    assert "There are no external data that could tell what sells." in text
    assert "#external" not in (sold / "reports/report.html").read_text(encoding="utf-8")
    assert "of the variance of what sells" in text


def test_several_categories_without_sales_are_refused_before_anything_runs(tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project")
    without_sales(project)
    told = project.check()
    assert told.code == 3
    assert "there are no sales (sources.sales is null), so that the 2 categories" in told.error or told.said


def test_a_place_without_any_view_is_refused(tmp_path: Path) -> None:
    project = Project.make(tmp_path / "project")
    without_sales(project)
    for keys, value, words in (
        ("sources.external", {}, "sales with a product_map are expected, or at least one external source"),
        ("sources.stores", ..., "nothing else says which stores there are"),
    ):
        kept = (project / "configs/dev.yml").read_text(encoding="utf-8")
        project.place(keys, value)
        with pytest.raises(ConfigError, match=words if keys == "sources.external" else "stores"):
            load_place(project / "configs/dev.yml")
        project.write("configs/dev.yml", kept)


def test_what_is_missing_is_known_before_the_run() -> None:
    def words(sales: object, external: dict[str, Any]) -> str:
        return view_words(SimpleNamespace(sources=SimpleNamespace(sales=sales, external=external)))  # type: ignore[arg-type]

    assert words("sales", {"county": 1}) == ""
    assert words(None, {"county": 1}).startswith("There are no sales: the segments are the clusters by external data")
    assert words("sales", {}).startswith("There are no external sources")


def test_any_name_stands_for_all_categories_where_there_are_no_sales() -> None:
    totals = pa.table({"category": [NO_SALES], "lines": [0], "takes_other_spellings": [False]})
    assert category_named("All stores", totals) == NO_SALES
    with pytest.raises(DataError, match="no sales in category 'All stores'"):
        category_named("All stores", pa.table({"category": ["A"], "lines": [3], "takes_other_spellings": [False]}))


def test_a_store_without_a_line_among_others_with_lines_breaks_the_contract() -> None:
    def table(*lines: int) -> pa.Table:
        return pa.table(
            {"store_id": [str(n) for n in range(len(lines))], "sales": pa.array([0] * len(lines)).cast(pa.decimal128(38, 2)),
             "lines": pa.array(lines, pa.int64())}
        )  # fmt: skip

    assert checked(table(0, 0), SELLING_STORES, "x").num_rows == 2
    with pytest.raises(DataError, match="lines"):
        checked(table(2, 0), SELLING_STORES, "x")


@pytest.mark.parametrize("view", ["placed", "sold"])
def test_interface_shows_every_page_of_one_view(view: str, request: pytest.FixtureRequest) -> None:
    project: Project = request.getfixturevalue(view)
    client = TestClient(make_app(project.root, "dev", Access()), base_url="http://127.0.0.1:3000")
    shown = {address: client.get(address).text for address in ("/segments", "/choose", "/data", "/stores?id=001")}
    assert [address for address, text in shown.items() if "This cannot be shown" in text] == []
    assert re.findall(r'id="segment-(\d+)"', shown["/segments"]) == ["1", "2"]
