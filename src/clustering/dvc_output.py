"""What `dvc repro` prints, as events: DVC has no interface that tells how far a run is.

The only place that reads DVC's lines for people. tests/data/runners holds what the pinned version prints; a test fails when the
lock moves to another.
"""

import re

LINES = {
    "started": re.compile(r"Running stage '(.+)':"),
    "skipped": re.compile(r"Stage '(.+)' (?:didn't change, skipping|is cached - skipping run, checking out outputs)"),
    "failed": re.compile(r"ERROR: failed to reproduce '(.+)': .*"),
}


def read_line(line: str) -> tuple[str, str] | None:
    """`started`, `skipped` or `failed`, and the stage, such as `merge_segments/beauty`; None for other lines."""
    for state, pattern in LINES.items():
        if found := pattern.fullmatch(line.rstrip("\r\n")):
            return state, found[1].replace("@", "/", 1)
    return None
