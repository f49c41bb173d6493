"""`clustering minimal`: a small demo, away from any project."""

import tempfile
from pathlib import Path

from clustering.arguments import Cores
from clustering.jobs import Engine
from clustering.templates import make_project


def minimal(
    cores: Cores = 2,
) -> None:
    """Run a small demo in a temporary folder, which is kept.

    Example: clustering minimal --cores 1
    """
    from clustering.running import run_job

    folder = Path(tempfile.mkdtemp(prefix="clustering-minimal-")) / "project"
    make_project(folder, "minimal")
    run_job(folder, "full_pipeline", None, cores, Engine.snakemake)
