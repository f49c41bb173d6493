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
