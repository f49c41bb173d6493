"""`clustering assign`: known stores come to their own segments, and others to where they are most alike."""

import csv
from pathlib import Path

import pandas as pd
import pytest

from integration.conftest import Project
from integration.test_command import assert_mistake, clustering

pytestmark = pytest.mark.integration


def sales_of(root: Path) -> pd.DataFrame:
    return pd.concat(pd.read_parquet(path) for path in sorted((root / "data/raw/dev/sales").glob("*.parquet")))


def placed(project: Project, *words: str) -> dict[tuple[str, str], dict[str, str]]:
    result = clustering(project.root, "assign", *words, "--output", "places.csv")
    assert result.returncode == 0, result.stderr
    with (project.root / "places.csv").open(newline="") as handle:
        return {(row["category"], row["store_id"].lstrip("'")): row for row in csv.DictReader(handle)}


def assert_own_segments(project: Project) -> None:
    """Every store that sells is placed where the pipeline has it."""
    found = placed(project, "sales.parquet")
    segments = pd.read_parquet(project.root / "data/merging/segments.parquet")
    assert len(segments) > 200
    for row in segments.itertuples():
        assert found[row.category, row.store_id]["segment"] == str(row.segment), row
        assert found[row.category, row.store_id]["internal_cluster"] in {str(row.internal_cluster), ""}


def test_every_known_store_comes_to_its_own_segment(project: Project) -> None:
    before = project.tables()
    sales_of(project.root).to_parquet(project.root / "sales.parquet")
    assert_own_segments(project)
    assert project.tables() == before
    # Also by a category's own settings, and where features have weights.
    project.change("internal.categories.beauty.split_need_states", {"measure": "lines"})
    project.change("internal.categories.beauty.build_features", {"transform": "none", "scaling": "standard"})
    project.change("internal.categories.beauty.merging", {"internal_weight": 80, "external_weight": 20})
    feature = pd.read_parquet(project.root / "data/external/feature_report.parquet")["feature"].iloc[0]
    project.change("external.build_features.feature_weights", [f"{feature}=3"])
    project.call("clustering", "run", "merging_job")
    assert_own_segments(project)


def test_new_stores_are_placed_by_what_is_known_of_them(project: Project) -> None:
    segments = pd.read_parquet(project.root / "data/merging/segments.parquet").query(
        "category == 'beauty' and flags == ''"
    )
    features = pd.read_parquet(project.root / "data/external/store_features.parquet").set_index("store_id")
    known = segments.iloc[0]
    # The same sales under another name, as CSV; the store table does not know it.
    lines = sales_of(project.root).query("STORE_NBR == @known.store_id").assign(STORE_NBR="new 1")
    lines.to_csv(project.root / "sales.csv", index=False)
    row = placed(project, "sales.csv", "--category", "beauty")["beauty", "new 1"]
    assert (row["segment"], row["like_store"], row["external_cluster"]) == (str(known.segment), known.store_id, "")
    assert row["reason"] == "by sales: as the most like store of the same cluster"
    # With its place too, it is as that store in both.
    places = features.loc[[known.store_id]].rename(index={known.store_id: "new 1"})
    other = features.loc[[known.store_id]].rename(index={known.store_id: "new 2"})
    few = other.rename(index={"new 2": "new 3"}).assign(**dict.fromkeys(other.columns[1:]))
    pd.concat([places, other, few]).rename_axis("store_id").to_csv(project.root / "places_of_new.csv")
    found = placed(project, "sales.csv", "places_of_new.csv", "--category", "beauty")
    assert found["beauty", "new 1"]["external_cluster"] == str(known.external_cluster)
    assert found["beauty", "new 1"]["segment"] == str(known.segment)
    # By place alone: the commonest segment of that external cluster.
    every = pd.read_parquet(project.root / "data/merging/segments.parquet").query("category == 'beauty'")
    counts = every[every["external_cluster"] == known.external_cluster]["segment"].value_counts()
    assert int(found["beauty", "new 2"]["segment"]) in counts[counts == counts.max()].index
    assert found["beauty", "new 2"]["reason"].startswith("by place")
    assert (
        found["beauty", "new 3"]["reason"] == f"by 1 of {features.shape[1]} external features: as the most like store"
    )
    assert found["beauty", "new 3"]["like_store"] in set(every["store_id"])


def test_files_that_cannot_be_placed_are_told(project: Project) -> None:
    (project.root / "x.csv").write_text("a,b\n1,2\n")
    assert_mistake(clustering(project.root, "assign", "x.csv"), 4, "x.csv has columns a, b", "store_features.parquet")
    assert_mistake(clustering(project.root, "assign", "x.txt"), 3, "no .csv or .parquet file")
    assert_mistake(
        clustering(project.root, "assign", "x.csv", "--category", "beuty"), 3, "'beuty' is no category", "beauty"
    )
    name = pd.read_parquet(project.root / "data/external/store_features.parquet").columns[1]
    (project.root / "x.csv").write_text(f"store_id,{name}\ns,many\n")
    assert_mistake(
        clustering(project.root, "assign", "x.csv"), 4, "store 's' has 'many' in column", "a number is expected"
    )
    (project.root / "x.csv").write_text(f"store_id,{name}\ns,1\ns,2\n")
    assert_mistake(clustering(project.root, "assign", "x.csv"), 4, "store 's' has more than one row")
