"""Files that were made to do harm, or have been broken: in bounded memory and time, in two lines or with the right result."""

import bz2
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bad_input.project import Project, Stage
from faults.bombs import gzip_bomb, parquet_bomb, workbook_bomb, zip_bomb
from faults.injection import run_forked
from faults.test_stages import is_told

Told = Callable[[str, int, int], None]
# Megabytes of a bomb; those that a stage may take in all; seconds.
BOMB, MEMORY, SECONDS = 1024, 1500, 600
SALES, MAP = "ingest_sales", "ingest_product_map"
# Runs a stage by itself, and says at the end how many kilobytes it has taken at most.
ALONE = """
import pathlib, re, resource, runpy, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]) << 20, int(sys.argv[1]) << 20))
sys.argv = sys.argv[2:]
sys.path.insert(0, str(pathlib.Path(sys.argv[0]).parent))
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    # Of this program alone, and not of the one that started it, as getrusage has it.
    print(re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1])
"""
ROOT = Path(__file__).resolve().parents[2]
HEAD = b"STORE,SKU,CAT,AMOUNT,DAY\n"
LINE = b"000,Ba,BEAUTY,1.00,2024-01-01\n"


class Case(NamedTuple):
    """A project that is made hostile, the stage that reads it, what it says; nothing: it works."""

    name: str
    stage: str
    edit: Callable[[Project], object]
    says: str = ""


