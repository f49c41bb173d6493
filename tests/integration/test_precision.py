"""What a change makes anew: exactly the stages that follow from it, in the eyes of both runners; nothing is run here.

Of DVC it is what it finds changed itself: what follows from that it knows when it has run it, by content.
"""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clustering.dvc_state import status
from clustering.plans import snakemake_plan
from integration.conftest import Project

pytestmark = pytest.mark.integration

OF_CATEGORY = (
    "split_need_states",
    "build_features",
    "cluster_stores",
    "profile_clusters",
    "merge_segments",
    "apply_overrides",
    "describe_segments",
    "predict_clusters",
    "export_workbook",
)
GATHERED = {"collect_segments", "segment_chain", "check_results", "build_report", "export_segments", "require_checks"}
KEYS = ("beauty", "cocktails_rtd")
EXTERNAL = {"cluster_external_stores", "profile_external_clusters"}
RAW_FOLDER = {
    f"ingest_{name}"
    for name in ("sales", "product_map", "stores", "external", "baseline", "reference", "overrides", "segment_names")
}
# DVC refuses a key that is not there: a source that may be left out depends on all of them.
OPTIONAL = RAW_FOLDER - {"ingest_sales", "ingest_product_map"}
SALES = "data/raw/dev/sales/more.parquet"

Edit = Callable[[Project], None]


def of(*keys: str, stages: tuple[str, ...] = OF_CATEGORY) -> set[str]:
    return {f"{stage}/{key}" for stage in stages for key in keys}


def param(keys: str, value: object) -> Edit:
    return lambda project: project.change(keys, value)


def place(old: str, new: str) -> Edit:
    """Another text in configs/dev.yml."""

    def edit(project: Project) -> None:
        path = project.root / "configs/dev.yml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


def sales_file(project: Project) -> None:
    """One more file of sales, beside those that the demo makes."""
    shutil.copyfile(project.root / "data/raw/dev/sales/part-1.parquet", project.root / SALES)


AFTER_SALES = {
    "assign_categories",
    "select_categories",
    "join_external",
    "build_external_features",
    *EXTERNAL,
    *of(*KEYS),
    *GATHERED,
}
CLUSTERED = of(*KEYS, stages=OF_CATEGORY[2:])
PREDICTED = of(*KEYS, stages=("predict_clusters",))
OF_MERGING = ("merge_segments", "apply_overrides", "describe_segments", "export_workbook")
MERGED = of(*KEYS, stages=OF_MERGING)
BASELINE = "  baseline:\n    reader: parquet\n    path: planted_segments.parquet\n  reference:"
OVERRIDES = "  overrides:\n    reader: csv\n    path: stores.csv\n  reference:"
# What is changed; the stages that Snakemake would run; those that DVC finds changed.
CHANGES: dict[str, tuple[Edit, set[str], set[str]]] = {
    "a category is dropped": (
        param("internal.categories.cocktails_rtd", None), {"select_categories", *GATHERED}, {"select_categories", "build_report"},
    ),
    "a category is added": (
        param("internal.categories.otc", {"name": "Health & Beauty/OTC"}),
        {"select_categories", *of("otc"), *GATHERED}, {"select_categories", "build_report", *of("otc")},
    ),
    "a category means another one": (
        param("internal.categories.cocktails_rtd.name", "Health & Beauty/OTC"),
        {"select_categories", *of("cocktails_rtd"), *GATHERED},
        {"select_categories", "build_report", *of("cocktails_rtd", stages=("split_need_states", "profile_clusters", "export_workbook"))},
    ),
    "the number of clusters of one category": (
        param("internal.categories.beauty.cluster_stores", {"max_clusters": 3}),
        {"select_categories", *of("beauty", stages=OF_CATEGORY[2:]), *GATHERED},
        {"select_categories", "build_report", "cluster_stores/beauty"},
    ),
    "the least size of one category's segments": (
        param("internal.categories.beauty.merging", {"min_cluster_size": 5}),
        {"select_categories", *of("beauty", stages=OF_MERGING), *GATHERED},
        {"select_categories", "build_report", "merge_segments/beauty"},
    ),
    "a category gets another key": (
        lambda project: [edit(project) for edit in (
            param("internal.categories.drinks", {"name": "COCKTAILS/RTD"}), param("internal.categories.cocktails_rtd", None)
        )] and None,
        {"select_categories", *of("drinks"), *GATHERED}, {"select_categories", "build_report", *of("drinks")},
    ),
    "a policy of need states": (
        param("internal.split_need_states.unmapped_skus", "drop"),
        {*of(*KEYS), *GATHERED}, {*of(*KEYS, stages=("split_need_states",)), "build_report"},
    ),
    "a policy of categories": (
        param("internal.assign_categories.unknown_stores", "drop"), AFTER_SALES, {"assign_categories", "build_report"},
    ),
    "a baseline": (
        place("  reference:", BASELINE), {"ingest_baseline", *EXTERNAL, *CLUSTERED, *GATHERED}, OPTIONAL,
    ),
    "overrides": (
        place("  reference:", OVERRIDES),
        {"ingest_overrides", "select_categories", *of(*KEYS, stages=OF_MERGING[1:]), *GATHERED}, OPTIONAL,
    ),
    "no reference any more": (
        place("  reference:\n    reader: parquet\n    path: planted_segments.parquet\n", ""),
        {"ingest_reference", *GATHERED} - {"segment_chain"}, OPTIONAL,
    ),
    "how the store table is read": (
        place("    path: stores.parquet\n", "    path: stores.parquet\n    missing: [n/a]\n"),
        {"ingest_stores", *AFTER_SALES}, OPTIONAL,
    ),
    "an external source": (
        place("    store:\n", "    shop:\n"),
        {"ingest_external", "join_external", "build_external_features", *EXTERNAL, *MERGED, *PREDICTED, *GATHERED}, OPTIONAL,
    ),
    "how sales are read": (
        place("    path: sales\n", "    path: sales\n    missing: [n/a]\n"), {"ingest_sales", *AFTER_SALES}, {"ingest_sales", *OPTIONAL},
    ),
    # DVC knows the folder of raw files alone.
    "a file of sales": (sales_file, {"ingest_sales", *AFTER_SALES}, RAW_FOLDER),
    "what the checks expect": (
        param("checks.mapped_sales.warn", 0.9), {"check_results", "build_report", "require_checks"}, {"check_results"},
    ),
    "the memory of a stage": (place("512MB", "256MB"), set(), set()),
}  # fmt: skip


@pytest.fixture(scope="module")
def shared(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One copy for all changes, each of which is undone."""
    root = tmp_path_factory.mktemp("precision") / "project"
    shutil.copytree(finished, root, symlinks=True)
    return Project(root)


@pytest.fixture
def unchanged(shared: Project) -> Iterator[Project]:
    settings = [shared.root / name for name in ("params.yaml", "configs/dev.yml")]
    before = [path.read_bytes() for path in settings]
    yield shared
    for path, content in zip(settings, before, strict=True):
        path.write_bytes(content)
    (shared.root / SALES).unlink(missing_ok=True)


@pytest.mark.parametrize("change", CHANGES)
def test_only_what_follows_is_made_anew(unchanged: Project, change: str) -> None:
    edit, by_snakemake, by_dvc = CHANGES[change]
    edit(unchanged)
    plan = snakemake_plan(unchanged.root, "full_pipeline")
    assert plan.keys() == by_snakemake
    assert status(unchanged.root).changed.keys() == by_dvc
    # Each reason is in our words.
    assert [why for why in plan.values() if "stage that runs" in why or "other input" in why] == []
