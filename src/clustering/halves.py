"""Split-half reliability: would the same stores be together if we had looked at the other half of the weeks?

Two projects with this one's method, configuration and scripts, one with the sales of odd weeks, one with those of even weeks; each
is run with Snakemake, and their clusters and segments are compared. What computes is `scripts/split_sales.py` and
`scripts/compare_halves.py`.
"""

import csv
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from clustering.projects import check_project
from clustering.runners import call, call_script, failure, heal, only_run
from clustering.templates import copy_workflow, start_git
from storelib.configuration.params import Params
from storelib.configuration.place import Source, Sources, load_place, named_sources
from storelib.configuration.workflow import DEMO_FILES
from storelib.configuration.yaml_files import read_yaml
from storelib.errors import ConfigError, PipelineError
from storelib.raw.files import source_files

HALVES = ("odd", "even")
# Without a suffix: a folder or glob of another source must not take it for one of its files.
SALES = "sales_of_half"
# How the files of a source are read and what their folders say; its halves are two files of Parquet with all columns.
OF_FILES = {*Source.model_fields, "wide"} - {"missing"}
REPORT = Path("reports", "split_half.csv")
QUIET = ("--quiet", "host", "reason", "rules")


def split_half(
    root: Path, env: str | None, cores: int, keep: Path | None
) -> tuple[list[dict[str, str]], dict[str, Any]]:
    """Split, run both halves, compare. Returns the rows of the report, and how many weeks and lines each half has.

    keep: a new folder for the two projects, which are otherwise temporary.
    """
    params, place, env = check_project(root, env)
    sources = place.sources
    if "date" not in sources.sold[0].named:
        raise ConfigError(
            f"configs/{env}.yml: sources.sales.columns names no date, so the sales cannot be split by week",
            solution="add `date: <column>` under sources.sales.columns: the day, or the first day of the week, of a line",
        )
    with workspace(keep) as folder:
        halves = {half: folder / half for half in HALVES}
        for project in halves.values():
            make_half(root, project, env)
        with only_run(root):
            heal(root)
            make_demo(root, params, env, cores)
            counts = split(root, env, halves)
            for project in halves.values():
                copy_raw(sources, root / "data" / "raw" / env, project / "data" / "raw" / env)
        for half, project in halves.items():
            sys.stderr.write(f"The {half} weeks: {counts[half]['lines']:,} lines in {counts[half]['weeks']} weeks.\n")
            began = time.time()
            with only_run(project):
                if call(project, "snakemake", ["--cores", str(cores), *QUIET, "--", "merging"]):
                    raise failure(project, f"the run on {half} weeks", began)
        return compare(root, halves), counts


@contextmanager
def workspace(keep: Path | None) -> Iterator[Path]:
    """The folder of both projects: the one to keep, or one that is removed, but not after a failure, for its logs."""
    if keep is not None:
        yield keep.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="clustering-split-half-"))
    failed = False
    try:
        yield folder
    except PipelineError:
        failed = True
        raise
    finally:
        if not failed:
            shutil.rmtree(folder, ignore_errors=True)


def make_half(root: Path, folder: Path, env: str) -> None:
    """A project like `root`, for `env` alone, whose sales are one Parquet file that is given and not made up."""
    copy_workflow(root, folder)
    start_git(folder)
    params = read_yaml(root / "params.yaml")
    params["env"] = env
    params["demo"] = {name: block for name, block in params["demo"].items() if name != env}
    write_yaml(params, folder / "params.yaml")
    config = folder / "configs" / f"{env}.yml"
    place = read_yaml(config)
    sales = {key: value for key, value in place["sources"]["sales"].items() if key not in OF_FILES}
    columns = load_place(root / "configs" / f"{env}.yml").sources.sold[0].named
    place["sources"]["sales"] = sales | {"reader": "parquet", "path": SALES, "columns": columns}
    # What a person has placed agrees with itself, and a half may have no such segment.
    place["sources"].pop("overrides", None)
    write_yaml(place, config)


def write_yaml(content: Any, path: Path) -> None:
    """A configuration file, in the order in which it was read."""
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


def make_demo(root: Path, params: Params, env: str, cores: int) -> None:
    """Have the demo's raw files made, where they are made by a stage and are not up to date."""
    if env not in params.demo:
        return
    other = ["--config", f"env={env}"] if env != params.env else []
    files = [f"data/raw/{env}/{name}" for name in DEMO_FILES]
    began = time.time()
    if call(root, "snakemake", ["--cores", str(cores), "--quiet", "all", *other, "--", *files]):
        raise failure(root, "making the demo's raw files", began)


def split(root: Path, env: str, halves: dict[str, Path]) -> dict[str, Any]:
    """Write each half's sales into its project. Returns the counts of weeks and lines."""
    written = {half: project / "data" / "raw" / env / SALES for half, project in halves.items()}
    counts = halves["odd"].parent / "split.json"
    flags = {"config": f"configs/{env}.yml", "raw": f"data/raw/{env}", **written, "counts": counts}
    call_script(root, "split_sales", flags)
    result: dict[str, Any] = json.loads(counts.read_text(encoding="utf-8"))
    return result


def copy_raw(sources: Sources, raw: Path, target: Path) -> None:
    """Copy the raw files of every source but sales."""
    others = [source for name, source in named_sources(sources) if name != "sales"]
    for source in others:
        for path in source_files(source, raw):
            copied = target / path.relative_to(raw)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copied)


def compare(root: Path, halves: dict[str, Path]) -> list[dict[str, str]]:
    """Write the report, and read it."""
    flags = {}
    for half, project in halves.items():
        flags[f"{half}_segments"] = project / "data" / "merging" / "segments.parquet"
        flags[f"{half}_external"] = project / "data" / "external" / "clusters.parquet"
    call_script(root, "compare_halves", flags | {"comparison": REPORT})
    with (root / REPORT).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))
