"""How fast the web interface is with many stores: a project is made larger, its pages are opened in a browser, and medians are printed.

usage: python benchmarks/interface.py PROJECT [--stores 9000] [--categories 20] [--repeats 7] [--chromium PATH]

PROJECT is a finished one, such as this checkout after `make run`. A copy of its results is written with more stores and
categories: stores are repeated under new ids and moved a little, categories under new keys. Figures of the copy mean nothing;
their sizes are those of a chain that large.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import yaml
from playwright.sync_api import Page, sync_playwright

PAGES = {
    "Segments": "/segments?category={key}",
    "a store": "/stores?id={store}",
    "Choose": "/choose?view={key}",
    "Compare and approve": "/compare?a=workspace&b=workspace",
    "Runs": "/runs",
    "Data": "/data",
    "a table": "/data/table?name=data/merging/segments.parquet",
}


def repeated(table: pa.Table, times: int) -> pa.Table:
    """A table with its stores repeated under new ids, in order of them."""
    if "store_id" not in table.column_names or not table.num_rows:
        return table
    generator = np.random.default_rng(1)
    parts = []
    for copy in range(times):
        part = table
        for position, name in enumerate(part.column_names):
            values = part[name]
            if name == "store_id":
                values = pc.binary_join_element_wise(values, pa.scalar(f"-{copy}"), "")
            elif name in {"latitude", "longitude"}:
                known = values.cast(pa.float64()).to_numpy() + generator.normal(0, 0.4, len(values))
                values = pa.array([None if np.isnan(v) else f"{v:.5f}" for v in known], pa.string())
            part = part.set_column(position, name, values)
        parts.append(part)
    whole = pa.concat_tables(parts)
    order = [(name, "ascending") for name in ("category", "store_id") if name in whole.column_names]
    return whole.sort_by(order)


def named(table: pa.Table, key: str) -> pa.Table:
    """A table of one category under another key."""
    if "category" not in table.column_names:
        return table
    position = table.column_names.index("category")
    return table.set_column(position, "category", pa.array([key] * table.num_rows, pa.string()))


def enlarge(source: Path, target: Path, stores: int, categories: int) -> list[str]:
    """Write the larger project. Returns the keys of its categories."""
    params = yaml.safe_load((source / "params.yaml").read_text(encoding="utf-8"))
    known = sorted(params["internal"]["categories"])
    keys = [f"{known[at % len(known)]}_{at // len(known)}" for at in range(categories)]
    of = {key: key.rpartition("_")[0] for key in keys}
    segments = pq.read_table(source / "data/merging/segments.parquet")
    # The copies of a store that are needed to have so many in a category.
    least = min(pc.sum(pc.equal(segments["category"], key)).as_py() for key in known)
    times = -(-stores // least)
    for path in sorted((source / "data").rglob("*.parquet")):
        name = path.relative_to(source)
        if name.parts[1] == "raw":
            continue
        own = path.stem if path.stem in known else None
        for key in [key for key in keys if of[key] == own] if own else [None]:
            table = repeated(pq.read_table(path), times)
            if name.as_posix() == "data/merging/segments.parquet":
                table = pa.concat_tables(
                    named(table.filter(pc.equal(table["category"], of[key])), key) for key in sorted(keys)
                )
            elif name.as_posix() == "data/internal/categories.parquet":
                names = dict(zip(table["key"].to_pylist(), table["name"].to_pylist(), strict=True))
                table = pa.table({"key": sorted(keys), "name": [f"{names[of[k]]} {k[-1]}" for k in sorted(keys)]})
            elif key:
                table = named(table, key)
            to = target / name.with_name(f"{key}.parquet" if key else name.name)
            to.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, to)
    for name in ("scripts", "rules", "configs", "reports", ".dvc", "profiles", "envs"):
        shutil.copytree(source / name, target / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("cache", "tmp"))
    shutil.copytree(source / "data/raw", target / "data/raw")
    for name in ("Snakefile", "dvc.yaml", "dvc.lock"):
        shutil.copy(source / name, target / name)
    params["internal"]["categories"] = {key: {"name": key} for key in keys}
    (target / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    pyarrow.csv.write_csv(pq.read_table(target / "data/merging/segments.parquet"), target / "reports/segments.csv")
    return sorted(keys)


def ready(page: Page) -> None:
    """Wait until a page has its map, where it has one."""
    if page.locator("[data-map]").count():
        page.wait_for_selector("[data-map][data-ready]")


def measure(page: Page, address: str, keys: list[str], store: str, repeats: int) -> dict[str, float]:
    """Median seconds of each page after the first, until its map is drawn, and of a filter until the table is there."""
    found = {}
    for name, path in PAGES.items():
        times = []
        for turn in range(repeats + 1):
            began = time.perf_counter()
            page.goto(address + path.format(key=keys[turn % 2], store=store))
            ready(page)
            times.append(time.perf_counter() - began)
        found[f"{name}, first"] = times[0]
        found[name] = statistics.median(times[2:])
    page.goto(address + PAGES["Segments"].format(key=keys[0]))
    ready(page)
    times = []
    for turn in range(repeats):
        page.locator("#filters").evaluate("form => delete form.dataset.took")
        page.locator("#filters select[name=segment]").select_option(index=1 + turn % 3)
        page.wait_for_selector("#filters[data-took]")
        times.append(float(page.locator("#filters").get_attribute("data-took") or "nan") / 1000)
    return found | {"a filter": statistics.median(times)}


def main() -> None:
    """Enlarge, serve, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("--stores", type=int, default=9000, help="at least so many in each category")
    parser.add_argument("--categories", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clustering-interface-") as folder:
        root = Path(folder) / "project"
        keys = enlarge(args.project.resolve(), root, args.stores, args.categories)
        segments = pq.read_table(root / "data/merging/segments.parquet", columns=["store_id"])
        command = [str(Path(sys.executable).parent / "clustering"), "ui", "--port", "0"]
        with (
            subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as server,
            sync_playwright() as drivers,
        ):
            address = re.findall(r"http://\S+:\d+", server.stdout.readline() if server.stdout else "")[0]
            alone = [
                "--disable-gpu",
                "--disable-background-networking",
                *(["--no-sandbox"] if os.geteuid() == 0 else []),
            ]
            browser = drivers.chromium.launch(executable_path=args.chromium, args=alone)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            found = measure(page, address, keys, segments["store_id"][0].as_py(), args.repeats)
            # Every category has been looked at.
            for key in keys:
                page.goto(address + PAGES["Segments"].format(key=key))
                page.goto(address + PAGES["Choose"].format(key=key))
            memory = psutil.Process(server.pid).memory_info().rss / 1e6
            browser.close()
            server.terminate()
    rows = {"rows of segments": segments.num_rows, "seconds": {k: round(v, 3) for k, v in found.items()}}
    sys.stdout.write(json.dumps(rows | {"memory of the server, MB": round(memory)}, indent=2) + "\n")


if __name__ == "__main__":
    main()
