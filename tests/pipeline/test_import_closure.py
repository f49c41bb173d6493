"""Each stage declares exactly the modules of scripts/lib that its script imports, directly or not."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.graphs import ROOT, Stage, copy_project, dvc_stages, snakemake_stages

pytestmark = pytest.mark.integration

SCRIPTS = ROOT / "scripts"
LIB = SCRIPTS / "lib"
# `clustering split-half` starts these; they are no stages.
OF_THE_COMMAND = {"scripts/split_sales.py", "scripts/compare_halves.py"}
# Files beside the code that a script is given by a flag.
GIVEN = {"scripts/build_report.py": {"scripts/templates/report.html.j2", "scripts/outlines/outlines.json"}}
MODULES = {path.stem for path in LIB.glob("*.py")}


def lib_imports(path: Path) -> Iterator[str]:
    """Modules of lib that one file names in an import, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                package, _, module = alias.name.partition(".")
                if package == "lib":
                    assert module in MODULES, f"{path}: import {alias.name}"
                    yield module
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            package, _, module = (node.module or "").partition(".")
            if package == "lib":
                found = [module] if module else [alias.name for alias in node.names]
                assert set(found) <= MODULES, f"{path}: from {node.module} import …"
                yield from found


def closure(script: Path) -> set[str]:
    """Modules of lib that are loaded with a script."""
    found: set[str] = set()
    queue = [script]
    while queue:
        new = set(lib_imports(queue.pop())) - found
        found |= new
        queue += [LIB / f"{module}.py" for module in new]
    return found


def declared(stage: Stage) -> set[str]:
    return {path for path in stage.inputs if path.startswith("scripts/")}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.mark.parametrize("runner", [dvc_stages, snakemake_stages])
def test_stages_declare_what_their_scripts_import(root: Path, runner: Callable[[Path], dict[str, Stage]]) -> None:
    run = set()
    for name, stage in runner(root).items():
        _, script, *_ = stage.command.split()
        expected = {script, *(f"scripts/lib/{module}.py" for module in closure(ROOT / script))}
        expected |= GIVEN.get(script, set())
        assert declared(stage) == expected, name
        run.add(script)
    assert run.isdisjoint(OF_THE_COMMAND)
    assert run | OF_THE_COMMAND == {path.relative_to(ROOT).as_posix() for path in SCRIPTS.glob("*.py")}


def test_every_import_is_seen(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import lib.runtime as r, json\n"
        "from lib import tables\n"
        "from lib.errors import DataError\n"
        "def f():\n    from lib.charts import g\n"
    )
    assert set(lib_imports(script)) == {"runtime", "tables", "errors", "charts"}
    assert closure(script) >= {"runtime", "tables", "errors", "charts"}


def test_scripts_do_not_import_each_other() -> None:
    names = {path.stem for path in SCRIPTS.glob("*.py")}
    for path in [*SCRIPTS.glob("*.py"), *LIB.glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            imported = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            if isinstance(node, ast.ImportFrom):
                imported = {node.module or ""}
            assert not {name.partition(".")[0] for name in imported} & (names | {"clustering"}), path
