"""A run that is cut off at any moment, by any signal, and the same command again: the bytes of a run that nobody touched."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from clustering.runners import environment
from integration.conftest import Project
from storelib.names import MARK

Told = Callable[[str, int, int], None]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
WHOM = ("stage", "runner", "command", "group")
# Seconds: when the last stage is done at the latest, and what a run has to end in.
LONGEST, PATIENCE = 40.0, 600.0


def start(project: Project, engine: str) -> "subprocess.Popen[bytes]":
    """`clustering run` in a group of its own, silently."""
    words = [str(Path(sys.executable).parent / "clustering"), "run", "full_pipeline_job", "--engine", engine, "--quiet"]
    said = (project.root / "said.log").open("ab")
    return subprocess.Popen(words, cwd=project.root, env=environment(), stdout=said, stderr=said, process_group=0)


def hit(process: "subprocess.Popen[bytes]", whom: str, number: signal.Signals, drawn: random.Random) -> bool:
    """Send a signal to one of those at work. False where there is none of the kind at that moment."""
    if whom == "group":
        os.killpg(process.pid, number)
        return True
    if whom == "command":
        process.send_signal(number)
        return True
    mine = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            words = " ".join(child.cmdline())
            is_stage = "scripts/" in words or "stage_server" in words
            is_runner = "-m snakemake" in words or "-m dvc" in words
            if MARK in child.environ() and (is_stage if whom == "stage" else is_runner):
                mine.append(child)
        except psutil.Error:
            continue
    if not mine:
        return False
    drawn.choice(mine).send_signal(number)
    return True


def outcome(project: Project) -> dict[str, str]:
    """The hash of every output: tables, figures, pictures; not the report of the run and what is one run's own."""
    found = [*(project.root / "data").rglob("*"), *(project.root / "reports").rglob("*")]
    return {
        path.relative_to(project.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(found)
        if path.is_file() and path.name != "report.html" and "published" not in path.parts
    }


def left_behind(project: Project) -> list[str]:
    """Temporary files, and processes that carry the mark of a command of this project."""
    files = [
        path.name for folder in ("data", "reports", ".clustering") for path in (project.root / folder).rglob("*.tmp")
    ]
    processes = []
    for process in psutil.process_iter():
        try:
            if str(project.root) in process.environ().get(MARK, "") and process.status() != psutil.STATUS_ZOMBIE:
                processes.append(" ".join(process.cmdline())[:100])
        except (psutil.Error, OSError):
            continue
    return files + processes


@pytest.mark.slow
@pytest.mark.integration
def test_same_command_again_gives_the_bytes_of_a_clean_run(
    fresh: Project, seed: int, told: Told, tmp_path: Path
) -> None:
    """KILLS runs (12 by default), runners alternating; each is cut off up to three times, then left to end."""
    number = int(os.environ.get("KILLS", "12"))
    first = start(fresh, "snakemake")
    assert first.wait(PATIENCE) == 0, (fresh.root / "said.log").read_text()
    clean, sent, harmed = outcome(fresh), 0, []
    drawn = random.Random(seed)  # noqa: S311 (nothing secret)
    for turn in range(number):
        engine = ("snakemake", "dvc")[turn % 2]
        for folder in ("data/internal", "data/external", "data/merging", "reports/figures", ".dvc/cache", ".snakemake"):
            shutil.rmtree(fresh.root / folder, ignore_errors=True)
        (fresh.root / "said.log").unlink(missing_ok=True)
        for _ in range(drawn.randint(1, 3)):
            process = start(fresh, engine)
            whom, sign, wait = drawn.choice(WHOM), drawn.choice(SIGNALS), drawn.uniform(0.5, LONGEST)
            until = time.monotonic() + wait
            while process.poll() is None and time.monotonic() < until:
                time.sleep(0.02)
            if process.poll() is None and hit(process, whom, sign, drawn):
                sent += 1
            if whom in {"command", "group"}:
                process.wait(30)
            else:
                process.wait(PATIENCE)
        code = start(fresh, engine).wait(PATIENCE)
        if code or outcome(fresh) != clean or left_behind(fresh):
            ours = outcome(fresh)
            differ = [name for name in clean.keys() | ours.keys() if clean.get(name) != ours.get(name)]
            said = (fresh.root / "said.log").read_text(encoding="utf-8", errors="replace")[-3000:]
            harmed.append(f"turn {turn} {engine}: code {code}, {differ[:5]}, {left_behind(fresh)}\n{said}")
    told(f"signals to stages, runners, commands and groups in {number} runs", sent, sent - len(harmed))
    assert not harmed, "\n".join(harmed)
