"""PostgreSQL and an object store behind a proxy that fails: no row lost or doubled, nobody waits for ever, and two lines say why."""

import json
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as postgresql
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from clustering import retry
from clustering.fetch import fetch_source
from clustering.publish import publish_results
from faults.proxy import Proxy, Trouble, proxied
from faults.shops import FORMATS, results_of
from servers import ACCESS_KEY, PASSWORD, SECRET_KEY, ObjectStore, object_store, postgres
from storelib.configuration.place import Fetch, Publish, StoresSource
from storelib.errors import PipelineError
from storelib.raw.files import sha256

Told = Callable[[str, int, int], None]
KINDS = ("refused", "hung", "reset", "truncated", "unavailable", "expired", "unanswered")
LEAST = 2
# Seconds that a server has, and those that a command has however often it tries: the library of an object store tries each
# request three times within each attempt of ours.
WAIT, BOUND = 2, 240
ROWS = 30_000
TABLES = ("store_segments", "store_segments_profiles", "store_segments_archive")
CURRENT = "retail/segments/current.json"
FIRST, SECOND = results_of("first", 1), results_of("second", 2)


class Work:
    """A fetch or a publication through a proxy. Subclasses say what is done, and what there is to see of it."""

    def __init__(self, root: Path, proxy: Proxy) -> None:
        self.root, self.proxy = root, proxy
        self.told: list[str] = []

    def fetch(self, wanted: Fetch) -> None:
        """One source."""
        source = StoresSource(reader="parquet", path="stores.parquet", columns={"store_id": "store"})
        fetch_source(self.root, "prod", "stores", source, wanted, refresh=True, say=self.told.append)

    def publish(self, wanted: Publish) -> None:
        """The second run."""
        for _ in publish_results(
            self.root, SECOND, {"there": wanted}, {}, lambda *words: self.told.append(" ".join(words))
        ):
            pass

    def reset(self) -> None:
        raise NotImplementedError

    def act(self) -> None:
        raise NotImplementedError

    def seen(self) -> Any:
        raise NotImplementedError


class Fetching(Work):
    """The old snapshot is there."""

    def reset(self) -> None:
        target = self.root / "data/raw/prod/stores.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"store": ["old"], "opened": ["x"]}), target)

    def seen(self) -> Any:
        names = [path.name for path in (self.root / "data/raw/prod").iterdir()]
        return sorted(names), pq.read_table(self.root / "data/raw/prod/stores.parquet").sort_by("store").to_pydict()


class DatabaseFetch(Fetching):
    def __init__(self, root: Path, proxy: Proxy, address: str) -> None:
        super().__init__(root, proxy)
        self.address = address
        with asked(address) as cursor:
            rows = f"SELECT n::text AS store, md5(n::text) AS opened FROM generate_series(1, {ROWS}) AS n"  # noqa: S608 (a number)
            cursor.execute(f"CREATE TABLE stores AS {rows}")

    def act(self) -> None:
        uri = re.sub(r":\d+/", f":{self.proxy.port}/", self.address)
        self.fetch(
            Fetch(
                database="postgresql", uri=uri, query="SELECT * FROM stores", connect_timeout=WAIT, answer_timeout=WAIT
            )
        )


class ObjectFetch(Fetching):
    def __init__(self, root: Path, proxy: Proxy, store: ObjectStore) -> None:
        super().__init__(root, proxy)
        table = pa.table(
            {"store": [str(n) for n in range(ROWS)], "opened": [str(n * 7919 % 104729) for n in range(ROWS)]}
        )
        with store.system.open_output_stream("retail/raw/stores.parquet") as stream:
            pq.write_table(table, stream, compression="none")

    def act(self) -> None:
        self.fetch(Fetch(files="s3://retail/raw/stores.parquet", connect_timeout=WAIT, answer_timeout=WAIT))


class DatabasePublication(Work):
    """The first run is published."""

    def __init__(self, root: Path, proxy: Proxy, address: str) -> None:
        super().__init__(root, proxy)
        self.address = address
        wanted = Publish(database="postgresql", uri=address)
        for _ in publish_results(root, FIRST, {"there": wanted}, {}, lambda *_: None):
            pass
        with asked(address) as cursor:
            for name in TABLES:
                cursor.execute(f"CREATE TABLE first_{name} AS SELECT * FROM {name}")  # noqa: S608 (named above)

    def reset(self) -> None:
        with asked(self.address) as cursor:
            for name in TABLES:
                cursor.execute(f"TRUNCATE {name}")
                cursor.execute(f"INSERT INTO {name} SELECT * FROM first_{name}")  # noqa: S608 (named above)

    def act(self) -> None:
        uri = re.sub(r":\d+/", f":{self.proxy.port}/", self.address)
        self.publish(Publish(database="postgresql", uri=uri, connect_timeout=WAIT, answer_timeout=WAIT))

    def seen(self) -> Any:
        found = {}
        with asked(self.address) as cursor:
            for name in TABLES:
                cursor.execute(f"SELECT (to_jsonb(t) - 'published_at')::text FROM {name} AS t")  # noqa: S608 (named above)
                found[name] = sorted(row for (row,) in cursor.fetchall())
        return found


