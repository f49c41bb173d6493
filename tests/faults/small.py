"""A small project of both runners, made by `clustering init`, whose run takes seconds."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from clustering.runners import environment
from clustering.templates import make_project

# Folders of what stages make.
OUTPUTS = ("data/internal", "data/external", "data/merging", "reports")
# To tables and to files, each of which a test may put another thing into.
TARGETS = """
publish:
  warehouse:
    database: sqlite
    uri: ../elsewhere/shop.db
  share:
    files: ../elsewhere/share
    formats:
      - parquet
      - csv
"""


def make_small(root: Path) -> None:
    """One category, sixty stores."""
    make_project(root, None)
    change_params(root, make_little)
    config = root / "configs" / "dev.yml"
    config.write_text(config.read_text(encoding="utf-8") + TARGETS, encoding="utf-8")


def make_little(params: dict[str, Any]) -> None:
    """One category of few stores, and few ways to cluster them."""
    params["demo"]["dev"] |= {"stores": 60, "categories": 1, "weeks": 4, "lines_per_store": 40}
    cluster_less(params)


def cluster_less(params: dict[str, Any]) -> None:
    """One category, and few ways to cluster it."""
    params["internal"]["categories"] = {"beauty": {"name": "BEAUTY"}}
    for view in ("internal", "external"):
        params[view]["cluster_stores"] |= {"max_clusters": 3, "n_init": 2, "resamples": 2}


def change_params(root: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change params.yaml as a person would."""
    yaml = YAML()
    path = root / "params.yaml"
    tree = yaml.load(path)
    change(tree)
    yaml.dump(tree, path)


def make_own(root: Path) -> None:
    """The categories of `minimal`, sixty stores, whose raw files no stage makes: they are somebody's own."""
    make_project(root, "minimal")
    change_params(root, lambda params: params["demo"]["dev"].update(stores=60, lines_per_store=60, weeks=4))
    raw = [f"data/raw/dev/{name}" for name in ("stores.parquet", "product_map.csv")]
    words = ["--cores", "2", "--quiet", "all", "--", *raw]
    subprocess.run([sys.executable, "-m", "snakemake", *words], cwd=root, env=environment(), check=True)
    change_params(root, lambda params: params.update(demo={}))
