"""The command starts fast: what is heavy is imported by the commands that need it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "clustering.runners",
    "duckdb",
    "dvc",
    "numpy",
    "pandas",
    "pyarrow",
    "pydantic",
    "sklearn",
    "snakemake",
    "starlette",
    "uvicorn",
    "yaml",
}


@pytest.mark.parametrize("module", ["clustering.cli", "snakemake_logger_plugin_clustering"])
def test_nothing_heavy_is_imported_at_the_start(module: str) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert HEAVY & set(done.stdout.split()) == set()


def test_interrupt_at_the_very_start_is_told_in_two_lines() -> None:
    """While the command's own libraries are still being imported."""
    program = (
        "import sys, clustering.entry\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'typer':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "clustering.entry.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "Error: interrupted\nSolution: run the same command again\n"


def test_module_that_hides_an_installed_one_is_named(tmp_path: Path) -> None:
    """Whether it breaks what imports it or is another version, which nobody would see."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "helpers.py").write_text("")
    # A namespace: an installed package of that name goes before it.
    (tools / "numpy").mkdir()
    words = [str(Path(sys.executable).parent / "clustering"), "--version"]
    variables = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path / "nothing"), str(tools)])}

    def start() -> "subprocess.CompletedProcess[str]":
        return subprocess.run(words, env=variables, check=False, capture_output=True, text=True)

    assert start().returncode == 0
    (tools / "yaml.py").write_text("raise ImportError('not the yaml you look for')\n")
    (tools / "numpy" / "__init__.py").write_text("")
    done = start()
    assert done.returncode == 3
    assert done.stdout == ""
    first, second = done.stderr.splitlines()
    assert f"puts {tools}/numpy, {tools}/yaml.py before the installed package" in first
    assert second.startswith("Solution: start the command without PYTHONPATH")
