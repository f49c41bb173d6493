"""Publishing to a real PostgreSQL, whose connections are killed in the middle, and to a real S3 server."""

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import adbc_driver_postgresql.dbapi as postgresql
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from clustering import publish_tables, retry
from clustering.projects import load_project
from clustering.publish import publish_results
from clustering.results import Results, read_results
from clustering.runners import environment
from integration.conftest import Project
from servers import ACCESS_KEY, PASSWORD, SECRET_KEY, ObjectStore, object_store, postgres
from storelib.configuration.place import Publish
from storelib.errors import DataError

pytestmark = pytest.mark.integration
PATIENCE_S = 60
WRONG_KEY = "canary-wrong-key"
SECTION = """
publish:
  warehouse:
    database: postgresql
    uri: ${env:RETAIL_DATABASE}
  share:
    files: ${env:RETAIL_BUCKET}/segments
    formats:
      - parquet
      - csv
      - excel
      - json
"""


class Shop(NamedTuple):
    """A finished project with a recorded run, and what it publishes to."""

    project: Project
    database: str
    store: ObjectStore
    results: Results


@pytest.fixture(scope="module")
def shop(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shutil.copytree(finished, tmp_path_factory.mktemp("publish") / "project", symlinks=True)
    project = Project(tmp_path_factory.getbasetemp() / "publish0" / "project")
    with pytest.MonkeyPatch.context() as patch, postgres() as database, object_store() as store:
        variables = {"RETAIL_DATABASE": database, "RETAIL_BUCKET": store.address("retail"), **store.variables}
        for name in variables:
            # What loading the file sets is taken back.
            patch.setenv(name, "")
            patch.delenv(name)
        (project.root / ".env.dev").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
        (project.root / ".env.dev").chmod(0o600)
        project.add("configs/dev.yml", SECTION)
        project.call("clustering", "run", "full_pipeline_job", "--tags", "version=2.0", "--quiet")
        params, _, env = load_project(project.root, None)
        yield Shop(project, database, store, read_results(project.root, params, env))


@pytest.fixture
def warehouse(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator["Warehouse"]:
    """A schema of its own, to which one run has been published; attempts follow on each other at once."""
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(retry, "LONGEST_WAIT_S", 0.001)
    found = Warehouse(shop)
    found.do('CREATE SCHEMA "Retail"')
    yield found
    found.do('DROP SCHEMA "Retail" CASCADE')


class Warehouse:
    """Tables called as SQL's own words are."""

    tables = ('"Retail"."Order"', '"Retail"."Order_profiles"', '"Retail"."Order_archive"')

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        # A test that waits for itself fails.
        self.address = f"{shop.database}?options=-c%20statement_timeout%3D{PATIENCE_S}s"
        self.told: list[str] = []

    def do(self, text: str) -> None:
        with postgresql.connect(self.address) as connection, connection.cursor() as cursor:
            cursor.execute(text)
            connection.commit()

    def ask(self, text: str) -> list[tuple[Any, ...]]:
        with postgresql.connect(self.address) as connection, connection.cursor() as cursor:
            cursor.execute(text)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def publish(self, results: Results, uri: str | None = None, root: Path | None = None) -> list[str]:
        """What became of it. root: the project, where it is another machine's, whose receipts are its own."""
        wanted = Publish(database="postgresql", uri=uri or self.shop.database, table="Order", schema_name="Retail")
        told = lambda *words: self.told.append(": ".join(words))  # noqa: E731
        return [
            done.state
            for done in publish_results(root or self.shop.project.root, results, {"warehouse": wanted}, {}, told)
        ]

    def content(self) -> list[list[tuple[Any, ...]]]:
        return [sorted(self.ask(f"SELECT * FROM {table}"), key=str) for table in self.tables]  # noqa: S608 (named above)

    def archived(self) -> dict[str, int]:
        """Rows of the archive, by run."""
        return dict(self.ask(f"SELECT run_id, count(*) FROM {self.tables[2]} GROUP BY 1"))  # noqa: S608 (named above)

    def runs(self) -> list[str]:
        """Whose segments are current."""
        return [run for (run,) in self.ask(f"SELECT DISTINCT run_id FROM {self.tables[0]}")]  # noqa: S608 (named above)

    def attempts(self) -> int:
        return sum("trying again" in text for text in self.told)

    @contextmanager
    def archive_locked(self) -> Iterator[None]:
        """Hold the archive, which is written last, so that a publication waits when the other tables are replaced."""
        with postgresql.connect(self.shop.database) as connection, connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {self.tables[2]} IN ACCESS EXCLUSIVE MODE")
            yield
            connection.rollback()

    def kill_waiting(self) -> int:
        """End the connections that wait for a lock."""
        return len(self.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))

    def wait_for_lock(self) -> None:
        began = time.monotonic()
        while not self.ask("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
            assert time.monotonic() - began < PATIENCE_S, "nobody waits"
            time.sleep(0.02)


def another(results: Results, run_id: str) -> Results:
    """The same results with every segment one higher, as another run's."""

    def changed(table: pa.Table) -> pa.Table:
        return table.set_column(table.num_columns - 1, "run_id", pa.array([run_id] * table.num_rows))

    segments = results.segments
    at = segments.schema.get_field_index("segment")
    segments = segments.set_column(at, "segment", pc.add(segments["segment"], pa.scalar(1, pa.int32())))
    return results._replace(
        run=results.run | {"id": run_id}, segments=changed(segments), profiles=changed(results.profiles)
    )


class Worker(threading.Thread):
    """A call in the background, and how it ended."""

    def __init__(self, action: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self.action, self.result, self.error = action, None, None
        self.start()

    def run(self) -> None:
        try:
            self.result = self.action()
        except BaseException as error:
            self.error = error

    def end(self) -> "Worker":
        self.join(PATIENCE_S)
        assert not self.is_alive(), "it hangs"
        return self


def test_command_publishes_to_both_and_again_changes_nothing(shop: Shop, journal: Path) -> None:
    project, results = shop.project, shop.results
    run_id = results.run["id"]
    said = []
    states = []
    for command in (["publish"], ["run", "publish_job", "--env", "dev"]):
        done = project.call("clustering", *command)
        said += [done.stdout, done.stderr]
        receipt = json.loads((project.root / f"reports/published/{run_id}.json").read_text())
        states.append([entry["state"] for entry in receipt["targets"].values()])
        current = json.loads(shop.store.system.open_input_stream("retail/segments/current.json").read())
        assert current["run_id"] == run_id
        assert current["tags"] == {"version": "2.0"}
        with postgresql.connect(shop.database) as connection, connection.cursor() as cursor:
            for table, rows in (("store_segments", results.segments), ("store_segments_profiles", results.profiles)):
                cursor.execute(f"SELECT * FROM {table}")  # noqa: S608 (named above)
                found = cursor.fetch_arrow_table()
                assert found.schema.equals(rows.schema)
                assert sorted(map(str, found.to_pylist())) == sorted(map(str, rows.to_pylist()))
            cursor.execute(
                "SELECT run_id, count(*), count(DISTINCT published_at) FROM store_segments_archive GROUP BY 1"
            )
            assert cursor.fetchall() == [(run_id, results.segments.num_rows, 1)]
            cursor.execute("SELECT pg_typeof(published_at)::text FROM store_segments_archive LIMIT 1")
            assert cursor.fetchall() == [("timestamp with time zone",)]
    assert states == [["published", "published"], ["unchanged", "unchanged"]]
    assert receipt["targets"]["warehouse"]["to"].startswith("postgresql://127.0.0.1:")
    for file in current["files"]:
        content = shop.store.system.open_input_stream(f"retail/segments/{file['path']}").read()
        assert len(content) == file["bytes"]
    (path,) = [file["path"] for file in current["files"] if file["path"].endswith("/segments.parquet")]
    assert pq.read_table(f"retail/segments/{path}", filesystem=shop.store.system).equals(results.segments)
    written = [
        p for folder in (project.root, journal) for p in folder.rglob("*") if p.is_file() and p.name != ".env.dev"
    ]
    assert any(path.name == "clustering.log" for path in written)
    for secret in (PASSWORD, SECRET_KEY, ACCESS_KEY):
        assert not any(secret in text for text in said)
        assert [path for path in written if secret.encode() in path.read_bytes()] == []


def test_failure_of_the_command_shows_no_secret(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    # What is set counts for more than what .env.dev says.
    monkeypatch.setenv("RETAIL_DATABASE", shop.database.replace("retail:", "nobody:"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", WRONG_KEY)
    for target, words in (("warehouse", 'authentication failed for user "nobody"'), ("share", "ACCESS_DENIED")):
        done = shop.project.call("clustering", "publish", target, check=False)
        assert done.returncode == 4
        assert f"Error: publish.{target}: " in done.stderr
        assert words in done.stderr
        assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["Error", "Solution"]
        assert not [
            secret for secret in (PASSWORD, SECRET_KEY, ACCESS_KEY, WRONG_KEY) if secret in done.stderr + done.stdout
        ]


def test_connection_killed_in_the_middle_is_tried_again(shop: Shop, warehouse: Warehouse) -> None:
    assert warehouse.publish(shop.results) == ["published"]
    old, second = shop.results.run["id"], another(shop.results, "second")
    with warehouse.archive_locked():
        worker = Worker(lambda: warehouse.publish(second))
        warehouse.wait_for_lock()
        assert warehouse.runs() == [old], "readers see the old run meanwhile"
        assert warehouse.kill_waiting() == 1
        warehouse.wait_for_lock()
        assert warehouse.runs() == [old]
    assert worker.end().error is None
    assert worker.result == ["published"]
    assert warehouse.attempts() == 1
    assert warehouse.runs() == ["second"]
    rows = shop.results.segments.num_rows
    assert warehouse.archived() == {old: rows, "second": rows}
    assert warehouse.publish(second) == ["unchanged"]


def test_connection_killed_every_time_leaves_the_old_tables(shop: Shop, warehouse: Warehouse) -> None:
    warehouse.publish(shop.results)
    before = warehouse.content()
    with warehouse.archive_locked():
        worker = Worker(lambda: warehouse.publish(another(shop.results, "second")))
        killed = 0
        began = time.monotonic()
        while worker.is_alive() and time.monotonic() - began < PATIENCE_S:
            killed += warehouse.kill_waiting()
            time.sleep(0.02)
    assert isinstance(worker.end().error, DataError)
    assert worker.error.exit_code == 4
    assert "terminating connection" in worker.error.args[0]
    assert worker.error.solution.endswith("then publish again (done: none; not done: warehouse)")
    assert killed == retry.ATTEMPTS
    assert warehouse.content() == before
    receipt = json.loads((shop.project.root / "reports/published/second.json").read_text())
    assert receipt["targets"]["warehouse"]["state"] == "failed"
    assert warehouse.publish(another(shop.results, "second")) == ["published"]


def test_publisher_killed_in_the_middle_leaves_the_old_tables(shop: Shop, warehouse: Warehouse) -> None:
    warehouse.publish(shop.results)
    warehouse.do("""UPDATE "Retail"."Order" SET run_id = 'earlier'""")
    before = warehouse.content()
    config = shop.project.root / "configs/dev.yml"
    text = config.read_text()
    config.write_text(
        text
        + "  elsewhere:\n    database: postgresql\n    uri: ${env:RETAIL_DATABASE}\n    schema_name: Retail\n    table: Order\n"
    )
    receipt = shop.project.root / f"reports/published/{shop.results.run['id']}.json"
    try:
        with warehouse.archive_locked():
            program = str(Path(sys.executable).parent / "clustering")
            process = subprocess.Popen(
                [program, "publish", "elsewhere"], cwd=shop.project.root, env=environment(), stdout=subprocess.DEVNULL
            )
            warehouse.wait_for_lock()
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE_S)
            assert warehouse.runs() == ["earlier"]
        assert warehouse.content() == before
        assert json.loads(receipt.read_text())["targets"]["elsewhere"]["state"] == "publishing"
        assert "elsewhere: published" in shop.project.call("clustering", "publish", "elsewhere").stdout
        assert warehouse.runs() == [shop.results.run["id"]]
    finally:
        config.write_text(text)


def test_publishers_at_the_same_time_do_not_mix(shop: Shop, warehouse: Warehouse) -> None:
    warehouse.publish(shop.results)
    runs = [another(shop.results, f"run-{number}") for number in range(4)]
    workers = [Worker(lambda run=run: warehouse.publish(run)) for run in runs]  # type: ignore[misc]
    seen = []
    while any(worker.is_alive() for worker in workers):
        seen += warehouse.ask('SELECT count(*), count(DISTINCT run_id) FROM "Retail"."Order"')
    assert [worker.end().result for worker in workers] == [["published"]] * 4
    rows = shop.results.segments.num_rows
    assert set(seen) == {(rows, 1)}, "never empty, never of two runs"
    assert len(warehouse.runs()) == 1
    assert list(warehouse.archived().values()) == [rows] * 5


def test_first_publishers_at_the_same_time_make_the_tables_once(
    shop: Shop, warehouse: Warehouse, tmp_path: Path
) -> None:
    machines = [tmp_path / name for name in ("one", "two", "three")]
    workers = [Worker(lambda root=root: warehouse.publish(shop.results, root=root)) for root in machines]  # type: ignore[misc]
    assert sorted(worker.end().result for worker in workers) == [["published"], ["unchanged"], ["unchanged"]]
    assert warehouse.archived() == {shop.results.run["id"]: shop.results.segments.num_rows}


def test_lock_that_is_never_given_up_is_not_waited_for_for_ever(
    shop: Shop, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.publish(shop.results)
    monkeypatch.setattr(publish_tables, "LOCK_TIMEOUT", "100ms")
    with warehouse.archive_locked(), pytest.raises(DataError, match="lock timeout"):
        warehouse.publish(another(shop.results, "second"))
    assert warehouse.attempts() == retry.ATTEMPTS - 1
    assert warehouse.runs() == [shop.results.run["id"]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ('ALTER TABLE "Retail"."Order" ADD COLUMN note text', "table Order has columns category, .*, note, .* are expected"),
        ('ALTER TABLE "Retail"."Order_archive" DROP COLUMN published_at', "table Order_archive has columns"),
        ('ALTER TABLE "Retail"."Order_profiles" ALTER COLUMN mean TYPE numeric', "column mean is .* and double is expected"),
        ('ALTER TABLE "Retail"."Order" ALTER COLUMN segment TYPE bigint', "column segment is int64 there, and int32 is expected"),
    ],
)  # fmt: skip
def test_table_that_is_not_ours_is_refused(shop: Shop, warehouse: Warehouse, change: str, words: str) -> None:
    warehouse.publish(shop.results)
    warehouse.do(change)
    before = warehouse.content()
    with pytest.raises(DataError, match=words):
        warehouse.publish(another(shop.results, "second"))
    assert warehouse.content() == before


def test_columns_may_have_another_order(shop: Shop, warehouse: Warehouse) -> None:
    warehouse.publish(shop.results)
    columns = ", ".join(reversed(shop.results.segments.column_names))
    warehouse.do(f'CREATE TABLE "Retail".copy AS SELECT {columns} FROM "Retail"."Order"')  # noqa: S608 (our own columns)
    warehouse.do('DROP TABLE "Retail"."Order"')
    warehouse.do('ALTER TABLE "Retail".copy RENAME TO "Order"')
    assert warehouse.publish(shop.results) == ["unchanged"]
    assert warehouse.publish(another(shop.results, "second")) == ["published"]
    assert warehouse.publish(another(shop.results, "second")) == ["unchanged"]


def test_user_who_may_only_write_rows_can_publish(shop: Shop, warehouse: Warehouse) -> None:
    warehouse.publish(shop.results)
    warehouse.do(f"CREATE ROLE clerk LOGIN PASSWORD '{PASSWORD}'")
    warehouse.do('GRANT USAGE ON SCHEMA "Retail" TO clerk')
    try:
        clerk = shop.database.replace("retail:", "clerk:")
        with pytest.raises(DataError, match="permission denied for table Order"):
            warehouse.publish(another(shop.results, "second"), clerk)
        assert warehouse.runs() == [shop.results.run["id"]]
        warehouse.do('GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA "Retail" TO clerk')
        assert warehouse.publish(another(shop.results, "second"), clerk) == ["published"]
    finally:
        warehouse.do("DROP OWNED BY clerk")
        warehouse.do("DROP ROLE clerk")


def test_schema_that_is_not_there_is_told_before_anything_is_done(shop: Shop) -> None:
    wanted = {
        "share": Publish(files=shop.store.address("retail/other"), formats=["csv"]),
        "warehouse": Publish(database="postgresql", uri=shop.database, schema_name="nowhere"),
    }
    with pytest.raises(DataError, match="there is no schema nowhere"):
        list(publish_results(shop.project.root, shop.results, wanted, {}, lambda *_: None))
    below = shop.store.system.get_file_info(fs.FileSelector("retail/other", recursive=True, allow_not_found=True))
    assert not [file.path for file in below if file.base_name == "current.json"]


def test_readers_of_the_object_store_follow_the_pointer(shop: Shop) -> None:
    wanted = {"share": Publish(files=shop.store.address("retail/pointer"), formats=["parquet", "csv"])}
    seen: dict[str, set[int]] = {}
    for run_id in ("first", "second"):
        list(publish_results(shop.project.root, another(shop.results, run_id), wanted, {}, lambda *_: None))
        current = json.loads(shop.store.system.open_input_stream("retail/pointer/current.json").read())
        assert current["run_id"] == run_id
        seen[run_id] = {
            shop.store.system.get_file_info(f"retail/pointer/{file['path']}").size - file["bytes"]
            for file in current["files"]
        }
    assert seen == {"first": {0}, "second": {0}}
    below = shop.store.system.get_file_info(fs.FileSelector("retail/pointer/runs"))
    assert len(below) == 2, "the first run's files stay"
