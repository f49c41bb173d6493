"""What the Snakefile needs to say the same as dvc.yaml: flags of a block, raw files, checked configuration."""

import hashlib
import math
import shlex
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snakemake.io import report

from storelib.configuration.code import SCRIPTS, settle_code
from storelib.configuration.own_settings import (
    FOLDER,
    STAGES,
    is_of,
    rows_in,
    rows_of,
    settings_table,
    told,
    values_of,
)
from storelib.configuration.params import Params, method_of
from storelib.configuration.place import Compute, Place, Source, load_place
from storelib.configuration.views import check_views
from storelib.configuration.yaml_files import read_yaml
from storelib.contracts.contract import outputs
from storelib.contracts.sales import SETTINGS
from storelib.raw.files import source_files
from storelib.raw.hashes import Hashes, raw_hashes, told_content
from storelib.seals import stands

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

# Memory of a stage in MB: what Python and its libraries take, and as much for Snakemake's own two processes on a scheduler's
# node; and what is made of each MB of input, which is compressed.
PROCESS_MB = 800
MEMORY_PER_INPUT = 20
# What a scheduler is asked for, in minutes: what any stage may take, and that for each 10 MB of input it may take one more.
STAGE_MINUTES, MB_PER_MINUTE = 30, 10
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


def verbatim(text: str) -> Callable[[Any], str]:
    """A rule's parameter. A function, because Snakemake fills in `{...}` in a plain text."""
    return lambda wildcards: text  # noqa: ARG005


def flags_of(block: Mapping[str, Any]) -> Callable[[Any], str]:
    """A rule's parameter: the flags of a block."""
    return verbatim(flags(block))


def sections_of(config: Mapping[str, Any], *names: str, before: str) -> Callable[[Any], str]:
    """A rule's parameter: the flags of one block, then those of whole sections, each behind the section's name."""
    return verbatim(" ".join([flags(config[before]), *(f"--{name} {flags(config[name])}" for name in names)]))


def own_settings(config: Mapping[str, Any], stage: str) -> Callable[[Any], str]:
    """A rule's parameter: what is in the file of a category's own settings, which is no input of the rule.

    `select_categories` makes the files of all categories at once. A rule that had its file as an input would run for each
    category where one of them changes; and where the file is `ancient`, Snakemake does not look whether anything else has
    changed. So to Snakemake they are no outputs: `settle_settings` writes them before the rules are read, and this parameter
    says what they hold.
    """

    def own(wildcards: Any) -> str:
        category = config["internal"]["categories"][wildcards.category]
        return flags({name: value for name, value in flattened(category) if is_of(stage, name)})

    return own


def of_category(config: Mapping[str, Any], stage: str, called: str | None = None) -> dict[str, Callable[..., str]]:
    """Parameters of a rule that a category may have settings of its own for. called: the flag that takes the category's key."""
    key = {called: "{category}"} if called else {}
    path = f"{FOLDER}/{stage}/{{category}}.parquet"
    return {"files": files_of(**key, settings=path), "own": own_settings(config, stage)}


def of_external(**more: str) -> dict[str, Any]:
    """The same parameters where such a rule is used for the external view. more: as in `files_of`."""
    return {"files": files_of(**more), "own": ""}


def inputs_of_each(categories: Iterable[str], room: str, *kinds: str) -> dict[str, list[str]]:
    """Inputs of a rule that reads the files of all categories, by the name of their folder in `data/<room>`."""
    return {kind: [f"data/{room}/{kind}/{category}.parquet" for category in categories] for kind in kinds}


def start_at_once(workflow: "Workflow") -> None:
    """Do without Snakemake's limit of 100 jobs a second, where they are started on this machine.

    One second after each look at the jobs that are ready Snakemake looks at them again, for that limit; this look is followed by
    one too, and every job that ends adds another. After some hundred jobs it does nothing else, with all inputs of all ready jobs.
    No option switches it off.
    """
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None


def settle_settings(categories: Mapping[str, Any]) -> None:
    """See that the files of categories' own settings hold what params.yaml says, as `select_categories` writes them."""
    found = values_of(shlex.split(flags(categories)))
    # Most categories have no settings of their own: of a hundred there are 700 files, and few different ones. A table is only made
    # where one is written: Arrow loads pandas for it.
    read = cache(rows_in)
    with outputs() as write:
        for stage, key in product(STAGES, sorted(found)):
            own, path = told(stage, found[key]), Path(FOLDER, stage, f"{key}.parquet")
            if not stands(path) or read(path.read_bytes()) != rows_of(own):
                write(settings_table(own), SETTINGS, path)
    # Of a category that was only tried, or is gone: DVC would take the folder for changed.
    for path in Path(FOLDER).glob("*/*.parquet"):
        if path.stem not in found:
            path.unlink()


# Inputs that are no flags: raw files, which are found by the configuration.
NO_FLAGS = ("raw",)


def files_of(**more: str) -> Callable[..., str]:
    """A rule's parameter: each input and output that has a name, as a flag of that name, but for NO_FLAGS.

    A list of files in one folder is given as that folder. more: other flags, which count instead; a value may hold wildcards.
    """

    def files(wildcards: Any, input: Any, output: Any) -> str:  # noqa: A002
        words: dict[str, Any] = {name: value.format(**wildcards) for name, value in more.items()}
        for name, paths in [*input.items(), *output.items()]:
            if name in (*NO_FLAGS, *more):
                continue
            if isinstance(paths, str):
                words[name] = str(paths)
            else:
                folders = {Path(path).parent.as_posix() for path in paths}
                words[name] = folders.pop() if len(folders) == 1 else list(paths)
        return flags(words)

    return files


