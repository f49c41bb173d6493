"""Segment planted worlds again after a small random change of sales, and with rows in another order, by the stages themselves.

Each world is segmented by `build_features`, `cluster_stores` and `merge_segments` with the values of params.yaml. That is the
baseline. Then each store's sales in each need state are changed by a normal factor of mean 1 and standard deviation 2 %, twice,
and once the rows are permuted; and all is segmented again, with the baseline. Counted are the stores that were not on a border
in the baseline, and those of them that keep the number of their segment. The external data stay as they are.

usage: python benchmarks/planted_worlds/steady.py [--worlds 20] [--stores 1000]

prints one row per world, as Markdown, and the sums.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(Path(__file__).parent)]

import storelib.runtime  # isort: skip  # noqa: F401 (pins threads before numpy is loaded)

import argparse
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from worlds import World, load_worlds, make

import build_features
import cluster_stores
import merge_segments
from storelib.configuration.workflow import flags
from storelib.configuration.yaml_files import read_yaml
from storelib.contracts.segments import KNOWN_LABELS
from storelib.tables import read_frame, write_table

CHANGE = 0.02
# A hundred thousand for each store: only that there are sales matters.
SALES = Decimal("100000.00")


class Kept(NamedTuple):
    """How many stores were sure of their segment, and how many of them have its number again; over all stores too."""

    sure: int
    kept: int
    stores: int
    kept_of_all: int

    @property
    def share(self) -> float:
        """Of those that were sure."""
        return self.kept / self.sure if self.sure else 1.0


def tables(world: World) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Shares, sales history and external features of a world, by store."""
    views = make(world)
    stores = pd.Index([f"{number:06d}" for number in range(world.stores)], name="store_id")
    shares, places = (views[name].table.set_axis(stores, axis="index") for name in ("internal", "external"))
    lines = views["internal"].lines
    history = pd.DataFrame(
        {
            "lines": np.full(len(stores), 100) if lines is None else lines,
            "sales": [SALES] * len(stores),
            "has_net_sales": True,
            "large_lines": 0.0,
        },
        index=stores,
    )
    return shares, history, places


def changed(shares: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Shares after each store's sales in each need state changed by 2 % or so."""
    sales = shares * np.maximum(rng.normal(1, CHANGE, shares.shape), 0)
    return sales.div(sales.sum(axis="columns"), axis="index")


def call(stage: Any, settings: Mapping[str, Any], **paths: Path | str) -> None:
    """One stage, as the runners call it, but for its log."""
    words = shlex.split(flags(dict(settings)))
    stage.main([*words, *(word for name, path in paths.items() for word in (f"--{name}", str(path)))])


def segmented(
    folder: Path, shares: pd.DataFrame, history: pd.DataFrame, places: pd.DataFrame, baseline: pd.DataFrame | None
) -> pd.DataFrame:
    """The segments of one category, by store, with the numbers of a baseline. Rows of shares and places may come in any order."""
    params = read_yaml(ROOT / "params.yaml")
    inputs = {"shares": shares, "history": history, "places": places}
    for name, table in inputs.items():
        write_table(pa.Table.from_pandas(table.reset_index(), preserve_index=False), folder / f"{name}.parquet")
    known = KNOWN_LABELS.schema().empty_table()
    if baseline is not None:
        labels = baseline.reset_index().assign(category="world", segment_name=None, chain_segment=None)
        known = pa.Table.from_pandas(labels[KNOWN_LABELS.names], KNOWN_LABELS.schema(), preserve_index=False)
    write_table(known, folder / "baseline.parquet")
    sales = folder / "history.parquet"
    merging: dict[str, Path | str] = {}
    for view, table, more in (("internal", "shares", {"store_sales": sales}), ("external", "places", {})):
        out = {name: folder / f"{view}_{name}.parquet" for name in ("features", "clusters", "memberships")}
        report = folder / f"{view}_report.parquet"
        call(
            build_features, params[view]["build_features"], table=folder / f"{table}.parquet", features=out["features"],
            feature_report=report, log=folder / "log", **more,
        )  # fmt: skip
        call(
            cluster_stores, params[view]["cluster_stores"], view="world" if view == "internal" else "external", **out,
            baseline=folder / "baseline.parquet", k_scores=folder / "k.parquet", stability=folder / "stability.parquet",
            model=folder / "model.json", log=folder / "log",
        )  # fmt: skip
        merging |= {f"{view}_{name}": path for name, path in out.items()}
    call(
        merge_segments, params["merging"], category="world", store_sales=sales, baseline=folder / "baseline.parquet",
        segments=folder / "segments.parquet", explained=folder / "explained.parquet", ledger=folder / "ledger.parquet",
        log=folder / "log", **merging,
    )  # fmt: skip
    return read_frame(folder / "segments.parquet").set_index("store_id")


def kept(before: pd.DataFrame, after: pd.DataFrame) -> Kept:
    """Which stores have the same number. before, after: `segment`, and before `is_borderline`, by store."""
    same = before["segment"] == after["segment"].reindex(before.index)
    sure = ~before["is_borderline"].astype(bool)
    return Kept(int(sure.sum()), int((same & sure).sum()), len(before), int(same.sum()))


def tried(world: World, seed: int = 1) -> tuple[list[Kept], Kept]:
    """What two changes of sales keep, and what another order of the rows keeps."""
    rng = np.random.default_rng([seed, world.seed])
    shares, history, places = tables(world)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        first = segmented(folder, shares, history, places, None)
        changes = [kept(first, segmented(folder, changed(shares, rng), history, places, first)) for _ in range(2)]
        order = rng.permutation(len(shares))
        permuted = segmented(folder, shares.iloc[order], history, places.iloc[order], first)
        return changes, kept(first, permuted)


def rows(worlds: list[World]) -> Iterator[str]:
    """A row per world, and the sums."""
    totals = np.zeros((3, 4), dtype=int)
    below = 0
    for world in worlds:
        changes, permuted = tried(world)
        totals += np.array([*changes, permuted])
        below += any(found.share < 0.98 for found in changes)
        told = " | ".join(f"{found.share:.1%}" for found in (*changes, permuted))
        yield f"| {world.name} | {world.stores} | {changes[0].sure} | {told} |"
    shares = " | ".join(f"{kept_ / sure:.1%}" for sure, kept_, *_ in totals.tolist())
    yield f"| all {len(worlds)}, of which {below} below 98 % | {totals[0, 2]} | {totals[0, 0]} | {shares} |"


def main() -> None:
    """Try the final worlds that are small enough."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--worlds", type=int, default=20, help="how many of the final worlds")
    parser.add_argument("--stores", type=int, default=1000, help="of worlds with at most so many stores")
    args = parser.parse_args()
    small = [world for world in load_worlds("final") if world.stores <= args.stores]
    for row in rows(small[: args.worlds]):
        print(row, flush=True)


if __name__ == "__main__":
    main()