def packed_sales(suffix: str, head: bytes, filler: bytes, tail: bytes = b"\n") -> Callable[[Project], object]:
    """Sales as a bomb."""

    def edit(project: Project) -> None:
        path = project.raw(f"sales.csv{suffix}")
        project.place("sources.sales.path", path.name)
        if suffix == ".gz":
            gzip_bomb(path, head, filler, tail, BOMB)
        elif suffix == ".zip":
            zip_bomb(path, "sales.csv", head, filler, tail, BOMB)
        else:
            block = bz2.compress(filler * ((16 << 20) // len(filler)))
            path.write_bytes(bz2.compress(head) + block * (BOMB // 16) + bz2.compress(tail))

    return edit


def packed_json(**options: str) -> Callable[[Project], object]:
    """Sales as one text that does not end."""

    def edit(project: Project) -> None:
        for key, value in {"reader": "json", "path": "sales.json.gz", **options}.items():
            project.place(f"sources.sales.{key}", value)
        gzip_bomb(project.raw("sales.json.gz"), b'{"rows": [{"STORE": "', b"0", b'"}]}', BOMB)

    return edit


def workbook(lie: int | None = None) -> Callable[[Project], object]:
    """Sales as a sheet with one text that does not end. lie: the size that it claims."""

    def edit(project: Project) -> None:
        for key, value in {"reader": "excel", "path": "sales.xlsx"}.items():
            project.place(f"sources.sales.{key}", value)
        rows = b'<row r="1"><c r="A1" t="inlineStr"><is><t>'
        workbook_bomb(project.raw("sales.xlsx"), rows, b"0", BOMB, lie)

    return edit


def map_of_lines(project: Project) -> None:
    """A product map of a hundred million lines, in a megabyte."""
    project.place("sources.product_map.path", "map.csv.gz")
    gzip_bomb(project.raw("map.csv.gz"), b"SKU,NEED,CAT\n", b"Ba,n,BEAUTY\n" * 4096, b"\n", BOMB)


def parquet_map(project: Project) -> None:
    """A product map of a billion equal rows, in half a megabyte."""
    for key, value in {"reader": "parquet", "path": "map.parquet"}.items():
        project.place(f"sources.product_map.{key}", value)
    parquet_bomb(project.raw("map.parquet"), {"SKU": "Ba", "NEED": "n", "CAT": "BEAUTY"}, 1000, 1_000_000)


def parquet_sales(**columns: object) -> Callable[[Project], object]:
    """Sales of one line, but for these columns."""

    def edit(project: Project) -> None:
        for key, value in {"reader": "parquet", "path": "sales.parquet"}.items():
            project.place(f"sources.sales.{key}", value)
        rows = max((len(column) for column in columns.values() if isinstance(column, list)), default=1)
        plain = {"STORE": "000", "SKU": "Ba", "CAT": "BEAUTY", "AMOUNT": "1.00", "DAY": "2024-01-01"}
        table = {name: [value] * rows for name, value in plain.items()} | columns
        pq.write_table(pa.table(table), project.raw("sales.parquet"))

    return edit


def long_cell(project: Project) -> None:
    """A hundred megabytes."""
    project.append("sales.csv", f"000,{'s' * 100_000_000},BEAUTY,1,2024-01-01")


def wide_sales(project: Project) -> None:
    """Ten thousand more columns."""
    more = ",".join(f"column {n}" for n in range(10_000))
    lines = project.text("sales.csv").splitlines()[:50]
    project.lines("sales.csv", f"{lines[0]},{more}", *(line + ",1" * 10_000 for line in lines[1:]))


def wide_counties(project: Project) -> None:
    """Ten thousand features."""
    more = ",".join(f"column {n}" for n in range(10_000))
    lines = project.text("counties.csv").splitlines()
    project.lines("counties.csv", f"{lines[0]},{more}", *(line + f",{n}" * 10_000 for n, line in enumerate(lines[1:])))


def names_of_every_kind(project: Project) -> None:
    """Parts of the sales under names that programs choke on."""
    content = project.text("sales.csv")
    header, *lines = content.splitlines()
    names = ["-rf.csv", "a b.csv", "a'b\"c.csv", "a[0-9]*?.csv", "{x}.csv", "$(id).csv", "a\nb.csv", "ÄÖ – 日本 🛒.csv", "%41.csv",
             "a;b&c|d.csv", f"{'n' * 251}.csv", "a=b.csv", "\x1b[31m.csv", "~.csv", "#.csv", "a,b.csv", "NUL.csv", " .csv"]  # fmt: skip
    project.place("sources.sales.path", "parts")
    for n, name in enumerate(names):
        project.write(f"data/raw/dev/parts/{name}", "\n".join([header, *lines[n :: len(names)]]) + "\n")


CASES = [
    Case("a cell that does not end, gzip", SALES, packed_sales(".gz", HEAD + b"000,", b"0"), "more than 2,000,000 characters"),
    Case("a cell that does not end, zip", SALES, packed_sales(".zip", HEAD + b"000,", b"0"), "more than 2,000,000 characters"),
    Case("a cell that does not end, bzip2", SALES, packed_sales(".bz2", HEAD + b"000,", b"0"), "more than 2,000,000 characters"),
    Case("a header that does not end", SALES, packed_sales(".gz", b"STORE,", b"0"), "a line of more than 2,000,000 characters"),
    Case("null characters only", SALES, packed_sales(".gz", b"", b"\0"), "more than 2,000,000 characters"),
    Case("quotes that do not end", SALES, packed_sales(".gz", HEAD + LINE + b'000,"', b"x,y\n" * 1024), "line 3"),
    Case("a JSON text that does not end", SALES, packed_json(), "sales.json.gz"),
    Case("a JSON text that does not end, below records", SALES, packed_json(records="rows"), "sales.json.gz"),
    Case("a workbook of 1 GB", SALES, workbook(), "unpacks to more than"),
    Case("a workbook of 1 GB that claims 1000 bytes", SALES, workbook(1000), "sales.xlsx"),
    Case("a map of a hundred million lines", MAP, map_of_lines, "is read into memory"),
    Case("a map of a billion equal rows", MAP, parquet_map, "is read into memory"),
    Case("100 MB in a cell of CSV", SALES, long_cell, "more than 2,000,000 characters"),
    Case("100 MB in a cell of Parquet", SALES, parquet_sales(SKU=["s" * 100_000_000])),
    Case("a million categories", SALES, parquet_sales(CAT=["BEAUTY", *(f"category {n}" for n in range(1_000_000))])),
    Case("10,000 columns of sales", SALES, wide_sales),
    Case("10,000 columns of counties", "ingest_external", wide_counties, "needs more than its 512MB of memory"),
    Case("names of every kind", SALES, names_of_every_kind),
]  # fmt: skip


def run_alone(project: Project, stage: Stage) -> tuple[int, str, int, float]:
    """A stage in a process of its own: exit code, what it said, megabytes at most, seconds."""
    _, script, *argv = stage.argv
    words = [sys.executable, "-c", ALONE, "16000", str(ROOT / script), *argv]
    began = time.monotonic()
    process = subprocess.Popen(words, cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        taken, said = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return -9, "it did not end", 0, SECONDS
    peak = int(taken.split()[-1]) // 1024 if taken.split() else 0
    return process.returncode, said, peak, time.monotonic() - began


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_hostile_file_is_told_in_bounded_memory(case: Case, memory: Path, told: Told) -> None:
    project = Project.make(memory / f"hostile-{CASES.index(case)}")
    assert case.stage != SALES or run_forked(project, project.stages(MAP)[MAP]).code == 0
    case.edit(project)
    stage = project.stages(case.stage)[case.stage]
    code, said, peak, took = run_alone(project, stage)
    wrong = [] if "Traceback" not in said and (code == 0 or is_told(said)) else ["not told"]
    wrong += [f"code {code}"] if code != (4 if case.says else 0) else []
    wrong += [f"{case.says!r} is not said"] if case.says not in said else []
    wrong += [f"{peak} MB"] if peak > MEMORY else []
    wrong += ["left behind"] if list(project.root.rglob("*.tmp")) else []
    wrong += [f"{len(said)} letters"] if len(said) > 20_000 else []
    told(f"{case.name}: {peak} MB, {took:.0f} s, exit code {code}", 1, not wrong)
    assert not wrong, f"{wrong} {said[-3000:]}"


def flipped(content: bytes, drawn: random.Random) -> bytes:
    """A file with up to three bits turned."""
    changed = bytearray(content)
    for _ in range(drawn.randint(1, 3)):
        at = drawn.randrange(len(changed) * 8)
        changed[at // 8] ^= 1 << at % 8
    return bytes(changed)


def as_parquet(project: Project) -> Path:
    header, *lines = [line.split(",") for line in project.text("sales.csv").splitlines()]
    path = project.raw("sales.parquet")
    pq.write_table(pa.table(dict(zip(header, zip(*lines, strict=True), strict=True))), path)
    return path


def as_workbook(project: Project) -> Path:
    import xlsxwriter

    path = project.raw("sales.xlsx")
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for n, line in enumerate(project.text("sales.csv").splitlines()[:200]):
            sheet.write_row(n, 0, line.split(","))
    return path


@pytest.mark.parametrize("kind", ["csv", "excel", "parquet"])
def test_flipped_bits_of_raw_files_are_told_or_read(
    kind: str, memory: Path, many: int, seed: int, told: Told, in_time: Callable[[], bool]
) -> None:
    """Neither a traceback nor a hang; a flipped letter of a text may well be read."""
    project = Project.make(memory / f"flipped-{kind}")
    path = {"csv": lambda p: p.raw("sales.csv"), "excel": as_workbook, "parquet": as_parquet}[kind](project)
    project.place("sources.sales.reader", kind)
    project.place("sources.sales.path", path.name)
    stage, content = project.stages(SALES)[SALES], path.read_bytes()
    assert run_forked(project, project.stages(MAP)[MAP]).code == 0
    drawn = random.Random(seed)  # noqa: S311 (nothing secret)
    planted, refused, harmed = 0, 0, []
    assert run_forked(project, stage).code == 0
    while planted < many // 3 and (planted < 5 or in_time()):
        planted += 1
        path.write_bytes(flipped(content, drawn))
        ended = run_forked(project, stage, seconds=60)
        refused += ended.code == 4
        is_right = ended.code == 0 or (ended.code == 4 and is_told(ended.said))
        if not is_right or "Traceback" in ended.said or list(project.root.rglob("*.tmp")):
            harmed.append(f"number {planted}: code {ended.code} {ended.said[-1500:]}")
            (memory / f"harmful-{kind}-{planted}").write_bytes(path.read_bytes())
    told(f"flipped bits of raw files of {kind} ({refused} refused, others read)", planted, planted - len(harmed))
    assert not harmed, f"{len(harmed)} of {planted}: " + "\n".join(harmed[:5])