def in_report(path: str, group: str, shows: str) -> Any:
    """An output that `snakemake --report` shows, in a group, as a picture (or page) that shows something.

    path: `reports/figures/<kind>/<view>.png`, or `<kind>.png` where it is of all views.
    """
    *folders, _ = Path(path).parts
    kind, view = (folders[2], Path(path).stem) if len(folders) > 2 else (Path(path).stem, "all")
    # Found from where the rule stands.
    caption = f"../scripts/captions/{kind}.rst"
    return report(path, caption=caption, category=group, labels={"view": view, "picture": shows})


def size_mb(paths: Iterable[str]) -> float:
    """Raises FileNotFoundError where a file is not made yet.

    Snakemake's own `input.size_mb` cannot be asked from within its event loop, and warns there.
    """
    return sum(Path(path).stat().st_size for path in paths) / 1e6


def memory_mb(wildcards: Any, input: Any, attempt: int) -> int:  # noqa: A002, ARG001
    """A rule's resource: what a stage needs that holds its input in memory; twice that where it is tried a second time."""
    return attempt * (PROCESS_MB + math.ceil(MEMORY_PER_INPUT * size_mb(input)))


def database_mb(compute: Compute) -> Callable[[Any, int], int]:
    """A rule's resource: what a stage needs that works in DuckDB, which spills to disk beyond its limit; more where it is tried again."""
    number, unit = compute.memory_limit[:-2], compute.memory_limit[-2:]
    needed = PROCESS_MB + int(number) * {"MB": 1, "GB": 1000}[unit]

    def asked(wildcards: Any, attempt: int) -> int:  # noqa: ARG001
        return attempt * needed

    return asked


def minutes(wildcards: Any, input: Any, attempt: int) -> int:  # noqa: A002, ARG001
    """A rule's resource `runtime`: when a scheduler may end the stage; more where it is tried again."""
    return attempt * (STAGE_MINUTES + math.ceil(size_mb(input) / MB_PER_MINUTE))


def check_params(config: Mapping[str, Any]) -> Params:
    """The method as Snakemake read it. Raises ConfigError, also where DVC would read the file in another way."""
    path = Path("params.yaml")
    read_yaml(path)
    return method_of(plain(config), path)


def code_params() -> dict[str, dict[str, Callable[[Any], str]]]:
    """Parameters of a rule, by the name of its script: the script's path, and what its code is, in a few words that change with it."""
    found = {}
    for name, text in settle_code().items():
        digest = hashlib.sha256(text.encode()).hexdigest()
        words = {"script": (SCRIPTS / f"{name}.py").as_posix(), "code": f"code of {name}: {digest[:16]}"}
        found[name] = {key: verbatim(value) for key, value in words.items()}
    return found


def plain(node: Any) -> Any:
    """Ordered dictionaries as plain ones."""
    return {key: plain(value) for key, value in node.items()} if isinstance(node, Mapping) else node


class RawFiles:
    """Which raw files each ingesting stage reads, what is in them, and what it is told about them."""

    def __init__(self, params: Params) -> None:
        self.folder = f"data/raw/{params.env}"
        self.config = f"configs/{params.env}.yml"
        self.place: Place = load_place(Path(self.config))
        check_views(params, self.place)
        self.hashes = Hashes()
        # Files that a stage makes may not be there yet.
        self.made = [Path(self.folder, name) for name in DEMO_FILES] if params.env in params.demo else []

    def of(self, *sources: Source | None) -> list[str]:
        """Files of the sources that a stage makes, sorted.

        Others are no inputs of a rule: what they hold counts, and not their times, and their names may hold braces.
        """
        found = {f for source in sources if source for f in source_files(source, Path(self.folder), self.made)}
        return [f.as_posix() for f in sorted(found)]

    def content(self, name: str) -> str:
        """What the other files of a source hold, in a few words that change with it; of external sources what all of them hold.

        Asked anew when a stage starts, so that Snakemake records what was there to be read, and not what came after.
        """
        found = raw_hashes(name, self.place.sources, Path(self.folder), self.hashes)
        return told_content(
            {key: digest for key, digest in found.items() if Path(self.folder, key[1]) not in self.made}
        )

    def params(self, source: str) -> dict[str, Callable[[Any], str]]:
        """Parameters of a rule that reads raw files: `config`, `folder`, and what the configuration says of its `source`.

        source: a key under `sources`.
        """
        settings = {"sources": self.place.sources.model_dump(include={source}, exclude_none=True)}
        # Words for a person, in one order whatever that of the file.
        values = {"config": self.config, "folder": self.folder, "source": flags(dict(sorted(flattened(settings))))}
        told = {name: verbatim(value) for name, value in values.items()}
        return told | {"content": lambda wildcards: self.content(source)}  # noqa: ARG005

    def table_params(self, source: str, /, **more: object) -> dict[str, Callable[..., str]]:
        """The same of a rule whose outputs are `files`, with what more is given as `flags`.

        Apart, since Snakemake does not look at a parameter that follows from outputs: a change of a setting in it would be missed.
        """
        files = lambda wildcards, output: flags(dict(output))  # noqa: ARG005, E731
        return self.params(source) | {"files": files, "flags": flags_of(more)}

    def settle_times(self, outputs: Iterable[str]) -> None:
        """See that no time misleads Snakemake: of the workflow's own files, of the demo's, and of what stages have made."""
        # Of code it looks at no times: `code_params`.
        own = (path for path in SCRIPTS.rglob("*.*") if path.suffix not in {".py", ".pyc"} and path.is_file())
        self.hashes.settle_times([*own, *filter(Path.exists, self.made)])
        for path in outputs:
            self.hashes.settle(Path(path))
