"""What is published, and why it may be refused: the results of one recorded run, held against its ledger and its checks."""

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from clustering.inputs import refuse_differences
from clustering.plans import snakemake_plan
from clustering.runs import RUNS, load_runs
from storelib.accounts.expectations import told
from storelib.accounts.ledger import Entry, check_balance, read_ledger
from storelib.configuration.params import Params
from storelib.errors import DataError
from storelib.raw.files import sha256
from storelib.tables import read_json, read_table

SEGMENTS = Path("data/merging/segments.parquet")
LEDGER = Path("data/merging/ledger.parquet")
CHECKS = Path("reports/checks.json")
EXTERNAL = Path("data/external/profile.parquet")
NAMED = 3


class Results(NamedTuple):
    """What a run found. run: its record; sha256: of each file that this is read from; both tables end with the run's id."""

    run: dict[str, Any]
    env: str
    segments: pa.Table
    profiles: pa.Table
    sha256: dict[str, str]


def again(env: str) -> str:
    """What makes and records results."""
    return f"run `clustering run full_pipeline_job --env {env}`"


def read_results(root: Path, params: Params, env: str) -> Results:
    """The results of an environment's last run. Raises DataError for each reason not to publish them.

    In this order: a file is missing, raw files are not those that were read, a stage is not up to date, the ledger does not
    balance, segments or profiles are not the ledger's, a check failed, no recorded run made these segments.
    """
    keys = sorted(params.internal.categories)
    profiles = {key: Path(f"data/internal/profiles/{key}.parquet") for key in keys} | {"external": EXTERNAL}
    amounts = {key: Path(f"data/internal/store_sales/{key}.parquet") for key in keys}
    for path in (SEGMENTS, LEDGER, CHECKS, *profiles.values(), *amounts.values()):
        if not (root / path).is_file():
            raise DataError(f"{path} does not exist", solution=again(env))
    refuse_differences(root, env, params)
    check_up_to_date(root, env, params.env)
    segments = read_table(root / SEGMENTS)
    found = {view: read_table(root / path) for view, path in profiles.items()}
    entries = read_ledger(root / LEDGER)
    check_balance(entries)
    check_categories(segments, keys)
    for key in keys:
        own = segments.filter(pc.equal(segments["category"], key))
        check_against_ledger(key, own["store_id"].to_pylist(), read_table(root / amounts[key]), entries)
        check_profile(key, Counter(own["internal_cluster"].to_pylist()), found[key])
    for view, profile in found.items():
        check_finite(profiles[view], profile)
    check_checks(root / CHECKS)
    digests = {path.as_posix(): sha256(root / path) for path in (SEGMENTS, *profiles.values())}
    run = recorded_run(root, env, digests[SEGMENTS.as_posix()])
    return Results(run, env, with_run(segments, run["id"]), with_run(one_table(found), run["id"]), digests)


def check_up_to_date(root: Path, env: str, configured: str) -> None:
    """Raise DataError where a stage would run: what lies there is of other inputs, other parameters or another environment."""
    plan = snakemake_plan(root, "full_pipeline", ["--config", f"env={env}"] if env != configured else [])
    if plan:
        named = "; ".join(f"{stage}: {why}" for stage, why in list(plan.items())[:NAMED])
        more = f"; and {len(plan) - NAMED} more" if len(plan) > NAMED else ""
        raise DataError(f"{len(plan)} stages are not up to date for {env}: {named}{more}", solution=again(env))


def check_categories(segments: pa.Table, keys: Iterable[str]) -> None:
    """Raise DataError where the segments are not of the selected categories, or a store has two in one."""
    found, wanted = set(segments["category"].to_pylist()), set(keys)
    if found != wanted:
        raise DataError(
            f"{SEGMENTS}: categories {sorted(found)}, and params.yaml selects {sorted(wanted)}",
            solution="run the pipeline again from raw data",
        )
    pairs = Counter(zip(segments["category"].to_pylist(), segments["store_id"].to_pylist(), strict=True))
    for (category, store), times in pairs.most_common(1):
        if times > 1:
            raise DataError(
                f"{SEGMENTS}: store {store!r} is {times} times in {category}",
                solution="run the pipeline again from raw data",
            )


