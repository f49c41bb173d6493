"""Both runners run the same commands on the same files, stage by stage."""

import runpy
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import storelib.configuration.workflow
from pipeline.graphs import ROOT, Stage, copy_project, dvc_stages, dvc_upstream, snakemake_stages
from storelib.configuration.code import FOLDER as CODE_FOLDER
from storelib.configuration.code import listing_path
from storelib.configuration.own_settings import FOLDER
from storelib.configuration.place import load_place
from storelib.configuration.stages import READERS, Made
from storelib.configuration.workflow import flattened

pytestmark = pytest.mark.integration

LIST_OF_CODE = "hash_code"
# Read from its file: importing the package needs it to be installed.
JOBS: dict[str, tuple[str, ...]] = runpy.run_path(str(ROOT / "src" / "clustering" / "jobs.py"))["JOBS"]
IOWA = ROOT / "examples" / "iowa"
IOWA_FILES = (
    "iowa_products.parquet",
    "iowa_sales_lines_2017.parquet",
    "iowa_sales_lines_2018.parquet",
    "iowa_stores.parquet",
    "us_county_acs_2017_5yr.parquet",
)
# What each stage reads below data/raw/<env>/.
RAW_FILES = {
    "dev": {
        "ingest_sales": {"sales/part-1.parquet", "sales/part-2.parquet"},
        "ingest_product_map": {"product_map.csv"},
        "ingest_stores": {"stores.parquet"},
        "ingest_external": {"county_features.parquet", "store_features.csv"},
        "ingest_baseline": set(),
        "ingest_reference": {"planted_segments.parquet"},
        "ingest_segment_names": set(),
        "ingest_overrides": set(),
    },
    "iowa": {
        "ingest_sales": {"iowa_sales_lines_2017.parquet", "iowa_sales_lines_2018.parquet"},
        "ingest_product_map": {"iowa_products.parquet"},
        "ingest_stores": {"iowa_stores.parquet"},
        "ingest_external": {"us_county_acs_2017_5yr.parquet"},
        "ingest_baseline": set(),
        "ingest_reference": set(),
        "ingest_segment_names": set(),
        "ingest_overrides": set(),
    },
}
NASTY_NAMES = (
    "Health & Beauty/OTC; touch x",
    'L\'Oréal "Beauté" 美容',
    "$(touch x) `touch x` $HOME %s",
    "two  spaces, a\ttab and a\nline",
    "* ~ # ! \\ {",
)
NASTY_BLOCK = {
    "indices": ["silhouette", "a b", "it's", "$HOME", 3, 0.5],
    "none_of_these": [],
    "plot": True,
    "verbose": False,
    "note": "\"quoted\" 'twice' & <more>; été",
    "tolerance": 1e-05,
    "share": 0.1,
    "large": 10**20,
    "start": {"seed": 1, "deeper": {"on": True, "off": False, "name": "a; b"}},
}


@dataclass(frozen=True)
class Graphs:
    """One project, resolved by both runners."""

    root: Path
    env: str
    dvc: Mapping[str, Stage]
    snakemake: Mapping[str, Stage]
    upstream: Mapping[str, set[str]]  # for DVC, by job

    @property
    def raw(self) -> str:
        return f"data/raw/{self.env}"

    def pairs(self) -> Iterator[tuple[str, Stage, Stage]]:
        for name in sorted(self.dvc.keys() & self.snakemake.keys()):
            yield name, self.dvc[name], self.snakemake[name]


