"""What the Snakefile needs to say the same as dvc.yaml: flags of a block, raw files, checked configuration."""

import json
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from storelib.configuration.params import Params
from storelib.configuration.place import Place, Source, load_place, named_sources, validated
from storelib.configuration.yaml_files import read_yaml
from storelib.raw.files import source_files

# Where what stages share lies.
MODULES = "scripts/storelib/"
# What make_demo_data writes; a runner must know the files before they are there.
DEMO_FILES = (
    "county_features.parquet",
    "planted_segments.parquet",
    "product_map.csv",
    "sales/part-1.parquet",
    "sales/part-2.parquet",
    "store_features.csv",
    "stores.parquet",
)


def flags(block: Mapping[str, Any]) -> str:
    """A block of params as flags, as DVC unfolds `${block}`.

    Lists follow one flag, true has no value, false is left out.
    """
    words: list[str] = []
    for key, value in flattened(block):
        if isinstance(value, bool):
            words += [f"--{key}"] if value else []
        elif isinstance(value, list):
            words += [f"--{key}", *map(shown, value)] if value else []
        else:
            words += [f"--{key}", shown(value)]
    return " ".join(words)


def flattened(block: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Leaves of nested blocks, with keys joined by dots."""
    leaves: list[tuple[str, Any]] = []
    for key, value in block.items():
        if isinstance(value, Mapping):
            leaves += flattened(value, f"{prefix}{key}.")
        else:
            leaves.append((prefix + key, value))
    return leaves


def shown(value: object) -> str:
    """A scalar as a word of a shell command."""
    return shlex.quote(value) if isinstance(value, str) else str(value)


def flags_of(block: Mapping[str, Any]) -> Callable[[Any], str]:
    """A rule's parameter: the flags of a block. A function, because Snakemake fills in `{...}` in a plain text."""
    return lambda wildcards: flags(block)  # noqa: ARG005


def folder_of(name: str) -> Callable[[Any, Any], str]:
    """A rule's parameter: the folder of the named input files."""
    return lambda wildcards, input: Path(getattr(input, name)[0]).parent.as_posix()  # noqa: A006, ARG005


def check_params(config: Mapping[str, Any]) -> Params:
    """The method as Snakemake read it. Raises ConfigError, also where DVC would read the file in another way."""
    path = Path("params.yaml")
    read_yaml(path)
    return validated(Params, plain(config), path)


def modules_by_stage(path: Path) -> dict[str, list[str]]:
    """The modules of storelib that each stage imports, as dvc.yaml declares them: DVC cannot compute a list."""
    found = {}
    for name, stage in read_yaml(path)["stages"].items():
        deps = stage.get("do", stage).get("deps", [])
        found[name] = [dep for dep in deps if dep.startswith(MODULES)]
    return found


def plain(node: Any) -> Any:
    """Ordered dictionaries as plain ones."""
    return {key: plain(value) for key, value in node.items()} if isinstance(node, Mapping) else node


class RawFiles:
    """Which raw files each ingesting stage reads, and what it is told about them."""

    def __init__(self, params: Params) -> None:
        self.folder = f"data/raw/{params.env}"
        self.config = f"configs/{params.env}.yml"
        self.place: Place = load_place(Path(self.config))
        # Files that a stage makes may not be there yet.
        self.made = [Path(self.folder, name) for name in DEMO_FILES] if params.env in params.demo else None

    def of(self, *sources: Source | None) -> list[str]:
        """Files of the sources that are configured, sorted; a source without files is told by its stage."""
        found = {f for source in sources if source for f in source_files(source, Path(self.folder), self.made)}
        return [f.as_posix() for f in sorted(found)]

    def every(self) -> list[str]:
        """Files of every source."""
        return self.of(*(source for _, source in named_sources(self.place.sources)))

    @property
    def parameters(self) -> str:
        """The section `sources`: what the ingesting stages take from configs/<env>.yml."""
        return json.dumps(self.place.sources.model_dump(), sort_keys=True)
