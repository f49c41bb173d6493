"""Measure the pipeline beside what else does the same work, on made-up retailers, and keep the figures as JSON.

Contenders take turns (A B A B ...), each as a whole process from start to end, and each result is compared with what was planted
before its time counts. Every section is kept as soon as it is done, in place of an earlier one, so sections can be run apart.

  pass            one pass over raw sales: ours, DuckDB and Polars alone, the bare reading of the columns
  whole           raw files to segments: ours with reports and pictures, a straight pandas script without and with them; and nothing
                  to do
  new_file        one file more among 52
  new_file_large  the same of five times the lines (`full`: 100 million)
  new_file_billion  the same of a billion lines (`full`), once
  hundred         100 million lines through the pass (`full`)
  billion         1 billion lines through the pass (`full`)
  many            100 categories, once; then nothing to do
  growth_pass     seconds of the pass against lines, stores and categories
  growth_whole    seconds of the pipeline against the same
  scan_of_k       the scores of a scan of k by scikit-learn and by ours (benchmarks/scan_of_k.py)

usage: python benchmarks/bench/run_bench.py [--size tiny|small|full] [--only SECTION...] [--rounds 3] [--cores 2]
           [--folder FOLDER [--keep]] [--results benchmarks/bench/results.json]
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from alternate import Contender, Run, alternate, machine, nothing, section_rows
from retailer import TOTALS, Size, repeat_sales, write_retailer
from workspace import (
    SALES_STAGE,
    cents_in,
    copy_workspace,
    files_in,
    forget,
    make_workspace,
    run_stages,
    stages_up_to,
    words_of,
)

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
JOB, SEGMENTS_JOB = "full_pipeline_job", "merging_job"
OURS, WARM, SEGMENTS = "this pipeline", "this pipeline, its cache warm", "this pipeline, segments alone"
DUCKDB, POLARS, SCAN = "DuckDB alone", "Polars alone", "reading the columns"
SCRIPT, SAMPLING = "pandas and scikit-learn script", "the same script, silhouettes of a sample"
EVERYTHING = "the same script, with pictures, workbooks and report"
NOTHING, PLAN = "clustering run, nothing to do", "snakemake -n, nothing to do"
SAMPLE = 2_000
# Deliveries of a year, of which the last one comes after the others were read.
FILES = 52


@dataclass(frozen=True)
class Plan:
    """The sizes of every section. growth_*: where each factor starts, and what it is multiplied by."""

    one_pass: Size
    whole: Size
    new_file: Size
    new_file_large: Size
    new_file_billion: Size
    hundred: Size
    billion: Size
    copies: int
    many: Size
    growth_pass: Size
    growth_whole: Size
    steps: tuple[int, ...]
    scan_stores: int


PLANS = {
    # Too small to say anything: to see that every section works.
    "tiny": Plan(
        one_pass=Size(8_000, 60, categories=2, skus=100),
        whole=Size(8_000, 60, categories=2, skus=100),
        new_file=Size(52_000, 60, categories=2, skus=100, parts=52),
        new_file_large=Size(52_000, 60, categories=2, skus=100, parts=52),
        new_file_billion=Size(1_000, 60, categories=2, skus=100, parts=1),
        hundred=Size(16_000, 60, categories=2, skus=100),
        billion=Size(8_000, 60, categories=2, skus=100, parts=1),
        copies=3,
        many=Size(8_000, 60, categories=3, skus=100),
        growth_pass=Size(8_000, 60, categories=2, skus=200),
        growth_whole=Size(8_000, 60, categories=2, skus=200),
        steps=(1, 2),
        scan_stores=200,
    ),
    "small": Plan(
        one_pass=Size(300_000, 500),
        whole=Size(300_000, 500),
        new_file=Size(520_000, 500, parts=52),
        new_file_large=Size(2_600_000, 500, parts=52),
        new_file_billion=Size(200_000, 500, parts=1),
        hundred=Size(2_000_000, 500, parts=10),
        billion=Size(400_000, 500, parts=1),
        copies=10,
        many=Size(60_000, 100, categories=10),
        growth_pass=Size(400_000, 250, categories=2),
        growth_whole=Size(200_000, 250, categories=2),
        steps=(1, 2, 4),
        scan_stores=1_000,
    ),
    "full": Plan(
        one_pass=Size(18_000_000, 9_000),
        whole=Size(18_000_000, 9_000),
        new_file=Size(18_200_000, 9_000, parts=52),
        new_file_large=Size(104_000_000, 9_000, parts=52),
        new_file_billion=Size(20_000_000, 9_000, parts=1),
        hundred=Size(100_000_000, 9_000, parts=10),
        billion=Size(20_000_000, 9_000, parts=1),
        copies=50,
        many=Size(1_000_000, 500, categories=100, skus=5_000),
        growth_pass=Size(2_000_000, 1_000, categories=2),
        growth_whole=Size(1_000_000, 1_000, categories=2),
        steps=(1, 2, 4, 8),
        scan_stores=10_000,
    ),
}
# A run that is nearly all start-up: what is fixed.
TINY = {"lines": 4_000, "stores": 40, "categories": 2, "skus": 100}


@dataclass(frozen=True)
class Settings:
    """What every section needs to know.

    distinct: whether the copies of a file are files of their own; keep: whether raw files of an earlier run are used again.
    """

    plan: Plan
    folder: Path
    rounds: int
    cores: int
    distinct: bool
    keep: bool = False


class Stand:
    """A retailer's raw files, and a project for them in which nothing has run."""

    def __init__(self, settings: Settings, name: str, size: Size, copies: int = 1) -> None:
        self.size = size
        self.cores = settings.cores
        self.keep = settings.keep
        self.copied = {"copies": copies, "distinct": settings.distinct} if copies > 1 else {}
        self.folder = settings.folder / name
        self.inputs = self.folder / "inputs"
        what = json.dumps([asdict(size), copies, settings.distinct])
        made = self.folder / "size.json"
        if not (self.keep and made.exists() and made.read_text(encoding="utf-8") == what):
            tell(f"  making {size.words()}" + (f", {copies} times" if copies > 1 else ""))
            if self.folder.exists():
                shutil.rmtree(self.folder)
            write_retailer(self.inputs, size)
            repeat_sales(self.inputs, copies, distinct=settings.distinct)
            # Beside the inputs and not among them: a pipeline has no such file.
            (self.inputs / TOTALS).rename(self.folder / TOTALS)
            made.write_text(what, encoding="utf-8")
        self.totals = json.loads((self.folder / TOTALS).read_text(encoding="utf-8"))
        template = self.folder / "template"
        if template.exists():
            shutil.rmtree(template)
        self.template = make_workspace(template, self.inputs, size, settings.cores)

    def describe(self) -> dict[str, Any]:
        """Size, as kept with the figures."""
        held = sum(path.stat().st_size for path in (self.inputs / "sales").iterdir())
        return asdict(self.size) | self.totals | {"sales_mb": held / 1e6} | self.copied

    def the_pass(self, name: str, *, warm: bool = False) -> Contender:
        """The stage that reads sales, in a project where all before it is done.

        warm: after a run of its own; otherwise everything that it made is deleted before each run, its caches too.
        """
        root = copy_workspace(self.template, self.folder / name)
        *before, stage = stages_up_to(root, SALES_STAGE)
        run_stages(root, before)
        kept = files_in(root)
        if warm:
            run_stages(root, [stage])

        def check(_: str) -> None:
            same_cents(name, cents_in(root, stage), self.totals["cents"])

        return Contender(words_of(stage), root, nothing if warm else partial(forget, root, kept), check)

    def peer(self, program: str, *arguments: str) -> Contender:
        """A program of peers/, whose printed total is compared."""
        command = [sys.executable, str(HERE / "peers" / f"{program}.py"), "--raw", str(self.inputs), *arguments]

        def check(said: str) -> None:
            word, number = said.split()[-2:]
            if program == "column_scan":
                same_cents(program, int(word), self.totals["lines"])
            else:
                same_cents(program, round(100 * float(number)), self.totals["cents"])

        threads = {"POLARS_MAX_THREADS": str(self.cores), "OMP_NUM_THREADS": str(self.cores)}
        return Contender(command, self.folder, check=check, variables=threads)

    def peers(self) -> dict[str, Contender]:
        """Those that only sum."""
        threads = ["--threads", str(self.cores)]
        return {
            DUCKDB: self.peer("duckdb_alone", "--out", str(self.folder / "duckdb.parquet"), *threads),
            POLARS: self.peer("polars_alone", "--out", str(self.folder / "polars.parquet")),
            SCAN: self.peer("column_scan", *threads),
        }

    def pipeline(self, name: str, job: str = JOB, *, fresh: bool = True) -> Contender:
        """`clustering run` of a job, in a project of its own; fresh: where nothing has run before."""
        root = self.folder / name
        program = Path(sys.executable).with_name("clustering")
        command = [str(program), "run", job, "--cores", str(self.cores)]

        def check(_: str) -> None:
            *_, stage = stages_up_to(root, SALES_STAGE)
            same_cents(name, cents_in(root, stage), self.totals["cents"])

        return Contender(command, root, partial(copy_workspace, self.template, root) if fresh else nothing, check)

    def remove(self) -> None:
        """Make room for the next, but for raw files that are kept."""
        for path in self.folder.iterdir():
            if path.is_dir() and not (self.keep and path == self.inputs):
                shutil.rmtree(path)
        if not self.keep:
            shutil.rmtree(self.folder)


