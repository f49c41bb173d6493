"""Results are published whole or not at all, once for each run, and not at all where they do not hold."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import python_calamine
import yaml

from clustering import publish, publish_tables, results, retry
from clustering.exports import SHEET_ROWS, check_sheet, export
from clustering.objects import Place
from clustering.publish import Published, publish_results
from clustering.publish_files import FolderSink
from clustering.publish_tables import DatabaseSink
from clustering.results import Results, read_results
from clustering.retry import TransientError
from clustering.runs import recorded
from storelib.accounts.ledger import SCHEMA as LEDGER
from storelib.configuration.params import Params, load_params
from storelib.configuration.place import Publish
from storelib.contracts.views import PROFILE
from storelib.errors import ConfigError, DataError, PipelineError
from storelib.tables import MONEY, write_table

ROOT = Path(__file__).resolve().parents[2]
LABELS = pa.schema(
    [("category", pa.string()), ("store_id", pa.string()), ("internal_cluster", pa.int32()), ("external_cluster", pa.int32()),
     ("merged_cluster", pa.string()), ("segment", pa.int32()), ("is_outlier", pa.bool_()), ("flags", pa.string())]
)  # fmt: skip
# Category, store, clusters, segment, outlier, flags.
ROWS = [
    ("beauty", "007", 1, 1, "1x1", 1, False, ""),
    ("beauty", "8", 2, 1, "2x1", 2, True, "internal:outlier"),
    ("beauty", "=1+1", 2, 2, "2x2", 2, False, ""),
    ("snacks", "007", 1, 1, "1x1", 1, False, ""),
]
SALES = {"beauty": {"007": "12.30", "8": "1.05", "=1+1": "-3.00"}, "snacks": {"007": "0.10"}}
CHECKS = [{"check": "smallest_segment", "view": key, "state": "pass", "sentence": "", "to_do": ""} for key in SALES]


def profile(sizes: dict[int, int], feature: str, index: float | None = 100.0) -> pa.Table:
    """One feature of each cluster; the index of the first one is not known."""
    rows = [
        dict(zip(PROFILE.names, (cluster, stores, 0.5, 1.1, 0.25, feature, 0.1, 0.1, index if cluster > 1 else None), strict=True))
        for cluster, stores in sizes.items()
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=PROFILE.schema())


class Project:
    """Results of two categories, four rows in all, and the record of the run that made them."""

    def __init__(self, root: Path) -> None:
        self.root = root / "project"
        self.elsewhere = root / "elsewhere"
        self.elsewhere.mkdir(parents=True)
        self.told: list[str] = []
        tree = yaml.safe_load((ROOT / "params.yaml").read_text())
        tree["internal"]["categories"] = {"beauty": {"name": "BEAUTY"}, "snacks": {"name": "SNACKS"}}
        self.root.mkdir()
        (self.root / "params.yaml").write_text(yaml.safe_dump(tree))
        self.run_id = self.run(ROWS)

    @property
    def params(self) -> Params:
        return load_params(self.root / "params.yaml")

    def run(self, rows: list[tuple[Any, ...]], env: str = "dev") -> str:
        """Make results, and record the run that did; gives its id."""
        with recorded(self.root, "full_pipeline", env, "snakemake", {"version": "2.0"}, cores=1, force=False) as run_id:
            self.segments(rows)
            self.ledger()
            for key, sales in SALES.items():
                sizes = {cluster: sum(row[0] == key and row[2] == cluster for row in rows) for cluster in (1, 2)}
                sizes = {cluster: size for cluster, size in sizes.items() if size}
                self.table(f"data/internal/profiles/{key}.parquet", profile(sizes, f"+ {key} & more"))
                table = {"store_id": list(sales), "sales": pa.array(map(Decimal, sales.values()), MONEY)}
                self.table(f"data/internal/store_sales/{key}.parquet", pa.table(table))
            self.table("data/external/profile.parquet", profile({1: 2, 2: 1}, "store.area"))
            self.checks(CHECKS)
            (self.root / "reports/metrics.json").write_text("{}")
        return run_id

    def table(self, name: str, table: pa.Table) -> None:
        write_table(table, self.root / name)

    def segments(self, rows: list[tuple[Any, ...]]) -> None:
        table = pa.Table.from_pylist([dict(zip(LABELS.names, row, strict=True)) for row in rows], schema=LABELS)
        self.table("data/merging/segments.parquet", table)

    def ledger(self, **of_beauty: Any) -> None:
        """What leaves the last stage: three stores with 10.35, and one with 0.10."""
        entries = []
        for key, stores, sales in (("beauty", 3, "10.35"), ("snacks", 1, "0.10")):
            for flow in ("in", "out"):
                entry = dict(
                    zip(LEDGER.names, ("merge_segments", key, flow, "", stores, 9, Decimal(sales)), strict=True)
                )
                entries.append(entry | (of_beauty if key == "beauty" else {}))
        self.table("data/merging/ledger.parquet", pa.Table.from_pylist(entries, schema=LEDGER))

    def checks(self, checks: list[dict[str, str]]) -> None:
        (self.root / "reports").mkdir(exist_ok=True)
        (self.root / "reports/checks.json").write_text(json.dumps({"checks": checks}))

    def read(self, env: str = "dev") -> Results:
        return read_results(self.root, self.params, env)

    def publish(self, *names: str, results: Results | None = None, **tags: str) -> list[Published]:
        """Publish to some of the targets, or to both."""
        targets = {
            "warehouse": Publish(database="sqlite", uri="../elsewhere/shop.db"),
            "share": Publish(files="../elsewhere/share", formats=["parquet", "csv", "excel", "json"]),
        }
        wanted = {name: targets[name] for name in names or targets}
        return list(
            publish_results(self.root, results or self.read(), wanted, tags, lambda *words: self.told.append(": ".join(words)))
        )  # fmt: skip

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.elsewhere / "shop.db")) as connection:
            return connection.execute(text).fetchall()

    def change(self, text: str) -> None:
        with closing(sqlite3.connect(self.elsewhere / "shop.db")) as connection, connection:
            connection.execute(text)

    def current(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.elsewhere / "share/current.json").read_text())
        return found

    def published(self, name: str) -> Path:
        """A file of the current run."""
        (path,) = [file["path"] for file in self.current()["files"] if file["path"].endswith(f"/{name}")]
        return self.elsewhere / "share" / path

    def receipt(self, run_id: str | None = None) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.root / f"reports/published/{run_id or self.run_id}.json").read_text())
        return found

    def outside(self) -> dict[str, bytes]:
        """Everything that is published."""
        return {
            p.relative_to(self.elsewhere).as_posix(): p.read_bytes() for p in self.elsewhere.rglob("*") if p.is_file()
        }


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(retry, "LONGEST_WAIT_S", 0.001)
    monkeypatch.setattr(results, "snakemake_plan", lambda *_: {})
    monkeypatch.setattr(results, "refuse_differences", lambda *_: None)
    return Project(tmp_path)


def test_segments_and_profiles_become_tables(project: Project) -> None:
    (done,) = project.publish("warehouse")
    assert done.state == "published"
    found = project.query("SELECT * FROM store_segments ORDER BY category, store_id")
    assert found == [(*row, project.run_id) for row in ROWS]
    profiles = project.query('SELECT category, cluster, stores, feature, "index", run_id FROM store_segments_profiles')
    assert sorted(profiles, key=lambda row: row[:2]) == [
        ("beauty", 1, 1, "+ beauty & more", None, project.run_id),
        ("beauty", 2, 2, "+ beauty & more", 100.0, project.run_id),
        ("external", 1, 2, "store.area", None, project.run_id),
        ("external", 2, 1, "store.area", 100.0, project.run_id),
        ("snacks", 1, 1, "+ snacks & more", None, project.run_id),
    ]
    archive = project.query("SELECT * FROM store_segments_archive ORDER BY category, store_id")
    assert [row[:-1] for row in archive] == found
    assert len({row[-1] for row in archive}) == 1


def test_every_format_holds_the_same_rows(project: Project) -> None:
    wanted = project.read()
    project.publish("share")
    assert sorted(path.name for path in project.published("segments.csv").parent.iterdir()) == [
        "manifest.json", "profiles.csv", "profiles.json", "profiles.parquet", "segments.csv", "segments.json", "segments.parquet",
        "segments.xlsx",
    ]  # fmt: skip
    book = python_calamine.CalamineWorkbook.from_path(project.published("segments.xlsx"))
    assert book.sheet_names == ["segments", "profiles"]
    for name, table in (("segments", wanted.segments), ("profiles", wanted.profiles)):
        rows = table.to_pylist()
        assert pq.read_table(project.published(f"{name}.parquet")).equals(table)
        assert json.loads(project.published(f"{name}.json").read_text()) == rows
        options = pyarrow.csv.ConvertOptions(column_types=table.schema, strings_can_be_null=False)
        assert pyarrow.csv.read_csv(project.published(f"{name}.csv"), convert_options=options).equals(table)
        head, *cells = book.get_sheet_by_name(name).to_python()
        assert head == table.column_names
        assert cells == [["" if value is None else value for value in row.values()] for row in rows]


def test_each_file_is_named_with_its_fingerprint(project: Project) -> None:
    project.publish("share", who="me")
    current = project.current()
    assert (current["run_id"], current["env"], current["tags"]) == (project.run_id, "dev", {"version": "2.0"})
    assert all(file["path"].startswith(f"runs/{project.run_id}-") for file in current["files"])
    for file in current["files"]:
        assert file["sha256"] == results.sha256(project.elsewhere / "share" / file["path"])
    assert {Path(file["path"]).name: file["rows"] for file in current["files"]} == {
        "segments.parquet": {"segments": 4}, "profiles.parquet": {"profiles": 5}, "segments.csv": {"segments": 4},
        "profiles.csv": {"profiles": 5}, "segments.xlsx": {"segments": 4, "profiles": 5}, "segments.json": {"segments": 4},
        "profiles.json": {"profiles": 5},
    }  # fmt: skip
    assert json.loads((project.published("segments.csv").parent / "manifest.json").read_text()) == current


def test_publishing_a_run_again_changes_nothing(project: Project) -> None:
    first = project.publish(who="me")
    before, receipt = project.outside(), project.receipt()
    again = project.publish()
    assert [done.state for done in first] == ["published", "published"]
    assert [done.state for done in again] == ["unchanged", "unchanged"]
    assert project.outside() == before
    for name, entry in project.receipt()["targets"].items():
        old = receipt["targets"][name]
        assert entry | {"state": "published", "checked": old["checked"]} == old
    assert project.receipt()["tags"] == {"who": "me"}


def test_next_run_replaces_the_current_one_and_keeps_the_archive(project: Project) -> None:
    project.publish()
    old = project.outside()
    rows = [*ROWS[:3], ("snacks", "007", 1, 1, "1x1", 5, False, "")]
    second = project.run(rows)
    assert [done.state for done in project.publish()] == ["published", "published"]
    assert project.query("SELECT DISTINCT run_id FROM store_segments") == [(second,)]
    assert project.query("SELECT segment FROM store_segments WHERE category = 'snacks'") == [(5,)]
    counts = project.query("SELECT run_id, count(*) FROM store_segments_archive GROUP BY run_id ORDER BY run_id")
    assert counts == [(project.run_id, 4), (second, 4)]
    new = project.outside()
    assert all(new[name] == content for name, content in old.items() if name.startswith("share/runs/"))
    assert project.current()["run_id"] == second


def test_earlier_run_can_be_published_again(project: Project) -> None:
    project.publish()
    project.run([*ROWS[:3], ("snacks", "007", 1, 1, "1x1", 5, False, "")])
    project.publish()
    project.segments(ROWS)
    assert project.read().run["id"] == project.run_id
    assert [done.state for done in project.publish()] == ["published", "published"]
    assert project.query("SELECT DISTINCT run_id FROM store_segments") == [(project.run_id,)]
    assert project.query("SELECT count(*) FROM store_segments_archive") == [(8,)]
    assert project.current()["run_id"] == project.run_id


def test_newest_run_that_made_the_segments_is_published(project: Project) -> None:
    second = project.run(ROWS)
    project.run(ROWS, env="prod")
    assert project.read().run["id"] == second


@pytest.mark.parametrize(
    "damage",
    ["UPDATE store_segments SET segment = 9 WHERE store_id = '8'", "DELETE FROM store_segments_profiles WHERE cluster = 2",
     "DELETE FROM store_segments_archive", "INSERT INTO store_segments SELECT * FROM store_segments"],
)  # fmt: skip
def test_what_was_edited_there_is_mended(project: Project, damage: str) -> None:
    project.publish("warehouse")
    tables = ("store_segments", "store_segments_profiles")

    def rows(table: str) -> list[str]:
        return sorted(map(str, project.query(f"SELECT * FROM {table}")))  # noqa: S608 (one of the above)

    before = [rows(table) for table in tables]
    project.change(damage)
    (done,) = project.publish("warehouse")
    assert done.state == "published"
    assert [rows(table) for table in tables] == before
    assert project.query("SELECT count(*) FROM store_segments_archive") == [(4,)]


def test_file_that_was_damaged_there_is_mended(project: Project) -> None:
    project.publish("share")
    before = project.outside()
    project.published("segments.csv").write_text("")
    project.publish("share")
    assert project.outside() == before


def test_other_formats_get_a_folder_of_their_own(project: Project) -> None:
    project.publish("share")
    old = project.outside()
    wanted = {"share": Publish(files="../elsewhere/share", formats=["csv"])}
    (done,) = publish_results(project.root, project.read(), wanted, {}, lambda *_: None)
    assert done.state == "published"
    assert [Path(file["path"]).name for file in project.current()["files"]] == ["segments.csv", "profiles.csv"]
    assert {name: project.outside()[name] for name in old if "/runs/" in name} == {
        name: content for name, content in old.items() if "/runs/" in name
    }


def spoil(project: Project) -> dict[str, tuple[Callable[[], None], str]]:
    """What is wrong with the results, by name, and the words of the refusal."""
    root = project.root

    def stale() -> None:
        results.snakemake_plan = lambda *_: {"merge_segments/beauty": "input is newer"}  # type: ignore[assignment]

    def moved(store: str) -> list[tuple[Any, ...]]:
        return [(*row[:1], store, *row[2:]) if row[1] == "8" else row for row in ROWS]

    def numbers(index: float) -> None:
        project.table("data/external/profile.parquet", profile({1: 2, 2: 1}, "x", index))

    failing = [
        CHECKS[0],
        CHECKS[1] | {"state": "fail", "sentence": "the smallest segment has 1 store", "to_do": "wait"},
    ]
    return {
        "no segments": ((root / "data/merging/segments.parquet").unlink, "data/merging/segments.parquet does not exist"),
        "no ledger": ((root / "data/merging/ledger.parquet").unlink, "ledger.parquet does not exist"),
        "no checks": ((root / "reports/checks.json").unlink, "reports/checks.json does not exist"),
        "no profile": ((root / "data/internal/profiles/snacks.parquet").unlink, "profiles/snacks.parquet does not exist"),
        "stale": (stale, "1 stages are not up to date for dev: merge_segments/beauty: input is newer"),
        "ledger out of balance": (lambda: project.ledger(stores=3, flow="in"), "ledger of merge_segments 'beauty' does not balance"),
        "a store too few": (lambda: project.segments(ROWS[1:]), r"beauty has 2 stores with sales of -1.95.*says 3 with 10.35"),
        "a cent too much": (lambda: project.ledger(sales=Decimal("10.36")), r"3 stores with sales of 10.35.*3 with 10.36"),
        "another store": (lambda: project.segments(moved("9")), r"3 stores with sales of 9.30.*says 3 with 10.35"),
        "a store twice": (lambda: project.segments([*ROWS, ROWS[0]]), "store '007' is 2 times in beauty"),
        "no category": (lambda: project.segments(ROWS[:3]), r"categories \['beauty'\], and params.yaml selects"),
        "no row": (lambda: project.segments([]), r"categories \[\], and params.yaml selects"),
        "another profile": (
            lambda: project.table("data/internal/profiles/beauty.parquet", profile({1: 2, 2: 1}, "x")),
            r"beauty.parquet: clusters of \[\(1, 2\), \(2, 1\)\] stores, and the segments have \[\(1, 1\), \(2, 2\)\]",
        ),
        "infinity": (lambda: numbers(float("inf")), "column index holds a number that is not finite"),
        "no number": (lambda: numbers(float("nan")), "column index holds a number that is not finite"),
        "a check failed": (lambda: project.checks(failing), "1 of 2 checks failed: smallest_segment of snacks: the smallest"),
        "no check": (lambda: project.checks([]), "holds no check"),
        "checks cut off": (lambda: (root / "reports/checks.json").write_text('{"checks'), "checks.json cannot be read"),
        "not recorded": (
            lambda: project.segments([(*row[:5], 7, *row[6:]) for row in ROWS]), "no recorded run for dev made data/merging"
        ),
        "another environment": (lambda: record_for("prod", project), "no recorded run for dev"),
    }  # fmt: skip


def record_for(env: str, project: Project) -> None:
    for path in (project.root / ".clustering/runs").glob("*/run.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"env": env}))


@pytest.mark.parametrize(
    "case",
    ["no segments", "no ledger", "no checks", "no profile", "stale", "ledger out of balance", "a store too few",
     "a cent too much", "another store", "a store twice", "no category", "no row", "another profile", "infinity", "no number",
     "a check failed", "no check", "checks cut off", "not recorded", "another environment"],
)  # fmt: skip
def test_results_that_do_not_hold_are_refused(project: Project, case: str) -> None:
    damage, words = spoil(project)[case]
    damage()
    with pytest.raises(DataError, match=words) as refusal:
        project.publish()
    assert refusal.value.exit_code == 4
    assert refusal.value.solution
    assert not project.outside()
    assert not (project.root / "reports/published").exists()


def test_failed_run_is_not_published(project: Project) -> None:
    for path in (project.root / ".clustering/runs").glob("*/run.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"result": "failed"}))
    with pytest.raises(DataError, match="no recorded run"):
        project.publish()


def break_ingest(monkeypatch: pytest.MonkeyPatch, at: str, error: BaseException, times: int = 99) -> list[str]:
    """Have writing one of the tables fail, so many times; gives the tables that were written to."""
    real, left, seen = DatabaseSink.ingest, [0] * times, []

    def ingest(self: DatabaseSink, cursor: Any, table: str, rows: pa.Table, *, mode: str) -> None:
        seen.append(table)
        if table == at and mode == "append" and left:
            left.pop()
            raise error
        real(self, cursor, table, rows, mode=mode)

    monkeypatch.setattr(DatabaseSink, "ingest", ingest)
    return seen


@pytest.mark.parametrize("at", ["segments", "profiles", "archive"])
@pytest.mark.parametrize(
    "error", [DataError("disk full", solution="wait"), KeyboardInterrupt()], ids=["error", "interrupt"]
)
def test_database_keeps_the_old_run_where_publishing_is_cut_off(
    project: Project, monkeypatch: pytest.MonkeyPatch, at: str, error: BaseException
) -> None:
    project.publish()
    old = project.outside()
    second = project.run([*ROWS[:3], ("snacks", "007", 1, 1, "1x1", 5, False, "")])
    with monkeypatch.context() as patch:
        break_ingest(patch, at, error)
        with pytest.raises(type(error)):
            project.publish()
    after = project.outside()
    assert {name: after[name] for name in old} == old
    states = {name: entry["state"] for name, entry in project.receipt(second)["targets"].items()}
    assert states == {"warehouse": "failed" if isinstance(error, DataError) else "interrupted", "share": "waiting"}
    assert [done.state for done in project.publish()] == ["published", "published"]


def test_first_publication_that_is_cut_off_leaves_no_table(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        break_ingest(patch, "archive", DataError("disk full", solution="wait"))
        with pytest.raises(DataError, match=r"publish.warehouse: disk full"):
            project.publish("warehouse")
    assert project.query("SELECT name FROM sqlite_master") == []


def test_readers_see_the_old_run_until_the_new_one_is_whole(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.publish("warehouse")
    project.run([*ROWS[:3], ("snacks", "007", 1, 1, "1x1", 5, False, "")])
    seen = []
    real = DatabaseSink.ingest

    def ingest(self: DatabaseSink, cursor: Any, table: str, rows: pa.Table, *, mode: str) -> None:
        real(self, cursor, table, rows, mode=mode)
        seen.append(project.query("SELECT DISTINCT run_id FROM store_segments"))

    monkeypatch.setattr(DatabaseSink, "ingest", ingest)
    project.publish("warehouse")
    assert seen == [[(project.run_id,)]] * 3


def test_what_may_pass_is_tried_again_from_the_start(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = break_ingest(monkeypatch, "profiles", TransientError("the line is down", solution="wait"), times=2)
    (done,) = project.publish("warehouse")
    assert done.state == "published"
    assert seen.count("segments") == 6, "made and filled, three times over"
    assert project.query("SELECT count(*) FROM store_segments_archive") == [(4,)]
    assert [text for text in project.told if "trying again" in text] == [
        f"warehouse: attempt {number} of 4 failed: Error: the line is down; trying again in 0 s" for number in (1, 2)
    ]


def test_commit_whose_answer_was_lost_is_published(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    real = DatabaseSink.transaction
    lost: list[int] = []

    class Losing:
        """A connection whose first commit is done and not heard of."""

        def __init__(self, connection: Any) -> None:
            self.connection = connection

        def __getattr__(self, name: str) -> Any:
            return getattr(self.connection, name)

        def commit(self) -> None:
            self.connection.commit()
            if not lost:
                lost.append(1)
                raise TransientError("the line is down", solution="wait")

    class Wrapped:
        def __init__(self, context: Any) -> None:
            self.context = context

        def __enter__(self) -> Losing:
            return Losing(self.context.__enter__())

        def __exit__(self, *words: object) -> Any:
            return self.context.__exit__(*words)

    monkeypatch.setattr(
        DatabaseSink, "transaction", lambda self, read_only=False: Wrapped(real(self, read_only=read_only))
    )
    (done,) = project.publish("warehouse")
    assert (lost, done.state) == ([1], "published")
    assert project.query("SELECT count(*) FROM store_segments_archive") == [(4,)]


@pytest.mark.parametrize("name", ["segments.csv", "manifest.json", "current.json"])
def test_folder_keeps_the_old_run_where_publishing_is_cut_off(
    project: Project, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    project.publish("share")
    old = project.outside()
    second = project.run([*ROWS[:3], ("snacks", "007", 1, 1, "1x1", 5, False, "")])
    real = Place.upload

    def upload(self: Place, source: Path, target: str) -> None:
        if target.endswith(name):
            raise KeyboardInterrupt
        real(self, source, target)

    with monkeypatch.context() as patch:
        patch.setattr(Place, "upload", upload)
        with pytest.raises(KeyboardInterrupt):
            project.publish("share")
    assert {path: project.outside()[path] for path in old} == old
    assert project.receipt(second)["targets"]["share"]["state"] == "interrupted"
    assert [done.state for done in project.publish("share")] == ["published"]
    assert project.current()["run_id"] == second
    assert not list(project.elsewhere.rglob("*.tmp"))


def test_file_that_arrives_as_another_is_not_published(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Place.upload

    def upload(self: Place, source: Path, target: str) -> None:
        real(self, source, target)
        (project.elsewhere / "share" / target).write_bytes(b"")

    monkeypatch.setattr(Place, "upload", upload)
    with pytest.raises(DataError, match=r"segments.parquet is not what was written there"):
        project.publish("share")
    assert not (project.elsewhere / "share/current.json").exists()


def test_all_targets_are_prepared_before_the_first_is_published(project: Project) -> None:
    project.change("CREATE TABLE store_segments_archive (other TEXT)")
    before = project.outside()
    wanted = {
        "first": Publish(database="sqlite", uri="../elsewhere/new.db"),
        "second": Publish(database="sqlite", uri="../elsewhere/shop.db"),
    }
    with pytest.raises(DataError, match="table store_segments_archive has columns other, and") as error:
        list(publish_results(project.root, project.read(), wanted, {}, lambda *_: None))
    assert error.value.solution.endswith("then publish again (done: none; not done: first, second)")
    assert project.outside() == before
    states = {name: entry["state"] for name, entry in project.receipt()["targets"].items()}
    assert states == {"first": "waiting", "second": "failed"}


def test_receipt_says_what_is_done_and_the_next_try_completes_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(FolderSink, "commit", lambda *_: (_ for _ in ()).throw(DataError("full", solution="make room")))
        with pytest.raises(DataError, match=r"publish.share: full") as error:
            project.publish()
    assert error.value.solution == "make room; then publish again (done: warehouse; not done: share)"
    targets = project.receipt()["targets"]
    assert (targets["warehouse"]["state"], targets["share"]["state"]) == ("published", "failed")
    assert targets["share"]["error"] == "full"
    assert [done.state for done in project.publish()] == ["unchanged", "published"]
    assert "error" not in project.receipt()["targets"]["share"]


def test_receipt_names_run_sources_tables_and_files(project: Project) -> None:
    project.publish()
    receipt = project.receipt()
    assert (receipt["run_id"], receipt["env"], receipt["run"]["job"]) == (project.run_id, "dev", "full_pipeline")
    assert receipt["sources"]["data/merging/segments.parquet"] == results.sha256(
        project.root / "data/merging/segments.parquet"
    )
    assert receipt["targets"]["warehouse"]["tables"] == [
        {"table": "store_segments", "rows": 4},
        {"table": "store_segments_profiles", "rows": 5},
        {"table": "store_segments_archive", "rows": 4, "of_run": project.run_id},
    ]
    assert receipt["targets"]["share"]["files"][:2] == [file | {} for file in project.current()["files"]][:2]


def test_texts_that_look_like_formulas_are_told_of(project: Project) -> None:
    done = project.publish("share")[0]
    assert [re.sub(r" in runs/[^ ]*/", " in ", text).partition(" begin")[0] for text in done.warnings] == [
        "1 texts in segments.csv", "3 texts in profiles.csv",
    ]  # fmt: skip
    assert '"=1+1"' in project.published("segments.csv").read_text()


HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "007", "1e5", "a,b", 'say "x"', "two\nlines", "car\rriage", " a  b ", "", "TRUE", "NA",
           "http://example.org", "mailto:x", "_x0041_", "\u202eabc", "日本", "x" * 10_000]  # fmt: skip


def test_any_text_is_the_same_in_every_format(tmp_path: Path) -> None:
    table = pa.table({"text": HOSTILE, "number": pa.array(range(len(HOSTILE)), pa.int64())})
    for kind in ("parquet", "csv", "json", "excel"):
        export({"segments": table}, kind, tmp_path)
    assert pq.read_table(tmp_path / "segments.parquet").equals(table)
    assert [row["text"] for row in json.loads((tmp_path / "segments.json").read_text())] == HOSTILE
    options = pyarrow.csv.ConvertOptions(column_types=table.schema, strings_can_be_null=False)
    parsing = pyarrow.csv.ParseOptions(newlines_in_values=True)
    read = pyarrow.csv.read_csv(tmp_path / "segments.csv", convert_options=options, parse_options=parsing)
    assert read["text"].to_pylist() == HOSTILE
    sheet = python_calamine.CalamineWorkbook.from_path(tmp_path / "segments.xlsx").get_sheet_by_name("segments")
    assert [row[0] for row in sheet.to_python()[1:]] == HOSTILE


def test_same_tables_are_the_same_bytes(project: Project, tmp_path: Path) -> None:
    found = project.read()
    tables = {"segments": found.segments, "profiles": found.profiles}
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    for kind in ("parquet", "csv", "json", "excel"):
        first, second = (export(tables, kind, tmp_path / folder) for folder in ("a", "b"))
        assert [file.sha256 for file in first] == [file.sha256 for file in second]


def test_what_a_sheet_cannot_hold_is_refused() -> None:
    with pytest.raises(DataError, match="1,048,576 rows, and a sheet of Excel holds 1,048,575"):
        check_sheet("segments", pa.table({"x": pa.nulls(SHEET_ROWS + 1)}))
    with pytest.raises(DataError, match="a text of x has 32,768 characters"):
        check_sheet("segments", pa.table({"x": ["a" * 32_768]}))


def test_column_whose_first_values_are_unknown_is_compared_whole(project: Project) -> None:
    found = project.read()
    many = pa.concat_tables([found.profiles.slice(0, 1)] * 1500)
    many = many.set_column(
        many.schema.get_field_index("feature"), "feature", pa.array([f"{n:05}" for n in range(1500)])
    )
    wide = found._replace(profiles=pa.concat_tables([many, found.profiles.slice(1)]))
    assert [done.state for _ in range(2) for done in project.publish("warehouse", results=wide)] == [
        "published",
        "unchanged",
    ]
    assert project.query("SELECT count(*) FROM store_segments_profiles") == [(1504,)]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"files": "../x"}, "`formats` is expected with `files`"),
        ({"database": "sqlite", "uri": "x", "formats": ["csv"]}, "`formats` is expected with `files`, and only there"),
        ({"files": "../x", "formats": ["csv", "csv"]}, "listed twice"),
        ({"files": "../x", "formats": ["csv"], "table": "t"}, "belong to `database`"),
        ({"files": "../x/*", "formats": ["csv"]}, "not a pattern"),
        ({"database": "sqlite", "uri": "x", "schema_name": "s"}, "means nothing to sqlite"),
        ({"database": "sqlite", "uri": "x", "table": "a b"}, "should match pattern"),
        ({"database": "sqlite", "uri": "x", "table": "x" * 51}, "should match pattern"),
        ({"files": "../x", "formats": ["xml"]}, "'parquet', 'csv', 'excel' or 'json'"),
    ],
)  # fmt: skip
def test_keys_that_contradict_each_other_are_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Publish(**keys)


def test_names_of_tables_are_never_sql(project: Project) -> None:
    wanted = {"warehouse": Publish(database="sqlite", uri="../elsewhere/shop.db", table="Order")}
    for state in ("published", "unchanged"):
        (done,) = publish_results(project.root, project.read(), wanted, {}, lambda *_: None)
        assert done.state == state
    assert project.query('SELECT count(*) FROM "Order"') == [(4,)]


@pytest.mark.parametrize(
    ("wanted", "kind", "words"),
    [
        ({"database": "sqlite", "uri": "../nowhere/shop.db"}, DataError, "the folder of this file does not exist"),
        ({"database": "sqlite", "uri": "${env:NO_SUCH_VARIABLE}"}, ConfigError, "NO_SUCH_VARIABLE is not set"),
        ({"database": "snowflake", "uri": "x"}, ConfigError, "the driver for snowflake is not installed"),
        ({"files": "sftp://host/x", "formats": ["csv"]}, ConfigError, "sftp"),
        ({"files": "file.txt/x", "formats": ["csv"]}, DataError, "file.txt"),
    ],
)  # fmt: skip
def test_targets_that_cannot_be_are_told(
    project: Project, wanted: dict[str, Any], kind: type[PipelineError], words: str
) -> None:
    (project.root / "file.txt").write_text("")
    with pytest.raises(kind, match=words):
        list(publish_results(project.root, project.read(), {"target": Publish(**wanted)}, {}, lambda *_: None))
    assert not project.outside()


def test_database_without_transactions_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    import warnings
    from contextlib import contextmanager

    @contextmanager
    def connected(*_: object, **__: object) -> Iterator[None]:
        warnings.warn("Cannot disable autocommit; conn will not be DB-API 2.0 compliant", stacklevel=1)
        yield None

    monkeypatch.setattr(publish_tables, "connected", connected)
    with pytest.raises(ConfigError, match="has no transactions"):
        project.publish("warehouse")


def test_receipt_that_cannot_be_read_is_written_anew(project: Project) -> None:
    path = project.root / publish.RECEIPTS / f"{project.run_id}.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    project.publish("share")
    assert project.receipt()["targets"]["share"]["state"] == "published"
