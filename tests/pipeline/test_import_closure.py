"""Each stage declares exactly the modules of storelib that its script imports, directly or not."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.graphs import ROOT, Stage, copy_project, dvc_stages, snakemake_stages

pytestmark = pytest.mark.integration

SCRIPTS = ROOT / "scripts"
LIB = SCRIPTS / "storelib"
# `clustering split-half` starts these; they are no stages.
OF_THE_COMMAND = {"scripts/assign_stores.py", "scripts/compare_halves.py", "scripts/split_sales.py"}
# Files beside the code that a script is given by a flag.
WORDS = "scripts/templates/words/en.yaml"
GIVEN = {
    "scripts/build_report.py": {"scripts/templates/report.html.j2", "scripts/outlines/outlines.json", WORDS},
    "scripts/describe_segments.py": {WORDS},
    "scripts/export_segments.py": {WORDS},
    "scripts/export_workbook.py": {WORDS},
}


def path_of(module: str) -> Path | None:
    """The file of a module of storelib, by its dotted name; None where there is no such module."""
    path = SCRIPTS.joinpath(*module.split(".")).with_suffix(".py")
    return path if path.is_file() else None


def lib_imports(path: Path) -> Iterator[Path]:
    """Modules of storelib that one file names in an import, wherever it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            names = [module] if path_of(module) else [f"{module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.partition(".")[0] == LIB.name:
                found = path_of(name)
                assert found, f"{path}: import {name}"
                yield found


def closure(script: Path) -> set[str]:
    """Modules of storelib that are loaded with a script."""
    found: set[Path] = set()
    queue = [script]
    while queue:
        new = set(lib_imports(queue.pop())) - found
        found |= new
        queue += new
    return {path.relative_to(ROOT).as_posix() for path in found}


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
        modules = sorted(closure(ROOT / script))
        expected = {script, *modules, *GIVEN.get(script, set())}
        lines = "\n".join(f"      - {path}" for path in [script, *modules])
        assert declared(stage) == expected, f"{name}: its deps in dvc.yaml must be\n{lines}"
        run.add(script)
    assert run.isdisjoint(OF_THE_COMMAND)
    assert run | OF_THE_COMMAND == {path.relative_to(ROOT).as_posix() for path in SCRIPTS.glob("*.py")}


def test_every_import_is_seen(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import storelib.runtime as r, json\n"
        "from storelib import tables\n"
        "from storelib.errors import DataError\n"
        "def f():\n    from storelib.pages import charts\n"
    )
    names = {"runtime.py", "tables.py", "errors.py", "pages/charts.py"}
    assert set(lib_imports(script)) == {LIB / name for name in names}
    assert closure(script) >= {f"scripts/storelib/{name}" for name in names}


def test_rooms_hold_no_code_of_their_own() -> None:
    """A package's `__init__.py` is loaded with every module in it and declared by no stage: it may hold a docstring alone."""
    for path in LIB.rglob("__init__.py"):
        assert len(ast.parse(path.read_text(encoding="utf-8")).body) == 1, path


def test_scripts_do_not_import_each_other() -> None:
    names = {path.stem for path in SCRIPTS.glob("*.py")}
    for path in [*SCRIPTS.glob("*.py"), *LIB.rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            imported = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            if isinstance(node, ast.ImportFrom):
                imported = {node.module or ""}
            assert not {name.partition(".")[0] for name in imported} & (names | {"clustering"}), path
