"""How the process of a stage ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import atexit
import storelib.runtime
from pathlib import Path

def main(argv):
    print("said")
    storelib.runtime.start_log(Path("logs/stage.log")).info("logged")

atexit.register(print, "taken down")
storelib.runtime.run_stage(main)
"""


@pytest.mark.parametrize(("how", "said"), [([], "said\n"), (["-m", "cProfile", "-o", "profile"], "said\ntaken down\n")])
def test_a_stage_ends_at_once_unless_somebody_waits_for_its_end(tmp_path: Path, how: list[str], said: str) -> None:
    """What it has loaded is not taken down; what it said is there, and a profile is written."""
    (tmp_path / "stage.py").write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run(
        [sys.executable, *how, "stage.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "stage: logged\n")
    assert (tmp_path / "logs" / "stage.log").read_text() == "stage: logged\n"
    assert (tmp_path / "profile").exists() == bool(how)