def check_against_ledger(key: str, stores: list[str], sales: pa.Table, entries: Iterable[Entry]) -> None:
    """Raise DataError where a category's stores, or their sales, are not what left the last stage by its ledger, to the cent.

    sales: net sales by store.
    """
    left = [e for e in entries if (e.stage, e.category, e.flow) == ("merge_segments", key, "out")]
    known: dict[str, Decimal] = dict(zip(sales["store_id"].to_pylist(), sales["sales"].to_pylist(), strict=True))
    found = (len(stores), sum((known.get(store, Decimal(0)) for store in stores), Decimal(0)))
    wanted = (sum(e.stores for e in left), sum((e.sales for e in left), Decimal(0)))
    if found != wanted:
        raise DataError(
            f"{SEGMENTS}: {key} has {found[0]} stores with sales of {found[1]}, and the ledger says {wanted[0]} with {wanted[1]}",
            solution="run the pipeline again from raw data; if it stays, this is a defect: report it with the logs",
        )


def check_profile(key: str, sizes: Mapping[int, int], profile: pa.Table) -> None:
    """Raise DataError where a category's profile is not of the clusters in the segments. sizes: stores by cluster."""
    described = dict(zip(profile["cluster"].to_pylist(), profile["stores"].to_pylist(), strict=True))
    if described != dict(sizes):
        raise DataError(
            f"data/internal/profiles/{key}.parquet: clusters of {sorted(described.items())} stores, and the segments have "
            f"{sorted(sizes.items())}",
            solution="run the pipeline again from raw data",
        )


def check_finite(path: Path, profile: pa.Table) -> None:
    """Raise DataError for a number that no database and no sheet has a meaning for; one that is not known may be missing."""
    for field in profile.schema:
        if pa.types.is_floating(field.type) and not pc.all(pc.is_finite(profile[field.name]), min_count=0).as_py():
            raise DataError(
                f"{path}: column {field.name} holds a number that is not finite",
                solution="mend the values of that source, which are too large to take a mean of",
            )


def check_checks(path: Path) -> None:
    """Raise DataError where a check failed, or none was made."""
    try:
        checks = read_json(path)["checks"]
        failed = [check for check in checks if check["state"] not in {"pass", "warn"}]
        lines = [told(check) for check in failed]
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path} cannot be read", solution="run the pipeline again from raw data") from None
    if not checks:
        raise DataError(f"{path} holds no check", solution="run the pipeline again from raw data")
    if failed:
        more = f"; and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
        raise DataError(
            f"{len(failed)} of {len(checks)} checks failed: {'; '.join(lines[:NAMED])}{more}",
            solution=f"{failed[0].get('to_do') or 'mend what they say'}; or set other levels under `checks` in params.yaml",
        )


def recorded_run(root: Path, env: str, digest: str) -> dict[str, Any]:
    """The record of the newest finished run that made these segments, byte for byte. Raises DataError where there is none."""
    for run in load_runs(root)[::-1]:
        kept = root / RUNS / str(run["id"]) / SEGMENTS.name
        if run.get("result") == "done" and run.get("env") == env and kept.is_file() and sha256(kept) == digest:
            return run
    raise DataError(
        f"no recorded run for {env} made {SEGMENTS} as it is", solution=f"{again(env)}, which records one in seconds"
    )


def one_table(profiles: Mapping[str, pa.Table]) -> pa.Table:
    """Profiles of every view, with its name in front: categories, and `external` last."""
    parts = [
        table.add_column(0, "category", pa.array([view] * table.num_rows, pa.string()))
        for view, table in profiles.items()
    ]
    return pa.concat_tables(parts)


def with_run(table: pa.Table, run_id: str) -> pa.Table:
    """A table with the run's id behind its columns."""
    return table.append_column("run_id", pa.array([run_id] * table.num_rows, pa.string()))
