"""Count raw sales lines exactly, in one pass: by store, category and what the product map says of the SKU.

Reads each file of the `sales` source once, within the configured limits. Amounts are rounded to the cent line by line and
added as whole cents, so neither the order of lines nor the number of threads changes a byte. Writes sums by store, category
as spelt and entry of the product map (see `ingest_product_map`); sums of the SKUs that the map does not place; sums by
category and period; the files that were read; and the ledger of what came in. Sums of files are kept in a cache by content:
files that were counted before, with the same map and settings, are not read again.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
import hashlib
import json
import sys
from collections import Counter as Multiset
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from storelib.accounts.entries import entries_of
from storelib.accounts.kept_sums import Cache, Counts
from storelib.accounts.ledger import Entry, balanced, log_entries, lost_stores
from storelib.accounts.one_pass import MARKS, MORE, TABLE_SHARE, Counter, Held, Ledgers, Pass, Sums
from storelib.accounts.sums import Cells
from storelib.arrow import column_of, texts_of
from storelib.configuration.date_settings import unit_of
from storelib.configuration.place import CELL_COLUMNS, Compute, SalesSource, listed, load_place, megabytes
from storelib.contracts.contract import outputs
from storelib.contracts.ledger import LEDGER
from storelib.contracts.raw_files import RAW_FILES
from storelib.contracts.sales import PERIOD_SALES, SALES, SKU_SALES
from storelib.database import database, one_row
from storelib.errors import ConfigError, DataError, shown
from storelib.money import exact_money, money_column, money_of, sums_at
from storelib.names import MONTHS
from storelib.raw.amounts import FIGURES
from storelib.raw.date_advice import ENOUGH, fitting_formats, proposal
from storelib.raw.days import NO_WEEKS, iso_forms
from storelib.raw.delivery import Delivery, raw_parser
from storelib.raw.files import Fingerprint, files_table
from storelib.raw.hashes import KEPT, Hashes
from storelib.raw.lines import FAULTS, REASONS, Codes, Rules, line_query, wanted_columns
from storelib.raw.sources import by_their_names, id_column, open_source, require_columns, where_is
from storelib.raw.spellings import refuse_capitals
from storelib.sql import identifier, literal
from storelib.tables import read_table

PERIODS = {"week": "%G-W%V", "month": "%Y-%m"}
ADVICE = {
    "invalid_sales": "mend the file, set `decimal`, `thousands`, `currency` or `missing` of sources.sales",
    "invalid_date": "mend the file, set `date_format` of sources.sales",
    "invalid_count": "mend the file, or name another column under sources.sales.columns.lines",
    "invalid_units": "mend the file, or name another column under sources.sales.columns.units",
}
# Sums of one file are kept where they are this much smaller than the file: adding them up costs as much for each row as reading
# Parquet does.
WORTH_KEEPING = 4


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = raw_parser(__doc__)
    parser.add_argument("--product_map", type=Path, required=True, help="what the map says of each SKU")
    parser.add_argument(
        "--sales", type=Path, required=True, help="output: sums by store, category and entry of the map"
    )
    parser.add_argument(
        "--sku_sales", type=Path, required=True, help="output: sums of SKUs that the map does not place"
    )
    parser.add_argument("--period_sales", type=Path, required=True, help="output: sums by category and period")
    parser.add_argument("--ledger", type=Path, required=True, help="output: what came in and what was set aside")
    parser.add_argument("--cache", type=Path, help="folder of sums by content of file; without it nothing is kept")
    parser.add_argument("--period", choices=["week", "month", "all"], required=True)
    parser.add_argument("--negative_sales", choices=["keep", "drop", "fail"], required=True)
    parser.add_argument("--invalid_lines", choices=["drop", "fail"], required=True)
    parser.add_argument("--largest_lines", action="store_true", help="find the largest line of each store too")
    parser.add_argument(
        "--cap_quantile",
        type=storelib.runtime.number(0, 1, above=True),
        default=1,
        help="of the lines of a category, above which one counts as much as that in shares; 1 is off",
    )
    parser.add_argument("--seasons", action="store_true", help="sum each store's sales by month of the year too")
    return parser.parse_args(argv)


def settings_hash(
    source: SalesSource, rules: Rules, product_map: Path, caps: Mapping[str | None, int] = MappingProxyType({})
) -> str:
    """A hash of all that a file's sums depend on, beside the file: how it is read, the map, caps, and the code that counts."""
    ours = (
        module.__file__ for name, module in sorted(sys.modules.items()) if name.partition(".")[0] == storelib.__name__
    )
    code = [Path(__file__), *(Path(file) for file in ours if file)]
    how = [source.model_dump(exclude={"path"}), rules, sorted(caps.items(), key=str)]
    told = hashlib.sha256(json.dumps(how, sort_keys=True).encode())
    for package in (duckdb, np, pa):
        told.update(f"{package.__name__} {package.__version__}\n".encode())
    for path in [product_map, *code]:
        told.update(hashlib.sha256(path.read_bytes()).digest())
    return told.hexdigest()


