"""A small correct project on disk, whose stages run in this process by the very commands of dvc.yaml."""

import contextlib
import importlib
import io
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import yaml

import storelib.runtime
from clustering.projects import check_project
from storelib.configuration.workflow import flags
from storelib.errors import PipelineError
from storelib.seals import SEALS
from unit.conftest import close_log, retailer

ROOT = Path(__file__).resolve().parents[2]
CATEGORIES = ("beauty", "snacks")
PLACE: dict[str, Any] = {
    "sources": {
        "sales": {
            "reader": "csv",
            "path": "sales.csv",
            "columns": {"store_id": "STORE", "sku": "SKU", "category": "CAT", "sales": "AMOUNT", "date": "DAY"},
        },
        "product_map": {
            "reader": "csv",
            "path": "map.csv",
            "columns": {"sku": "SKU", "need_state": "NEED", "category": "CAT"},
        },
        "stores": {"reader": "csv", "path": "stores.csv", "columns": {"store_id": "STORE", "county": "COUNTY"}},
        "external": {"county": {"reader": "csv", "path": "counties.csv", "key": {"county": "FIPS"}}},
    }
}


class Stage(NamedTuple):
    """One stage of dvc.yaml with its values filled in; paths are relative to the project."""

    name: str
    argv: list[str]
    inputs: list[str]
    outputs: list[str]


class Told(NamedTuple):
    """How a command ended, and what it said on stderr."""

    code: int
    said: str

    @property
    def error(self) -> str:
        """The message without `Error: `, empty where there is none."""
        return "".join(re.findall(r"^(?:\S+: )?Error: (.*)$", self.said, flags=re.MULTILINE))

    @property
    def solution(self) -> str:
        """The advice without `Solution: `."""
        return "".join(re.findall(r"^(?:\S+: )?Solution: (.*)$", self.said, flags=re.MULTILINE))


