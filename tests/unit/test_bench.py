"""The benchmark beside the peers: fair, repeatable, and written up as measured."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import run_bench
import write_page
from alternate import Contender, alternate, figures
from exponents import fit_exponent
from retailer import SALES_SCHEMA, TOTALS, Size, draw_assortment, repeat_sales, write_places, write_retailer
from workspace import files_in, forget, make_workspace, run_stages, stages_up_to

from clustering.jobs import JOBS

ROOT = Path(__file__).parents[2]
PEERS = ROOT / "benchmarks" / "bench" / "peers"
CATEGORY = "CATEGORY 000"
Sums = dict[tuple[str, str], float]

# A serves one need state, B two, C three, D is in no map; the map says one thing twice, and has a SKU that never sells.
MAP = ["A,x", "B,x", "B,y", "B,y", "C,x", "C,y", "C,z", "E,w"]
FILES = [
    [("1", "A", 1.00), ("1", "B", 1.00), ("1", "C", 1.00), ("2", "C", 0.10)],
    [("2", "C", 0.20), ("1", "A", -0.40), ("1", "D", 0.07), ("3", "B", 0.01), ("2", "A", 0.00)],
]
# Store 1: A and half of B and a third of C. Store 2: a third of 30 cents each. Store 3: half a cent each.
PLANTED = {
    ("1", "x"): 1.00 - 0.40 + 0.50 + 1 / 3,
    ("1", "y"): 0.50 + 1 / 3,
    ("1", "z"): 1 / 3,
    ("1", "(unmapped)"): 0.07,
    ("2", "x"): 0.10,
    ("2", "y"): 0.10,
    ("2", "z"): 0.10,
    ("3", "x"): 0.005,
    ("3", "y"): 0.005,
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "inputs"
    (folder / "sales").mkdir(parents=True)
    for number, lines in enumerate(FILES):
        stores, skus, amounts = zip(*lines, strict=True)
        count = len(lines)
        columns = [list(stores), list(skus), [CATEGORY] * count, list(amounts), [date(2026, 1, 5)] * count]
        table = pa.table(
            [pa.array(c, t) for c, t in zip(columns, SALES_SCHEMA.types, strict=True)], schema=SALES_SCHEMA
        )
        pq.write_table(table, folder / "sales" / f"part-{number}.parquet")
    rows = [f"{sku},{CATEGORY},{need}" for sku, need in (line.split(",") for line in MAP)]
    (folder / "product_map.csv").write_text("\n".join(["PRODUCT_ID,CATEGORY,NEED_STATE", *rows]) + "\n")
    write_places(folder, Size(lines=9, stores=4, categories=1, skus=8))
    return folder


def peer(name: str, inputs: Path, *arguments: str) -> str:
    command = [sys.executable, str(PEERS / f"{name}.py"), "--raw", str(inputs), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def sums_in(rows: list[tuple[str, str, float]]) -> Sums:
    found = {(store, need_state): sales for store, need_state, sales in rows}
    assert len(found) == len(rows), "a store and need state twice"
    return found


@pytest.mark.parametrize("name", ["duckdb_alone", "polars_alone"])
def test_peers_that_sum_find_the_sums_worked_out_by_hand(name: str, inputs: Path, tmp_path: Path) -> None:
    assert peer(name, inputs, "--out", str(tmp_path / "out.parquet")) == "total 2.98\n"
    query = "SELECT store_id, need_state, sales FROM read_parquet(?)"
    with duckdb.connect() as connection:
        rows = connection.execute(query, [str(tmp_path / "out.parquet")]).fetchall()
    found = sums_in(rows)
    # Store 2 sold A for nothing, which is a share of x and adds nothing to it.
    assert found == pytest.approx(PLANTED, abs=1e-12)


def test_the_script_finds_them_too(inputs: Path, tmp_path: Path) -> None:
    # Clustering needs more stores than this: only its sums are looked at.
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import pandas_script; from pathlib import Path; "
        "pandas_script.load_sales(Path(sys.argv[2])).to_csv(sys.argv[3], index=False)"
    )
    out = tmp_path / "sums.csv"
    subprocess.run([sys.executable, "-c", code, str(PEERS), str(inputs), str(out)], check=True)
    frame = pd.read_csv(out, dtype={"store_id": str})
    rows = list(frame[["store_id", "need_state", "sales"]].itertuples(index=False, name=None))
    assert sums_in(rows) == pytest.approx(PLANTED, abs=1e-12)


def test_the_floor_reads_every_line(inputs: Path) -> None:
    assert peer("column_scan", inputs) == "9 lines\n"


@pytest.mark.integration
def test_this_pipeline_finds_the_same_sums(inputs: Path, tmp_path: Path) -> None:
    size = Size(lines=9, stores=4, categories=1, skus=8)
    root = make_workspace(tmp_path / "project", inputs, size, threads=2)
    (wanted,) = JOBS["internal_preprocessing"]
    run_stages(root, stages_up_to(root, wanted))
    table = pq.ParquetFile(root / "data/internal/need_state_sales/category_000.parquet").read()
    rows = [(row["store_id"], row["need_state"], row["sales"]) for row in table.to_pylist()]
    assert sums_in(rows) == pytest.approx(PLANTED, abs=1e-12)


def test_script_goes_from_raw_files_to_segments(tmp_path: Path) -> None:
    write_retailer(tmp_path / "raw", Size(lines=8_000, stores=60, categories=2, skus=40))
    totals = json.loads((tmp_path / "raw" / TOTALS).read_text())
    out = ["--out", str(tmp_path / "out")]
    said = peer("pandas_script", tmp_path / "raw", *out, "--silhouette_sample", "30", "--everything")
    assert said == f"total {totals['cents'] / 100:.2f}\n"
    segments = pd.read_csv(tmp_path / "out" / "segments.csv")
    assert segments.groupby("category")["store_id"].nunique().tolist() == [60, 60]
    scores = pd.read_csv(tmp_path / "out" / "k_scores.csv")
    assert scores.groupby("view")["k"].agg(["min", "max"]).to_numpy().tolist() == [[2, 10]] * 3
    # Pictures of two categories and the external view, and of the sizes; workbooks of both categories and of all stores.
    assert len([*(tmp_path / "out").rglob("*.png")]) == 4 * 3 + 1
    assert len([*(tmp_path / "out").rglob("*.xlsx")]) == 2 + 1
    assert (tmp_path / "out" / "report.html").read_text().count("<img ") == 4 * 3 + 1
    assert len(pd.read_csv(tmp_path / "out" / "chain_segments.csv")) == 60
    # Without what is for people the segments are the same.
    peer("pandas_script", tmp_path / "raw", "--out", str(tmp_path / "plain"), "--silhouette_sample", "30")
    for name in ("segments", "summary", "k_scores"):
        assert (tmp_path / "plain" / f"{name}.csv").read_bytes() == (tmp_path / "out" / f"{name}.csv").read_bytes()


def test_a_retailer_is_what_was_asked_for(tmp_path: Path) -> None:
    size = Size(lines=20_001, stores=50, parts=3)
    write_retailer(tmp_path / "one", size)
    write_retailer(tmp_path / "two", size)
    files = sorted(path.relative_to(tmp_path / "one") for path in files_in(tmp_path / "one"))
    assert len(files) == 3 + 4
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)
    sales = pa.concat_tables(pq.read_table(path) for path in sorted((tmp_path / "one" / "sales").iterdir()))
    assert sales.schema.equals(SALES_SCHEMA)
    cents = (sales["TOTAL_SALES"].to_numpy() * 100).round()
    totals = json.loads((tmp_path / "one" / TOTALS).read_text())
    assert totals == {"lines": 20_001, "cents": int(cents.sum())}
    assert 0.005 < (cents < 0).mean() < 0.015
    weeks = [pq.read_table(tmp_path / "one" / "sales" / f"part-{part:03d}.parquet")["WEEK"] for part in range(3)]
    assert all(pa.compute.max(one).as_py() < pa.compute.min(other).as_py() for one, other in pairwise(weeks))


def test_skus_serve_as_many_sets_of_need_states_as_promised() -> None:
    assortment = draw_assortment(Size(lines=1, stores=1))
    assert sum(map(len, assortment.sets)) == 258
    assert {len(one) for sets in assortment.sets for one in sets} == {1, 2, 3}
    assert [len({need for one in sets for need in one}) for sets in assortment.sets] == [40] * 4
    assert assortment.count.sum() == len(assortment.home) == 2_000
    assert (~assortment.is_mapped).sum() == 20


def test_copies_of_a_file_differ_and_links_do_not(tmp_path: Path) -> None:
    for name, distinct in (("copies", True), ("links", False)):
        write_retailer(tmp_path / name, Size(lines=500, stores=5, parts=1))
        once = json.loads((tmp_path / name / TOTALS).read_text())
        repeat_sales(tmp_path / name, 3, distinct=distinct)
        files = sorted((tmp_path / name / "sales").iterdir())
        assert len({path.read_bytes() for path in files}) == (3 if distinct else 1)
        assert len({path.stat().st_ino for path in files}) == (3 if distinct else 1)
        assert [pq.read_table(path).num_rows for path in files] == [500] * 3
        assert json.loads((tmp_path / name / TOTALS).read_text()) == {key: 3 * value for key, value in once.items()}


def writer(folder: Path, letter: str, code: str = "") -> Contender:
    program = f"open('turns.txt', 'a').write('{letter}')\n{code}"
    return Contender([sys.executable, "-c", program], folder)


def test_contenders_take_turns(tmp_path: Path) -> None:
    runs = alternate({"one": writer(tmp_path, "A"), "other": writer(tmp_path, "B")}, 3)
    assert (tmp_path / "turns.txt").read_text() == "ABABAB"
    assert [len(found) for found in runs.values()] == [3, 3]
    assert all(run["seconds"] > 0 for found in runs.values() for run in found)


def test_memory_is_that_of_the_largest_process_below(tmp_path: Path) -> None:
    child = "x = bytearray(150_000_000); import time; time.sleep(0.3)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    (run,) = alternate({"one": writer(tmp_path, "A", parent)}, 1)["one"]
    assert 150 < run["peak_mb"] < 200
    assert run["tree_mb"] >= run["peak_mb"]


def test_a_contender_that_fails_or_is_wrong_ends_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"(?s)ended with 3:.*so it said"):
        alternate({"one": writer(tmp_path, "A", "print('so it said'); raise SystemExit(3)")}, 1)
    with pytest.raises(SystemExit, match="found 41, and 42 was planted"):
        run_bench.same_cents("somebody", 41, 42)
    run_bench.same_cents("somebody", 42, 42)
    with pytest.raises(SystemExit, match="something to do"):
        run_bench.says_nothing("Job stats: 1 ingest_sales")


def test_figures_of_three_rounds() -> None:
    runs = {
        "ours": [{"seconds": s, "peak_mb": m, "tree_mb": m + 1} for s, m in ((2.0, 10.0), (9.0, 30.0), (4.0, 20.0))],
        "theirs": [{"seconds": s, "peak_mb": 5.0, "tree_mb": 5.0} for s in (1.0, 3.0, 2.0)],
    }
    ours, theirs = figures(runs, "theirs")
    assert ours == {
        "name": "ours", "median": 4.0, "min": 2.0, "max": 9.0, "ratio": 2.0, "pairs": [2.0, 3.0, 2.0], "peak_mb": 30.0,
        "tree_mb": 31.0,
    }  # fmt: skip
    assert (theirs["ratio"], theirs["pairs"]) == (1.0, [1.0, 1.0, 1.0])


def test_exponents_by_hand() -> None:
    exact = fit_exponent([1, 10, 100], [3, 30, 300])
    assert exact is not None
    assert exact.value == pytest.approx(1)
    assert exact.error == pytest.approx(0, abs=1e-9)
    # Logarithms 0, 1, 2 and 0, 1, 3: slope 3/2, squared residuals 1/36 + 4/36 + 1/36 over one degree of freedom and 2.
    e = 2.718281828459045
    bent = fit_exponent([1, e, e**2], [1, e, e**3])
    assert bent is not None
    assert bent.value == pytest.approx(1.5)
    assert bent.error == pytest.approx((1 / 12) ** 0.5)
    # 5 seconds whatever the size, and one more for each square.
    above = fit_exponent([1, 2, 4], [6, 9, 21], fixed=5)
    assert above is not None
    assert above.value == pytest.approx(2)
    assert fit_exponent([1, 2], [2, 4]) == (pytest.approx(1), None, 2)
    assert fit_exponent([1, 2, 4], [4, 6, 5], fixed=5) is None


def test_everything_made_is_forgotten_before_a_cold_run(tmp_path: Path) -> None:
    (tmp_path / "raw.txt").write_text("")
    kept = files_in(tmp_path)
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "sums").write_text("")
    forget(tmp_path, kept)
    assert files_in(tmp_path) == kept


@pytest.fixture(scope="module")
def results() -> Iterator[dict]:
    return json.loads(write_page.RESULTS.read_text(encoding="utf-8"))


def test_the_page_says_what_was_measured(results: dict) -> None:
    page = write_page.PAGE.read_text(encoding="utf-8")
    assert write_page.written(page, write_page.tables(results)) == page
    assert all(page.count(f"<!-- {name} -->") == 1 for name in write_page.tables(results))
    assert set(results) <= set(run_bench.SECTIONS)


def test_a_section_that_was_not_measured_says_so() -> None:
    assert set(write_page.tables({}).values()) == {write_page.NOT_MEASURED, ""}


def made_up_results() -> dict:
    machine = {
        "cpu": "Abacus",
        "cores": 4,
        "memory_gb": 8.0,
        "system": "Linux 1",
        "python": "3.11.1",
        "libraries": {"numpy": "2.0"},
    }
    about = {"plan": "small", "cores": 2, "date": "2026-01-05", "machine": machine}
    size = {"lines": 2_000, "stores": 50, "categories": 4, "skus": 100, "parts": 1, "seed": 9}

    def runs(*seconds: float) -> list[dict[str, float]]:
        return [{"seconds": one, "peak_mb": 1_200.4, "tree_mb": 1_300.0} for one in seconds]

    passes = {
        "this pipeline": runs(2.0, 3.0, 12.0),
        "reading the columns": runs(1.0, 2.0, 4.0),
        "x, nothing to do": runs(0.5),
    }
    points = [
        {"factor": factor, "size": size | {factor: size[factor] * step}, "seconds": 1.0 + step}
        for factor in ("lines", "stores", "categories")
        for step in (1, 2, 4)
    ]
    fixed = {"factor": "fixed", "size": size, "seconds": 1.0}
    return {
        "pass": {"size": size | {"sales_mb": 1.6}, "reference": "reading the columns", "runs": passes} | about,
        "billion": {
            "size": size | {"lines": 6_000, "sales_mb": 4.8, "copies": 3, "distinct": True},
            "reference": "this pipeline",
            "runs": {"this pipeline": runs(250.0)},
        }
        | about,
        "growth_pass": {"size": size, "points": [fixed, *points]} | about | {"cores": 1},
    }


def test_tables_are_of_the_figures() -> None:
    found = write_page.tables(made_up_results())
    assert found["pass"].splitlines() == [
        "2,000 lines × 50 stores × 4 categories × 100 SKUs; 2 MB of Parquet. 3 rounds.",
        "",
        "|  | seconds, median | least to most | times reading the columns | round by round | largest process, MB | all processes, MB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| this pipeline | 3.00 | 2.00 to 12.0 | 1.50 | 1.50 to 3.00 | 1,200 | 1,300 |",
        "| reading the columns | 2.00 | 1.00 to 4.00 | 1.00 | 1.00 to 1.00 | 1,200 | 1,300 |",
        "| x, nothing to do | 0.50 | 0.50 to 0.50 |  |  | 1,200 | 1,300 |",
    ]
    assert found["billion"].startswith(
        "6,000 lines × 50 stores × 4 categories × 100 SKUs, as 3 copies of a file of 2,000; 5 MB of Parquet. One round."
    )
    # Seconds are 1 + step: above the fixed second they are in proportion.
    lines = [row for row in found["growth"].splitlines() if row.startswith("| the pass | lines |")]
    assert lines[0].startswith(
        "| the pass | lines | 2,000 to 8,000 | 50 stores, 4 categories, 100 SKUs | 2.00 to 5.00 | 0.66 ± 0.04"
    )
    assert lines[0].endswith("| 1.00 | 1.00 ± 0.00 |")
    assert found["machine"].count("Abacus, 4 cores, of which 2 used") == 1
    assert "| `pass`, `billion` |" in found["machine"]
    assert found["whole"] == found["scan of k"] == write_page.NOT_MEASURED


def test_pictures_are_drawn(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps(made_up_results()))
    (tmp_path / "page.md").write_text("<!-- picture growth -->\n<!-- end -->\n")
    flags = {"--results": tmp_path / "results.json", "--page": tmp_path / "page.md", "--pictures": tmp_path}
    command = [sys.executable, write_page.__file__, *(str(word) for pair in flags.items() for word in pair)]
    subprocess.run(command, check=True)
    assert "](images/bench_growth.png)\n<!-- end -->" in (tmp_path / "page.md").read_text()
    for name in ("bench_growth.png", "bench_compared.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
