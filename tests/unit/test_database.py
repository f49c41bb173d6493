"""DuckDB within limits: what becomes of ^C."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, signal, threading
from types import SimpleNamespace
from storelib.database import database

threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
limits = SimpleNamespace(memory_limit="512MB", megabytes=512, threads=1)
try:
    with database(limits) as connection:
        # Weeks of work.
        connection.execute("SELECT count(*) FROM range(100000000) a, range(100000) b WHERE a.range * b.range % 7 = 3").fetchall()
except KeyboardInterrupt as error:
    print("interrupted")
"""


def test_an_interrupt_while_duckdb_is_at_work_is_one() -> None:
    """DuckDB makes a RuntimeError of it, which a command would tell with a traceback."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr, done.returncode) == ("interrupted\n", "", 0)
