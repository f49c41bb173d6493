"""A small project of both runners, made by `clustering init`, whose run takes seconds."""

from pathlib import Path

from ruamel.yaml import YAML

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
    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    params["demo"]["dev"] |= {"stores": 60, "categories": 1, "weeks": 4, "lines_per_store": 40}
    params["internal"]["categories"] = {"beauty": {"name": "BEAUTY"}}
    for view in ("internal", "external"):
        params[view]["cluster_stores"] |= {"max_clusters": 3, "n_init": 2, "resamples": 2}
    yaml.dump(params, root / "params.yaml")
    config = root / "configs" / "dev.yml"
    config.write_text(config.read_text(encoding="utf-8") + TARGETS, encoding="utf-8")
