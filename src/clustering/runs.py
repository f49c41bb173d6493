"""Records of runs: what was run, with what, and what came of it, in `.clustering/runs/<run id>/`."""

import json
import os
import platform
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from clustering.jobs import KEPT
from clustering.run_report import REPORT, keep_report
from clustering.runners import STATE
from clustering.secrets import redacted
from clustering.surroundings import of_git
from storelib.errors import ConfigError, PipelineError
from storelib.tables import replacing, write_text

RUNS = STATE / "runs"
LISTED = 5
# The tag of the run that a person prefers, and its name in commands.
PREFERRED = "preferred"
PACKAGES = ("clustering-pipeline", "snakemake", "dvc", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "duckdb")
RESULTS = (Path("reports", "metrics.json"), Path("data", "merging", "segments.parquet"))


def new_id(now: datetime) -> str:
    """A run's name, which sorts by time: UTC to the millisecond, and two random bytes."""
    return f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03d}-{secrets.token_hex(2)}"


def versions() -> dict[str, str]:
    """What computes, by name."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def git_state(root: Path) -> dict[str, Any]:
    """The revision, and whether files differ from it; no revision where there is no commit, or git has some trouble, which is told."""

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
        except OSError:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    status = git("status", "--porcelain")
    found: dict[str, Any] = {
        "revision": git("rev-parse", "--verify", "--quiet", "HEAD"),
        "dirty": None if status is None else bool(status),
    }
    trouble = of_git(root) if found["revision"] is None else None
    return found | ({"trouble": trouble.what} if trouble else {})


@contextmanager
def recorded(
    root: Path, job: str, env: str, engine: str, tags: Mapping[str, str], *, cores: int | None, force: bool
) -> Iterator[str]:
    """Record one run, whose id this gives: as `running`, then as done, failed or interrupted, with copies of its results.

    Its report is the one that the pipeline wrote with a section on this run, so that it can be found again, and sent.
    cores: how many stages at a time; None where a profile of Snakemake says it.
    """
    now = datetime.now(UTC)
    run_id = new_id(now)
    folder = root / RUNS / run_id
    record: dict[str, Any] = {
        "id": run_id,
        "job": job,
        "env": env,
        "engine": engine,
        "force": force,
        "tags": dict(tags),
        "cores": cores,
        "pid": os.getpid(),
        "start": now.isoformat(timespec="seconds"),
        "duration_s": None,
        "result": "running",
        "error": None,
        "git": git_state(root),
        "versions": versions(),
    }
    before = {name: stamp(root / name) for name in (*RESULTS, REPORT)}
    started = time.monotonic()
    save(folder, record)
    for old in old_runs(root):
        shutil.rmtree(old, ignore_errors=True)
    try:
        yield run_id
    except PipelineError as error:
        record |= {"result": "failed", "error": error.args[0], "solution": error.solution}
        raise
    except Exception as error:
        record |= {"result": "failed", "error": f"{type(error).__name__}: {error}"}
        raise
    except BaseException as error:
        record |= {"result": "interrupted", "error": type(error).__name__}
        raise
    else:
        record["result"] = "done"
        made = job in {"merging", "full_pipeline"} or any(stamp(root / name) != before[name] for name in RESULTS)
        for path in [root / name for name in RESULTS] if made else []:
            if path.is_file():
                with replacing(folder / path.name) as temporary:
                    shutil.copyfile(path, temporary)
    finally:
        record["duration_s"] = round(time.monotonic() - started, 1)
        save(folder, record)
    # Of a run that was given up by an error nothing comes here.
    if (job == "full_pipeline" or stamp(root / REPORT) != before[REPORT]) and (root / REPORT).is_file():
        last = [run for run in load_runs(root) if run["id"] <= run_id][-LISTED:]
        keep_report(root / REPORT, folder / REPORT.name, redacted(record), last[::-1])


def stamp(path: Path) -> int | None:
    """When a file was written; None where there is none."""
    return path.stat().st_mtime_ns if path.is_file() else None


def save(folder: Path, record: Mapping[str, Any]) -> None:
    """Write run.json, whole or not at all."""
    write_text(json.dumps(redacted(record), indent=2, ensure_ascii=False) + "\n", folder / "run.json")


def old_runs(root: Path, kept: int = KEPT) -> list[Path]:
    """The folders of runs that are neither the preferred one nor among the newest."""
    preferred = {run["id"] for run in with_tags(load_runs(root), {PREFERRED: "yes"})}
    folders = sorted(path for path in (root / RUNS).glob("*") if path.is_dir())
    return [path for path in folders[: max(0, len(folders) - kept)] if path.name not in preferred]


def load_runs(root: Path) -> list[dict[str, Any]]:
    """Every record, oldest first; what cannot be read is left out (`damaged_records` names it).

    A run whose process was killed was interrupted.
    """
    found = []
    for path in sorted((root / RUNS).glob("*/run.json")):
        record = read_record(path)
        if record is not None and record["id"] == path.parent.name:
            if record.get("result") == "running" and not psutil.pid_exists(int(record.get("pid") or 0)):
                record |= {"result": "interrupted", "error": "its process did not end by itself"}
            found.append(record)
    return found


def read_record(path: Path) -> dict[str, Any] | None:
    """A run's record; None of a file that is no more what `recorded` wrote."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(record, dict) or not isinstance(record.get("id"), str):
        return None
    is_sound = all(isinstance(record.get(name, ""), str) for name in ("job", "env", "start", "result"))
    is_sound &= isinstance(record.get("tags", {}), dict) and isinstance(record.get("pid", 0), int)
    return record if is_sound and isinstance(record.get("duration_s"), float | int | None) else None


