"""Data: where sales went, what was expected and how far it holds, every table with its contract, and the raw files it is all made of."""

import json
import math
import re
import time
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clustering.explain import raw_files
from clustering.fetch import read_fingerprints
from clustering.files import FILES, WIDE, File, contract_of
from clustering.inputs import differences
from clustering.ui.pictures import Bin, bars, histogram
from clustering.ui.reading import Project, attempt, stamp_of
from clustering.ui.rendering import show
from storelib.accounts.expectations import EXPECTATIONS
from storelib.accounts.ledger import read_ledger
from storelib.contracts.contract import Contract
from storelib.errors import ConfigError, DataError
from storelib.pages import flows, words
from storelib.tables import reading

FOLDERS = ("data/internal", "data/external", "data/merging", "reports")
SUFFIXES = {".parquet", ".csv"}
FIRST_ROWS = 20
COLUMNS_SHOWN = 120
# A distribution is of so many rows at most; the page says so where there are more.
LOOKED_AT = 1_000_000
FREQUENT = 8
LONGEST_VALUE = 80
# Tables that are without a row where their source is not configured: the source's name.
OPTIONAL = {
    "data/merging/baseline.parquet": "baseline",
    "data/merging/baseline_files.parquet": "baseline",
    "data/merging/migrations.parquet": "baseline",
    "reports/migrations.csv": "baseline",
    "data/merging/reference.parquet": "reference",
    "data/merging/reference_files.parquet": "reference",
    "reports/recovery.csv": "reference",
    "data/merging/overrides.parquet": "overrides",
    "data/merging/overrides_files.parquet": "overrides",
    "data/merging/segment_names.parquet": "segment_names",
    "data/merging/segment_names_files.parquet": "segment_names",
    "data/external/stores.parquet": "stores",
    "data/external/stores_files.parquet": "stores",
    "data/external/sources.parquet": "external",
    "data/external/sources_files.parquet": "external",
}
# May be without a row though all is well, each with the reason.
MAY_BE_EMPTY = {
    "data/internal/sku_sales.parquet": "the product map places every SKU",
    "data/internal/category_skus.parquet": "the product map places every SKU",
}


class Table(NamedTuple):
    """One file. rows: None where it cannot be read; why_empty: where it has none and that is no fault."""

    name: str
    holds: str
    rows: int | None
    columns: int
    bytes: int
    written: float
    trouble: str
    why_empty: str


class ColumnPart(NamedTuple):
    """One column: what it holds, and how it is distributed."""

    name: str
    kind: str
    told: str
    rules: str
    missing: int
    distinct: str
    summary: str
    bins: list[Bin]


def listing(project: Project) -> dict[str, Table]:
    """Every table that lies there by its name, which is what requests are looked up in."""
    found = {}
    for folder in FOLDERS:
        for path in sorted(project.path(folder).rglob("*")):
            name = path.relative_to(project.root).as_posix()
            hidden = any(part.startswith(".") for part in PurePosixPath(name).parts)
            if path.suffix in SUFFIXES and not hidden and path.is_file():
                found[name] = project.kept.get(("table of", name), [path], lambda name=name: table_of(project, name))  # type: ignore[misc]
    return found


def described(name: str) -> tuple[File | None, str]:
    """What the project says of a file, and the category that it is of."""
    for file in FILES:
        pattern = re.escape(file.path).replace(r"\{category\}", r"(\w+)")
        if match := re.fullmatch(pattern, name):
            return file, match[1] if match.groups() else ""
    return None, ""


def table_of(project: Project, name: str) -> Table:
    """One file's size and rows; where it cannot be read, why."""
    path = project.path(name)
    stamp = stamp_of(path) or (0, 0, 0)
    file, _ = described(name)
    rows, columns, trouble = None, 0, ""
    try:
        if path.suffix == ".csv":
            frame = project.csv(name)
            rows, columns = len(frame), frame.shape[1]
        else:
            with reading(path):
                metadata = pq.read_metadata(path)
            rows, columns = metadata.num_rows, metadata.num_columns
    except (DataError, OSError, ValueError) as error:
        trouble = error.args[0] if isinstance(error, DataError) else f"it cannot be read: {type(error).__name__}"
    why = why_empty(project, name) if rows == 0 else ""
    return Table(name, file.holds if file else "", rows, columns, stamp[1], stamp[0] / 1e9, trouble, why)


