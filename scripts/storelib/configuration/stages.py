"""Which files the stages of dvc.yaml make: Snakemake makes a file that is missing only where somebody asks for it."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from storelib.configuration.yaml_files import read_yaml

EACH = "${key}"
# The stages that read raw files, each with the list that it leaves of them, and the source: a key under `sources`.
READERS = {
    "ingest_sales": ("data/internal/sales_files.parquet", "sales"),
    "ingest_product_map": ("data/internal/product_map_files.parquet", "product_map"),
    "ingest_stores": ("data/external/stores_files.parquet", "stores"),
    "ingest_external": ("data/external/sources_files.parquet", "external"),
    "ingest_baseline": ("data/merging/baseline_files.parquet", "baseline"),
    "ingest_reference": ("data/merging/reference_files.parquet", "reference"),
    "ingest_overrides": ("data/merging/overrides_files.parquet", "overrides"),
    "ingest_segment_names": ("data/merging/segment_names_files.parquet", "segment_names"),
}
RAW_LISTS = tuple(listing for listing, _ in READERS.values())


class Made:
    """The files that stages make, as dvc.yaml declares them; in a folder one for each category.

    keys: of the categories.
    """

    def __init__(self, path: Path, keys: Collection[str], env: str) -> None:
        self.keys = sorted(keys)
        self.stages: dict[str, tuple[list[str], list[str]]] = {}
        for name, stage in read_yaml(path)["stages"].items():
            body = stage.get("do", stage)
            paths = (names_of(body.get(part, ())) for part in ("deps", "outs"))
            deps, outs = ([path.replace("${env}", env) for path in part] for part in paths)
            self.stages[name] = (deps, outs)

    def by(self, *last: str) -> list[str]:
        """What these stages make, and all before them.

        Raw data is not among it, which may be somebody's own, nor is the list of code, which is there when Snakemake has read its rules.
        """
        queue, seen = list(last), set(last)
        found: set[str] = set()
        while queue:
            deps, outs = self.stages[queue.pop()]
            found.update(path for out in outs for path in self.unfolded(out))
            before = {name for name, (_, made) in self.stages.items() if any(meets(a, b) for a in deps for b in made)}
            queue += sorted(before - seen)
            seen |= before
        return sorted(path for path in found if not path.startswith(("data/raw/", "data/code/")))

    def unfolded(self, out: str) -> list[str]:
        """The files of one output."""
        if EACH in out:
            return [out.replace(EACH, key) for key in self.keys]
        return [out] if PurePosixPath(out).suffix else [f"{out}/{key}.parquet" for key in self.keys]


def names_of(paths: Iterable[str | Mapping[str, Any]]) -> list[str]:
    """Paths of dvc.yaml, which may come with settings."""
    return [name for path in paths for name in ([path] if isinstance(path, str) else path)]


def meets(path: str, other: str) -> bool:
    """Whether two paths are the same, or one lies in the other."""
    # Texts, since every pair of paths of dvc.yaml is asked for by each start of a runner: objects of pathlib take seconds.
    first, second = f"{path.rstrip('/')}/", f"{other.rstrip('/')}/"
    return first.startswith(second) or second.startswith(first)