def tell(text: str) -> None:
    """A line of progress."""
    print(text, flush=True)


def told(name: str, run: Run) -> None:
    """One run, as it ends."""
    tell(f"  {run['seconds']:8.2f} s {run['peak_mb']:7.0f} MB  {name}")


def same_cents(name: str, found: int, planted: int) -> None:
    """Raise SystemExit where a contender's result is not what was planted."""
    if found != planted:
        raise SystemExit(f"{name} found {found}, and {planted} was planted: its time is not worth comparing")


def compare_passes(settings: Settings, name: str, size: Size, rounds: int, copies: int = 1) -> dict[str, Any]:
    """Our pass beside those that only sum."""
    stand = Stand(settings, name, size, copies)
    contenders = {OURS: stand.the_pass("cold"), WARM: stand.the_pass("warm", warm=True), **stand.peers()}
    found = {"size": stand.describe(), "reference": SCAN, "runs": alternate(contenders, rounds, told)}
    stand.remove()
    return found


def one_pass(settings: Settings) -> dict[str, Any]:
    """The pass, and its peers."""
    return compare_passes(settings, "pass", settings.plan.one_pass, settings.rounds)


def hundred(settings: Settings) -> dict[str, Any]:
    """The same at 100 million lines."""
    return compare_passes(settings, "hundred", settings.plan.hundred, settings.rounds)