def why_empty(project: Project, name: str) -> str:
    """Why a table may be without a row; empty where that is a fault."""
    if source := OPTIONAL.get(name):
        return (
            f"no `{source}` is configured, or it holds no row"
            if not getattr(project.place().sources, source)
            else (f"`{source}` holds a header only" if source in {"overrides", "segment_names", "baseline"} else "")
        )
    file, category = described(name)
    if name in MAY_BE_EMPTY:
        return MAY_BE_EMPTY[name]
    if file and file.path.startswith("data/internal/settings/"):
        return f"{category} has no settings of its own"
    if file and (contract := contract_of(file)) and contract.may_be_empty:
        return "there is nothing to tell"
    return ""


def overview(project: Project) -> dict[str, Any]:
    """Every table, those that need a look first."""
    tables = list(listing(project).values())
    if not tables:
        raise DataError(f"{project.path('data/merging/segments.parquet')} does not exist", solution="run `make run`")
    return {
        "tables": tables,
        "broken": [table for table in tables if table.trouble],
        "empty": [table for table in tables if table.rows == 0 and not table.why_empty],
        "rightly_empty": [table for table in tables if table.rows == 0 and table.why_empty],
    }


def ledger(project: Project) -> dict[str, Any]:
    """The ledger as a picture and in full."""
    name = "data/merging/ledger.parquet"

    def make() -> dict[str, Any]:
        entries = read_ledger(project.path(name))
        names = {key: words.short(told) for key, told in project.categories().items()}
        return {
            "picture": flows.picture_of(flows.flows_of(entries, names)),
            "rows": [entry._asdict() | {"why": flows.reason_words(entry.reason)} for entry in entries],
            "aside": sum(entry.flow == "set_aside" for entry in entries),
        }

    return project.derived("ledger", [name, "data/internal/categories.parquet"], make)


def checks(project: Project) -> dict[str, Any]:
    """What was expected, what does not hold first."""
    found = project.checks()
    order = {"fail": 0, "warn": 1, "pass": 2}
    rows = sorted(found, key=lambda check: order.get(str(check.get("state")), 0))
    return {
        "rows": rows,
        "counts": {state: sum(check.get("state") == state for check in found) for state in order},
        "known": set(EXPECTATIONS),
    }


def sources(project: Project) -> dict[str, Any]:
    """The raw files that were read, their fingerprints and how old they are."""
    now = time.time()
    notes = read_fingerprints(project.root, project.env)
    rows = []
    for source, path, digest in raw_files(project.root, project.env):
        # Names come from the run's own lists, and are shown whether or not the file is still there.
        stamp = stamp_of(project.path(path))
        rows.append(
            {
                "source": source,
                "file": path,
                "sha256": digest,
                "written": stamp[0] / 1e9 if stamp else None,
                "bytes": stamp[1] if stamp else None,
                "age": age(now - stamp[0] / 1e9) if stamp else "",
                "fetched": notes.get(source, {}),
            }
        )
    return {"rows": rows, "fetched": notes}


