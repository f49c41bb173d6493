"""What is stale and why, and the last runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Column, Table

from clustering.inputs import differences, look_again, with_reasons
from clustering.plans import dvc_plan, snakemake_plan
from storelib.configuration.params import load_params


def stale_stages(root: Path, *, with_dvc: bool = True) -> list[tuple[str, str, str]]:
    """Stage, why Snakemake would run it, why DVC would; empty where a runner has nothing to do there, or cannot be asked."""
    params = load_params(root / "params.yaml")
    found = differences(root, params.env, params)
    snakemake = with_reasons(snakemake_plan(root, "full_pipeline"), found)
    dvc = {}
    if with_dvc:
        look_again(root, params.env)
        dvc = with_reasons(dvc_plan(root, "full_pipeline"), found)
    return [(stage, snakemake.get(stage, ""), dvc.get(stage, "")) for stage in dict.fromkeys([*snakemake, *dvc])]


def stale_table(rows: Sequence[tuple[str, str, str]]) -> Table:
    """A row per stage."""
    table = Table("stage", "Snakemake", "DVC", box=None)
    for row in rows:
        table.add_row(*row)
    return table


def runs_table(runs: Sequence[Mapping[str, Any]]) -> Table:
    """A row per run, newest first."""
    folded = [Column(name, overflow="fold") for name in ("start (UTC)", "job", "env", "result", "tags")]
    table = Table(Column("run", no_wrap=True, min_width=23), *folded, box=None)
    for run in reversed(runs):
        tags = " ".join(f"{key}={value}" for key, value in run.get("tags", {}).items())
        took = f" ({run['duration_s']:.0f} s)" if run.get("duration_s") is not None else ""
        table.add_row(
            run["id"], run["start"][5:16].replace("T", " "), run["job"], run["env"], f"{run['result']}{took}", tags
        )
    return table
