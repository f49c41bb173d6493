"""Approving a run: its segments become the baseline, whose numbers the next runs keep."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from clustering.place_text import with_source
from clustering.results import SEGMENTS, Results
from clustering.runs import git_state
from clustering.secrets import redacted
from storelib.configuration.place import Place
from storelib.configuration.stages import RAW_LISTS
from storelib.errors import ConfigError
from storelib.raw.files import sha256
from storelib.tables import read_table, replacing, write_table, write_text

# Below data/raw/<env>/, where `sources.baseline` finds it.
APPROVED = "approved_segments.parquet"
CHAIN_SEGMENTS = Path("data", "merging", "chain_segments.parquet")


def record_path(env: str) -> Path:
    """Who approved what, and when: beside the raw files, as the record of what was fetched, and kept by git."""
    return Path("data", "raw", f"{env}.approved.json")


def approve(root: Path, place: Place, env: str, results: Results, who: str, why: str) -> dict[str, Any]:
    """Make the segments of a run the baseline, and add to the record. Returns the entry.

    Raises ConfigError where the configuration names another baseline, or where it cannot be told of this one.
    """
    config = root / "configs" / f"{env}.yml"
    settings = with_baseline(config, place)
    raw = {
        row["file"]: row["sha256"]
        for listing in RAW_LISTS
        for row in read_table(root / listing).to_pylist()
        # The baseline of before made these numbers, and is named by the approval of before.
        if row["source"] != "baseline"
    }
    entry = {
        "who": who,
        "why": why,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": results.run["id"],
        "git": git_state(root),
        "sha256": {
            "segments": sha256(root / SEGMENTS),
            "params.yaml": sha256(root / "params.yaml"),
            f"configs/{env}.yml": sha256(config),
            "raw": dict(sorted(raw.items())),
        },
    }
    approvals = approvals_of(root, env)
    # One that was cut off after this is completed: it is the same approval, and stays what it was.
    if approvals and is_same(approvals[-1], redacted(entry)):
        entry = approvals[-1]
    else:
        approvals.append(entry)
    # First of all: nothing is the baseline of which nobody knows who approved it.
    write_text(json.dumps(redacted(approvals), indent=2, ensure_ascii=False) + "\n", root / record_path(env))
    target = root / "data" / "raw" / env / APPROVED
    with replacing(target) as temporary:
        write_table(with_chain(read_table(root / SEGMENTS), read_table(root / CHAIN_SEGMENTS)), temporary)
    if settings is not None:
        write_text(settings, config)
    return entry


def standing(root: Path, place: Place, env: str, who: str, why: str) -> dict[str, Any] | None:
    """The last approval, where it is this one of these segments, and nothing of it is left to do; None where it is not.

    The results are then not of today's raw files any more, one of which is the baseline that they became.
    """
    target, segments = root / "data" / "raw" / env / APPROVED, root / SEGMENTS
    last = next(iter(approvals_of(root, env)[-1:]), None)
    if last is None or place.sources.baseline is None or place.sources.baseline.path != APPROVED:
        return None
    if not (target.is_file() and segments.is_file()) or last["sha256"]["segments"] != sha256(segments):
        return None
    if any(last[key] != value for key, value in redacted({"who": who, "why": why}).items()):
        return None
    is_whole = read_table(target).equals(with_chain(read_table(segments), read_table(root / CHAIN_SEGMENTS)))
    return last if is_whole else None


def is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two entries say the same of who approved what; the configuration, and with it git's state, changes by it."""
    return all(one.get(key) == other[key] for key in ("who", "why", "run")) and (
        one["sha256"]["segments"] == other["sha256"]["segments"]
    )


def with_chain(segments: pa.Table, chain: pa.Table) -> pa.Table:
    """Segments with that of the chain beside them, so that its number is kept too."""
    numbers = dict(zip(chain["store_id"].to_pylist(), chain["segment"].to_pylist(), strict=True))
    column = pa.array([numbers[store] for store in segments["store_id"].to_pylist()], pa.int32())
    return segments.append_column("chain_segment", column)


def approvals_of(root: Path, env: str) -> list[dict[str, Any]]:
    """Every approval so far, oldest first. Raises ConfigError for a record that cannot be read."""
    path = root / record_path(env)
    if not path.is_file():
        return []
    try:
        found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON: {error}", solution="mend it, or take it from git") from None
    return found


def with_baseline(config: Path, place: Place) -> str | None:
    """The configuration with this baseline; None where it names it already.

    Raises ConfigError where another baseline is named, or where it cannot be added.
    """
    named = place.sources.baseline
    if named is not None:
        if (named.path, named.reader) != (APPROVED, "parquet"):
            raise ConfigError(
                f"{config}: sources.baseline is {named.path!r}, and what is approved goes to {APPROVED!r}",
                solution=f"write `reader: parquet` and `path: {APPROVED}` there, without `columns`; or delete sources.baseline",
            )
        return None
    return with_source(config, place, "baseline", "parquet", APPROVED)
