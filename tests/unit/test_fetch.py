"""Snapshots of sources: fetched whole or not at all, told apart by content, and recorded without secrets."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clustering import databases, fetch, retry
from clustering.fetch import fetch_source
from clustering.retry import TransientError, retried
from storelib.configuration.place import Fetch, SalesSource
from storelib.errors import ConfigError, DataError, PipelineError

COLUMNS = {"store_id": "STORE", "sku": "SKU", "sales": "AMOUNT", "category": "CAT"}
ROWS = [("007", "a1", "12.30", "BEAUTY"), ("008", "a1", "1.05", "BEAUTY"), ("008", "a2", "-3", "SNACKS")]


class Project:
    """A folder with something to fetch, in a SQLite database and in a folder of CSV files."""

    def __init__(self, root: Path) -> None:
        self.root = root / "project"
        self.elsewhere = root / "elsewhere"
        self.raw = self.root / "data" / "raw" / "prod"
        self.elsewhere.mkdir(parents=True)
        self.root.mkdir()
        self.told: list[str] = []

    def fill(self, rows: list[tuple[str, ...]]) -> None:
        with sqlite3.connect(self.elsewhere / "shop.db") as connection:
            connection.execute("DROP TABLE IF EXISTS sales")
            connection.execute("CREATE TABLE sales (STORE TEXT, SKU TEXT, AMOUNT TEXT, CAT TEXT)")
            connection.executemany("INSERT INTO sales VALUES (?, ?, ?, ?)", rows)
        connection.close()

    def write(self, name: str, rows: list[tuple[str, ...]]) -> None:
        (self.elsewhere / name).parent.mkdir(exist_ok=True, parents=True)
        lines = [",".join(COLUMNS.values()), *(",".join(row) for row in rows)]
        (self.elsewhere / name).write_text("\n".join(lines) + "\n")

    def query(self, text: str = "SELECT * FROM sales", refresh: bool = True, **more: Any) -> fetch.Fetched:
        source = SalesSource(reader="parquet", path="sales.parquet", columns=COLUMNS)
        wanted = Fetch(**{"database": "sqlite", "uri": "../elsewhere/shop.db", "query": text} | more)
        return fetch_source(self.root, "prod", "sales", source, wanted, refresh=refresh, say=self.told.append)

    def copy(self, files: str, path: str = "sales", refresh: bool = True) -> fetch.Fetched:
        source = SalesSource(reader="csv", path=path, columns=COLUMNS)
        return fetch_source(
            self.root, "prod", "sales", source, Fetch(files=files), refresh=refresh, say=self.told.append
        )

    def notes(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.raw.parent / "prod.fetch.json").read_text())
        return found

    def all_files(self) -> list[str]:
        return sorted(p.relative_to(self.root).as_posix() for p in self.root.rglob("*") if p.is_file())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.fill(ROWS)
    for number, row in enumerate(ROWS):
        project.write(f"parts/part-{number}.csv", [row])
    return project


def test_rows_of_a_query_become_a_parquet_file(project: Project) -> None:
    done = project.query()
    assert (done.state, done.fingerprint["rows"]) == ("fetched", 3)
    table = pq.read_table(project.raw / "sales.parquet")
    assert table.schema == pa.schema([(name, pa.string()) for name in COLUMNS.values()])
    assert [tuple(row.values()) for row in table.to_pylist()] == ROWS
    note = project.notes()["sales"]
    assert note == done.fingerprint
    assert note["from"] == "sqlite:../elsewhere/shop.db"
    assert note["query"] == "SELECT * FROM sales"


def test_snapshot_is_kept_until_it_is_refreshed_or_the_query_changes(project: Project) -> None:
    project.query()
    project.fill(ROWS[:2])
    assert project.query(refresh=False).state == "kept"
    assert project.query("SELECT * FROM sales WHERE SKU = 'a1'", refresh=False).state == "fetched"
    assert project.query("SELECT * FROM sales", refresh=True).state == "unchanged"


def test_same_rows_in_another_order_change_nothing(project: Project) -> None:
    project.query()
    before = (project.raw / "sales.parquet").stat()
    first = project.notes()["sales"]
    project.fill(ROWS[::-1])
    done = project.query()
    assert done.state == "unchanged"
    after = (project.raw / "sales.parquet").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert done.fingerprint["fetched"] == first["fetched"]


@pytest.mark.parametrize(
    "rows",
    [ROWS[:2], [*ROWS, ROWS[0]], [*ROWS[:2], ("008", "a2", "-3.0", "SNACKS")], [*ROWS[:2], ("008", "a2", "-3", "snacks")]],
    ids=["fewer", "twice", "a digit", "a letter"],
)  # fmt: skip
def test_other_rows_are_another_snapshot(project: Project, rows: list[tuple[str, ...]]) -> None:
    project.query()
    project.fill(rows)
    assert project.query().state == "fetched"
    assert pq.read_metadata(project.raw / "sales.parquet").num_rows == len(rows)


def test_swapped_columns_are_another_snapshot(project: Project) -> None:
    project.query("SELECT STORE, SKU, AMOUNT, CAT FROM sales")
    assert project.query("SELECT STORE, CAT AS SKU, AMOUNT, SKU AS CAT FROM sales").state == "fetched"


def test_column_that_is_known_late_has_its_type(project: Project) -> None:
    project.fill([(*ROWS[0][:2], None, "BEAUTY")] * 3000 + [ROWS[1]])  # type: ignore[list-item]
    project.query("SELECT STORE, SKU, CAST(AMOUNT AS REAL) AS AMOUNT, CAT FROM sales")
    table = pq.read_table(project.raw / "sales.parquet")
    assert table.schema.field("AMOUNT").type == pa.float64()
    assert table["AMOUNT"].to_pylist()[-2:] == [None, 1.05]


def test_column_that_is_known_too_late_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases.look_ahead, "__defaults__", (2,))
    project.fill([(*ROWS[0][:2], None, "BEAUTY")] * 3 + [ROWS[1]])  # type: ignore[list-item]
    with pytest.raises(DataError, match="Type mismatch in column 2") as error:
        project.query()
    assert "ORDER BY" in error.value.solution
    assert project.query("SELECT * FROM sales ORDER BY AMOUNT IS NULL").state == "fetched"


def test_folder_is_copied_file_by_file(project: Project) -> None:
    done = project.copy("../elsewhere/parts")
    assert (done.state, done.fingerprint["rows"]) == ("fetched", 3)
    assert project.all_files() == [
        "data/raw/prod.fetch.json",
        *(f"data/raw/prod/sales/part-{number}.csv" for number in range(3)),
    ]
    assert project.copy("../elsewhere/parts").state == "unchanged"


def test_file_that_is_gone_there_goes_here_too(project: Project) -> None:
    project.copy("../elsewhere/parts")
    (project.elsewhere / "parts/part-1.csv").unlink()
    assert project.copy("../elsewhere/parts").fingerprint["rows"] == 2
    assert not (project.raw / "sales/part-1.csv").exists()


def test_glob_takes_what_it_names(project: Project) -> None:
    done = project.copy("../elsewhere/parts/part-[02].csv", path="sales/*.csv")
    assert done.fingerprint["rows"] == 2
    assert sorted(p.name for p in (project.raw / "sales").iterdir()) == ["part-0.csv", "part-2.csv"]


def test_pattern_is_matched_part_by_part_and_leftovers_stay_there(project: Project) -> None:
    """As in the sources: `parts/backup` is not `parts`, and what other programs left is not data."""
    for name in (
        "backup/parts/part-7.csv",
        "parts/_temporary/0/part-8.csv",
        "parts/.part-0.csv.crc",
        "parts/a/b/part-9.csv",
    ):
        project.write(name, ROWS)
    assert project.copy("../elsewhere/*/part-*.csv").fingerprint["rows"] == 3
    assert project.copy("../elsewhere/parts/**/part-*.csv").fingerprint["rows"] == 6
    assert project.copy("../elsewhere/parts").fingerprint["rows"] == 6
    assert sorted(p.relative_to(project.raw).as_posix() for p in project.raw.rglob("*.*")) == [
        "sales/a/b/part-9.csv", *(f"sales/part-{number}.csv" for number in range(3)),
    ]  # fmt: skip


def test_folder_whose_name_looks_like_a_pattern_is_none(tmp_path: Path) -> None:
    (tmp_path / "a [1]").mkdir()
    project = Project(tmp_path / "a [1]")
    project.write("parts/part-0.csv", ROWS)
    assert project.copy("../elsewhere/parts/*.csv").fingerprint["rows"] == 3


@pytest.mark.parametrize(
    ("mark", "files"),
    [
        ("parts/_delta_log/00000000000000000000.json", "tables/parts"),
        ("parts/_delta_log/00000000000000000000.json", "tables/parts/*.csv"),
        ("parts/.hoodie/hoodie.properties", "tables"),
        ("metadata/v1.metadata.json", "tables"),
    ],
)
def test_table_with_a_log_of_its_own_is_not_fetched(project: Project, mark: str, files: str) -> None:
    project.write("tables/parts/old.csv", ROWS)
    project.write(f"tables/{mark}", ROWS)
    with pytest.raises(DataError, match=r"elsewhere/tables.* is a (Delta|Hudi|Iceberg) table"):
        project.copy(f"../elsewhere/{files}")
    assert not (project.raw / "sales").exists()


def test_one_file_takes_the_name_it_is_read_by(project: Project) -> None:
    assert project.copy("../elsewhere/parts/part-1.csv", path="sales.csv").state == "fetched"
    assert (project.raw / "sales.csv").read_bytes() == (project.elsewhere / "parts/part-1.csv").read_bytes()


def refusals(project: Project) -> dict[str, tuple[Any, type[PipelineError], str]]:
    (project.elsewhere / "bad").mkdir()
    (project.elsewhere / "bad/part.csv").write_text("STORE,SKU\n1,2\n")
    project.write("empty/part.csv", [])
    return {
        "no table": (lambda: project.query("SELECT * FROM sale"), DataError, "no such table: sale"),
        "no database": (lambda: project.query(uri="../elsewhere/none.db"), DataError, "none.db does not exist"),
        "no rows": (lambda: project.query("SELECT * FROM sales WHERE SKU = 'x'"), DataError, "no rows"),
        "no column": (lambda: project.query("SELECT STORE, SKU, CAT FROM sales"), DataError, "no column 'AMOUNT'"),
        "no folder": (lambda: project.copy("../elsewhere/nowhere"), DataError, "does not exist or holds no file"),
        "no file for the glob": (lambda: project.copy("../elsewhere/parts/*.txt"), DataError, "holds no file"),
        "column missing in file": (lambda: project.copy("../elsewhere/bad"), DataError, "no column 'AMOUNT'"),
        "header only": (lambda: project.copy("../elsewhere/empty"), DataError, "no rows"),
        "many for one": (lambda: project.copy("../elsewhere/parts", path="sales.csv"), DataError, "holds 3 files"),
        "no place": (lambda: project.copy("../elsewhere/parts", path="*.csv"), ConfigError, "without a folder"),
        "no variable": (lambda: project.query(uri="${env:NO_SUCH_VARIABLE}"), ConfigError, "NO_SUCH_VARIABLE is not set"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "case",
    ["no table", "no database", "no rows", "no column", "no folder", "no file for the glob", "column missing in file",
     "header only", "many for one", "no place", "no variable"],
)  # fmt: skip
def test_old_snapshot_stays_where_fetching_fails(project: Project, case: str) -> None:
    project.query()
    project.copy("../elsewhere/parts")
    before = {name: (project.root / name).read_bytes() for name in project.all_files()}
    attempt, kind, words = refusals(project)[case]
    with pytest.raises(kind, match=words):
        attempt()
    assert {name: (project.root / name).read_bytes() for name in project.all_files()} == before
    assert not list(project.root.rglob("*.tmp"))


def test_interrupted_fetch_leaves_the_old_snapshot(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.copy("../elsewhere/parts")
    before = {name: (project.root / name).read_bytes() for name in project.all_files()}
    project.write("parts/part-3.csv", [ROWS[0]])

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch, "looked_at", interrupt)
    with pytest.raises(KeyboardInterrupt):
        project.copy("../elsewhere/parts")
    assert {name: (project.root / name).read_bytes() for name in project.all_files()} == before


def test_kill_between_old_and_new_is_mended(project: Project) -> None:
    project.copy("../elsewhere/parts")
    # As a kill leaves it: the old folder was moved away, the new one had not arrived, and its staging is a dead process's.
    (project.raw / "sales").rename(project.raw / ".sales.old.tmp")
    (project.raw / ".fetch-999999999.tmp").mkdir()
    with pytest.raises(DataError, match="nowhere"):
        project.copy("../elsewhere/nowhere")
    assert sorted(p.name for p in (project.raw / "sales").iterdir()) == [f"part-{number}.csv" for number in range(3)]
    assert not list(project.raw.glob(".*"))


def test_snapshot_that_was_edited_by_hand_is_replaced(project: Project) -> None:
    project.copy("../elsewhere/parts")
    (project.raw / "sales/part-0.csv").write_text("STORE,SKU,AMOUNT,CAT\n1,2,3,4\n")
    assert project.copy("../elsewhere/parts").state == "fetched"
    assert (project.raw / "sales/part-0.csv").read_bytes() == (project.elsewhere / "parts/part-0.csv").read_bytes()


def test_what_may_pass_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.001)
    left = [1, 2]
    told: list[str] = []

    def action() -> str:
        if left:
            left.pop()
            raise TransientError("the line is down", solution="wait")
        return "done"

    assert retried(action, told.append) == "done"
    assert [text.partition("; trying")[0] for text in told] == [
        f"attempt {number} of 4 failed: Error: the line is down" for number in (1, 2)
    ]


def test_what_does_not_pass_fails_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.001)
    tries: list[int] = []

    def action() -> None:
        tries.append(1)
        raise TransientError("the line is down", solution="wait")

    with pytest.raises(TransientError, match="the line is down"):
        retried(action, print)
    assert len(tries) == retry.ATTEMPTS


def test_what_cannot_pass_is_tried_once() -> None:
    tries: list[int] = []

    def action() -> None:
        tries.append(1)
        raise DataError("no such table", solution="mend it")

    with pytest.raises(DataError, match="no such table"):
        retried(action, print)
    assert len(tries) == 1


def test_broken_fingerprints_are_told(project: Project) -> None:
    project.query()
    (project.raw.parent / "prod.fetch.json").write_text("[]")
    with pytest.raises(DataError, match=r"prod.fetch.json is not a file of fingerprints"):
        project.query(refresh=False)


def test_each_source_keeps_its_own_fingerprint(project: Project) -> None:
    (project.raw.parent).mkdir(parents=True)
    (project.raw.parent / "prod.fetch.json").write_text('{"stores": {"from": "elsewhere", "rows": 3}}')
    project.query()
    assert {name: note["rows"] for name, note in project.notes().items()} == {"sales": 3, "stores": 3}
