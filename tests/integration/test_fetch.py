"""Fetching from a real PostgreSQL whose connections are lost, and a fetch that is killed."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import adbc_driver_postgresql.dbapi as postgresql
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustering import retry
from clustering.fetch import fetch_source
from clustering.runners import environment
from integration.conftest import Project
from servers import PASSWORD, postgres
from storelib.configuration.place import Fetch, StoresSource
from storelib.errors import DataError

pytestmark = pytest.mark.integration
ROWS = {"store": ["007", "008"], "opened": ["2020-01-05", None], "rent": ["12.30", "-1.05"]}
QUERY = "SELECT store, opened, rent FROM stores ORDER BY store"
# Answers when somebody ends its sleep or after a time that no test waits for.
SLOW = "SELECT store, opened, rent, pg_sleep(300)::text AS slept FROM stores"
PATIENCE_S = 60


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres() as address:
        with postgresql.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE stores (store text, opened date, rent numeric(10, 2))")
            cursor.execute("INSERT INTO stores VALUES ('007', '2020-01-05', 12.30), ('008', NULL, -1.05)")
            connection.commit()
        yield address


def fetch(root: Path, address: str, query: str, told: list[str]) -> str:
    source = StoresSource(reader="parquet", path="stores.parquet", columns={"store_id": "store"})
    wanted = Fetch(database="postgresql", uri=address, query=query)
    return fetch_source(root, "prod", "stores", source, wanted, refresh=True, say=told.append).state


def sleepers(address: str, *, end: bool) -> int:
    """How many connections are asleep in a query; they are ended where that is wanted."""
    then = "pg_terminate_backend(pid)" if end else "pid"
    with postgresql.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {then} FROM pg_stat_activity WHERE wait_event = 'PgSleep'")  # noqa: S608 (two choices above)
        return len(cursor.fetchall())


def wait_for_sleeper(address: str, *, end: bool) -> None:
    began = time.monotonic()
    while not sleepers(address, end=end):
        assert time.monotonic() - began < PATIENCE_S, "the query never began"
        time.sleep(0.05)


def test_values_come_exactly(tmp_path: Path, database: str) -> None:
    assert fetch(tmp_path, database, QUERY, []) == "fetched"
    table = pq.read_table(tmp_path / "data/raw/prod/stores.parquet")
    assert [str(kind) for kind in table.schema.types] == ["string", "date32[day]", "string"]
    assert table.cast(pa.schema([(name, pa.string()) for name in ROWS])).to_pydict() == ROWS
    assert fetch(tmp_path, database, QUERY + " DESC", []) == "unchanged"
    assert PASSWORD not in (tmp_path / "data/raw/prod.fetch.json").read_text()


def test_column_that_no_file_can_hold_is_named(tmp_path: Path, database: str) -> None:
    with pytest.raises(
        DataError, match=r"a column cannot be kept as Parquet: .*columns: store string, age month_day_nano_interval"
    ):
        fetch(tmp_path, database, "SELECT store, interval '1 day' AS age FROM stores", [])
    assert not list(tmp_path.rglob("stores*"))


def test_lost_connection_is_tried_again(tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.01)
    told: list[str] = []
    # Sleeps at the first attempt only: by the second one the row is there that says so.
    with postgresql.connect(database, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE attempts (number int)")
    query = "SELECT store, opened, rent FROM stores, (SELECT CASE WHEN count(*) = 0 THEN pg_sleep(300) END FROM attempts) AS once"

    def lose() -> None:
        wait_for_sleeper(database, end=False)
        with postgresql.connect(database, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO attempts VALUES (1)")
        wait_for_sleeper(database, end=True)

    thread = threading.Thread(target=lose)
    thread.start()
    assert fetch(tmp_path, database, query, told) == "fetched"
    thread.join()
    (again,) = [text for text in told if "trying again" in text]
    assert "attempt 1 of 4 failed" in again
    assert PASSWORD not in again


def test_connection_that_is_always_lost_leaves_the_old_snapshot(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.01)
    fetch(tmp_path, database, QUERY, [])
    before = (tmp_path / "data/raw/prod/stores.parquet").read_bytes()
    done = threading.Event()

    def lose() -> None:
        while not done.is_set():
            sleepers(database, end=True)

    thread = threading.Thread(target=lose)
    thread.start()
    told: list[str] = []
    try:
        with pytest.raises(DataError, match="terminating connection") as caught:
            fetch(tmp_path, database, SLOW, told)
    finally:
        done.set()
        thread.join()
    assert PASSWORD not in str(caught.value)
    assert len([text for text in told if "trying again" in text]) == retry.ATTEMPTS - 1
    assert (tmp_path / "data/raw/prod/stores.parquet").read_bytes() == before
    assert not list(tmp_path.rglob("*.tmp"))


def test_killed_fetch_leaves_the_old_snapshot_and_the_next_one_tidies_up(project: Project, database: str) -> None:
    stores = project.root / "data/raw/dev/stores.parquet"
    before = stores.read_bytes()
    # Rows of today's snapshot would do; the killed fetch never sees them.
    project.add(
        "configs/dev.yml", f"\nfetch:\n  stores:\n    database: postgresql\n    uri: {database}\n    query: {SLOW}\n"
    )
    process = subprocess.Popen(
        [str(Path(sys.executable).parent / "clustering"), "fetch"], cwd=project.root, env=environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for_sleeper(database, end=False)
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE_S)
    assert stores.read_bytes() == before
    assert list((project.root / "data/raw/dev").glob(".fetch-*.tmp"))
    assert project.call("clustering", "run", "merging", "--dry-run").stdout.endswith("nothing to do.\n")
    text = (project.root / "configs/dev.yml").read_text().replace(SLOW, QUERY)
    (project.root / "configs/dev.yml").write_text(text)
    wait_for_sleeper(database, end=True)
    done = project.call("clustering", "fetch", check=False)
    assert (done.returncode, "no column 'STORE_NBR'" in done.stderr) == (4, True), (
        "the old configuration wants other columns"
    )
    assert stores.read_bytes() == before
    assert not list((project.root / "data/raw/dev").glob(".fetch-*.tmp"))
