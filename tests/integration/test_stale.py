"""No result is taken for current that does not follow from today's raw files, whatever their times say."""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from clustering import running
from clustering.inputs import Difference, differences, look_again, written_since
from clustering.jobs import Engine
from clustering.runs import load_runs
from integration.conftest import Project
from integration.test_command import assert_mistake, clustering
from storelib.configuration.params import load_params
from storelib.errors import DataError
from storelib.raw.hashes import Hashes
from storelib.seals import SEALS

pytestmark = pytest.mark.integration

JOB = "external_preprocessing"
LISTING = "data/external/sources_files.parquet"
RAW = "data/raw/own"


@pytest.fixture
def own(project: Project) -> Project:
    """A project with raw files of its own, in two external sources; one has a name that Snakemake could take for a wildcard."""
    project.change("env", "own")
    project.change("demo", {})
    (project.root / "data/raw/dev").rename(project.root / RAW)
    config = yaml.safe_load((project.root / "configs/dev.yml").read_text())
    config["sources"]["external"] = {
        "size": {
            "reader": "csv",
            "path": "size-{store}.csv",
            "key": {"store_id": "STORE"},
            "features": ["M2"],
        }
    }
    (project.root / "configs/own.yml").write_text(yaml.safe_dump(config))
    write_sizes(project, 100)
    return project


def stores_of(project: Project) -> list[str]:
    return pq.read_table(project.root / "data/internal/selling_stores.parquet")["store_id"].to_pylist()


def write_sizes(project: Project, least: int) -> Path:
    """Every store's size in three digits: `least` for the first, one more for each after it, and after 100 stores anew."""
    path = project.root / RAW / "size-{store}.csv"
    rows = [f"{store},{least + number % 100}\n" for number, store in enumerate(sorted(stores_of(project)))]
    path.write_text("STORE,M2\n" + "".join(rows))
    return path


def smallest(project: Project) -> float:
    """The least size that the pipeline has read."""
    return min(pq.read_table(project.root / "data/external/sources.parquet")["value"].to_pylist())


def read_hash(project: Project) -> list[str]:
    return pq.read_table(project.root / LISTING)["sha256"].to_pylist()


def age(path: Path, seconds: int = 3600) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_older_file_is_read_recorded_and_published_as_what_it_is(own: Project) -> None:
    own.call("clustering", "run", JOB)
    assert smallest(own) == 100
    age(write_sizes(own, 200))
    plan = clustering(own.root, "run", JOB, "--dry-run").stdout
    assert f"ingest_external: file changed: {RAW}/size-{{store}}.csv" in plan
    assert_mistake(clustering(own.root, "record"), 4, "not up to date")
    own.call("snakemake", "--cores", "2", JOB)
    assert smallest(own) == 200
    assert own.stages_of(lambda: own.call("snakemake", "--cores", "2", JOB)) == set()
    # An older time, and one ahead of the clock: for the command, and for DVC.
    os.utime(write_sizes(own, 300), (time.time() + 86400,) * 2)
    own.call("clustering", "run", JOB)
    assert smallest(own) == 300
    age(write_sizes(own, 400))
    own.call("dvc", "repro", "join_external")
    assert smallest(own) == 400


def test_configured_source_without_a_file_is_never_done_and_read_when_it_comes(own: Project) -> None:
    path = write_sizes(own, 100)
    own.call("clustering", "run", JOB)
    path.rename(path.with_name("later.csv"))
    for _ in range(3):
        assert_mistake(clustering(own.root, "run", JOB), 4, "size-{store}.csv does not exist or holds no csv file")
    assert [run["result"] for run in load_runs(own.root)] == ["done", *["failed"] * 3]
    path.with_name("later.csv").rename(path)
    own.call("clustering", "run", JOB)
    assert smallest(own) == 100


@pytest.mark.parametrize("engine", ["snakemake", "dvc"])
def test_file_replaced_after_it_was_read_is_read_again_where_the_runner_sees_nothing(own: Project, engine: str) -> None:
    own.call("clustering", "run", JOB, "--engine", engine)
    right = read_hash(own)
    # What a stage leaves that read another file, which was exchanged before its runner took the hash.
    table = pq.read_table(own.root / LISTING)
    wrong = pa.array([hashlib.sha256(b"other").hexdigest()])
    pq.write_table(table.set_column(table.schema.get_field_index("sha256"), "sha256", wrong), own.root / LISTING)
    (own.root / SEALS / f"{LISTING}.json").unlink()
    if engine == "dvc":
        own.call("dvc", "commit", "--force", "--quiet", "ingest_external")
    params = load_params(own.root / "params.yaml")
    expected = [Difference("ingest_external", f"{RAW}/size-{{store}}.csv", "file changed")]
    assert differences(own.root, "own", params, JOB) == expected
    own.call("clustering", "run", JOB, "--engine", engine)
    assert read_hash(own) == right
    assert differences(own.root, "own", params, JOB) == []


def test_dvc_looks_again_at_a_file_of_the_same_size_time_and_inode(own: Project) -> None:
    path = write_sizes(own, 100)
    age(path)
    time.sleep(2.1)  # a hash is kept of a file that was left alone for so long
    own.call("dvc", "repro", "join_external")
    look_again(own.root, "own")
    before = path.stat()
    write_sizes(own, 200)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    own.call("clustering", "run", JOB, "--engine", "dvc")
    assert smallest(own) == 200
    assert Hashes(own.root).unseen == set()


def test_input_that_changes_while_the_run_is_at_work_is_no_success(
    own: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    start: Callable[..., None] = running.start_runner

    def replaced(*arguments: object, **options: object) -> None:
        start(*arguments, **options)
        age(write_sizes(own, 500))

    monkeypatch.setattr(running, "start_runner", replaced)
    began = time.time_ns()
    with pytest.raises(DataError, match=r"file changed: .*: the results are not of today's raw files"):
        running.run_job(own.root, JOB, None, 2, Engine.snakemake)
    assert [run["result"] for run in load_runs(own.root)] == ["failed"]
    # As the message has it where a runner alone takes it for a change.
    error = running.not_done(own.root, "own", load_params(own.root / "params.yaml"), "ingest_sales", began)
    assert f"ingest_sales; {RAW}/size-{{store}}.csv changed while the run was at work" in str(error)
    assert written_since(own.root, "own", time.time_ns()) == ""


def test_intermediate_file_that_is_gone_is_made_again(project: Project) -> None:
    (project.root / LISTING).unlink()
    assert "ingest_external" in project.stages_of(lambda: project.call("snakemake", "--cores", "2", JOB))
    assert (project.root / LISTING).is_file()
