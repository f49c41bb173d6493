"""What a stage's code is: exactly its script and the modules of storelib that this imports, directly or not, for both runners."""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.graphs import ROOT, Stage, copy_project, dvc_stages, snakemake_stages
from storelib.configuration.code import FOLDER, listing_path, settle_code

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


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def jobs(root: Path) -> dict[str, Stage]:
    return snakemake_stages(root)


def listed(root: Path) -> dict[str, str]:
    """What the list of code says, by the script's path."""
    return {f"scripts/{path.stem}.py": path.read_text() for path in (root / FOLDER).iterdir()}


def test_list_of_code_has_what_scripts_import(root: Path, jobs: dict[str, Stage]) -> None:
    """It is there when Snakemake has read its rules. The other way to find what is imported is this file's own."""
    assert jobs
    found = listed(root)
    assert found.keys() == {path.relative_to(ROOT).as_posix() for path in SCRIPTS.glob("*.py")}
    for script, text in found.items():
        files = sorted({script, *closure(ROOT / script)})
        hashes = [hashlib.sha256((root / path).read_bytes()).hexdigest() for path in files]
        assert text == "".join(f"{sha256}  {path}\n" for sha256, path in zip(hashes, files, strict=True)), script


def test_stages_declare_their_code_and_what_they_are_given(root: Path, jobs: dict[str, Stage]) -> None:
    stages = dvc_stages(root)
    assert stages.pop("hash_code").inputs == {"scripts"}
    run = set()
    for name, stage in stages.items():
        _, script, *_ = stage.command.split()
        code = {f"data/code/{Path(script).stem}.sha256"}
        given = GIVEN.get(script, set())
        assert {path for path in stage.inputs if path.startswith(("scripts", "data/code"))} == code | given, name
        assert {path for path in jobs[name].inputs if path.startswith(("scripts", "data/code"))} == given, name
        assert jobs[name].params["script"] == script, name
        # What Snakemake sees a change of.
        digest = hashlib.sha256(listed(root)[script].encode()).hexdigest()
        assert any(digest[:16] in value for value in jobs[name].recorded), name
        run.add(script)
    rest = OF_THE_COMMAND | {"scripts/hash_code.py"}
    assert run.isdisjoint(rest)
    assert run | rest == {path.relative_to(ROOT).as_posix() for path in SCRIPTS.glob("*.py")}


def changed(root: Path, before: dict[str, str]) -> set[str]:
    """The scripts whose code the list finds changed."""
    settle_code(root)
    return {script for script, text in listed(root).items() if before.get(script) != text}


def test_change_of_a_module_is_one_of_the_scripts_that_import_it(tmp_path: Path) -> None:
    root = copy_project(tmp_path)
    settle_code(root)
    before = listed(root)
    module = root / "scripts" / "storelib" / "method" / "silhouette.py"
    module.write_text(module.read_text() + "\n# a change\n")
    users = {script for script in before if module.relative_to(root).as_posix() in closure(ROOT / script)}
    # Right through other modules as well.
    assert {"scripts/cluster_stores.py"} <= users < before.keys()
    assert changed(root, before) == users
    # An import that is new brings in what is imported there.
    before, script = listed(root), root / "scripts" / "require_checks.py"
    script.write_text(script.read_text() + "\nif False:\n    from storelib.method import silhouette\n")
    assert changed(root, before) == {"scripts/require_checks.py"}
    assert "  scripts/storelib/method/silhouette.py\n" in listed(root)["scripts/require_checks.py"]
    # A script that is gone leaves nothing, and what is unchanged keeps its time.
    times = {path.name: path.stat().st_mtime_ns for path in (root / FOLDER).iterdir()}
    script.unlink()
    settle_code(root)
    left = {path.name: path.stat().st_mtime_ns for path in (root / FOLDER).iterdir()}
    assert left == {name: time for name, time in times.items() if name != "require_checks.sha256"}


def test_damaged_list_of_code_is_made_anew(tmp_path: Path) -> None:
    root = copy_project(tmp_path)
    settle_code(root)
    path = listing_path(root / FOLDER, "merge_segments")
    whole = path.read_text()
    # Whatever is left of it is true: of files that are missing in it a change would not be seen.
    path.write_text("".join(whole.splitlines(keepends=True)[:3]))
    settle_code(root)
    assert path.read_text() == whole


def test_a_script_that_is_being_written_stops_no_other(tmp_path: Path) -> None:
    root = copy_project(tmp_path)
    settle_code(root)
    before, script = listed(root), root / "scripts" / "require_checks.py"
    text = script.read_text()
    script.write_text(f"def f(:\n{text}")
    assert changed(root, before) == {"scripts/require_checks.py"}
    script.write_text(text)
    settle_code(root)
    assert listed(root) == before


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
