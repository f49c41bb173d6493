"""The jobs: names for `clustering run` and targets of Snakemake; and the DVC stages that make the same.

`publish` is a job of the command alone: what leaves the project is no file that a runner could keep up to date.
"""

from enum import StrEnum

# How many records of runs are kept.
KEPT = 50
JOBS: dict[str, tuple[str, ...]] = {
    "internal_preprocessing": ("split_need_states",),
    "external_preprocessing": ("join_external",),
    "internal_ml": ("profile_clusters",),
    "external_ml": ("profile_external_clusters",),
    "merging": ("collect_segments",),
    "full_pipeline": ("profile_clusters", "profile_external_clusters", "require_checks"),
}
PUBLISH = "publish"
DESCRIPTIONS = {
    "internal_preprocessing": "raw sales to shares of need states, per category",
    "external_preprocessing": "raw external data to store features",
    "internal_ml": "clusters and profiles of each category",
    "external_ml": "clusters and profiles by external data",
    "merging": "segments of every category, ledger and metrics",
    "full_pipeline": "everything but publishing",
    PUBLISH: "segments and profiles where `publish` of configs/<env>.yml says; never part of full_pipeline_job",
}


class Engine(StrEnum):
    """Which runner does the work."""

    snakemake = "snakemake"
    dvc = "dvc"


def job_name(text: str) -> str | None:
    """A job's name from `merging` or `merging_job`; None where there is none of that name."""
    name = text.removesuffix("_job")
    return name if name in DESCRIPTIONS else None
