"""Hundreds of runs of one project, each after a change of parameters or data, by either runner: nothing grows, and nothing drifts.

RUNS says how many (300), SEED which changes, EVERY how many lie between two clean runs that the project is compared with, and
between two `clustering clean --cache`.
"""

import math
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pandas as pd
import pytest

from clustering import tidying
from clustering.runners import environment
from clustering.templates import make_project
from faults.small import change_params, make_own

pytestmark = [pytest.mark.slow, pytest.mark.integration]

RUNS, EVERY = int(os.environ.get("RUNS", "300")), int(os.environ.get("EVERY", "25"))
SEED = int(os.environ.get("SEED", "1"))
COMMAND = str(Path(sys.executable).parent / "clustering")
ENGINES = ("snakemake", "dvc")
# What is looked at after each run; below the folder of the test.
PLACES = (
    "project/.clustering/cache", "project/.clustering/damaged", "project/.clustering/made", "project/.clustering/runs",
    "project/.snakemake/log", "project/.snakemake/metadata", "project/.snakemake", "project/.dvc/tmp", "project/.dvc/cache", "project/logs",
    "project/data", "project/reports", "tmp", "cache", "journal",
)  # fmt: skip
# What has a limit in bytes of its own (`compute.cache_limit`), which so small a project does not reach.
LIMITED = ("project/.clustering/cache",)
# What may grow until DVC's cache is cleared: the user's has what DVC knows of the files in it.
CLEARED = ("project/.dvc/cache", "cache")
# How many of the newest are kept, where that is more than half of a soak's runs leave; one more comes before the next run clears.
NEWEST = {"project/.snakemake/log": tidying.NEWEST[Path(".snakemake", "log")] + 1}


class Sizes(NamedTuple):
    """How many files there are, and their bytes."""

    files: int
    size: int


