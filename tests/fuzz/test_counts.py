"""The full run is as large as it is said to be."""

import importlib
from pathlib import Path

from fuzz.drawing import ASKED


def test_full_run_asks_for_more_than_ten_thousand_examples() -> None:
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        importlib.import_module(f"fuzz.{path.stem}")
    assert len(ASKED) >= 14
    assert sum(ASKED) > 10_000