def age(seconds: float) -> str:
    """How long ago, in the largest unit that fits."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return f"{words.count(int(seconds // length), unit)} old"
    return "just now"


def page(request: Request) -> Response:
    """The whole page."""
    project: Project = request.app.state.project
    return show(
        request,
        "data.html",
        title="Data",
        tables=attempt(overview, project),
        ledger=attempt(ledger, project),
        checks=attempt(checks, project),
        sources=attempt(sources, project),
    )


def changed(project: Project) -> list[tuple[str, str, str]]:
    """The raw files that are not as they were read: stage, file and what became of it."""
    return [(found.stage, found.file, found.what) for found in differences(project.root, project.env, project.params())]


def changed_part(request: Request) -> Response:
    """What changed in raw files since they were read, for which they are hashed."""
    return show(request, "data_changed.html", changed=attempt(changed, request.app.state.project))


# One table -----------------------------------------------------------------------------------------------


def look(project: Project, name: str) -> dict[str, Any]:
    """One table: its columns with their distributions, its first rows, and whether it keeps its contract."""
    file, category = described(name)
    path = project.path(name)

    def make() -> dict[str, Any]:
        contract = contract_of(file) if file and path.suffix == ".parquet" else None
        if path.suffix == ".csv":
            table = pa.Table.from_pandas(project.csv(name), preserve_index=False)
            rows = table.num_rows
        else:
            with reading(path):
                opened = pq.ParquetFile(path)
                rows = opened.metadata.num_rows
                table = first_of(opened)
        columns = [column_of(column, table[column], file, contract) for column in table.column_names[:COLUMNS_SHOWN]]
        return {
            "file": file,
            "category": category,
            "rows": rows,
            "looked_at": table.num_rows,
            "columns": columns,
            "more": max(0, table.num_columns - COLUMNS_SHOWN),
            "first": [
                [value_words(value) for value in row.values()]
                for row in table.select(table.column_names[:COLUMNS_SHOWN]).slice(0, FIRST_ROWS).to_pylist()
            ],
            "contract": None if contract is None else told_contract(contract),
            "keeps": None if contract is None or rows > table.num_rows else keeps(contract, table),
        }

    return project.derived(f"look at {name}", [name], make)


def first_of(opened: pq.ParquetFile) -> pa.Table:
    """The first rows of a file, as many as are looked at."""
    parts, rows = [], 0
    for batch in opened.iter_batches(batch_size=131_072):
        parts.append(batch)
        rows += batch.num_rows
        if rows >= LOOKED_AT:
            break
    return pa.Table.from_batches(parts, schema=opened.schema_arrow)


def keeps(contract: Contract, table: pa.Table) -> str:
    """Empty where a table keeps its contract, else what does not hold; a file may have been written to by hand since it was checked."""
    from storelib.contracts.contract import checked

    try:
        checked(table, contract, "this table")
    except DataError as error:
        return str(error.args[0])
    return ""


def told_contract(contract: Contract) -> dict[str, Any]:
    """A contract in words."""
    return {
        "key": contract.key,
        "sorted": contract.is_sorted,
        "may_be_empty": contract.may_be_empty,
        "rules": [rule.error for rule in contract.rules],
    }


def column_of(name: str, values: pa.ChunkedArray, file: File | None, contract: Contract | None) -> ColumnPart:
    """One column in words, figures and a small picture."""
    kind = values.type
    told = (file.columns.get(name) or file.columns.get(WIDE, "")) if file else ""
    known = contract.columns.get(name, contract.others) if contract else None
    rules = "; ".join(check.error.removeprefix("is not ") for check in known.checks) if known else ""
    present = values.drop_null()
    summary, bins, distinct = "", [], ""
    if pa.types.is_boolean(kind):
        yes = pc.sum(present).as_py() or 0
        summary = f"{yes:,} yes, {len(present) - yes:,} no"
        bins = bars([yes, len(present) - yes], [f"yes: {yes:,}", f"no: {len(present) - yes:,}"])
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = present.cast(pa.float64()).to_numpy()
        finite = numbers[~pd.isna(numbers)]
        distinct = f"{pc.count_distinct(present).as_py():,}"
        if len(finite):
            low, high, mean = (words.figure(float(value)) for value in (finite.min(), finite.max(), finite.mean()))
            summary = f"{low} to {high}, mean {mean}"
            bins = histogram(finite)
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        counts = sorted(
            ((v["counts"], v["values"]) for v in present.value_counts().to_pylist()), key=lambda v: (-v[0], v[1])
        )
        distinct = f"{len(counts):,}"
        first = counts[:FREQUENT]
        summary = ", ".join(f"{value_words(text)} ({n:,})" for n, text in first[:3] if n > 1) or ", ".join(
            value_words(text) for _, text in first[:3]
        )
        bins = (
            bars([n for n, _ in first], [f"{value_words(text)}: {n:,}" for n, text in first])
            if first and first[0][0] > 1
            else []
        )
    return ColumnPart(words.printable(name), str(kind), told, rules, values.null_count, distinct, summary, bins)


def value_words(value: object) -> str:
    """One value of a cell."""
    if value is None:
        return ""
    if isinstance(value, float):
        return "not a number" if math.isnan(value) else f"{value:.6g}"
    text = json.dumps(value, default=str) if isinstance(value, list | dict) else str(value)
    return words.short(text, LONGEST_VALUE) or "(empty)"


def table_page(request: Request) -> Response:
    """One table."""
    project: Project = request.app.state.project
    wanted = request.query_params.get("name", "")
    # Looked up among the files that there are: what is asked for is never part of a path.
    known = listing(project)
    if wanted not in known:
        raise ConfigError(
            "there is no such table", solution="choose one of the page Data; a picture, model or page is none"
        )
    return show(
        request,
        "table.html",
        title=wanted,
        table=known[wanted],
        found=attempt(look, project, wanted),
        now=datetime.now().astimezone(),
    )


ROUTES = [Route("/data", page), Route("/data/changed", changed_part), Route("/data/table", table_page)]
