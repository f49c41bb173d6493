"""What the Snakefile asks of Snakemake's scheduler, which no option gives."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SNAKEFILE = """
import sys, threading
sys.path.insert(0, {scripts!r})
from storelib.configuration.workflow import start_at_once
rule all:
    input: expand("{{name}}.txt", name=["a", "b", "c"])
rule one:
    output: "{{name}}.txt"
    shell: "touch {{output}}"
onstart:
    if {at_once}:
        start_at_once(workflow)
onsuccess:
    looks = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    print("looks again:", len(looks) > 0)
"""


@pytest.mark.parametrize("at_once", [True, False])
def test_jobs_that_are_ready_are_not_looked_at_each_second(tmp_path: Path, at_once: bool) -> None:
    """Where False fails, Snakemake does without by itself, and `start_at_once` may go."""
    text = SNAKEFILE.format(scripts=str(ROOT / "scripts"), at_once=at_once)
    (tmp_path / "Snakefile").write_text(text, encoding="utf-8")
    words = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all"]
    said = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f"looks again: {not at_once}" in said.stdout + said.stderr
    assert sorted(path.name for path in tmp_path.glob("*.txt")) == ["a.txt", "b.txt", "c.txt"]