class ObjectPublication(Work):
    """The first run is published."""

    def __init__(self, root: Path, proxy: Proxy, store: ObjectStore) -> None:
        super().__init__(root, proxy)
        self.store = store
        for _ in publish_results(root, FIRST, {"there": self.wanted()}, {}, lambda *_: None):
            pass
        self.current = store.system.open_input_stream(CURRENT).read()

    def reset(self) -> None:
        self.proxy.begin(None)
        with self.store.system.open_output_stream(CURRENT) as stream:
            stream.write(self.current)
        for entry in self.store.system.get_file_info(fs.FileSelector("retail/segments/runs")):
            if "second" in entry.base_name:
                self.store.system.delete_dir(entry.path)

    @staticmethod
    def wanted() -> Publish:
        return Publish(files="s3://retail/segments", formats=FORMATS, connect_timeout=WAIT, answer_timeout=WAIT)

    def act(self) -> None:
        self.publish(self.wanted())

    def seen(self) -> Any:
        system = self.store.system
        current = json.loads(system.open_input_stream(CURRENT).read())
        sums = []
        for file in current["files"]:
            target = self.root / "seen"
            target.write_bytes(system.open_input_stream(f"retail/segments/{file['path']}", compression=None).read())
            sums.append(sha256(target) == file["sha256"])
        return current["run_id"], sums


@contextmanager
def asked(address: str) -> Iterator[Any]:
    """A connection, each statement of which counts at once."""
    with postgresql.connect(address, autocommit=True) as connection, connection.cursor() as cursor:
        yield cursor


@pytest.fixture
def work(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    """The proxy, the server behind it, and what is done through both."""
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(retry, "LONGEST_WAIT_S", 0.01)
    kind: Any = request.param
    if issubclass(kind, DatabaseFetch | DatabasePublication):
        with postgres() as address, proxied(int(re.findall(r":(\d+)/", address)[0])) as proxy:
            yield kind(tmp_path, proxy, address)
        return
    with object_store() as store, proxied(int(store.variables["AWS_ENDPOINT_URL"].rpartition(":")[2])) as proxy:
        for name, value in (store.variables | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}"}).items():
            monkeypatch.setenv(name, value)
        yield kind(tmp_path, proxy, store)


@pytest.mark.parametrize(
    "work",
    [
        DatabasePublication,
        pytest.param(DatabaseFetch, marks=pytest.mark.slow),
        pytest.param(ObjectPublication, marks=pytest.mark.slow),
        pytest.param(ObjectFetch, marks=pytest.mark.slow),
    ],
    indirect=True,
    ids=lambda kind: kind.__name__,
)
def test_server_that_fails(work: Work, troubles: int, seed: int, told: Told, in_time: Callable[[], bool]) -> None:
    drawn = random.Random(seed)  # noqa: S311 (nothing secret)
    work.reset()
    before = work.seen()
    work.proxy.begin(None)
    work.act()
    after, length, requests = work.seen(), work.proxy.most, work.proxy.requests
    assert before != after
    injected, hit, worst, harmed = 0, dict.fromkeys(KINDS, 0), 0.0, []
    kinds = [kind for kind in KINDS if kind != "unanswered" or not isinstance(work, DatabaseFetch)]
    while injected < troubles and (injected < LEAST or in_time()):
        work.reset()
        work.told.clear()
        kind = kinds[injected % len(kinds)]
        is_counted_in_requests = kind in {"unavailable", "expired", "unanswered"}
        after_this = drawn.randrange(requests if is_counted_in_requests else length)
        trouble = Trouble(kind, after_this, drawn.choice([1, 2, 3, 1000]))
        work.proxy.begin(trouble)
        began, wrong, words = time.monotonic(), [], ""
        try:
            work.act()
        except PipelineError as error:
            words = f"{error.args[0]} {error.solution}"
        except Exception as error:
            wrong.append(f"{type(error).__name__}: {error}")
        took = time.monotonic() - began
        is_hit = work.proxy.failed > 0
        now = work.seen()
        wrong += [] if now == after or (words and now == before) else ["neither old nor new"]
        wrong += [f"it took {took:.0f} s"] if took > BOUND else []
        wrong += ["lines"] if "\n" in words else []
        everything = " ".join([words, *work.told])
        wrong += [secret for secret in (PASSWORD, SECRET_KEY, ACCESS_KEY) if secret in everything]
        wrong += ["refused for nothing"] if words and not is_hit else []
        work.proxy.begin(None)
        try:
            work.act()
        except PipelineError as error:
            wrong.append(f"again: {error.args[0]}")
        wrong += [] if work.seen() == after else ["again: not done"]
        injected += is_hit
        hit[kind] += is_hit
        worst = max(worst, took)
        if wrong:
            harmed.append(f"{trouble} after {took:.1f} s: {wrong}: {words} {work.told}")
            print(harmed[-1])
    counts = ", ".join(f"{kind} {count}" for kind, count in hit.items() if count)
    told(f"{type(work).__name__} ({counts}; longest wait {worst:.0f} s)", injected, injected - len(harmed))
    assert not harmed, "\n".join(harmed)