def count_files(
    files: Sequence[Fingerprint],
    how: Pass,
    ledgers: Ledgers,
    cache: Cache | None,
    total: Counter,
    hashes: Hashes | None = None,
) -> tuple[Counts, list[Path]]:
    """Add the sums of every file to `total`, from the cache as far as they are there.

    hashes: by which the files were told; those that are read are hashed. Returns what each file held, and the files of the cache
    that were of use or are new. Raises DataError for a file that was changed while it was read, and as `Pass.read`.
    """
    counts: Counts = {}
    missing = Multiset(file.content for file in files)
    used = []
    for kept in cache.cover(missing) if cache else []:
        found = cache.read(kept, ledgers) if cache else None
        if found is None:
            continue
        times = min(missing[content] // number for content, number in kept.contents.items())
        for _ in range(times):
            total.merge(found.sums)
            missing -= kept.contents
        if times:
            counts |= found.counts
            used.append(kept.path)
    by_content = {file.content: file for file in reversed(files)}
    # Without a cache nothing is known of contents beyond this run: each file is read.
    to_read = [by_content[content] for content in sorted(missing)] if cache else list(files)
    by_path = {file.path: file for file in to_read}
    if hashes:
        hashes.confirm({file.path: file.sha256 for file in to_read})

    def wanted(path: Path, rows: int, most: float) -> bool:
        """Whether a file's sums are of use by themselves: they count several times, or are worth keeping."""
        if cache is None:
            return False
        return missing[by_path[path].content] > 1 or (len(files) > 1 and most * WORTH_KEEPING < rows)

    def done(path: Path, held: Held, parts: list[Sums]) -> None:
        file = by_path[path]
        file.refuse_changed()
        for part in parts:
            for _ in range(missing[file.content] if cache else 1):
                total.merge(part)
        counts[file.content] = held
        cells = sum(len(part.cells.lines) for part in parts)
        is_smaller = how.source.reader != "parquet" or cells * WORTH_KEEPING < held.lines
        if cache and parts and len(files) > 1 and is_smaller:
            used.append(cache.write(Multiset([file.content]), parts, ledgers, counts))

    how.read([file.path for file in to_read], total, wanted, done)
    return counts, used


def sums_table(
    second: str,
    texts: Codes,
    categories: Codes,
    category: np.ndarray,
    codes: np.ndarray,
    entry: np.ndarray,
    cells: Cells,
    more: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> pa.Table:
    """Sums by category, a second text and entry, in this order. category, codes: of each row, in `categories` and `texts`.

    more: further amounts by name, of each row.
    """
    category, category_texts = ranked(category, categories)
    codes, second_texts = ranked(codes, texts)
    entries = int(entry.max(initial=0)) + 1
    places = len(category_texts) * len(second_texts) * entries
    # Half the memory, where 32 bits hold every place: memory that is new to a process costs more than sorting.
    keys: NDArray[Any] = category.astype(np.int32 if places <= np.iinfo(np.int32).max else np.int64)
    keys *= len(second_texts)
    keys += codes
    keys *= entries
    keys += entry
    order = np.argsort(keys)
    return pa.table(
        {
            "category": text_column(category[order], category_texts),
            second: text_column(codes[order], second_texts),
            "entry": column_of(entry[order]),
            "sales": money_column(cells.cents[order]),
            "lines": column_of(cells.lines[order]),
        }
        | {name: money_column(amounts[order]) for name, amounts in more.items()}
    )


def sales_table(sums: Sums, ledgers: Ledgers) -> pa.Table:
    """Kept sums by category, store and entry."""
    coding, pairs = ledgers.coding, ledgers.combinations.table().astype(np.int32)
    category, entry = (of_pair[sums.cells.columns] for of_pair in pairs.T)
    more = {name: cents_beside(sums, name) for name in MORE if name in sums.more}
    return sums_table("store_id", coding.store_id, coding.category, category, sums.cells.rows, entry, sums.cells, more)


def cents_beside(sums: Sums, name: str) -> np.ndarray:
    """What was counted beside the cells, in their order; a month is 0 where it has no line. Raises DataError for other cells."""
    both = sums.cells, sums.more[name]
    width = 1 + max(int(cells.columns.max(initial=0)) for cells in both)
    # Both are in the order of rows and columns.
    ours, theirs = (cells.rows.astype(np.int64) * width + cells.columns for cells in both)
    is_theirs = np.isin(ours, theirs, assume_unique=True)
    if is_theirs.sum() < len(theirs) or not (name in MONTHS or is_theirs.all()):
        raise DataError(
            f"{name} were counted of other lines than sales",
            solution="this is a defect of the pipeline: report it with the log",
        )
    cents = np.zeros(len(ours), np.int64)
    cents[is_theirs] = sums.more[name].cents
    return cents


def sku_table(sums: Sums, ledgers: Ledgers) -> pa.Table:
    """Kept sums of SKUs that the map does not place in their category."""
    coding, cells = ledgers.coding, sums.skus
    entry = ledgers.entry_of(cells.rows)
    return sums_table("sku", coding.sku, coding.category, cells.columns, cells.rows, entry, cells)


def ranked(codes: np.ndarray, coding: Codes) -> tuple[np.ndarray, list[str | None]]:
    """Places in a sorted list of texts, no text last, and that list; 32 bits hold them, as they hold codes."""
    texts = [*sorted(coding.texts[1:], key=str), None]
    place = {text: number for number, text in enumerate(texts)}
    return np.fromiter((place[text] for text in coding.texts), np.int32, len(coding.texts))[codes], texts


def text_column(places: np.ndarray, texts: Sequence[str | None]) -> pa.Array:
    """Places in a list as a dictionary of texts; the last of them is no text."""
    indices = column_of(places, places < len(texts) - 1)
    return pa.DictionaryArray.from_arrays(indices, texts_of(texts[:-1]))


def period_table(sums: Sums, ledgers: Ledgers, period: str) -> pa.Table:
    """Kept sums by category and period; one period without a name where dates do not count."""
    found: dict[tuple[str | None, str], list[int]] = {}
    if period in PERIODS:
        names = [(date(1970, 1, 1) + timedelta(days=day)).strftime(PERIODS[period]) for day in ledgers.days]
        rows, columns, cents, lines = (column.tolist() for column in sums.days)
        keys = [(row, names[column]) for row, column in zip(rows, columns, strict=True)]
    else:
        category = ledgers.combinations.table()[sums.cells.columns, 0]
        cents, lines = sums_at(category, len(ledgers.coding.category), sums.cells.cents, sums.cells.lines)
        present = np.flatnonzero(lines).tolist()
        keys = [(code, "") for code in present]
        cents, lines = (column[present].tolist() for column in (cents, lines))
    for (code, name), amount, count in zip(keys, cents, lines, strict=True):
        sum_of = found.setdefault((ledgers.coding.category.texts[code], name), [0, 0])
        sum_of[0] += amount
        sum_of[1] += count
    ordered = sorted(found.items(), key=lambda item: (item[0][0] is None, item[0][0] or "", item[0][1]))
    return pa.table(
        {
            "category": texts_of([key[0] for key, _ in ordered]),
            "period": texts_of([key[1] for key, _ in ordered]),
            "sales": money_column(np.array([amount for _, (amount, _) in ordered], np.int64)),
            "lines": column_of(np.array([count for _, (_, count) in ordered], np.int64)),
        }
    )


def left_out(sums: Sums) -> Decimal:
    """What rounding to the cent left out of the amounts of kept lines, exactly: it is in no other sum."""
    which = sums.marks.columns == MARKS.index(("noted", "rounded_to_cent"))
    return exact_money(int(sums.marks.cents[which].sum()))


def ledger_entries(sums: Sums, ledgers: Ledgers) -> list[Entry]:
    """In, out, set aside and noted."""
    size = len(ledgers.coding.store_id)
    cents, lines = sums_at(sums.cells.rows, size, sums.cells.cents, sums.cells.lines)
    aside: dict[str, tuple[int, Decimal]] = {}
    stores_aside: dict[str, set[int]] = {}
    notes: list[Entry] = []
    for mark, (flow, reason) in enumerate(MARKS):
        which = sums.marks.columns == mark
        if not which.any():
            continue
        stores = sums.marks.rows[which]
        amount = money_of(int(sums.marks.cents[which].sum()))
        if reason == "rounded_to_cent":
            amount = left_out(sums).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
        told = (int(sums.marks.lines[which].sum()), amount)
        if flow == "noted":
            notes.append(Entry("ingest_sales", "", flow, reason, len(stores), *told))
        else:
            aside[reason] = told
            stores_aside[reason] = set(stores[stores > 0].tolist())
    kept = set(np.flatnonzero(lines).tolist())
    lost = lost_stores(kept, stores_aside)
    entries = [Entry("ingest_sales", "", "set_aside", reason, lost[reason], *aside[reason]) for reason in sorted(aside)]
    whole = int(lines.sum()) + sum(entry.lines for entry in entries)
    out = money_of(int(cents.sum()))
    came = out + sum((entry.sales for entry in entries), Decimal(0))
    return [
        Entry("ingest_sales", "", "in", "", len(kept) + sum(lost.values()), whole, came),
        Entry("ingest_sales", "", "out", "", len(kept), int(lines.sum()), out),
        *entries,
        *notes,
    ]


def refuse(entries: Sequence[Entry], reasons: Sequence[str], policy: str, how: Pass) -> None:
    """Raise DataError for the first of `reasons` that occurs, with one line as an example."""
    found = {entry.reason: entry.lines for entry in entries if entry.flow == "set_aside"}
    for reason in reasons:
        if reason not in found:
            continue
        source = how.source
        with raw_lines(reason, how) as lines:
            line = lines.first()
            advice = date_advice(lines, how, reason) if reason in ("invalid_date", "ambiguous_date") else ""
        # The column of a cell, where the table is wide; its day is in no row.
        named = source.named | ({source.wide.holds: line["cell"]} if source.wide else {})
        has_date = how.rules.dated and not source.wide
        names = ("store_id", "sku", *FIGURES, *(["date"] if has_date else []))
        row = by_their_names(line, {name: named[name] for name in names if name in line})
        written = FAULTS.get(reason, "negative sales")
        if "sales" not in source.named:
            written = written.replace("no sales amount", "no quantity or no price")
            written = written.replace("a sales amount that is", "a quantity or a price that is")
        if reason == "invalid_date":
            written += f" {' or '.join(source.date_formats) or iso_forms(months=not how.rules.weekly)}"
        told = {"store_id": "store", "sku": "SKU"} | {name: name for name in (*FIGURES, "date")}
        told |= {"lines": "lines"} if reason == "invalid_count" else {}
        told |= {"units": "units"} if reason == "invalid_units" else {}
        such_as = ", ".join(f"{word} {shown(line[name])}" for name, word in told.items() if name in line)
        raise DataError(
            f"{where_is(source, how.raw, row, line['_file'])}: {written}, on {found[reason]} lines of sales, such as {such_as}",
            solution=f"{advice or ADVICE.get(reason, 'mend the file')}, or set internal.ingest_sales.{policy} to drop "
            "(each is kept in the ledger)",
        )


class RawLines(NamedTuple):
    """All raw lines on a connection. query: SQL of them, with `is_faulty`; columns: of texts, by our names."""

    connection: duckdb.DuckDBPyConnection
    query: str
    columns: dict[str, str]

    def first(self) -> dict[str, Any]:
        """The first line at fault by its texts, not by the order of the files."""
        named = ", ".join(self.columns.values())
        query = f"SELECT {named} FROM ({self.query}) WHERE is_faulty ORDER BY ALL LIMIT 1"  # noqa: S608 (ours)
        return dict(zip(self.columns, one_row(self.connection, query), strict=True))

    def dates(self, where: str) -> list[str]:
        """Distinct dates, as they are written."""
        query = f"SELECT DISTINCT date_text FROM ({self.query}) WHERE {where} AND date_text IS NOT NULL ORDER BY ALL LIMIT {ENOUGH}"  # noqa: S608
        return [text for (text,) in self.connection.execute(query).fetchall()]


def open_lines(connection: duckdb.DuckDBPyConnection, how: Pass) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """The source as the view `raw_lines`: types by its columns, and what is configured of it in SQL with its type, by our names."""
    types = open_source(connection, how.source, how.raw, "raw_lines", months=not how.rules.weekly)
    require_columns(types, wanted_columns(how.source, how.rules).values(), how.source, how.raw)
    columns = {
        ours: id_column(theirs, types, how.source)
        for ours, theirs in how.source.named.items()
        if set(listed(theirs)) <= set(types)
    }
    return types, columns


def query_of(columns: Mapping[str, tuple[str, str]], how: Pass, *, with_texts: bool = False) -> str:
    """SQL of the lines of `raw_lines`. columns: in SQL with their types, by our names."""
    named = ", ".join(f"{column} AS {ours}" for ours, (column, _) in columns.items())
    kinds = {ours: kind for ours, (_, kind) in columns.items()}
    return line_query(kinds, how.source, how.rules, f"(SELECT {named} FROM raw_lines)", with_texts=with_texts)  # noqa: S608 (quoted)


def caps_of(how: Pass, product_map: Path, quantile: float) -> dict[str | None, int]:
    """The cap of a line in cents, by category as the sale spells it, or else its product: a quantile of the lines above 0.

    Of a row that stands for several lines it is of their mean. The quantile is one of the amounts (the inverse of the distribution
    function), so that it depends on no order.
    """
    with database(how.compute) as connection:
        _, columns = open_lines(connection, how)
        lines = query_of(columns, how)
        amount = "CAST(amount / count AS DECIMAL(18, 2))" if "lines" in columns else "amount"
        query = f"""
            WITH product AS (
                SELECT sku, CASE WHEN count(DISTINCT category) = 1 THEN max(category) END AS category
                FROM read_parquet({literal(str(product_map))}, hive_partitioning = false) GROUP BY sku
            )
            SELECT coalesce(CAST(l.category AS VARCHAR), product.category) AS name, quantile_disc({amount}, {quantile!r}) AS cap
            FROM ({lines}) AS l LEFT JOIN product ON product.sku = l.sku
            WHERE l.reason = 0 AND l.amount > 0 GROUP BY name
        """  # noqa: S608 (ours)
        found = connection.execute(query).fetchall()
    return {name: int(cap * 100) for name, cap in found}


@contextmanager
def raw_lines(reason: str, how: Pass) -> Iterator[RawLines]:
    """The raw lines, of which those with this fault are faulty."""
    with database(how.compute) as connection:
        types, columns = open_lines(connection, how)
        columns |= {"_file": ("_file", "VARCHAR")}
        if how.source.wide:
            cell = CELL_COLUMNS["cell"]
            columns["cell"] = identifier(cell), types[cell]
        query = query_of(columns, how, with_texts=True)
        # The file, then ids, then figures and dates: the order in which the first line is looked for.
        ids: list[str] = [name for name in ("_file", "store_id", "sku", "cell") if name in columns]
        texts = {name: name for name in ids}
        texts |= {name: f"{name}_text" for name in (*FIGURES, "date", "lines", "units") if name in columns}
        query = f"SELECT *, reason = {REASONS.index(reason)} AS is_faulty FROM ({query})"  # noqa: S608 (ours)
        yield RawLines(connection, query, texts)


def date_advice(lines: RawLines, how: Pass, reason: str) -> str:
    """The format that fits the dates at fault, with what those that are read need; empty where none fits."""
    read = lines.dates("day IS NOT NULL")
    configured = how.source.date_formats
    if reason == "ambiguous_date":
        # One of the formats alone may read all dates.
        return proposal(fitting_formats(lines.connection, read + lines.dates("is_faulty"), configured), [])
    if not configured and read:
        configured = [fit.form for fit in fitting_formats(lines.connection, read)[:1]]
    return proposal(fitting_formats(lines.connection, lines.dates("is_faulty")), configured if read else [])


def refuse_dates(source: SalesSource, rules: Rules, config: Path) -> None:
    """Raise ConfigError where weeks are asked for and dates are written as months, or months of the year and there are no dates."""
    if rules.seasons and "date" not in source.named:
        raise ConfigError(
            f"{config}: sources.sales.columns names no `date`, and internal.ingest_sales.seasons sums sales by month of the year",
            solution="name the column of dates, or set internal.ingest_sales.seasons to false",
        )
    months = [form for form in source.date_formats if unit_of(form) == "month"]
    if rules.dated and rules.weekly and months:
        raise ConfigError(
            f"{config}: sources.sales.date_format {shown(months[0])}: {NO_WEEKS}",
            solution="set internal.ingest_sales.period to month",
        )


def refuse_nothing(entries: Sequence[Entry], path: Path) -> None:
    """Raise DataError where no line came in, or none is left."""
    lines = {entry.flow: entry.lines for entry in entries if entry.flow in ("in", "out")}
    if not lines["in"]:
        raise DataError(f"{path} holds no sales line, only a header", solution="deliver the file again")
    if not lines["out"]:
        aside = ", ".join(f"{e.lines} lines {e.reason}" for e in sorted(entries) if e.flow == "set_aside")
        raise DataError(
            f"{path} holds no usable sales line: {aside}",
            solution="look at the columns of sources.sales, and at the policies of internal.ingest_sales",
        )


def write_no_sales(args: argparse.Namespace) -> None:
    """The tables of a place that has no sales."""
    nothing = [Entry("ingest_sales", "", flow, "", 0, 0, Decimal(0)) for flow in ("in", "out")]
    with outputs() as write:
        for contract, path in ((SALES, args.sales), (SKU_SALES, args.sku_sales), (PERIOD_SALES, args.period_sales)):
            write(contract.schema().empty_table(), contract, path)
        write(files_table({}, args.raw, {}), RAW_FILES, args.files)
        write(balanced(nothing), LEDGER, args.ledger)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, count, account, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    place = load_place(args.config)
    source = place.sources.sales
    if source is None:
        write_no_sales(args)
        log.info("no sales are configured: segments are the clusters by external data")
        return
    compute: Compute = place.compute.model_copy(update={"threads": storelib.runtime.threads(place.compute.threads)})
    rules = Rules(
        dated="date" in source.named and (args.period != "all" or args.seasons),
        negatives=args.negative_sales != "keep",
        weekly=args.period == "week",
        largest=args.largest_lines,
        seasons=args.seasons,
    )
    refuse_dates(source, rules, args.config)
    how = Pass(source, args.raw, rules, compute)
    # Not those that the command keeps: this stage may run on another machine, which numbers files differently.
    hashes = Hashes(kept=args.cache / KEPT.name, threads=compute.threads) if args.cache else None
    delivery = Delivery(args.config, place, args.raw, {"sales": source}, hashes.of_readable if hashes else None)
    files = delivery.files["sales"]
    caps = caps_of(how, args.product_map, args.cap_quantile) if args.cap_quantile < 1 else {}
    asked = {
        "units": source.columns.units,
        "largest": rules.largest,
        "capped": caps,
        **dict.fromkeys(MONTHS, rules.seasons),
    }
    mapped = entries_of(read_table(args.product_map))
    ledgers = Ledgers(mapped, [name for name, wanted in asked.items() if wanted], caps)
    cache = None
    if args.cache:
        settings = settings_hash(source, rules, args.product_map, caps)
        cache = Cache(args.cache, settings, megabytes(compute.cache_limit) * 1_000_000, log)
    with database(compute, parts=2) as connection:
        total = Counter(ledgers, compute.megabytes * 1e6 * TABLE_SHARE, connection)
        counts, used = count_files(files, how, ledgers, cache, total, hashes)
        sums = total.take()
    delivery.accept("sales", counts)
    if cache:
        used.append(cache.write(Multiset(file.content for file in files), [sums], ledgers, counts))
        cache.shrink(used)
    if source.id_case == "fail":
        refuse_capitals(map(str, ledgers.coding.store_id.texts[1:]), "store", "sales")
        refuse_capitals({*map(str, ledgers.coding.sku.texts[1:]), *mapped.of_sku}, "SKU", "sales and product map")
    entries = ledger_entries(sums, ledgers)
    if args.invalid_lines == "fail":
        refuse(entries, list(FAULTS), "invalid_lines", how)
    if args.negative_sales == "fail":
        refuse(entries, ["negative_sales"], "negative_sales", how)
    refuse_nothing(entries, args.raw / source.path)
    with outputs() as write:
        write(sales_table(sums, ledgers), SALES, args.sales)
        write(sku_table(sums, ledgers), SKU_SALES, args.sku_sales)
        write(period_table(sums, ledgers, args.period if rules.dated else "all"), PERIOD_SALES, args.period_sales)
        write(read := delivery.table(), RAW_FILES, args.files)
        write(balanced(entries), LEDGER, args.ledger)
    delivery.tell(log, read)
    log_entries(log, entries)
    if fractions := left_out(sums):
        log.info("fractions of a cent come to %s in all, which is in no other sum", fractions)


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
