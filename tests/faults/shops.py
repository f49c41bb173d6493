"""Projects whose raw files are fetched and whose results are published, and what there is to see of either."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from bad_input.project import Project
from clustering.fetch import fetch_source
from clustering.publish import publish_results
from clustering.results import Results
from faults.killing import hashes
from storelib.configuration.place import Fetch, Place, Publish, load_place, named_sources
from storelib.contracts.views import PROFILE

FETCH = {
    "stores": {"database": "sqlite", "uri": "../elsewhere/stores.db", "query": "SELECT STORE, COUNTY FROM stores"},
    "sales": {"files": "../elsewhere/sales.csv"},
    "external.county": {"files": "../elsewhere/counties"},
}
LINES = 5_000
LABELS = pa.schema(
    [("category", pa.string()), ("store_id", pa.string()), ("internal_cluster", pa.int32()), ("external_cluster", pa.int32()),
     ("merged_cluster", pa.string()), ("segment", pa.int32()), ("is_outlier", pa.bool_()), ("flags", pa.string()),
     ("run_id", pa.string())]
)  # fmt: skip
FORMATS = ["parquet", "csv", "json"]
Say = Callable[[str], None]


class Fetching:
    """A project with old snapshots, and what has come since to where they are fetched from: a database, a file, a folder."""

    def __init__(self, folder: Path) -> None:
        self.root, self.elsewhere = folder / "project", folder / "elsewhere"
        project = Project.make(self.root)
        for key, value in {"reader": "parquet", "path": "stores.parquet"}.items():
            project.place(f"sources.stores.{key}", value)
        project.place("sources.external.county.path", "counties")
        config = yaml.safe_load((self.root / "configs/dev.yml").read_text())
        project.write("configs/dev.yml", yaml.safe_dump(config | {"fetch": FETCH}, sort_keys=False))
        raw = self.root / "data/raw/dev"
        stores = [line.split(",") for line in (raw / "stores.csv").read_text().splitlines()]
        (raw / "counties").mkdir()
        (raw / "counties.csv").rename(raw / "counties/a.csv")
        pq.write_table(
            pa.table({name: [row[n] for row in stores[1:]] for n, name in enumerate(stores[0])}), raw / "stores.parquet"
        )
        (raw / "stores.csv").unlink()
        self.old = folder / "old"
        shutil.copytree(raw, self.old)
        self.elsewhere.mkdir()
        with closing(sqlite3.connect(self.elsewhere / "stores.db")) as connection, connection:
            connection.execute("CREATE TABLE stores (STORE text, COUNTY text)")
            connection.executemany("INSERT INTO stores VALUES (?, ?)", [*stores[1:], ["999", stores[1][1]]])
        lines = (raw / "sales.csv").read_text().splitlines()
        (self.elsewhere / "sales.csv").write_text("\n".join([*lines, *(lines[1:] * (LINES // len(lines)))]) + "\n")
        shutil.copytree(raw / "counties", self.elsewhere / "counties")
        shutil.copy(raw / "counties/a.csv", self.elsewhere / "counties/b.csv")
        self.before = self.snapshots()
        assert self.fetch(lambda _: None) == 0
        self.after, self.notes = self.snapshots(), self.told()
        assert self.before.keys() | {"counties/b.csv"} == self.after.keys()

    def reset(self) -> None:
        """The old snapshots, of which nothing is told."""
        shutil.rmtree(self.root / "data/raw/dev", ignore_errors=True)
        shutil.copytree(self.old, self.root / "data/raw/dev")
        (self.root / "data/raw/dev.fetch.json").unlink(missing_ok=True)

    def fetch(self, say: Say) -> int:
        """As the command does; in this process."""
        place = load_place(self.root / "configs/dev.yml")
        known = dict(named_sources(place.sources))
        for name in sorted(place.fetch):
            fetch_source(
                self.root, "dev", name, known[name], Fetch.model_validate(place.fetch[name]), refresh=True, say=say
            )
        return 0

    def snapshots(self) -> dict[str, str]:
        """The hash of each, but for what is hidden."""
        found = hashes(self.root, "data/raw/dev")
        names = {name: name.removeprefix("data/raw/dev/") for name in found}
        return {short: found[name] for name, short in names.items() if not short.startswith(".")}

    def told(self) -> dict[str, Any]:
        """What is recorded of each, without times."""
        path = self.root / "data/raw/dev.fetch.json"
        found = json.loads(path.read_text()) if path.is_file() else {}
        return {
            name: {key: value for key, value in part.items() if key not in {"fetched", "checked"}}
            for name, part in found.items()
        }

    def wrong(self) -> list[str]:
        """Snapshots that are neither the old nor the new one; a folder may be on its way."""
        now = self.snapshots()
        found = [
            name
            for name in ("stores.parquet", "sales.csv")
            if now.get(name) not in {self.before[name], self.after[name]}
        ]
        counties = {name: value for name, value in now.items() if name.startswith("counties/")}
        whole = [
            {name: value for name, value in known.items() if name.startswith("counties/")}
            for known in (self.before, self.after)
        ]
        found += [] if counties in [*whole, {}] else ["counties"]
        notes = self.told()
        found += [f"note on {name}" for name, note in notes.items() if note != self.notes[name]]
        return found

    def is_done(self) -> bool:
        """Whether the new snapshots are there, and what is told of them."""
        return self.snapshots() == self.after and self.told() == self.notes


class Publishing:
    """Results of two runs, and a database and a folder that the first one was published to."""

    def __init__(self, folder: Path) -> None:
        self.root, self.elsewhere = folder / "project", folder / "elsewhere"
        for path in (self.root, self.elsewhere):
            path.mkdir(parents=True)
        self.targets = {
            "warehouse": Publish(database="sqlite", uri="../elsewhere/shop.db"),
            "share": Publish(files="../elsewhere/share", formats=FORMATS),
        }
        self.publish(results_of("first", 1))
        self.first = folder / "first"
        shutil.copytree(self.elsewhere, self.first)
        self.before = self.seen()
        self.publish(results_of("second", 2))
        self.after = self.seen()
        assert self.before != self.after

    def reset(self) -> None:
        """The first run is published, and of the second nothing."""
        shutil.rmtree(self.elsewhere)
        shutil.copytree(self.first, self.elsewhere)
        shutil.rmtree(self.root / "reports", ignore_errors=True)

    def publish(self, results: Results) -> int:
        """As the command does; in this process."""
        for _ in publish_results(self.root, results, self.targets, {}, lambda *_: None):
            pass
        return 0

    def seen(self) -> dict[str, Any]:
        """What readers of both see."""
        return {"warehouse": rows_of(self.elsewhere / "shop.db"), "share": current_of(self.elsewhere / "share")}

    def wrong(self) -> list[str]:
        """Targets in which readers see neither run whole."""
        now = self.seen()
        return [name for name in now if now[name] not in (self.before[name], self.after[name])]


def results_of(run_id: str, segment: int) -> Results:
    """A few thousand stores of one category in one segment."""
    stores = [f"{number:05}" for number in range(5000)]
    count = len(stores)
    columns = {
        "category": ["beauty"] * count, "store_id": stores, "internal_cluster": [1] * count, "external_cluster": [1] * count,
        "merged_cluster": ["1x1"] * count, "segment": [segment] * count, "is_outlier": [False] * count, "flags": [""] * count,
        "run_id": [run_id] * count,
    }  # fmt: skip
    row = dict(zip(PROFILE.names, (1, count, 0.5, 1.1, 0.25, "area", 0.1, 0.1, 100.0 * segment), strict=True))
    profiles = pa.Table.from_pylist([row], schema=PROFILE.schema())
    profiles = profiles.add_column(0, "category", pa.array(["beauty"])).append_column("run_id", pa.array([run_id]))
    return Results({"id": run_id, "job": "full_pipeline"}, "dev", pa.table(columns, schema=LABELS), profiles, {})


def rows_of(path: Path) -> dict[str, list[Any]]:
    """Every row of the tables of a database, without the time of publication."""
    found = {}
    with closing(sqlite3.connect(path)) as connection:
        for name in ("store_segments", "store_segments_profiles", "store_segments_archive"):
            rows = connection.execute(f"SELECT * FROM {name}")  # noqa: S608 (named above)
            names = [column[0] for column in rows.description]
            kept = [n for n, column in enumerate(names) if column != "published_at"]
            found[name] = sorted(tuple(row[n] for n in kept) for row in rows)
    return found


def current_of(folder: Path) -> dict[str, Any]:
    """What `current.json` names, each file held against its hash; without the time of publication."""
    found: dict[str, Any] = json.loads((folder / "current.json").read_text())
    del found["published_at"]
    known = hashes(folder, "runs")
    found["is_whole"] = all(known.get(file["path"]) == file["sha256"] for file in found["files"])
    return found


def place_of(root: Path) -> Place:
    """The place of the environment that is configured."""
    return load_place(root / "configs/dev.yml")
