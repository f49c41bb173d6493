"""`fetch`, `publish`, `record`, `sync` and `approve`, cut off at any moment: old or new, never half, and the same again is right."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as postgresql
import pytest
import yaml

from clustering.approve import APPROVED, record_path
from clustering.plans import snakemake_plan
from faults.killing import PATIENCE, SAID, SIGNALS, cut_off, hashes, left_behind, said, start, work_of
from faults.shops import Fetching, current_of, rows_of
from servers import postgres

Told = Callable[[str, int, int], None]
LEAST = 3
TABLES = ("store_segments", "store_segments_profiles", "store_segments_archive")


def kill_often(
    root: Path,
    words: tuple[str, ...],
    number: int,
    drawn: random.Random,
    in_time: Callable[[], bool],
    reset: Callable[[], object],
    wrong: Callable[[], list[str]],
    is_done: Callable[[], bool],
    *elsewhere: Path,
) -> tuple[int, list[str]]:
    """Cut a command off at a drawn moment of its true length, up to three times, and have it end then. Gives signals, and what was wrong.

    reset: before; wrong: what is half done at any time; is_done: in the end.
    """
    reset()
    code, length = work_of(root, *words)
    assert code == 0, said(root)
    assert is_done()
    sent, harmed = 0, []
    while sent < number and (sent < LEAST or in_time()):
        reset()
        (root.parent / SAID).unlink(missing_ok=True)
        history, found = [], []
        for _ in range(drawn.randint(1, 3)):
            whom, name = drawn.choice(["command", "group", "runner"]), drawn.choice(SIGNALS)
            wait = drawn.uniform(0.05, 1.05) * length
            is_sent, _ = cut_off(root, words, whom, name, wait, drawn)
            sent += is_sent
            history.append(f"{name.name} to {whom} at {wait:.2f} of {length:.2f} s{'' if is_sent else ' (too late)'}")
            found += wrong()
        code = start(root, *words).wait(PATIENCE)
        left = left_behind(root, *elsewhere)
        done = is_done()
        if code or found or left or not done or "Traceback" in said(root):
            what = f"code {code}, {found}, left {left}, done {done}"
            harmed.append(f"{'; '.join(history)}: {what}\n{said(root)[-3000:]}")
            print(harmed[-1])
    return sent, harmed


def test_fetch_that_is_cut_off(tmp_path: Path, kills: int, seed: int, told: Told, in_time: Callable[[], bool]) -> None:
    """From a database, of a file and of a folder: each is the old snapshot or the new one."""
    fetching = Fetching(tmp_path)
    drawn = random.Random(seed)  # noqa: S311 (nothing secret)
    words = ("fetch", "--refresh")
    sent, harmed = kill_often(
        fetching.root, words, kills, drawn, in_time, fetching.reset, fetching.wrong, fetching.is_done
    )
    told("signals to fetch", sent, sent - len(harmed))
    assert not harmed, "\n".join(harmed)


@pytest.fixture
def copied(small: Path, tmp_path: Path) -> Path:
    """A copy of the small project, everything made."""
    shutil.copytree(small, tmp_path / "project", symlinks=True)
    return tmp_path / "project"


@pytest.mark.slow
@pytest.mark.integration
def test_approval_that_is_cut_off(copied: Path, kills: int, seed: int, told: Told, in_time: Callable[[], bool]) -> None:
    """It is recorded once, and before it is the baseline."""
    config = (copied / "configs/dev.yml").read_text()
    baseline, record = copied / "data/raw/dev" / APPROVED, copied / record_path("dev")

    def reset() -> None:
        (copied / "configs/dev.yml").write_text(config)
        baseline.unlink(missing_ok=True)
        record.unlink(missing_ok=True)

    def approvals() -> int:
        return len(json.loads(record.read_text())) if record.is_file() else 0

    def wrong() -> list[str]:
        named = APPROVED in (copied / "configs/dev.yml").read_text()
        is_in_order = approvals() >= baseline.is_file() >= named
        return [] if is_in_order else [f"{approvals()} recorded, baseline {baseline.is_file()}, named {named}"]

    def is_done() -> bool:
        return approvals() == 1 and baseline.is_file() and APPROVED in (copied / "configs/dev.yml").read_text()

    drawn = random.Random(seed)  # noqa: S311 (nothing secret)
    words = ("approve", "--who", "Ann", "--why", "spring")
    sent, harmed = kill_often(copied, words, kills, drawn, in_time, reset, wrong, is_done)
    told("signals to approve", sent, sent - len(harmed))
    assert not harmed, "\n".join(harmed)


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize("command", ["record", "sync"])
def test_handover_that_is_cut_off(
    copied: Path, kills: int, seed: int, told: Told, in_time: Callable[[], bool], command: str
) -> None:
    """Neither runner finds anything to do afterwards, and no output is touched."""
    clean = hashes(copied, "data")

    def known() -> object:
        """What DVC knows, in whatever order it came to that."""
        return yaml.safe_load((copied / "dvc.lock").read_text())

    lock = known()

    def reset() -> None:
        (copied / ".clustering/recorded").unlink(missing_ok=True)
        if command == "record":
            (copied / "dvc.lock").unlink(missing_ok=True)
            shutil.rmtree(copied / ".dvc/cache", ignore_errors=True)
        else:
            shutil.rmtree(copied / ".snakemake/metadata", ignore_errors=True)

    def wrong() -> list[str]:
        return [] if hashes(copied, "data") == clean else ["data"]

    def is_done() -> bool:
        is_known = known() == lock and (copied / ".clustering/recorded").is_file()
        return is_known and not snakemake_plan(copied, "full_pipeline", [])

    drawn = random.Random(seed)  # noqa: S311 (nothing secret)
    sent, harmed = kill_often(copied, (command,), kills, drawn, in_time, reset, wrong, is_done)
    told(f"signals to {command}", sent, sent - len(harmed))
    assert not harmed, "\n".join(harmed)


@contextmanager
def asked(address: str) -> Iterator[Any]:
    """A connection, each statement of which counts at once."""
    with postgresql.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        yield cursor


def rows_in(address: str) -> dict[str, list[Any]]:
    """Every row of the tables, without the time of publication."""
    found = {}
    with asked(address) as cursor:
        for name in TABLES:
            cursor.execute(f"SELECT to_jsonb(t) - 'published_at' FROM {name} AS t")  # noqa: S608 (named above)
            found[name] = sorted(str(row) for (row,) in cursor.fetchall())
    return found


@pytest.mark.slow
@pytest.mark.integration
def test_publication_that_is_cut_off(
    copied: Path, kills: int, seed: int, told: Told, in_time: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a file of SQLite, to PostgreSQL and to a folder: readers see the run before or this one, each row once."""
    elsewhere = copied.parent / "elsewhere"
    elsewhere.mkdir()
    config = copied / "configs/dev.yml"
    target = "  server:\n    database: postgresql\n    uri: ${env:KILLED_DATABASE}\n"
    config.write_text(config.read_text() + target)
    with postgres() as address:
        monkeypatch.setenv("KILLED_DATABASE", address)

        def seen() -> dict[str, Any]:
            return {
                "server": rows_in(address), "warehouse": rows_of(elsewhere / "shop.db"), "share": current_of(elsewhere / "share")
            }  # fmt: skip

        assert start(copied, "publish").wait(PATIENCE) == 0, said(copied)
        before = seen()
        shutil.copytree(elsewhere, copied.parent / "first")
        with asked(address) as cursor:
            for name in TABLES:
                cursor.execute(f"CREATE TABLE first_{name} AS SELECT * FROM {name}")  # noqa: S608 (named above)
        # The same segments, as another run's.
        assert start(copied, "run", "full_pipeline_job", "--quiet").wait(PATIENCE) == 0, said(copied)
        assert start(copied, "publish").wait(PATIENCE) == 0, said(copied)
        after = seen()
        assert len(after["server"]["store_segments_archive"]) == 2 * len(before["server"]["store_segments_archive"])

        def reset() -> None:
            shutil.rmtree(elsewhere)
            shutil.copytree(copied.parent / "first", elsewhere)
            shutil.rmtree(copied / "reports/published")
            with asked(address) as cursor:
                for name in TABLES:
                    cursor.execute(f"TRUNCATE {name}")
                    cursor.execute(f"INSERT INTO {name} SELECT * FROM first_{name}")  # noqa: S608 (named above)

        def wrong() -> list[str]:
            now = seen()
            return [name for name in now if now[name] not in (before[name], after[name])]

        drawn = random.Random(seed)  # noqa: S311 (nothing secret)
        sent, harmed = kill_often(copied, ("publish",), kills, drawn, in_time, reset, wrong, lambda: seen() == after)
    told("signals to publish", sent, sent - len(harmed))
    assert not harmed, "\n".join(harmed)