def billion(settings: Settings) -> dict[str, Any]:
    """The pass once at 1 billion lines, beside the scan."""
    stand = Stand(settings, "billion", settings.plan.billion, settings.plan.copies)
    contenders = {OURS: stand.the_pass("cold"), SCAN: stand.peers()[SCAN]}
    found = {"size": stand.describe(), "reference": SCAN, "runs": alternate(contenders, 1, told)}
    stand.remove()
    return found


def whole(settings: Settings) -> dict[str, Any]:
    """The whole job; then a run with nothing to do, and the runner's own look at it."""
    stand = Stand(settings, "whole", settings.plan.whole)
    out = ["--out", str(stand.folder / "pandas")]
    contenders = {
        OURS: stand.pipeline("ours"),
        SEGMENTS: stand.pipeline("segments", SEGMENTS_JOB),
        SCRIPT: stand.peer("pandas_script", *out),
        EVERYTHING: stand.peer("pandas_script", *out, "--everything"),
        # Exact silhouettes of 9,000 stores take scikit-learn minutes; who minds that takes some of the stores.
        SAMPLING: stand.peer("pandas_script", *out, "--silhouette_sample", str(SAMPLE)),
    }
    runs = alternate(contenders, settings.rounds, told)
    runs |= alternate(nothing_to_do(stand, "ours"), settings.rounds, told)
    found = {"size": stand.describe(), "reference": SCRIPT, "runs": runs}
    stand.remove()
    return found


def nothing_to_do(stand: Stand, name: str) -> dict[str, Contender]:
    """What is left to do in a project where everything is done."""
    root = stand.folder / name
    plan = [sys.executable, "-m", "snakemake", "--cores", str(stand.cores), "-n"]
    return {NOTHING: stand.pipeline(name, fresh=False), PLAN: Contender(plan, root, check=says_nothing)}


def says_nothing(said: str) -> None:
    """Raise SystemExit where Snakemake would run something."""
    if "Nothing to be done" not in said:
        raise SystemExit(f"snakemake -n has something to do:\n{said[-2000:]}")


def many(settings: Settings) -> dict[str, Any]:
    """Many categories, once; then nothing to do."""
    stand = Stand(settings, "many", settings.plan.many)
    runs = alternate({OURS: stand.pipeline("ours")}, 1, told)
    runs |= alternate(nothing_to_do(stand, "ours"), 1, told)
    found = {"size": stand.describe(), "reference": OURS, "runs": runs}
    stand.remove()
    return found


def new_file(settings: Settings) -> dict[str, Any]:
    """The pass after a 52nd file came."""
    return one_file_more(settings, "new_file", settings.plan.new_file)


def new_file_large(settings: Settings) -> dict[str, Any]:
    """The same where a file is more of the work than the start of a process and the tables that are written."""
    return one_file_more(settings, "new_file_large", settings.plan.new_file_large)


def new_file_billion(settings: Settings) -> dict[str, Any]:
    """The same at a billion lines, once: files are copies of one."""
    return one_file_more(replace(settings, rounds=1), "new_file_billion", settings.plan.new_file_billion, FILES)


