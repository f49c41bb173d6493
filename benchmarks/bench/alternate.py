"""Contenders that take turns, each as a whole process, and what their times say."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clustering.runners import environment

LAUNCH = Path(__file__).with_name("launch.py")
# In the names of contenders that do something else than the reference.
OTHER_JOB = "nothing to do"
Run = dict[str, float]


def nothing(*_: object) -> None:
    """The preparation, or the check, of a contender that needs none."""


@dataclass(frozen=True)
class Contender:
    """A command, where it runs, what is made ready before each run, and what is looked at after it; neither is timed.

    check: gets what the command printed. Raises where its result is wrong: a wrong result's time is worth nothing.
    """

    command: list[str]
    folder: Path
    prepare: Callable[[], object] = nothing
    check: Callable[[str], object] = nothing
    variables: Mapping[str, str] = field(default_factory=dict)


def measure(contender: Contender) -> Run:
    """One run. Raises SystemExit with the end of its output where it fails."""
    contender.prepare()
    variables = environment() | dict(contender.variables)
    # Python keeps what it has compiled, as it does where nobody forbids it.
    variables.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        result, output = Path(folder) / "result.json", Path(folder) / "output.txt"
        with output.open("w") as handle:
            code = subprocess.run(
                [sys.executable, str(LAUNCH), str(result), "--", *contender.command],
                cwd=contender.folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=handle,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode
        said = output.read_text(encoding="utf-8", errors="replace")
        if code:
            raise SystemExit(f"{' '.join(contender.command)} ended with {code}:\n{said[-4000:]}")
        contender.check(said)
        found: Run = json.loads(result.read_text(encoding="utf-8"))
    return found


def alternate(
    contenders: Mapping[str, Contender], rounds: int, told: Callable[[str, Run], object] = nothing
) -> dict[str, list[Run]]:
    """The runs of each contender, A B C A B C ...: what slows the machine for a while slows them all."""
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            runs[name].append(measure(contender))
            told(name, runs[name][-1])
    return runs


def figures(runs: Mapping[str, list[Run]], reference: str) -> list[dict[str, Any]]:
    """A row per contender: median, least and most seconds, memory, and how many times the reference's seconds it took.

    `ratio` is that of the medians, `pairs` those of each round.
    """
    medians = {name: statistics.median(run["seconds"] for run in found) for name, found in runs.items()}
    rows = []
    for name, found in runs.items():
        seconds = [run["seconds"] for run in found]
        pairs = [one / other["seconds"] for one, other in zip(seconds, runs[reference], strict=True)]
        rows.append(
            {
                "name": name,
                "median": medians[name],
                "min": min(seconds),
                "max": max(seconds),
                "ratio": medians[name] / medians[reference],
                "pairs": pairs,
                "peak_mb": max(run["peak_mb"] for run in found),
                "tree_mb": max(run["tree_mb"] for run in found),
            }
        )
    return rows


def section_rows(section: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row per contender of a section of the results; who did another job (nothing to do) is compared with nobody."""
    reference, runs = section["reference"], section["runs"]
    rows = figures({name: found for name, found in runs.items() if OTHER_JOB not in name}, reference)
    for name, found in runs.items():
        if OTHER_JOB in name:
            rows += [row | {"ratio": None, "pairs": []} for row in figures({name: found}, name)]
    return rows


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    import platform
    from importlib.metadata import version

    import psutil

    names = ("duckdb", "numpy", "pandas", "polars", "pyarrow", "scikit-learn", "snakemake", "dvc")
    return {
        "cpu": cpu_model() or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in names},
    }


def cpu_model() -> str:
    """As Linux names it; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
