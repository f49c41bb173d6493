"""Whatever happens to an output is noticed by whoever reads it, whatever its format."""

import json
import os
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storelib import seals, tables
from storelib.contracts.contract import Contract, count, outputs, text
from storelib.errors import DataError
from storelib.seals import Here, checked, is_whole, md5_of, place_of, stands
from storelib.tables import read_frame, read_json, read_rows, write_text

TABLE = pa.table({"store_id": ["1", "2"], "n": pa.array([3, 4], pa.int64())})
CONTRACT = Contract({"store_id": text(), "n": count()}, ["store_id"])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is a project, with two tables and a page that a stage has written; this process is a stage."""
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Here, "is_stage", True)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    seals.SEEN.clear()
    seals.root_above.cache_clear()
    with outputs() as write:
        write(TABLE, CONTRACT, Path("data/internal/shares/beauty.parquet"))
        write(TABLE.slice(1), CONTRACT, Path("data/internal/shares/snacks.parquet"))
        write_text('{"checks": [1]}', write.temporary(Path("reports/checks.json")))
    return tmp_path


def change(path: Path, content: bytes) -> None:
    """Another content, under the old time, as a disk or a copy that keeps times does it."""
    state = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


BEAUTY = Path("data/internal/shares/beauty.parquet")


def test_what_was_written_is_read(project: Path) -> None:
    assert read_frame(BEAUTY)["n"].tolist() == [3, 4]
    # By its full path as well, as commands read.
    assert read_rows(project / BEAUTY, "store_id", "2")["n"].to_pylist() == [4]
    assert read_json(Path("reports/checks.json")) == {"checks": [1]}


def test_no_flipped_bit_goes_unnoticed(project: Path) -> None:
    whole = BEAUTY.read_bytes()
    drawn = random.Random(1)  # noqa: S311 (nothing secret)
    for at in drawn.sample(range(len(whole) * 8), 500):
        flipped = bytearray(whole)
        flipped[at // 8] ^= 1 << at % 8
        change(BEAUTY, bytes(flipped))
        assert not stands(BEAUTY)
    change(BEAUTY, whole)
    assert stands(BEAUTY)


@pytest.mark.parametrize(
    "content",
    [
        lambda path: path.read_bytes()[:-1],
        lambda _: b"",
        # A valid file of another category.
        lambda path: path.with_name("snacks.parquet").read_bytes(),
        lambda path: path.read_bytes() + b"\n",
    ],
    ids=["cut off", "empty", "another category's", "longer"],
)
def test_damaged_input_is_named_and_set_aside(project: Path, content: object) -> None:
    damaged = content(BEAUTY)  # type: ignore[operator]
    change(BEAUTY, damaged)
    with pytest.raises(DataError, match=r"data/internal/shares/beauty\.parquet is not as its stage wrote it") as told:
        read_frame(BEAUTY)
    assert told.value.solution == "run the same command again, which makes it again"
    assert not BEAUTY.exists()
    assert (project / ".clustering/damaged" / BEAUTY).read_bytes() == damaged
    with pytest.raises(DataError, match="does not exist"):
        read_frame(BEAUTY)


def test_command_that_is_no_stage_moves_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Here, "is_stage", False)
    change(project / "reports/checks.json", b'{"checks": [2]}')
    with pytest.raises(DataError, match=r"reports/checks.json is not as its stage wrote it"):
        read_json(project / "reports/checks.json")
    assert (project / "reports/checks.json").read_bytes() == b'{"checks": [2]}'


def test_damaged_seal_speaks_against_its_file(project: Path) -> None:
    place = place_of(BEAUTY)
    assert place
    for content in ("", "{", "[]", json.dumps({"path": "other", "size": 1, "sha256": ""})):
        place.seal.write_text(content)
        assert is_whole(place) is False


def lock(project: Path, md5: str) -> None:
    (project / "dvc.lock").write_text(
        f"schema: '2.0'\nstages:\n  s@beauty:\n    cmd: c\n    outs:\n    - path: {BEAUTY}\n      hash: md5\n      md5: {md5}\n"
    )


def test_file_that_dvc_brought_back_is_taken_from_dvc_alone(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(BEAUTY, BEAUTY.with_name("snacks.parquet").read_bytes())
    lock(project, md5_of(BEAUTY))
    with monkeypatch.context() as patch:
        patch.setenv("DVC_ROOT", str(project))
        assert read_frame(BEAUTY)["n"].tolist() == [4]
    # It is sealed by now.
    assert stands(BEAUTY)


def test_stage_of_snakemake_does_not_use_half_a_checkout(project: Path) -> None:
    change(BEAUTY, BEAUTY.with_name("snacks.parquet").read_bytes())
    lock(project, md5_of(BEAUTY))
    with pytest.raises(DataError, match="not as its stage wrote it"):
        read_frame(BEAUTY)


def test_damaged_cache_does_not_bring_the_damage_back(project: Path) -> None:
    """DVC would check the damaged file out again instead of having it made."""
    known = md5_of(BEAUTY)
    lock(project, known)
    stored = project / ".dvc/cache/files/md5" / known[:2] / known[2:]
    stored.parent.mkdir(parents=True)
    stored.write_bytes(b"rotten")
    change(BEAUTY, b"rotten")
    with pytest.raises(DataError):
        checked(BEAUTY)
    assert not stored.exists()


def test_raw_data_and_what_lies_elsewhere_have_no_seal(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "data" / "x.json"
    for path in (Path("data/raw/dev/sales.parquet"), Path("logs/x.log"), elsewhere):
        write_text("{}", path)
        assert place_of(path) is None
        assert checked(path) == path


def test_outputs_are_together_or_not_at_all(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fails while the second of three is moved: none of them is under its name, and nothing else is left."""
    before = {path for path in project.rglob("*") if path.is_file()}
    moved: list[Path] = []

    def fails(self: Path, target: Path) -> Path:
        if moved:
            raise OSError(5, "Input/output error", str(target))
        moved.append(target)
        os.replace(self, target)  # noqa: PTH105 (Path.replace is what is replaced here)
        return target

    def write_all() -> None:
        with outputs() as write:
            write(TABLE, CONTRACT, Path("data/merging/a.parquet"))
            write(TABLE, CONTRACT, Path("data/merging/b.parquet"))
            write_text("picture", write.temporary(Path("reports/figures/c.png")))

    with monkeypatch.context() as patch:
        # Tables go to a temporary file of their own first.
        patch.setattr(tables, "write_table", pq.write_table)
        patch.setattr("storelib.contracts.contract.write_table", pq.write_table)
        patch.setattr("storelib.tables.write_text", lambda content, path: path.write_text(content))
        patch.setattr(Path, "replace", fails)
        with pytest.raises(OSError, match="Input/output error"):
            write_all()
    assert len(moved) == 1
    assert {path for path in project.rglob("*") if path.is_file()} == before


