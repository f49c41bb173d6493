"""Files of categories that are no longer in params.yaml.

Runners forget an output whose stage is gone, and a stage that depends on a folder would still see it there.
"""

from collections.abc import Collection
from pathlib import Path

# The folders that hold one file per category, named after its key.
FOLDERS = (
    "data/internal/clusters",
    "data/internal/feature_reports",
    "data/internal/features",
    "data/internal/k_scores",
    "data/internal/ledger",
    "data/internal/memberships",
    "data/internal/models",
    "data/internal/need_state_sales",
    "data/internal/profiles",
    "data/internal/settings/build_features",
    "data/internal/settings/cluster_stores",
    "data/internal/settings/describe_segments",
    "data/internal/settings/export_workbook",
    "data/internal/settings/merge_segments",
    "data/internal/settings/profile_clusters",
    "data/internal/settings/split_need_states",
    "data/internal/shares",
    "data/internal/stability",
    "data/internal/store_sales",
    "data/merging/category_ledger",
    "data/merging/category_segments",
    "data/merging/descriptions",
    "data/merging/explained",
    "data/merging/importance",
    "data/merging/merged_segments",
    "data/merging/override_ledger",
    "data/merging/predictions",
    "data/merging/store_fit",
    "data/merging/traits",
    "logs/apply_overrides",
    "logs/benchmarks/apply_overrides",
    "logs/benchmarks/build_features",
    "logs/benchmarks/cluster_stores",
    "logs/benchmarks/describe_segments",
    "logs/benchmarks/export_workbook",
    "logs/benchmarks/merge_segments",
    "logs/benchmarks/predict_clusters",
    "logs/benchmarks/profile_clusters",
    "logs/benchmarks/split_need_states",
    "logs/build_features",
    "logs/cluster_stores",
    "logs/describe_segments",
    "logs/export_workbook",
    "logs/merge_segments",
    "logs/predict_clusters",
    "logs/profile_clusters",
    "logs/split_need_states",
    "reports/figures/k_scores",
    "reports/figures/profile",
    "reports/figures/silhouettes",
    "reports/figures/stores",
    "reports/workbooks",
)


def prune(keys: Collection[str], root: Path = Path()) -> list[Path]:
    """Delete what is not of one of `keys` (or of the external view); returns what was deleted, sorted."""
    kept = {*keys, "external"}
    stale = [
        path
        for folder in FOLDERS
        for path in sorted((root / folder).glob("*"))
        if path.is_file()
        and path.suffix in {".parquet", ".json", ".png", ".xlsx", ".log", ".tsv"}
        and path.stem not in kept
    ]
    for path in stale:
        path.unlink()
    return stale