def one_file_more(settings: Settings, name: str, size: Size, copies: int = 1) -> dict[str, Any]:
    """The pass after the last file came, beside the pass over all files without a cache."""
    stand = Stand(settings, name, size, copies)
    cold = stand.the_pass("cold")
    added = stand.the_pass("added")
    newest = added.folder / "data" / "raw" / "bench" / "sales" / f"part-{size.parts * copies - 1:03d}.parquet"
    delivered = stand.inputs / "sales" / newest.name

    (stage,) = stages_up_to(added.folder, SALES_STAGE)[-1:]

    def prepare() -> None:
        added.prepare()
        newest.unlink()
        run_stages(added.folder, [stage])
        os.link(delivered, newest)

    contenders = {"all files, no cache": cold, "one file more": replace(added, prepare=prepare)}
    runs = alternate(contenders, settings.rounds, told)
    found = {"size": stand.describe(), "reference": "all files, no cache", "runs": runs}
    stand.remove()
    return found


def growth(settings: Settings, base: Size, contender: Callable[[Stand], Contender]) -> dict[str, Any]:
    """Seconds against lines, stores and categories, one at a time; and those of a run that is nearly all start-up."""
    points = []
    sizes = [("fixed", replace(base, **TINY))]
    for factor in ("lines", "stores", "categories"):
        sizes += [(factor, replace(base, **{factor: getattr(base, factor) * step})) for step in settings.plan.steps]
    for factor, size in sizes:
        stand = Stand(settings, "growth", size)
        runs = alternate({factor: contender(stand)}, settings.rounds, told)[factor]
        points += [{"factor": factor, "size": asdict(size)} | run for run in runs]
        stand.remove()
    return {"size": asdict(base), "points": points}


def growth_pass(settings: Settings) -> dict[str, Any]:
    """Of the pass."""
    return growth(settings, settings.plan.growth_pass, lambda stand: stand.the_pass("cold"))


def growth_whole(settings: Settings) -> dict[str, Any]:
    """Of the whole pipeline: one run a size, since each takes long."""
    return growth(replace(settings, rounds=1), settings.plan.growth_whole, lambda stand: stand.pipeline("ours"))


def scan_of_k(settings: Settings) -> dict[str, Any]:
    """benchmarks/scan_of_k.py, in a process of its own."""
    out = settings.folder / "scan_of_k.json"
    program = HERE.parent / "scan_of_k.py"
    words = ["--stores", str(settings.plan.scan_stores), "--repeats", str(settings.rounds), "--json", str(out)]
    subprocess.run([sys.executable, str(program), *words], check=True)
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


SECTIONS: dict[str, Callable[[Settings], dict[str, Any]]] = {
    "pass": one_pass,
    "whole": whole,
    "new_file": new_file,
    "new_file_large": new_file_large,
    "new_file_billion": new_file_billion,
    "hundred": hundred,
    "billion": billion,
    "many": many,
    "growth_pass": growth_pass,
    "growth_whole": growth_whole,
    "scan_of_k": scan_of_k,
}


def show(found: Mapping[str, Any]) -> None:
    """A table of one section's contenders, where it has any."""
    for row in section_rows(found) if "runs" in found else ():
        pairs = " ".join(f"{pair:.2f}" for pair in row["pairs"])
        ratio = f"{row['ratio']:.2f} × {found['reference']} (pairs {pairs}), " if row["pairs"] else ""
        tell(
            f"  {row['name']}: median {row['median']:.2f} s ({row['min']:.2f} to {row['max']:.2f}), {ratio}"
            f"{row['peak_mb']:.0f} MB, all processes {row['tree_mb']:.0f} MB"
        )


def keep(path: Path, name: str, found: dict[str, Any]) -> None:
    """Put a section into the file of results, in place of an earlier one."""
    results = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    results[name] = rounded(found)
    ordered = {section: results[section] for section in SECTIONS if section in results}
    path.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")


def rounded(tree: Any) -> Any:
    """Floating-point numbers with as many digits as they are worth."""
    if isinstance(tree, dict):
        return {key: rounded(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [rounded(value) for value in tree]
    return float(f"{tree:.4g}") if isinstance(tree, float) else tree


def parse_args() -> argparse.Namespace:
    """Flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(PLANS), default="small")
    parser.add_argument("--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS), metavar="SECTION")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="for what is made; by default a temporary one, which is removed")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--keep", action="store_true", help="keep raw files in --folder, and use them again")
    parser.add_argument("--links", action="store_true", help="1 billion lines are hard links of one file, not copies")
    return parser.parse_args()


def main() -> None:
    """Measure, keep, tell."""
    args = parse_args()
    with tempfile.TemporaryDirectory(prefix="clustering-bench-") as temporary:
        folder = (args.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        settings = Settings(PLANS[args.size], folder, args.rounds, args.cores, not args.links, args.keep)
        for name in args.only:
            tell(name)
            found = SECTIONS[name](settings)
            more = {
                "plan": args.size,
                "cores": args.cores,
                "date": f"{datetime.now(UTC):%Y-%m-%d}",
                "machine": machine(),
            }
            keep(args.results, name, found | more)
            show(found)


if __name__ == "__main__":
    main()