class Soak:
    """A project with raw files of its own, and what its runs leave."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, folder / "project"
        self.random = random.Random(SEED)  # noqa: S311 (nothing secret)
        for name in ("tmp", "cache", "journal", "clean"):
            (folder / name).mkdir()
        make_own(self.root)

    def params(self, change: Callable[[dict], object]) -> None:
        change_params(self.root, change)

    def told(self, cache: str) -> dict[str, str]:
        places = {
            "TMPDIR": "tmp",
            "XDG_CACHE_HOME": cache,
            "DVC_SITE_CACHE_DIR": f"{cache}/dvc",
            "CLUSTERING_LOG_DIR": "journal",
        }
        return environment() | {name: str(self.folder / where) for name, where in places.items()}

    def run(self, root: Path, *words: str, cache: str = "cache") -> float:
        """A command of the project. Returns the most memory that it, or anything that it waited for, took, in MB."""
        log = self.folder / "said.log"
        with log.open("w") as said:
            process = subprocess.Popen(
                [COMMAND, *words], cwd=root, env=self.told(cache), stdout=said, stderr=subprocess.STDOUT
            )
            _, state, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(state)
        assert process.returncode == 0, f"{words}: {log.read_text()}"
        return used.ru_maxrss / 1024

    def change(self) -> str:
        """One change that a person might make."""
        draw = self.random
        key, value = draw.choice(
            [
                ("internal.cluster_stores.max_clusters", draw.randint(4, 8)),
                ("internal.cluster_stores.seed", draw.randint(1, 3)),
                ("internal.build_features.transform", draw.choice(["hellinger", "none"])),
                ("external.cluster_stores.max_clusters", draw.randint(4, 7)),
                ("merging.min_cluster_size", draw.randint(3, 8)),
                ("internal.split_need_states.unmapped_skus", draw.choice(["own_need_state", "drop"])),
                ("category", draw.choice(["all", "one"])),
                ("map", draw.randrange(10_000)),
                ("sales", draw.randrange(10_000)),
                ("features", draw.randrange(10_000)),
            ]
        )
        raw = self.root / "data" / "raw" / "dev"
        if key == "category":
            wanted = {"beauty": {"name": "BEAUTY"}} | (
                {"cocktails_rtd": {"name": "COCKTAILS/RTD"}} if value == "all" else {}
            )
            self.params(lambda params: params["internal"].update(categories=wanted))
        elif key == "map":
            # One SKU serves another need.
            table = pd.read_csv(raw / "product_map.csv", dtype=str)
            row = int(value) % len(table)
            table.loc[row, "NEED_STATE"] = table["NEED_STATE"].iloc[(row + 7) % len(table)]
            table.to_csv(raw / "product_map.csv", index=False)
        elif key == "sales":
            # Some lines come a second time, or a delivery is replaced by a shorter one.
            path = sorted((raw / "sales").glob("*.parquet"))[int(value) % 2]
            table = pd.read_parquet(path)
            few = table.sample(20, random_state=int(value))
            (pd.concat([table, few]) if int(value) % 3 else table.drop(few.index)).to_parquet(path, index=False)
        elif key == "features":
            path = raw / "store_features.csv"
            table = pd.read_csv(path, dtype={"STORE_NBR": str})
            column = table.select_dtypes("number").columns[0]
            table.loc[int(value) % len(table), column] += 1
            table.to_csv(path, index=False)
        else:
            *way, last = key.split(".")

            def put(params: dict) -> None:
                for part in way:
                    params = params[part]
                params[last] = value

            self.params(put)
        return f"{key}: {value}"

    def outputs(self, root: Path) -> dict[str, bytes]:
        """What stages have made."""
        found = [path for name in ("data", "reports") for path in (root / name).rglob("*") if path.is_file()]
        names = {path.relative_to(root): path for path in found if "published" not in path.parts}
        return {str(name): path.read_bytes() for name, path in sorted(names.items()) if name.parts[1] != "raw"}

    def clean_run(self, number: int, engine: str) -> dict[str, bytes]:
        """What a new project makes of the same parameters and raw files."""
        fresh = self.folder / "clean" / "project"
        make_project(fresh, "minimal")
        shutil.copy(self.root / "params.yaml", fresh)
        shutil.rmtree(fresh / "data" / "raw")
        shutil.copytree(self.root / "data" / "raw", fresh / "data" / "raw")
        # A user of its own: DVC keeps files for every project that there ever was.
        self.run(fresh, "run", "full_pipeline_job", "--engine", engine, cache="clean/cache")
        made = self.outputs(fresh)
        shutil.rmtree(fresh)
        shutil.rmtree(self.folder / "clean" / "cache")
        return made

    def sizes(self) -> dict[str, Sizes]:
        found = {}
        for place in PLACES:
            apart = {self.folder / name for name in PLACES if name.startswith(f"{place}/")}
            files = [
                path
                for path in (self.folder / place).rglob("*")
                if path.is_file() and not path.is_symlink() and apart.isdisjoint(path.parents)
            ]
            found[place] = Sizes(len(files), sum(path.stat().st_size for path in files))
        return found


def test_runs_leave_nothing_that_grows_and_nothing_drifts(tmp_path: Path) -> None:
    soak = Soak(tmp_path)
    history: list[dict[str, Sizes]] = []
    memory: dict[str, list[float]] = {engine: [] for engine in ENGINES}
    compared = 0
    began = time.monotonic()
    for number in range(1, RUNS + 1):
        what = soak.change() if number > 1 else "the first run"
        engine = ENGINES[number % 2]
        memory[engine].append(soak.run(soak.root, "run", "full_pipeline_job", "--engine", engine))
        if number % EVERY == 0 or number == RUNS:
            other = ENGINES[(number + 1) % 2]
            clean, own = soak.clean_run(number, other), soak.outputs(soak.root)
            differ = sorted(name for name in clean.keys() | own.keys() if clean.get(name) != own.get(name))
            assert not differ, (
                f"after run {number} ({what}) by {engine}, a clean one by {other} has another {differ[:5]}"
            )
            compared += 1
            soak.run(soak.root, "clean", "--cache")
        history.append(soak.sizes())
        sys.stdout.write(
            f"{number}/{RUNS} {engine} {what}: {memory[engine][-1]:.0f} MB, {time.monotonic() - began:.0f} s\n"
        )
        sys.stdout.flush()
    for place in PLACES:
        first, last = history[0][place], history[-1][place]
        most = max(sizes[place].size for sizes in history)
        sys.stdout.write(
            f"{place}: {first.files} files {first.size / 1e6:.2f} MB after the first run, {last.files} files {last.size / 1e6:.2f} MB "
            f"after the last, at most {most / 1e6:.2f} MB\n"
        )
    for engine, used in memory.items():
        sys.stdout.write(
            f"memory by {engine}: {used[0]:.0f} MB at first, {max(used):.0f} MB at most, {used[-1]:.0f} MB at last\n"
        )
    sys.stdout.write(f"soak: {RUNS} runs, {compared} compared with a clean one, seed {SEED}: nothing differs\n")
    # The second half holds no more than the first, but for what a few files more or less make.
    half = len(history) // 2
    for place in PLACES:
        early, late = (max(sizes[place].size for sizes in part) for part in (history[:half], history[half:]))
        files = [max(sizes[place].files for sizes in part) for part in (history[:half], history[half:])]
        assert files[1] <= NEWEST.get(place, math.inf), f"{place}: {files[1]} files"
        grown = late > 1.2 * early + 200_000 or files[1] > 1.2 * files[0] + 50
        # Runs and logs are kept up to a number that a short soak does not reach.
        if (RUNS >= 150 and place not in LIMITED and place not in NEWEST) or place in CLEARED:
            assert not grown, f"{place}: {files[0]} files of {early} bytes at most, then {files[1]} of {late}"
    for engine, used in memory.items():
        assert median(used[len(used) // 2 :]) <= 1.15 * median(used[: len(used) // 2]), f"memory by {engine} grows"
