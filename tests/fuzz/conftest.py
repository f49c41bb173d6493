"""How many examples, how long one may take, and a table of how many there were.

`HYPOTHESIS_PROFILE=full` (make test-fuzz) draws as many examples as each property asks for, anew each time; without it a
fortieth of them, always the same ones.
"""

import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bad_input.project import Project
from fuzz.drawing import DRAWN, Copy, hangs


@pytest.fixture(autouse=True)
def in_time() -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, hangs)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project.finished(tmp_path_factory.mktemp("finished") / "project")


@pytest.fixture
def copy(finished_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copy:
    made = Copy(finished_project, tmp_path / "fuzzed" / "project")
    monkeypatch.setattr(tempfile, "tempdir", str(made.temporary))
    return made


# The table at the end, also where several processes share the work.


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["drawn"] = dict(DRAWN)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    DRAWN.update(getattr(node, "workeroutput", {}).get("drawn", {}))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not DRAWN:
        return
    from bad_input.test_bad_input import CASES

    groups = Counter(case.name.partition(":")[0] for case in CASES)
    terminalreporter.section("bad input")
    for name, number in sorted(groups.items()):
        terminalreporter.write_line(f"{number:7,} curated cases of {name}")
    terminalreporter.write_line(f"{sum(groups.values()):7,} curated cases")
    for name, number in sorted(DRAWN.items()):
        terminalreporter.write_line(f"{number:7,} examples: {name}")
    terminalreporter.write_line(f"{sum(DRAWN.values()):7,} examples of {len(DRAWN)} properties")
