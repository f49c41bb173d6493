"""A source that is replaced, appended to or written over while a run reads it: told, or read as it was or as it is, never in part."""

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from faults.killing import PATIENCE, POLL, SAID, hashes, left_behind, said, start, work_of, worked
from faults.small import OUTPUTS, change_params, cluster_less, make_own
from faults.test_stages import is_told

Told = Callable[[str, int, int], None]
pytestmark = [pytest.mark.slow, pytest.mark.integration]
ENGINES = ("snakemake", "dvc")
RAW = "data/raw/dev"
# One source after the other; a turn of each takes both runners and every way of writing.
SOURCES = ("sales", "product_map.csv", "store_features.csv")
WAYS = ("replaced", "written over", "appended to")


class Shop:
    """A small project whose raw files are somebody's own, and two states of each of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        make_own(root)
        change_params(root, cluster_less)
        self.before = {name: self.path(name).read_bytes() for name in SOURCES}
        self.after = {name: self.other(name) for name in SOURCES}

    def path(self, name: str) -> Path:
        path = self.root / RAW / name
        return min(path.glob("*.parquet")) if path.is_dir() else path

    def other(self, name: str) -> bytes:
        """What the source holds afterwards: the same lines and more, so that a text can come to it by appending."""
        path = self.path(name)
        if name == "sales":
            table, more = pd.read_parquet(path), self.root.parent / "more.parquet"
            pd.concat([table, table.head(40)]).to_parquet(more, index=False)
            return more.read_bytes()
        text = path.read_text(encoding="utf-8")
        rest = text.splitlines()[-1].partition(",")[2]
        return f"{text}9999,{rest}\n".encode()

    def write(self, name: str, way: str, content: bytes) -> None:
        path = self.path(name)
        if way == "replaced":
            beside = self.root.parent / "delivery"
            beside.write_bytes(content)
            beside.replace(path)
        elif way == "appended to":
            with path.open("ab") as file:
                file.write(content[path.stat().st_size :])
        else:
            with path.open("r+b") as file:
                file.write(content)

    def reset(self) -> None:
        for name in SOURCES:
            self.path(name).write_bytes(self.before[name])
        for name in (*OUTPUTS, ".snakemake", ".dvc/cache"):
            shutil.rmtree(self.root / name, ignore_errors=True)
        (self.root / "dvc.lock").unlink(missing_ok=True)
        (self.root.parent / SAID).unlink(missing_ok=True)


def run(engine: str) -> tuple[str, ...]:
    return ("run", "full_pipeline_job", "--engine", engine, "--quiet")


def test_source_that_changes_during_a_run(
    tmp_path: Path, kills: int, seed: int, told: Told, in_time: Callable[[], bool]
) -> None:
    shop = Shop(tmp_path / "project")
    drawn = random.Random(seed)  # noqa: S311 (nothing secret)
    clean, length = {}, 0.0
    for name in ("", *SOURCES):
        shop.reset()
        if name:
            shop.write(name, "replaced", shop.after[name])
        code, took = work_of(shop.root, *run("snakemake"))
        assert code == 0, said(shop.root)
        length = max(length, took)
        clean[name] = hashes(shop.root, *OUTPUTS)
    assert len({str(made) for made in clean.values()}) == 1 + len(SOURCES)
    changed, refused, old, harmed = 0, 0, 0, []
    while changed < kills and (changed < len(SOURCES) * len(WAYS) or in_time()):
        name = SOURCES[changed % len(SOURCES)]
        engine = ENGINES[changed // len(SOURCES) % 2]
        way = drawn.choice(WAYS if name != "sales" else WAYS[:2])
        # Sources are read first.
        wait = drawn.uniform(0.5, drawn.choice([0.3, 0.3, 0.9]) * length)
        shop.reset()
        process = start(shop.root, *run(engine))
        while process.poll() is None and worked(process) < wait:
            time.sleep(POLL)
        shop.write(name, way, shop.after[name])
        is_during = process.poll() is None
        code = process.wait(PATIENCE)
        changed += is_during
        made, first = hashes(shop.root, *OUTPUTS), said(shop.root)
        is_old, is_new = made == clean[""], made == clean[name]
        is_refused = code == 4 and is_told(first) and shop.path(name).name in first
        refused += is_refused
        old += code == 0 and is_old
        wrong = (
            [] if is_refused or (code == 0 and (is_old or is_new)) else [f"code {code}, neither old nor new nor told"]
        )
        again = start(shop.root, *run(engine)).wait(PATIENCE)
        after = hashes(shop.root, *OUTPUTS)
        differ = sorted(one for one in clean[name].keys() | after.keys() if clean[name].get(one) != after.get(one))
        wrong += [f"again: code {again}"] if again else []
        wrong += [f"again: {one} differs" for one in differ[:5]] + left_behind(shop.root)
        print(f"{engine}: {name} {way} at {wait:.1f} s of {length:.1f}: code {code}, old {is_old}, new {is_new}")
        if wrong:
            harmed.append(f"{engine}: {name} {way} at {wait:.1f} s: {wrong}\n{said(shop.root)[-4000:]}")
            print(harmed[-1])
    told(
        f"sources changed while a run reads them ({refused} refused, {old} read as they were)",
        changed,
        changed - len(harmed),
    )
    assert not harmed, "\n".join(harmed)
