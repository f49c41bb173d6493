"""The command starts fast: what is heavy is imported by the commands that need it."""

import subprocess
import sys

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
