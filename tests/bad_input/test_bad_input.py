"""Whatever is wrong with what a user delivers is said in one line, and nothing is half-written.

Each case changes a small correct project and runs one stage. The cases are in `sales.py`, `tables.py`, `settings.py` and
`method.py`, beside this file.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bad_input import method, sales, settings, tables
from bad_input.cases import Case
from bad_input.project import Project

CASES: list[Case] = [*sales.CASES, *tables.CASES, *settings.CASES, *method.CASES]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The correct project, every stage run."""
    return Project.finished(tmp_path_factory.mktemp("finished") / "project")


@pytest.fixture(scope="module")
def copied(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, tuple[int, int]]]:
    """A copy to work on, and its files as they are."""
    copy = finished.copy(tmp_path_factory.mktemp("copied") / "project")
    return copy, copy.files()


@pytest.fixture
def project(finished: Project, copied: tuple[Project, dict[str, tuple[int, int]]]) -> Iterator[Project]:
    """The correct project, and again after the test."""
    copy, kept = copied
    yield copy
    copy.become(finished, kept)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the system keeps temporary files, for this test alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_bad_input(case: Case, project: Project, temporary: Path) -> None:
    case.edit(project)
    *earlier, stage = case.stages
    for name in earlier:
        before = project.run(name)
        assert before.code == 0, before.said
    kept = project.files()
    told = project.check() if stage == "check" else project.run(stage, *case.flags)
    assert told.code == case.code, told.said
    assert "Traceback" not in told.said
    # Sums of raw files are kept, whatever the policies say of them.
    changed = {
        path
        for path, stamp in project.files().items()
        if kept.get(path) != stamp and not path.startswith(".clustering/cache/")
    }
    assert kept.keys() <= project.files().keys()
    assert list(temporary.iterdir()) == []
    assert [path.name for path in project.root.parent.iterdir()] == ["project"]
    if case.code == 0:
        assert case.works is not None
        written = [path for path in changed if not path.startswith(".clustering/made/")]
        assert all(path.partition("/")[0] in ("data", "logs", "reports") for path in written)
        case.works(project)
        return
    log = f"logs/{stage.replace('@', '/')}.log"
    assert changed <= {log}
    lines = [line.partition(f"{stage.replace('@', '/')}: ")[2] or line for line in told.said.splitlines()]
    assert [line.partition(": ")[0] for line in lines[-2:]] == ["Error", "Solution"], told.said
    assert sum(line.startswith(("Error: ", "Solution: ")) for line in lines) == 2
    assert 10 < len(told.error) < 2000
    assert 5 < len(told.solution) < 2000
    assert told.said.isprintable() or "\n" in told.said
    if log in changed:
        assert (project / log).read_text(encoding="utf-8") == told.said
    for fragment in case.says:
        assert fragment in told.error
    for fragment in case.advises:
        assert fragment in told.solution


def test_there_are_many_cases() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert len(names) >= 200
    assert all(case.says or case.works for case in CASES)
