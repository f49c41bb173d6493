"""How long the demo takes, and the most memory that each of its processes holds.

Runs the demo of params.yaml in a temporary project with Snakemake on two cores, beside the same with DVC, and samples every
process some fifty times a second. Prints seconds for both in one run, and the largest processes.

usage: python benchmarks/demo_resources.py
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from clustering.runners import environment
from clustering.templates import make_project


def measure(root: Path, command: list[str]) -> tuple[float, dict[str, float]]:
    """Seconds, and peak resident memory in MB by process name."""
    peaks: dict[str, float] = {}
    started = time.monotonic()
    with subprocess.Popen(
        command, cwd=root, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        family = psutil.Process(run.pid)
        while run.poll() is None:
            for process in (family, *family.children(recursive=True)):
                try:
                    words = [Path(word).name for word in process.cmdline()]
                    memory = process.memory_info().rss / 1e6
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
                name = next(
                    (word for word in words if word.endswith(".py") and word != "__main__.py"), words[2:3] and words[2]
                )
                peaks[str(name)] = max(peaks.get(str(name), 0.0), memory)
            time.sleep(0.02)
    if run.returncode:
        raise SystemExit(f"{command} failed")
    return time.monotonic() - started, peaks


def main() -> None:
    """Measure both runners, print a table."""
    commands = {
        "snakemake --cores 2": ["-m", "snakemake", "--cores", "2"],
        "dvc repro": ["-m", "dvc", "repro"],
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, words in commands.items():
            root = Path(folder) / name.split()[0]
            make_project(root, None)
            seconds, peaks = measure(root, [sys.executable, *words])
            print(f"{name}: {seconds:.1f} s")
            for process, megabytes in sorted(peaks.items(), key=lambda item: -item[1])[:6]:
                print(f"  {megabytes:6.0f} MB  {process}")


if __name__ == "__main__":
    main()