@cache
def dvc_file() -> Mapping[str, Any]:
    stages: Mapping[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return stages


def paths_in(entries: list[Any]) -> list[str]:
    """Paths of `deps` or `outs`, some of which carry options."""
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


class Project:
    """A folder with params.yaml, configs/dev.yml and raw files, which a test may change and run."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def make(cls, root: Path) -> "Project":
        """The retailer of the unit tests: 24 stores, two categories, eight counties."""
        project = cls(root)
        params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        params["demo"] = {}
        params["internal"]["categories"] = {"beauty": {"name": "BEAUTY"}, "snacks": {"name": "SNACKS"}}
        params["internal"]["build_features"] |= {"min_lines": 3, "outliers": "none"}
        params["external"]["build_features"] |= {"outliers": "none"}
        for view in ("internal", "external"):
            params[view]["cluster_stores"] |= {"max_clusters": 4, "n_init": 2, "resamples": 2}
        params["merging"]["min_cluster_size"] = 3
        project.write("params.yaml", yaml.safe_dump(params, sort_keys=False))
        project.write("configs/dev.yml", yaml.safe_dump(PLACE, sort_keys=False))
        for name, lines in retailer().items():
            project.write(f"data/raw/dev/{name}", "\n".join(lines) + "\n")
        for name in ("Snakefile", "dvc.yaml"):
            project.write(name, "")
        shutil.copytree(ROOT / "scripts/templates/words", root / "scripts/templates/words")
        return project

    def copy(self, root: Path) -> "Project":
        """The same in another folder, with what was run."""
        shutil.copytree(self.root, root)
        return Project(root)

    def become(self, other: "Project", kept: Mapping[str, tuple[int, int]]) -> None:
        """Undo what was changed since this was a copy of another project. kept: the files as they were then."""
        for name, stamp in self.files().items():
            if name not in kept:
                (self.root / name).unlink()
            elif kept[name] != stamp:
                shutil.copy2(other.root / name, self.root / name)
        for name in kept:
            path = self.root / name
            if path.is_dir():
                path.rmdir()
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(other.root / name, path)

    def __truediv__(self, name: str) -> Path:
        return self.root / name

    def unsealed(self, name: str) -> Path:
        """A stage's output without its seal, which would tell of a change: as from another machine."""
        (self.root / SEALS / f"{name}.json").unlink()
        return self.root / name

    # What a test changes -----------------------------------------------------------------------------------

    def write(self, name: str, content: str | bytes) -> Path:
        """A file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    def raw(self, name: str) -> Path:
        """A raw file."""
        return self.root / "data/raw/dev" / name

    def lines(self, name: str, *lines: str) -> None:
        """A raw text file of these lines."""
        self.write(f"data/raw/dev/{name}", "".join(f"{line}\n" for line in lines))

    def text(self, name: str) -> str:
        """A raw text file's content."""
        return self.raw(name).read_text(encoding="utf-8")

    def replace(self, name: str, old: str, new: str, count: int = -1) -> None:
        """Another text in a raw file, `count` times from its start."""
        text = self.text(name)
        assert old in text, f"{old!r} is not in {name}"
        self.write(f"data/raw/dev/{name}", text.replace(old, new, count))

    def append(self, name: str, *lines: str) -> None:
        """More lines at the end of a raw file."""
        self.write(f"data/raw/dev/{name}", self.text(name) + "".join(f"{line}\n" for line in lines))

    def place(self, keys: str, value: object) -> None:
        """A value of configs/dev.yml; ... deletes it."""
        self.change("configs/dev.yml", keys, value)

    def params(self, keys: str, value: object) -> None:
        """A value of params.yaml; ... deletes it."""
        self.change("params.yaml", keys, value)

    def change(self, name: str, keys: str, value: object) -> None:
        tree = loaded(self.root / name)
        *path, last = keys.split(".")
        node = tree
        for key in path:
            node = node.setdefault(key, {})
        if value is ...:
            del node[last]
        else:
            node[last] = value
        self.write(name, yaml.safe_dump(tree, sort_keys=False, allow_unicode=True))

    # What it does ------------------------------------------------------------------------------------------

    def stages(self, *wanted: str) -> dict[str, Stage]:
        """Every stage, or those wanted, by name, such as `split_need_states`, in an order in which they can run."""
        values = loaded(self.root / "params.yaml")
        if wanted:
            return {name: self.stage_named(name, values) for name in wanted}
        found = {}
        for name, stage in dvc_file().items():
            if "foreach" not in stage:
                found[name] = self.stage(name, stage, values)
                continue
            items = value_at(values, stage["foreach"][2:-1]) or {}
            for key, item in items.items():
                found[f"{name}@{key}"] = self.stage(f"{name}@{key}", stage["do"], values | {"key": key, "item": item})
        return in_order(found)

    def stage_named(self, name: str, values: Mapping[str, Any]) -> Stage:
        group, _, key = name.partition("@")
        stage = dvc_file()[group]
        if not key:
            return self.stage(name, stage, values)
        item = value_at(values, stage["foreach"][2:-1])[key]
        return self.stage(name, stage["do"], {**values, "key": key, "item": item})

    @staticmethod
    def stage(name: str, stage: Mapping[str, Any], values: Mapping[str, Any]) -> Stage:
        def filled(text: str) -> str:
            def value_of(match: re.Match[str]) -> str:
                value = value_at(values, match.group(1))
                return flags(value) if isinstance(value, dict) else str(value)

            return re.sub(r"\$\{([^}]+)\}", value_of, text)

        return Stage(
            name,
            shlex.split(filled(stage["cmd"])),
            [filled(path) for path in paths_in(stage["deps"])],
            [filled(path) for path in paths_in(stage["outs"])],
        )

    def check(self) -> Told:
        """What `clustering run` checks before it starts a runner."""
        with self.here() as said:
            try:
                check_project(self.root, None)
            except PipelineError as error:
                return Told(error.exit_code, str(error))
        return Told(0, said.getvalue())

    def run(self, name: str, *more: str) -> Told:
        """One stage, with more flags at the end of its command."""
        _, script, *argv = [*self.stages(name)[name].argv, *more]
        module = importlib.import_module(Path(script).stem)
        with self.here() as said:
            before = sys.argv
            sys.argv = [script, *argv]
            try:
                storelib.runtime.run_stage(module.main)
            except SystemExit as end:
                return Told(end.code if isinstance(end.code, int) else 1, said.getvalue())
            finally:
                sys.argv = before
                close_log()
        return Told(0, said.getvalue())

    @classmethod
    def finished(cls, root: Path) -> "Project":
        """The same, every stage run."""
        project = cls.make(root)
        told = project.run_all()
        assert told.code == 0, told.said
        return project

    def run_all(self, *wanted: str) -> Told:
        """The stages whose names begin so, or all that draw no pictures and need none, up to the first that fails."""
        later: set[str] = set()  # what is made by stages that draw, and by stages that read what those make
        for name, stage in self.stages().items():
            group = name.partition("@")[0]
            if wanted:
                if not {name, group} & {*wanted}:
                    continue
            elif any(path.endswith(".png") for path in stage.outputs) or later.intersection(stage.inputs):
                later.update(stage.outputs)
                continue
            told = self.run(name)
            if told.code:
                return told
        return Told(0, "")

    @contextlib.contextmanager
    def here(self) -> Iterator[io.StringIO]:
        """In the project's folder, with what is said on stderr."""
        said = io.StringIO()
        with contextlib.chdir(self.root), contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            yield said

    # What came of it ---------------------------------------------------------------------------------------

    def rows(self, name: str, *columns: str) -> list[Any]:
        """Rows of a Parquet file below data/, as tuples, or plain values of one column."""
        table = pq.ParquetFile(self.root / "data" / name).read(columns=list(columns) or None)
        rows = list(zip(*table.to_pydict().values(), strict=True))
        return [row[0] for row in rows] if len(columns) == 1 else rows

    def ledger(self, name: str) -> dict[tuple[str, str], tuple[int, int, str]]:
        """(flow, reason): (stores, lines, sales)."""
        rows = self.rows(name, "flow", "reason", "stores", "lines", "sales")
        return {(flow, reason): (stores, lines, str(sales)) for flow, reason, stores, lines, sales in rows}

    def files(self) -> dict[str, tuple[int, int]]:
        """Every file with its time and size."""
        return {
            path.relative_to(self.root).as_posix(): (path.stat().st_mtime_ns, path.stat().st_size)
            for path in sorted(self.root.rglob("*"))
            if path.is_file()
        }


def loaded(path: Path) -> Any:
    """A YAML file, by the loader that is written in C."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def value_at(values: Any, keys: str) -> Any:
    for key in keys.split("."):
        values = values[key]
    return values


def in_order(stages: Mapping[str, Stage]) -> dict[str, Stage]:
    """The stages, each after those that make its inputs; a folder stands for all that is in it."""
    made = {out: name for name, stage in stages.items() for out in stage.outputs}
    before = {
        name: {
            maker
            for path in stage.inputs
            for out, maker in made.items()
            if maker != name and (out == path or out.startswith(f"{path}/") or path.startswith(f"{out}/"))
        }
        for name, stage in stages.items()
    }
    ordered: dict[str, Stage] = {}
    while len(ordered) < len(stages):
        for name in stages:
            if name not in ordered and before[name] <= ordered.keys():
                ordered[name] = stages[name]
    return ordered
