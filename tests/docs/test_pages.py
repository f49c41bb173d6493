"""The pages of docs/ do what they say: each page's blocks are run in order, as a reader would run them.

A page talks to the test in plain words before a block: "Save this as `FILE`:", "Change these keys of `FILE`", "Add this to
`FILE`:". Every block of shell commands is run, but for the commands in SKIPPED.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML

from clustering.files import FILES, WIDE, contract_of, schema_of
from clustering.runners import environment
from clustering.templates import make_project

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if not {"generated", "build"} & set(path.relative_to(DOCS).parts))
SHELL = "bash"
# Commands that are not run here, and why.
SKIPPED = {
    "make -n run-memory-optimized JOB=merging_job MEMORY_LIMIT=256MB": "tests/docs/test_make.py",
    "make bench": "takes minutes; tests/unit/test_bench.py",
    "make build": "tests/docs/test_package.py, as the rest of that page",
    "python -m pip install --require-hashes --requirement envs/pipeline.txt": "installs what is installed",
    "python -m pip install --no-deps dist/*.whl": "tests/docs/test_package.py",
    "clustering minimal": "tests/docs/test_package.py",
    "uv pip install --require-hashes --requirement envs/pipeline.txt": "tests/docs/test_package.py",
    "uv pip install --no-deps dist/*.whl": "tests/docs/test_package.py",
    "uv add ./dist/*.whl": "resolves against a registry",
    "uv run clustering minimal": "follows uv add",
}
# Reads a file's new keys from standard input. Categories and demos are replaced whole, since a name may go.
CHANGE = """
import sys
from pathlib import Path
from ruamel.yaml import YAML
yaml = YAML()
def change(old, new):
    for key, value in new.items():
        if isinstance(value, dict) and value and isinstance(old.get(key), dict) and key != "categories":
            change(old[key], value)
        else:
            old[key] = value
path = Path(sys.argv[1])
tree = yaml.load(path)
change(tree, yaml.load(sys.stdin))
yaml.dump(tree, path)
"""
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
ORDER = re.compile(r"(Save this as|Change these keys of|Add this to) `([^`]+)`[^`]*?:\s*$", flags=re.DOTALL)


def steps(path: Path) -> Iterator[str]:
    """What a reader of one page does, as shell commands."""
    text = path.read_text(encoding="utf-8")
    end = 0
    for block in BLOCK.finditer(text):
        language, body = block.groups()
        order = ORDER.search(text[end : block.start()])
        end = block.end()
        if language == SHELL:
            yield "\n".join(line for line in body.splitlines() if line not in SKIPPED)
        elif order:
            verb, name = order.groups()
            start = {"Save this as": "cat >", "Add this to": "cat >>"}.get(verb, 'python "$CHANGE"')
            yield f"{start} {name} <<'END_OF_BLOCK'\n{body}END_OF_BLOCK"


WORKING = [path for path in PAGES if any(step.strip() for step in steps(path))]
# Pages with a test of their own.
ELSEWHERE = {"tutorial.md": "below", "production.md": "tests/integration/test_production.py"}


def read_along(path: Path, folder: Path, scratch: Path) -> str:
    """Do what a page says in a folder; returns what the commands printed."""
    scratch.mkdir(exist_ok=True)
    (scratch / "change.py").write_text(CHANGE)
    script = scratch / "page.sh"
    script.write_text("set -eux\n" + "\n".join(steps(path)) + "\n")
    author = {f"GIT_{who}_{what}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        ["bash", str(script)],
        cwd=folder,
        env=environment() | author | {"CHANGE": str(scratch / "change.py")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{path.name}\n{done.stdout[-6000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny demo, run once and committed."""
    folder = tmp_path_factory.mktemp("pages")
    project = folder / "project"
    make_project(project, "minimal")
    yaml = YAML()
    params = yaml.load(project / "params.yaml")
    params["demo"]["dev"] |= {"stores": 60, "weeks": 4, "lines_per_store": 60}
    for view in ("internal", "external"):
        params[view]["cluster_stores"] |= {"max_clusters": 3, "n_init": 2}
    yaml.dump(params, project / "params.yaml")
    start = folder / "start.md"
    start.write_text(
        "```bash\ngit add -A\ngit commit -qm Start\nclustering run full_pipeline_job\ngit add -A\ngit commit -qm Run\n```\n"
    )
    read_along(start, project, folder)
    return project


def test_pages_with_commands_are_found() -> None:
    assert {"tutorial.md", "sweeps.md", "versions.md", "own_data.md"} <= {path.name for path in WORKING}
    every = {line for path in PAGES for line in path.read_text(encoding="utf-8").splitlines()}
    assert set(SKIPPED) <= every


@pytest.mark.integration
def test_tutorial_leads_to_segments(tmp_path: Path) -> None:
    said = read_along(DOCS / "tutorial.md", tmp_path, tmp_path / "scratch")
    assert "merging: done" not in said
    assert said.count("full_pipeline: done in") == 3
    segments = pq.read_table(tmp_path / "my-stores" / "data" / "merging" / "segments.parquet").to_pandas()
    assert segments.groupby("category")["store_id"].nunique().to_dict() == {"coffee": 90, "pet_food": 90}
    assert segments["internal_cluster"].nunique() == 3, "the kinds of town that were made up"


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize("path", [p for p in WORKING if p.name not in ELSEWHERE], ids=lambda path: path.stem)
def test_page_works(path: Path, finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "project", symlinks=True)
    read_along(path, tmp_path / "project", tmp_path / "scratch")


@pytest.mark.slow
@pytest.mark.integration
def test_columns_of_every_file_are_as_documented(finished: Path) -> None:
    documented = {file.path: file for file in FILES}
    found = {path.relative_to(finished) for path in finished.glob("data/[iem]*/**/*.parquet")}
    found |= {path.relative_to(finished) for path in finished.glob("reports/*.csv")}
    for path in sorted(found):
        one = path.as_posix()
        many = (path.parent / f"{{category}}{path.suffix}").as_posix()
        file = documented.get(one) or documented[many]
        if path.suffix == ".csv":
            names = (finished / path).read_text(encoding="utf-8").splitlines()[0].split(",")
        else:
            names = pq.read_schema(finished / path).names
        contract = contract_of(file)
        # A column that is optional is there where what it follows from is.
        missing = contract.optional.difference(names) if contract else set()
        fixed = [name for name in file.columns if name not in {WIDE, *missing}]
        assert names[: len(fixed)] == fixed if WIDE in file.columns else names == fixed, one


def test_columns_of_schemas_are_documented() -> None:
    for file in FILES:
        schema = schema_of(file)
        assert schema is None or schema.names == list(file.columns), file.path
        assert all(file.columns.values()), file.path
