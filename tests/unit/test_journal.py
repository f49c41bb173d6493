"""The command's own log: where the configuration says, rotated, and with what happened before that was known."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from clustering.journal import LOGGER, end_journal, open_journal, start_journal
from clustering.projects import load_project
from clustering.templates import make_project
from storelib.configuration.place import Logging, load_place
from storelib.errors import ConfigError


@pytest.fixture(autouse=True)
def new_journal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No journal is open before or after, and the environment names no folder."""
    monkeypatch.delenv("CLUSTERING_LOG_DIR", raising=False)
    before = LOGGER.handlers[:]
    LOGGER.handlers.clear()
    yield
    for handler in LOGGER.handlers:
        handler.close()
    LOGGER.handlers[:] = before


def lines(path: Path) -> list[str]:
    return [line.split(" ", 4)[-1] for line in path.read_text(encoding="utf-8").splitlines()]


def test_project_says_where_its_log_is_and_what_is_in_it(tmp_path: Path) -> None:
    make_project(tmp_path / "project", "minimal")
    config = tmp_path / "project" / "configs" / "dev.yml"
    config.write_text(config.read_text() + "logging:\n  folder: kept/here\n  level: WARNING\n")
    start_journal()
    LOGGER.info("clustering status")
    LOGGER.warning("before the configuration")
    load_project(tmp_path / "project", None)
    LOGGER.info("a run")
    LOGGER.error("a failure")
    end_journal()
    assert lines(tmp_path / "project" / "kept" / "here" / "clustering.log") == ["before the configuration", "a failure"]


def test_variable_goes_before_the_configured_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLUSTERING_LOG_DIR", str(tmp_path / "variable"))
    start_journal()
    LOGGER.info("x")
    open_journal(Logging(folder=str(tmp_path / "configured")), tmp_path)
    assert lines(tmp_path / "variable" / "clustering.log") == ["x"]
    assert not (tmp_path / "configured").exists()


def test_without_a_configuration_it_is_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    start_journal()
    LOGGER.info("clustering list-jobs")
    end_journal()
    assert lines(tmp_path / ".clustering" / "logs" / "clustering.log") == ["clustering list-jobs"]


def test_full_files_are_rotated_and_only_so_many_kept(tmp_path: Path) -> None:
    start_journal()
    open_journal(Logging(folder=str(tmp_path / "logs"), max_bytes=1_000, rotated_files=2), tmp_path)
    for number in range(100):
        LOGGER.info("line %d %s", number, "x" * 50)
    files = sorted((tmp_path / "logs").iterdir())
    assert [path.name for path in files] == ["clustering.log", "clustering.log.1", "clustering.log.2"]
    assert max(path.stat().st_size for path in files) <= 1_000
    assert "line 99 " in files[0].read_text()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"level": "LOUD"}, r"logging\.level: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR', found 'LOUD'"),
        ({"max_bytes": 10}, r"logging\.max_bytes"),
        ({"folders": "x"}, r"logging\.folders is not a known key \(nearest: 'folder'\)"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, object], said: str, tmp_path: Path) -> None:
    make_project(tmp_path / "project", "minimal")
    config = tmp_path / "project" / "configs" / "dev.yml"
    config.write_text(config.read_text() + yaml.safe_dump({"logging": settings}))
    with pytest.raises(ConfigError, match=said):
        load_place(config)


def test_levels_are_those_of_the_library() -> None:
    assert {logging.getLevelName(Logging(level=level).level) for level in ("DEBUG", "INFO", "WARNING", "ERROR")} == {
        10,
        20,
        30,
        40,
    }