def edit_params(root: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    path = root / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8"))
    edit(params)
    path.write_text(yaml.safe_dump(params, sort_keys=False, allow_unicode=True), encoding="utf-8")


def add_categories(root: Path, names: tuple[str, ...]) -> None:
    """Categories of these names, in no order of their keys."""
    keys = [f"{letter}_nasty" for letter in "zmaqb"]
    added = {key: {"name": name} for key, name in zip(keys, names, strict=False)}
    edit_params(root, lambda params: params["internal"]["categories"].update(added))


def add_own_settings(params: dict[str, Any]) -> None:
    """Settings of all kinds for two categories."""
    categories = params["internal"]["categories"]
    categories["snacks"] |= {"merging": {"min_cluster_size": 30}, "split_need_states": {"unmapped_skus": "drop"}}
    categories["beauty"] |= {
        "build_features": {"feature_weights": ["it's; touch x=2", "$HOME=0"], "min_lines": 5},
        "cluster_stores": {"max_clusters": 4, "all_rules": True},
    }


def add_nasty_block(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of every kind in three blocks; no model allows them, so they are hidden from the models."""
    blocks = [("internal", "cluster_stores"), ("external", "build_features"), ("merging",)]

    def edit(params: dict[str, Any]) -> None:
        for keys in blocks:
            block_at(params, keys).update(NASTY_BLOCK)

    edit_params(root, edit)
    check_params = storelib.configuration.workflow.check_params

    def check_without(config: Mapping[str, Any]) -> Any:
        plain = deepcopy(config)
        for keys in blocks:
            for name in NASTY_BLOCK:
                # Tests with projects of their own may run while this patch lives: they have no such key.
                block_at(plain, keys).pop(name, None)
        return check_params(plain)

    monkeypatch.setattr(storelib.configuration.workflow, "check_params", check_without)


def block_at(params: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        params = params[key]
    return params


def use_iowa(root: Path) -> None:
    """The example as `clustering init --example` lays it out, with empty files for the data."""
    shutil.copyfile(IOWA / "params.yaml", root / "params.yaml")
    shutil.copytree(IOWA / "configs", root / "configs", dirs_exist_ok=True)
    folder = root / "data" / "raw" / "iowa"
    folder.mkdir(parents=True)
    for name in IOWA_FILES:
        (folder / name).touch()


@pytest.fixture(
    scope="module",
    params=[
        "dev",
        "nasty names",
        "own settings",
        "nasty block",
        "two demos",
        "demo with baseline",
        "iowa",
        "iowa with baseline",
    ],
)
def graphs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Graphs]:
    root = copy_project(tmp_path_factory.mktemp("project"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        if request.param == "nasty names":
            add_categories(root, NASTY_NAMES)
        elif request.param == "own settings":
            edit_params(root, add_own_settings)
        elif request.param == "nasty block":
            add_nasty_block(root, monkeypatch)
        elif request.param == "two demos":
            edit_params(root, lambda params: params["demo"].update(other={**params["demo"]["dev"], "seed": 21}))
        elif request.param.startswith("iowa"):
            use_iowa(root)
        if request.param.endswith("with baseline"):
            env = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))["env"]
            config = root / "configs" / f"{env}.yml"
            place = yaml.safe_load(config.read_text())
            place["sources"]["baseline"] = {"reader": "parquet", "path": "last_month.parquet"}
            config.write_text(yaml.safe_dump(place))
            (root / "data" / "raw" / env).mkdir(parents=True, exist_ok=True)
            (root / "data" / "raw" / env / "last_month.parquet").touch()
        env = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))["env"]
        stages, upstream = dvc_stages(root), dvc_upstream(root, JOBS)
        # DVC's list of code is there when Snakemake has read its rules; test_code has the rest of it.
        assert stages.pop(LIST_OF_CODE).outputs == {CODE_FOLDER.as_posix()}
        upstream = {job: names - {LIST_OF_CODE} for job, names in upstream.items()}
        yield Graphs(root, env, stages, snakemake_stages(root), upstream)


def lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def test_stages_are_the_same(graphs: Graphs) -> None:
    # Snakemake makes the planted retailer that is asked for, DVC all of them.
    others = {name for name in graphs.dvc if name.startswith("make_demo_data@")} - {f"make_demo_data@{graphs.env}"}
    assert graphs.dvc.keys() - others == graphs.snakemake.keys()
    assert len(graphs.snakemake) > 14
    for name, job in graphs.snakemake.items():
        assert list(job.wildcards.values()) == name.split("@")[1:]


def call_of(command: str) -> tuple[list[str], dict[str, list[list[str]]]]:
    """A command's program and script, and its flags with their values: of a flag that is repeated, in order."""
    program: list[str] = []
    flags: dict[str, list[list[str]]] = {}
    values = program
    for word in shlex.split(command):
        if word.startswith("--"):
            values = []
            flags.setdefault(word, []).append(values)
        else:
            values.append(word)
    return program, flags


def test_call_is_told_apart_by_each_word() -> None:
    assert call_of("python a.py --name 'b  c' --on --list 1 2") == call_of("python  a.py --list 1 2 --name 'b  c' --on")
    for other in ("--name 'b c' --on --list 1 2", "--name 'b  c' --list 1 2", "--name 'b  c' --on --list 2 1"):
        assert call_of("python a.py --name 'b  c' --on --list 1 2") != call_of(f"python a.py {other}")


def test_commands_are_the_same(graphs: Graphs) -> None:
    for name, stage, job in graphs.pairs():
        assert call_of(stage.command) == call_of(job.command), name


def test_dependencies_are_the_same(graphs: Graphs) -> None:
    made = {out for job in graphs.snakemake.values() for out in job.outputs}
    for name, stage, job in graphs.pairs():
        raw = {path for path in job.inputs if lies_in(path, graphs.raw)}
        if raw:
            assert graphs.raw in stage.inputs, name
        # DVC depends on a folder: on whatever stages make in there.
        unfolded = set()
        for path in stage.inputs - {graphs.raw}:
            unfolded |= {out for out in made if out != path and lies_in(out, path)} or {path}
        # In Snakemake a parameter says what the file of a category's own settings holds.
        own = {path for path in unfolded if lies_in(path, FOLDER)}
        assert bool(own) == bool("own" in job.params and job.wildcards), name
        # And another what its code is.
        code = {path for path in unfolded if lies_in(path, CODE_FOLDER.as_posix())}
        assert code == {listing_path(CODE_FOLDER, Path(job.params["script"]).stem).as_posix()}, name
        assert unfolded - own - code == job.inputs - raw, name


def test_raw_files_are_those_of_the_sources(graphs: Graphs, request: pytest.FixtureRequest) -> None:
    expected = {name: {f"{graphs.raw}/{path}" for path in paths} for name, paths in RAW_FILES[graphs.env].items()}
    if "baseline" in request.node.callspec.id:
        expected["ingest_baseline"] = {f"{graphs.raw}/last_month.parquet"}
    made = {out for job in graphs.snakemake.values() for out in job.outputs}
    for name, stage, job in graphs.pairs():
        found = {path for path in job.inputs if lies_in(path, graphs.raw)}
        assert (graphs.raw in stage.inputs) == (name in expected) == ("content" in job.params), name
        # Files that a stage makes are inputs; of others a parameter says how many they are, and what they hold.
        assert found == expected.get(name, set()) & made, name
        if name in expected:
            count = len(expected[name] - made)
            assert job.params["content"].startswith({0: "no file", 1: "1 file, "}.get(count, f"{count} files, ")), name


def test_what_no_stage_makes_is_there(graphs: Graphs) -> None:
    made = {out for stage in graphs.dvc.values() for out in stage.outputs}
    for stage in graphs.dvc.values():
        for path in stage.inputs:
            if not any(lies_in(path, out) or lies_in(out, path) for out in made | {CODE_FOLDER.as_posix()}):
                assert (graphs.root / path).exists(), (stage.name, path)


def test_outputs_are_the_same(graphs: Graphs) -> None:
    for name, stage, job in graphs.pairs():
        # DVC has a folder where Snakemake has a file for each category.
        unfolded = {out for out in job.outputs if any(out == path or lies_in(out, path) for path in stage.outputs)}
        assert unfolded == job.outputs, name
        # Files of settings are there when Snakemake has read its rules.
        for path in stage.outputs - {path for path in stage.outputs if lies_in(path, FOLDER)}:
            assert any(out == path or lies_in(out, path) for out in job.outputs), (name, path)
        if stage.group == "make_demo_data":
            assert stage.outputs == job.outputs, "a folder of DVC's loses what somebody else put into it"


def test_stages_that_read_raw_files_leave_lists_of_them(graphs: Graphs) -> None:
    assert READERS.keys() == RAW_FILES[graphs.env].keys()
    assert all(listing in graphs.snakemake[name].outputs for name, (listing, _) in READERS.items())


def test_parameters_are_the_same(graphs: Graphs) -> None:
    config = Path("configs") / f"{graphs.env}.yml"
    sources = load_place(graphs.root / config).sources.model_dump(exclude_none=True)
    told = {name for name, stage, _ in graphs.pairs() if stage.params}
    assert told == {name for name, job in graphs.snakemake.items() if "source" in job.params}
    assert told == set(RAW_FILES[graphs.env])
    for name in told:
        source = name.removeprefix("ingest_")
        # DVC refuses a key that is not there, so there a source that may be left out depends on all of them.
        key = f"sources.{source}" if source in {"sales", "product_map"} else "sources"
        assert graphs.dvc[name].params == {config.as_posix(): (key,)}, name
        words = shlex.split(graphs.snakemake[name].params["source"])
        own = flattened({"sources": {source: sources[source]} if source in sources else {}})
        assert {word[2:] for word in words if word.startswith("--")} == {key for key, value in own if value != []}, name
        assert {str(value) for _, value in own if not isinstance(value, list)} <= set(words), name


def test_logs_are_where_commands_write_them(graphs: Graphs) -> None:
    for name, job in graphs.snakemake.items():
        assert job.logs == (f"logs/{name.replace('@', '/')}.log",)
        assert shlex.split(job.command)[-2:] == ["--log", *job.logs]


def test_benchmarks_lie_beside_the_logs(graphs: Graphs) -> None:
    for name, job in graphs.snakemake.items():
        assert job.benchmark == f"logs/benchmarks/{name.replace('@', '/')}.tsv"


def test_environments_and_captions_are_there(graphs: Graphs) -> None:
    """Both are found from the file in which a rule stands."""
    for name, job in graphs.snakemake.items():
        assert job.environment.resolve() == graphs.root / "envs" / "stages.yaml", name
        assert all(path.is_file() for path in job.captions), name
    kinds = {path.stem for job in graphs.snakemake.values() for path in job.captions}
    assert kinds == {path.stem for path in (graphs.root / "scripts" / "captions").glob("*.rst")}


def test_stages_in_duckdb_are_given_what_it_may_take(graphs: Graphs) -> None:
    # The places here say 2 threads and 512MB; Python, its libraries and Snakemake on a node take 800 MB more.
    for name, job in graphs.snakemake.items():
        code = listing_path(graphs.root / CODE_FOLDER, Path(job.params["script"]).stem)
        is_database = "  scripts/storelib/database.py\n" in code.read_text()
        # The runner gives the small tables one thread, to which they keep.
        assert job.threads == (2 if name == "ingest_sales" else 1), name
        # What is made of input is not known before that is there.
        assert (job.memory == 1312) == is_database, name
        assert is_database or job.memory == "<TBD>" or 800 <= job.memory < 900, name


def test_whatever_a_command_takes_from_the_configuration_is_seen_to_change(graphs: Graphs) -> None:
    """Snakemake looks at no parameter that follows from inputs or outputs: there must be nothing in it but names of files."""
    for name, job in graphs.snakemake.items():
        seen = {word for value in job.recorded for word in shlex.split(value)}
        of_files = set(shlex.split(str(job.params["files"]))) | job.inputs | set(job.logs)
        rest = set(shlex.split(job.command)) - set(job.template.split()) - of_files
        assert rest <= seen, name


@pytest.mark.parametrize("target", sorted(JOBS))
def test_job_runs_the_same_stages_and_asks_for_all_that_they_make(graphs: Graphs, target: str) -> None:
    stages = snakemake_stages(graphs.root, target)
    assert stages.keys() == graphs.upstream[target]
    keys = yaml.safe_load((graphs.root / "params.yaml").read_text(encoding="utf-8"))["internal"]["categories"]
    made = {path for job in stages.values() for path in job.outputs if not lies_in(path, graphs.raw)}
    needed = Made(graphs.root / "dvc.yaml", keys, graphs.env).by(*JOBS[target])
    assert [path for path in needed if not lies_in(path, FOLDER)] == sorted(made)
    assert all((graphs.root / path).is_file() for path in needed if lies_in(path, FOLDER))


def test_full_pipeline_is_every_stage(graphs: Graphs) -> None:
    upstream = graphs.upstream["full_pipeline"]
    assert upstream == graphs.snakemake.keys()
    assert upstream >= {name for name in graphs.dvc if not name.startswith("make_demo_data@")}


def test_only_sources_of_a_place_reach_the_stages(tmp_path: Path) -> None:
    root = copy_project(tmp_path)
    config = root / "configs" / "dev.yml"
    place = yaml.safe_load(config.read_text())
    before = snakemake_stages(root)

    place["compute"]["threads"] += 1
    config.write_text(yaml.safe_dump(place))
    assert snakemake_stages(root) == before

    place["sources"]["product_map"]["missing"] = ["n/a"]
    config.write_text(yaml.safe_dump(place))
    after = snakemake_stages(root)
    assert {name for name in after if after[name] != before[name]} == {"ingest_product_map"}


@pytest.mark.parametrize("name", ["Snacks {new}", "{category}", "${env}", "{{input}}"])
def test_braces_in_a_name_are_not_expanded(tmp_path: Path, name: str) -> None:
    root = copy_project(tmp_path)
    add_categories(root, (name,))
    jobs = snakemake_stages(root)
    words = shlex.split(jobs["select_categories"].command)
    assert words[words.index("--z_nasty.name") + 1] == name
    assert call_of(jobs["select_categories"].command) == call_of(dvc_stages(root)["select_categories"].command)
    # What runs those stages anew that read the name from a file.
    for stage in ("split_need_states@z_nasty", "export_workbook@z_nasty"):
        assert shlex.split(jobs[stage].params["own"]) == ["--name", name]
