"""Projects for a made-up retailer: made by `clustering init`, with its own categories, sources and limits."""

import os
import shlex
import shutil
import subprocess
import warnings
from contextlib import chdir
from decimal import Decimal
from pathlib import Path
from typing import Any

import networkx as nx
import pyarrow.parquet as pq
import yaml
from dvc.repo import Repo
from dvc.stage import PipelineStage
from retailer import Size, category_key, category_name

from clustering.runners import environment
from clustering.templates import make_project

ENV = "bench"
# The pass over sales, as both runners name it.
SALES_STAGE = "ingest_sales"
SOURCES: dict[str, Any] = {
    "sales": {
        "reader": "parquet",
        "path": "sales",
        "columns": {
            "store_id": "STORE_NBR",
            "sku": "SKU_NBR",
            "category": "CAT_DSC",
            "sales": "TOTAL_SALES",
            "date": "WEEK",
        },
    },
    "product_map": {
        "reader": "csv",
        "path": "product_map.csv",
        "columns": {"sku": "PRODUCT_ID", "need_state": "NEED_STATE", "category": "CATEGORY"},
    },
    "stores": {
        "reader": "parquet",
        "path": "stores.parquet",
        "columns": {
            "store_id": "STORE_NBR",
            "name": "STORE_NAME",
            "county_fips": "COUNTY_FIPS",
            "latitude": "LAT",
            "longitude": "LON",
        },
    },
    "external": {
        "county": {"reader": "parquet", "path": "county_features.parquet", "key": {"county_fips": "COUNTY_FIPS"}}
    },
}


def edit_yaml(path: Path, tree: dict[str, Any]) -> None:
    """Write a configuration file."""
    path.write_text(yaml.safe_dump(tree, sort_keys=False, allow_unicode=True), encoding="utf-8")


def make_workspace(folder: Path, inputs: Path, size: Size, threads: int) -> Path:
    """A project whose raw files are hard links of a retailer's. Everything that the benchmark does not need is the default."""
    make_project(folder, None)
    params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    params |= {"env": ENV, "demo": {}}
    params["internal"]["categories"] = {
        category_key(index): {"name": category_name(index)} for index in range(size.categories)
    }
    # Stores have as few lines in a category as the size gives them: most must train all the same.
    features = params["internal"]["build_features"]
    features["min_lines"] = min(features["min_lines"], size.lines // (size.stores * size.categories) // 4)
    edit_yaml(folder / "params.yaml", params)
    place = yaml.safe_load((folder / "configs" / "dev.yml").read_text(encoding="utf-8"))
    edit_yaml(
        folder / "configs" / f"{ENV}.yml",
        place | {"sources": SOURCES, "compute": place["compute"] | {"threads": threads}},
    )
    link_tree(inputs, folder / "data" / "raw" / ENV)
    (folder / "data" / "raw" / "dev").rmdir()
    return folder


def link_tree(source: Path, target: Path) -> None:
    """Hard links of every file: raw files are only read."""
    shutil.copytree(source, target, copy_function=os.link)


def copy_workspace(source: Path, target: Path) -> Path:
    """A copy in which nothing was run yet, in place of an earlier one."""
    if target.exists():
        shutil.rmtree(target)
    raw = source / "data" / "raw"
    shutil.copytree(source, target, ignore=lambda folder, _: ["raw"] if Path(folder) == raw.parent else [])
    link_tree(raw, target / "data" / "raw")
    return target


def stages_up_to(root: Path, name: str) -> list[PipelineStage]:
    """A stage of dvc.yaml after all those that it needs, in an order in which they can run."""
    with chdir(root), Repo(str(root)) as repo, warnings.catch_warnings():
        # DVC asks pygtrie for a value that is not there.
        warnings.filterwarnings("ignore", message="_NoneStep.value", category=DeprecationWarning)
        wanted = {stage.addressing for stage in repo.stage.collect(name, with_deps=True)}
        # An edge goes from a stage to one that it needs.
        order = nx.dfs_postorder_nodes(repo.index.graph)
        return [stage for stage in order if isinstance(stage, PipelineStage) and stage.addressing in wanted]


def words_of(stage: PipelineStage) -> list[str]:
    """The command of a stage, as both runners give it."""
    return shlex.split(stage.cmd)


def run_stages(root: Path, stages: list[PipelineStage]) -> None:
    """Run stages one after another, without a runner. Raises SystemExit with what a stage said, where it fails."""
    for stage in stages:
        done = subprocess.run(words_of(stage), cwd=root, env=environment(), check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{stage.addressing} ended with {done.returncode}:\n{done.stderr[-4000:]}")


def files_in(root: Path) -> set[Path]:
    """Every file of a project, but for git's."""
    return {path for path in root.rglob("*") if not path.is_dir() and ".git" not in path.parts}


def forget(root: Path, kept: set[Path]) -> None:
    """Delete every file that is not one of those: what was made since, caches included, but for what Python compiled."""
    for path in files_in(root) - kept:
        if path.suffix != ".pyc":
            path.unlink()


def cents_in(root: Path, stage: PipelineStage) -> int:
    """The cents that a stage counted, by its ledger, which balances."""
    found = [out.def_path for out in stage.outs if "ledger" in out.def_path]
    if len(found) != 1:
        raise SystemExit(f"{stage.addressing} has {len(found)} ledgers, and one is expected")
    rows = pq.ParquetFile(root / found[0]).read(["flow", "sales"]).to_pylist()
    return int(100 * sum((Decimal(row["sales"]) for row in rows if row["flow"] == "in"), Decimal(0)))