def test_file_and_seal_of_another_machine_may_arrive_one_after_the_other(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network file system shows a new file under an old seal for a while: it is waited for, and not set aside."""
    place = place_of(BEAUTY)
    assert place
    old = place.seal.read_bytes()
    with outputs() as write:
        write(TABLE.slice(1), CONTRACT, BEAUTY)
    new = place.seal.read_bytes()
    place.seal.write_bytes(old)
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            place.seal.write_bytes(new)

    monkeypatch.setattr(seals.time, "sleep", wait)
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    assert checked(BEAUTY) == BEAUTY
    assert len(waited) == 3


@pytest.mark.parametrize("scheduled", [True, False])
def test_damaged_file_is_refused_on_many_machines_too(
    project: Path, monkeypatch: pytest.MonkeyPatch, *, scheduled: bool
) -> None:
    """After the wait; on one machine there is none."""
    change(BEAUTY, b"x" + BEAUTY.read_bytes()[1:])
    waited: list[float] = []
    monkeypatch.setattr(seals.time, "sleep", waited.append)
    monkeypatch.setattr(seals, "DELAY", 0.05)
    for name in seals.SCHEDULED:
        monkeypatch.delenv(name, raising=False)
    if scheduled:
        monkeypatch.setenv("SLURM_JOB_ID", "1")
    with pytest.raises(DataError, match="is not as its stage wrote it"):
        checked(BEAUTY)
    assert bool(waited) is scheduled
