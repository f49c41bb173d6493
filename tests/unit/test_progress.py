"""What a person sees of a run: on a terminal stage, category and time left; elsewhere nothing that moves."""

import io
import json
import os
import pty
import re
import threading
from pathlib import Path

import pytest
from rich.console import Console

from clustering.progress import follow
from clustering.shown import Mode, show_rows

# A runner that tells what Snakemake's plugin tells, slowly enough to be looked at. It ends as `sys.argv` says: with a code, or in
# the middle of a line, of its words and of its events.
FAKE = """
import json, os, sys, time
events = open(sys.argv[sys.argv.index("--logger-clustering-events") + 1], "a")
def tell(event, **fields):
    events.write(json.dumps({"event": event, **fields}) + "\\n")
    events.flush()
def start(rule, job, **wildcards):
    print(f"{rule} of {wildcards}", flush=True)
    tell("job_info", job=job, rule=rule, wildcards=wildcards, reason="", input=[], output=[])
tell("run_info", total=4)
start("cluster_stores", 1, category="beauty")
start("cluster_stores", 2, category="health_otc")
time.sleep(0.3)
tell("job_finished", job=1)
tell("progress", done=1, total=4)
time.sleep(0.3)
tell("job_finished", job=2)
tell("progress", done=2, total=4)
time.sleep(0.3)
start("merge_segments", 3, category="beauty")
time.sleep(0.3)
start("full_pipeline", 0)
if sys.argv[-1] == "dies":
    events.write('{"event": "job_fin')
    events.flush()
    print("and then", end="", flush=True)
    os.kill(os.getpid(), 9)
sys.exit(int(sys.argv[-1]))
"""


def runner(folder: Path) -> Path:
    (folder / "fake.py").write_text(FAKE)
    return folder


def seen_on_a_terminal(folder: Path, columns: int) -> str:
    """All that is written to a terminal of so many columns."""
    here, there = pty.openpty()
    parts: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(here, 4096):
                parts.append(part)
        except OSError:  # how Linux says that the other end is closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(there, "w", encoding="utf-8") as terminal:
        console = Console(file=terminal, width=columns)
        assert console.is_terminal
        code = follow(folder, "fake", ["0"], Mode.live, console, job="merging", log=folder / "runner.log")
        assert code == 0
    reader.join()
    os.close(here)
    return b"".join(parts).decode()


@pytest.mark.parametrize("columns", [60, 120])
def test_terminal_names_stage_category_and_time_left(
    columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TERM": "xterm-256color", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    for name in ("COLUMNS", "LINES", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    seen = seen_on_a_terminal(runner(tmp_path), columns)
    assert not re.search(r"\x1b\[[\d;]*m", seen), "a colour, in spite of NO_COLOR"
    lines = [re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", line).rstrip() for line in re.split(r"[\r\n]+|\x1b\[2K", seen)]
    assert max(map(len, lines)) <= columns
    whole = [line for line in lines if line.startswith("merging ")]
    assert any(re.search(r" 2/4 0:00:0\d 0:00:0\d left$", line) for line in whole), whole
    at_work = {" ".join(line.split()[:2]) for line in lines if line.startswith("  ")}
    assert at_work == {"cluster_stores beauty", "cluster_stores health_otc", "merge_segments beauty"}
    # It leaves nothing behind: the last thing is that lines are erased.
    assert seen.endswith("\x1b[2K")


@pytest.mark.parametrize("mode", [Mode.json, Mode.quiet])
def test_elsewhere_nothing_moves(mode: Mode, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text = io.StringIO()
    code = follow(runner(tmp_path), "fake", ["3"], mode, Console(file=text), job="merging", log=tmp_path / "runner.log")
    assert code == 3
    said = capfd.readouterr()
    assert text.getvalue() == said.err == ""
    assert len(said.out.splitlines()) == (6 if mode is Mode.json else 0)
    assert "\x1b" not in said.out
    assert "cluster_stores of {'category': 'beauty'}" in (tmp_path / "runner.log").read_text()


@pytest.mark.parametrize("columns", [20, 80])
def test_elsewhere_each_stage_is_a_short_line_and_the_chatter_is_in_the_log(columns: int, tmp_path: Path) -> None:
    text = io.StringIO()
    log = tmp_path / "runner.log"
    console = Console(file=text, width=columns)
    assert follow(runner(tmp_path), "fake", ["0"], Mode.plain, console, job="merging", log=log) == 0
    # of the four the third and the job itself have not ended
    assert text.getvalue().splitlines() == ["1/4 cluster_stores/beauty", "2/4 cluster_stores/health_otc"]
    assert "cluster_stores of {'category': 'beauty'}" in log.read_text()


def test_a_narrow_terminal_cuts_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    heads, rows = ["category", "stores", "segments"], [["cocktails_rtd", "1,234,567", "18"], ["snacks", "900", ""]]
    shown = {}
    for columns, terminal in ((20, True), (40, True), (20, False)):
        text = io.StringIO()
        monkeypatch.setattr(
            "clustering.shown.console", Console(file=text, width=columns, force_terminal=terminal, color_system=None)
        )
        if not terminal:
            monkeypatch.setattr("clustering.shown.Console", lambda width: Console(file=text, width=width))  # noqa: B023
        show_rows(heads, rows)
        shown[columns, terminal] = [line.rstrip() for line in text.getvalue().splitlines()]
    assert shown[20, True] == ["cocktails_rtd", "  stores: 1,234,567", "  segments: 18", "snacks", "  stores: 900"]
    assert shown[40, True][1].split() == ["cocktails_rtd", "1,234,567", "18"]
    assert [line.split() for line in shown[20, False]] == [
        heads,
        ["cocktails_rtd", "1,234,567", "18"],
        ["snacks", "900"],
    ]


def test_runner_that_dies_in_the_middle_of_a_line_is_followed_to_its_end(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    console = Console(file=io.StringIO())
    log = tmp_path / "runner.log"
    assert follow(runner(tmp_path), "fake", ["dies"], Mode.json, console, job="merging", log=log) == -9
    told = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [event["stage"] for event in told if event["state"] == "finished"] == [
        "cluster_stores/beauty", "cluster_stores/health_otc",
    ]  # fmt: skip
    assert log.read_text().endswith("\nand then")