def damaged_records(root: Path) -> list[Path]:
    """The records that cannot be read: their runs are not listed."""
    return [path for path in sorted((root / RUNS).glob("*/run.json")) if read_record(path) is None]


def with_tags(runs: Sequence[dict[str, Any]], tags: Mapping[str, str]) -> list[dict[str, Any]]:
    """The runs that have all of the tags."""
    return [run for run in runs if tags.items() <= run.get("tags", {}).items()]


def find_run(root: Path, name: str) -> Path | None:
    """The folder of a run with results: an id, a unique prefix of one, `last`, `last~1` or `preferred`. None: it names no run.

    Raises ConfigError where a prefix is ambiguous, or there are no results of that run.
    """
    runs = load_runs(root)
    last, _, back = name.partition("~")
    if last == "last" and (back == "" or back.isdigit()):
        usable = [run["id"] for run in runs if has_results(root, run["id"])]
        if int(back or 0) >= len(usable):
            raise ConfigError(
                f"{name}: {len(usable)} runs with results are recorded",
                solution="make one with `clustering run full_pipeline_job`; `clustering status` lists them",
            )
        return root / RUNS / str(usable[-1 - int(back or 0)])
    if name == PREFERRED and (marked := [run["id"] for run in with_tags(runs, {PREFERRED: "yes"})]):
        name = marked[-1]
    matches = [run["id"] for run in runs if name and run["id"].startswith(name)]
    if len(matches) > 1 and name not in matches:
        raise ConfigError(
            f"{name} begins {len(matches)} runs: {', '.join(matches[-3:])}", solution="give more of the run's id"
        )
    if not matches:
        return None
    (found,) = [name] if name in matches else matches
    if not has_results(root, found):
        raise ConfigError(f"run {found} left no results to compare", solution="choose a run that made segments")
    return root / RUNS / found


def mark_preferred(root: Path, name: str) -> str:
    """Mark a run as the preferred one, and no other. Returns its id. Raises ConfigError where `name` is no recorded run."""
    chosen = find_run(root, name)
    if chosen is None:
        raise ConfigError(
            f"{name!r} is no recorded run, so it cannot be preferred",
            solution="run it by `clustering run`, which records it; `clustering status` lists the runs",
        )
    for run in load_runs(root):
        is_chosen = run["id"] == chosen.name
        if is_chosen or PREFERRED in run.get("tags", {}):
            tags = {key: value for key, value in run["tags"].items() if key != PREFERRED}
            save(root / RUNS / run["id"], run | {"tags": tags | ({PREFERRED: "yes"} if is_chosen else {})})
    return chosen.name


def report_of(root: Path, run_id: str) -> Path | None:
    """A run's own report; None where it made none."""
    path = root / RUNS / run_id / REPORT.name
    return path if path.is_file() else None


def has_results(root: Path, run_id: str) -> bool:
    """Whether a run left its metrics and segments."""
    return all((root / RUNS / run_id / name.name).is_file() for name in RESULTS)
