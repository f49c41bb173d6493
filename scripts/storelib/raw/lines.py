"""Raw sales lines, file by file, in batches of numbers: codes for texts, cents for amounts, days, and what is wrong with a line.

A text is cleaned once for each time that it stands in a dictionary, not once for each line: Parquet files keep a dictionary
of their texts, and Arrow makes one of other columns. What is read by DuckDB alone (CSV, JSON, workbooks) goes through the
same expressions. Every row stays whole: no column is put beside another by position after a query.
"""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from storelib.arrow import array_of, column_of, value_of
from storelib.configuration.place import SalesSource, listed
from storelib.money import PARTS_OF_A_CENT, cents_of
from storelib.raw.amounts import amount_of, figure_names
from storelib.raw.days import day_of, is_iso_day
from storelib.raw.sources import (
    DATES,
    day_query,
    id_column,
    id_of,
    is_rewritten,
    name_of,
    number_of,
    number_text,
    open_source,
    require_in,
    text_of,
    unknown_numbers,
    unreadable,
)
from storelib.sql import identifier

# Why a line is set aside, and what that means in words; a line with several faults has the first.
FAULTS = {
    "missing_store": "no store",
    "missing_sku": "no SKU",
    "missing_sales": "no sales amount",
    "invalid_sales": "a sales amount that is no number, or is too large",
    "invalid_count": "a number of lines that is not whole, or less than 1",
    "invalid_units": "no units, or units that are no number, or are too large",
    "ambiguous_date": "a date that two formats read as two different days",
    "invalid_date": "no date, or one that is not written",
}
REASONS = ("", *FAULTS, "negative_sales")
TEXTS = ("store_id", "sku", "category")
# The ledger's word for lines in which one of them is not written in the form that ids have.
REWRITTEN = {"store_id": "store_id_rewritten", "sku": "sku_rewritten", "category": "category_rewritten"}
# Of a decimal(18, 2), in cents; and what of a cent is more than an inexact number.
LARGEST_AMOUNT = 1e18
ROUNDED = 1e-4
HALF = 0.5
# Dates are between the years 1000 and 9999, in days since 1970.
FIRST_DAY = -354_285
LAST_DAY = 2_932_896
Value = TypeVar("Value", np.int32, np.bool_)
# Rows of a batch that SQL works on; and of one that numpy does, whose columns stay in the nearest memory of a core.
BATCH = 1 << 20
NEAR = 1 << 17
# What Arrow makes dictionaries of. Other types, such as lists, are read by DuckDB alone.
PLAIN = (
    pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_integer, pa.types.is_floating,
    pa.types.is_decimal, pa.types.is_date, pa.types.is_boolean,
)  # fmt: skip


class Rules(NamedTuple):
    """What is asked of a line. dated: whether its date counts; negatives: whether negative sales are set aside.

    weekly: whether its week is asked for, which a month does not tell. largest: whether the largest line of each cell is.
    seasons: whether sums by month of the year are.
    """

    dated: bool
    negatives: bool
    weekly: bool = False
    largest: bool = False
    seasons: bool = False


class Lines(NamedTuple):
    """One batch. store, sku, category: (n,) codes, 0 for none; cents: (n,) int64; reason: (n,) places in REASONS.

    day: (n,) days since 1970, where dates count; times: (n,) lines that each row stands for, where a column says so.
    notes: by the ledger's word, which lines were repaired or rounded; fractions: what rounding left out, in parts of a cent.
    units: (n,) hundredths of units, where a column has them.
    """

    store: NDArray[np.int32]
    sku: NDArray[np.int32]
    category: NDArray[np.int32]
    cents: NDArray[np.int64]
    reason: NDArray[np.uint8]
    day: NDArray[np.int32] | None
    times: NDArray[np.int64] | None
    notes: dict[str, NDArray[np.bool_]]
    fractions: NDArray[np.int64] | None = None
    units: NDArray[np.int64] | None = None


class Codes:
    """Numbers for texts, from 1 in the order in which they come; 0 is no text. Several threads may ask at a time."""

    def __init__(self) -> None:
        self.texts: list[str | None] = [None]
        self._codes: dict[str | None, int] = {None: 0}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.texts)

    def of(self, texts: pa.Array) -> NDArray[np.int32]:
        """The code of each text; new texts get one."""
        values = texts.to_pylist()
        with self._lock:
            for text in values:
                if text not in self._codes:
                    self._codes[text] = len(self.texts)
                    self.texts.append(text)
            return np.fromiter((self._codes[text] for text in values), np.int32, len(values))


class Coding(NamedTuple):
    """The codes of all files that are read: `store_id`, `sku` and `category`."""

    store_id: Codes
    sku: Codes
    category: Codes


def wanted_columns(source: SalesSource, rules: Rules) -> dict[str, str | list[str]]:
    """Ours: theirs, of the columns that are read; several of an id that they make together."""
    return {ours: theirs for ours, theirs in source.named.items() if ours != "date" or rules.dated}


def repairs_in(types: dict[str, str], source: SalesSource, rules: Rules) -> dict[str, str]:
    """SQL conditions on a raw line, by the ledger's word for what was repaired in it or is rounded.

    types: SQL types by our names, under which the columns are.
    """
    amount = amount_of(types, source)
    found = {"rounded_to_cent": amount.rounded} if amount.rounded else {}
    found |= amount.repairs
    for name in TEXTS:
        kind = types.get(name, "code")
        rewritten = None if kind == "code" else is_rewritten(name, kind, form_of(name, name, kind, source))
        if rewritten:
            found[REWRITTEN[name]] = rewritten
    if rules.dated and source.date_formats and types["date"] not in DATES:
        text = text_of("date", types["date"], source)
        day = day_of(text, source.date_formats, source.time_zone)
        found["date_rewritten"] = f"NOT {is_iso_day(text)} AND {day} IS NOT NULL"
    return found


def form_of(name: str, column: str, kind: str, source: SalesSource) -> str:
    """SQL of a column that is `store_id`, `sku` or `category` by our names, in the form in which all tables have it."""
    return name_of(column, kind, source) if name == "category" else id_of(column, kind, source)


def line_query(
    types: dict[str, str], source: SalesSource, rules: Rules, relation: str, *, with_texts: bool = False
) -> str:
    """SQL of one row per raw line: texts or codes, amount, day, count, place of its reason in REASONS, and notes.

    types: SQL types by our names, under which the columns are in `relation`; a text whose type is `code` is coded already.
    with_texts: amount, date and count as they are written, too, which costs more than all the rest.
    """
    columns: dict[str, str] = {}
    missing: dict[str, str] = {}
    for name in TEXTS:
        kind = types.get(name)
        columns[name] = "NULL" if kind is None else name if kind == "code" else form_of(name, name, kind, source)
        missing[name] = f"{name} = 0" if kind == "code" else f"{name} IS NULL"
    amount = amount_of(types, source)
    columns |= {"is_missing": amount.missing, "amount": amount.value, "fraction": amount.fraction}
    faults = {
        "missing_store": missing["store_id"],
        "missing_sku": missing["sku"],
        "missing_sales": "is_missing",
        "invalid_sales": "amount IS NULL",
    }
    if "lines" in types:
        number = f"TRY_CAST({number_of('lines', types['lines'], source)} AS DECIMAL(38, 6))"
        columns["count"] = (
            f"CASE WHEN {number} >= 1 AND {number} = trunc({number}) THEN TRY_CAST({number} AS BIGINT) END"
        )
        faults["invalid_count"] = "count IS NULL"
    if "units" in types:
        columns["units"] = f"TRY_CAST({number_of('units', types['units'], source)} AS DECIMAL(18, 2))"
        faults["invalid_units"] = "units IS NULL"
    if rules.dated:
        columns["day"], columns["is_ambiguous"] = day_query("date", types["date"], source, months=not rules.weekly)
        faults |= {"ambiguous_date": "day IS NULL AND is_ambiguous", "invalid_date": "day IS NULL"}
    if rules.negatives:
        faults["negative_sales"] = "amount < 0"
    if with_texts:
        columns |= {
            f"{name}_text": number_text(name, types[name], source)
            for name in (*figure_names(types), "lines", "units")
            if name in types
        }
        columns |= {"date_text": text_of("date", types["date"], source)} if "date" in types else {}
    cases = " ".join(f"WHEN {faults[reason]} THEN {REASONS.index(reason)}" for reason in REASONS if reason in faults)
    inner = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    notes = "".join(f", coalesce({flag}, FALSE) AS {name}" for name, flag in repairs_in(types, source, rules).items())
    kept = [name for name in types if name in ("_file", "cell")]
    inner = ", ".join([*kept, inner])
    return f"SELECT *, CAST(CASE {cases} ELSE 0 END AS UTINYINT) AS reason FROM (SELECT {inner}{notes} FROM {relation})"  # noqa: S608 (names by way of `identifier`)


def asked_for(source: SalesSource, rules: Rules, notes: Sequence[str]) -> str:
    """The columns of a batch, of those that `line_query` gives."""
    more = [*(["day"] if rules.dated else []), *(["count"] if source.columns.lines else []), *notes]
    more += ["units"] if source.columns.units else []
    more += ["fraction"] if "rounded_to_cent" in notes else []
    return ", ".join([*TEXTS, "amount", "reason", *more])


class Share(NamedTuple):
    """A part of a file that one worker reads: row groups of Parquet, or the whole of anything else.

    rows: how many it has, where the file says so.
    """

    file: Path
    row_groups: Sequence[int] | None
    rows: int = 0


def shares_of(file: Path, source: SalesSource, raw: Path, rules: Rules, pieces: int) -> list[Share]:
    """What workers read of a file, in so many pieces or fewer. Raises DataError where a column is missing, or it is broken."""
    columns = wanted_columns(source, rules)
    if source.reader != "parquet" or source.wide or source.partitions:
        return [Share(file, None)]
    try:
        metadata = pq.read_metadata(file)
        schema = metadata.schema.to_arrow_schema()
        # They are decoded when they are asked for.
        found = schema.names
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise unreadable(source, raw, error, file) from None
    names = [name for theirs in columns.values() for name in listed(theirs)]
    require_in(names, found, str(file), [file], raw)
    fields = [schema.field(name) for name in names]
    # An id of several columns is read by DuckDB alone.
    plain_columns = {name: theirs for name, theirs in columns.items() if isinstance(theirs, str)}
    if len(plain_columns) < len(columns):
        return [Share(file, None)]
    texts = [schema.field(plain_columns[name]).type for name in TEXTS if name in columns]
    plain = all(
        any(test(kind.value_type if pa.types.is_dictionary(kind) else kind) for test in PLAIN) for kind in texts
    )
    if not plain or any(pa.types.is_nested(field.type) for field in fields) or not metadata.num_row_groups:
        return [Share(file, None)]
    groups = np.array_split(np.arange(metadata.num_row_groups), min(pieces, metadata.num_row_groups))
    rows = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
    return [Share(file, part.tolist(), sum(rows[number] for number in part)) for part in groups]


class Dictionary(NamedTuple):
    """A dictionary of texts as it stood in a batch; the code of each, and whether it is not written as an id is.

    Both end with what holds of no text.
    """

    values: pa.Array
    codes: NDArray[np.int32]
    rewritten: NDArray[np.bool_] | None


class LineReader:
    """Reads shares of files as batches. Each thread has one, with a DuckDB of its own for what SQL says."""

    def __init__(
        self, source: SalesSource, raw: Path, rules: Rules, coding: Coding, connection: duckdb.DuckDBPyConnection
    ) -> None:
        self.source = source
        self.raw = raw
        self.rules = rules
        self.coding = coding
        self.connection = connection
        # The code of each value of a dictionary, by column and type, as it stands in the files.
        self.known: dict[str, dict[str, dict[Any, int]]] = {name: {} for name in TEXTS}
        # Those that are not written in the form of an id.
        self.rewritten: dict[str, dict[str, set[Any]]] = {name: {} for name in TEXTS}
        # Batches of one row group have one dictionary.
        self.latest: dict[str, Dictionary] = {}
        self.queries: dict[pa.Schema, tuple[str, list[str]]] = {}

    def read(self, share: Share) -> Iterator[Lines]:
        """The lines of a share."""
        return self.by_arrow(share) if share.row_groups is not None else self.by_duckdb(share.file)

    def by_arrow(self, share: Share) -> Iterator[Lines]:
        """Row groups of a Parquet file, decoded as dictionaries."""
        wanted = wanted_columns(self.source, self.rules)
        columns = {ours: theirs for ours, theirs in wanted.items() if isinstance(theirs, str)}
        metadata = pq.read_metadata(share.file)
        schema = metadata.schema.to_arrow_schema()
        texts = [columns[name] for name in TEXTS if name in columns]
        dictionaries = [name for name in texts if pa.types.is_string(schema.field(name).type)]
        with pq.ParquetFile(share.file, metadata=metadata, read_dictionary=dictionaries, pre_buffer=False) as file:
            names = list(dict.fromkeys(columns.values()))
            figures = {ours: schema.field(theirs).type for ours, theirs in columns.items() if ours not in TEXTS}
            size = NEAR if self.is_plain(figures) else BATCH
            batches = file.iter_batches(size, row_groups=share.row_groups, columns=names, use_threads=False)
            while (batch := self.next_of(batches, share.file)) is not None:
                try:
                    lines = self.coded(batch, columns)
                except (UnicodeDecodeError, duckdb.InvalidInputException, pa.ArrowInvalid) as error:
                    raise unreadable(self.source, self.raw, error, share.file) from None
                yield lines

    def next_of(self, batches: Iterator[pa.RecordBatch], file: Path) -> pa.RecordBatch | None:
        """The next batch of a file. Raises DataError where the file is broken, and no fault of ours is taken for that."""
        try:
            return next(batches, None)
        except (pa.ArrowException, OSError) as error:
            raise unreadable(self.source, self.raw, error, file) from None

    def coded(self, batch: pa.RecordBatch, columns: dict[str, str]) -> Lines:
        """A batch of raw columns with codes for its texts."""
        arrays: dict[str, Any] = {}
        notes_of_ids: dict[str, NDArray[np.bool_]] = {}
        for name, theirs in columns.items():
            column = batch.column(theirs)
            arrays[name] = self.codes(name, column, notes_of_ids) if name in TEXTS else column
        if self.is_plain({name: column.type for name, column in arrays.items() if name not in TEXTS}):
            lines = self.counted(arrays)
            lines.notes.update(notes_of_ids)
            return lines
        raw = pa.table(arrays)
        self.connection.register("raw", raw)
        if raw.schema not in self.queries:
            types = {row[0]: row[1] for row in self.connection.execute("DESCRIBE raw").fetchall()}
            types |= {name: "code" for name in TEXTS if name in arrays}
            notes = list(repairs_in(types, self.source, self.rules))
            query = line_query(types, self.source, self.rules, "raw")
            names = asked_for(self.source, self.rules, notes)
            self.queries[raw.schema] = f"SELECT {names} FROM ({query})", notes  # noqa: S608 (ours)
        query, notes = self.queries[raw.schema]
        lines = self.lines(self.connection.sql(query).to_arrow_table(), notes)
        lines.notes.update(notes_of_ids)
        return lines

    def is_plain(self, figures: dict[str, pa.DataType]) -> bool:
        """Whether no text has to be read for the figures and dates of a line. figures: their types by our names."""
        # A date that means 'not known' is told by its text.
        plain = "sales" in figures and all(is_plain_number(*figure) for figure in figures.items())
        return plain and not ("date" in figures and self.source.missing)

    def counted(self, columns: dict[str, Any]) -> Lines:
        """A batch whose figures are numbers and days already: what `line_query` says, at a tenth of its cost."""
        store, sku = columns["store_id"], columns["sku"]
        amounts = exact_cents(columns["sales"], unknown_numbers(self.source))
        faults = {"missing_store": store == 0, "missing_sku": sku == 0, **amounts.faults}
        day = count = units = None
        if "units" in columns:
            found = exact_cents(columns["units"], unknown_numbers(self.source))
            units = found.cents
            # A null is no number, and makes a float that is none.
            missing = np.isnan(array_of(columns["units"]).astype(np.float64, copy=False))
            faults["invalid_units"] = np.logical_or.reduce([missing, *found.faults.values()])
        if "lines" in columns:
            lines = exact_cents(columns["lines"], unknown_numbers(self.source))
            whole = (lines.cents % 100 == 0) & (lines.cents >= 100)
            for fault in lines.faults.values():
                whole &= ~fault
            if lines.rounded is not None:
                whole &= ~lines.rounded
            # A row that does not say how many it stands for is one.
            count, faults["invalid_count"] = np.where(whole, lines.cents // 100, 1), ~whole
        if "date" in columns:
            day, faults["invalid_date"] = exact_days(columns["date"])
        if self.rules.negatives:
            faults["negative_sales"] = amounts.cents < 0
        reason = np.zeros(len(store), np.uint8)
        # The first fault of a line is the last to be written.
        for name in reversed(REASONS):
            if name in faults and faults[name].any():
                reason[faults[name]] = REASONS.index(name)
        notes, fractions = {}, None
        if amounts.rounded is not None:
            notes, fractions = {"rounded_to_cent": amounts.rounded}, fractions_of(columns["sales"], amounts)
        category = columns.get("category")
        category = np.zeros(len(store), np.int32) if category is None else category
        return Lines(store, sku, category, amounts.cents, reason, day, count, notes, fractions, units)

    def codes(self, name: str, column: pa.Array, notes: dict[str, NDArray[np.bool_]]) -> NDArray[np.int32]:
        """The code of each text of a column, which is cleaned once for each distinct value.

        notes: is told which lines have an id that is not written in the form of one.
        """
        if pa.types.is_dictionary(column.type):
            require_places(column)
        else:
            column = pc.dictionary_encode(column)
        latest = self.latest.get(name)
        if (
            latest is None
            or latest.values.type != column.dictionary.type
            or not latest.values.equals(column.dictionary)
        ):
            latest = self.latest[name] = self.dictionary(name, column.dictionary)
        if latest.rewritten is not None:
            notes[REWRITTEN[name]] = at_places(latest.rewritten, column.indices)
        return at_places(latest.codes, column.indices)

    def dictionary(self, name: str, texts: pa.Array) -> Dictionary:
        """What is known of the distinct values of a column; new ones are cleaned."""
        values = texts.to_pylist()
        kind = str(texts.type)
        known, rewritten = self.known[name].setdefault(kind, {}), self.rewritten[name].setdefault(kind, set())
        is_new = np.array([value not in known for value in values], np.bool_)
        if is_new.any():
            new = [value for value, flag in zip(values, is_new, strict=True) if flag]
            found, is_other = self.cleaned_codes(name, texts.filter(column_of(is_new)))
            known.update(zip(new, found.tolist(), strict=True))
            rewritten.update(value for value, flag in zip(new, is_other, strict=True) if flag)
        flags = np.array([value in rewritten for value in values] if rewritten else [], np.bool_)
        codes = np.array([known[value] for value in values], np.int32)
        # A null has no place in the dictionary: it takes the last.
        return Dictionary(texts, np.append(codes, np.int32(0)), np.append(flags, np.False_) if flags.any() else None)

    def cleaned_codes(self, name: str, values: pa.Array) -> tuple[NDArray[np.int32], list[bool]]:
        """The code of each distinct value, as `id_of` cleans it, and whether it was written otherwise."""
        self.connection.register("dictionary", pa.table({"place": column_of(np.arange(len(values))), "value": values}))
        kind = str(self.connection.sql("SELECT value FROM dictionary").types[0])
        text = form_of(name, "value", kind, self.source)
        flag = is_rewritten("value", kind, text) or "FALSE"
        query = f"SELECT {text} AS text, coalesce({flag}, FALSE) AS flag FROM dictionary ORDER BY place"  # noqa: S608 (ours)
        cleaned = self.connection.sql(query).to_arrow_table()
        codes: Codes = getattr(self.coding, name)
        return codes.of(cleaned["text"].combine_chunks()), cleaned["flag"].to_pylist()

    def by_duckdb(self, file: Path) -> Iterator[Lines]:
        """A whole file by the source's reader. Raises DataError where a column is missing."""
        columns = wanted_columns(self.source, self.rules)
        view = "raw_file"
        kinds = open_source(self.connection, self.source, self.raw, view, [file], months=not self.rules.weekly)
        names = [name for theirs in columns.values() for name in listed(theirs)]
        require_in(names, [name for name in kinds if name != "_file"], str(file), [file], self.raw)
        found = {ours: id_column(theirs, kinds, self.source) for ours, theirs in columns.items()}
        types = {ours: kind for ours, (_, kind) in found.items()}
        notes = list(repairs_in(types, self.source, self.rules))
        named = ", ".join(f"{column} AS {ours}" for ours, (column, _) in found.items())
        query = line_query(types, self.source, self.rules, f"(SELECT {named} FROM {identifier(view)})")  # noqa: S608 (quoted)
        asked = asked_for(self.source, self.rules, notes)
        try:
            reader = self.connection.sql(f"SELECT {asked} FROM ({query})").to_arrow_reader(BATCH)  # noqa: S608 (ours)
            for batch in reader:
                if batch.num_rows:
                    yield self.lines(pa.Table.from_batches([batch]), notes)
        except duckdb.InvalidInputException as error:
            raise unreadable(self.source, self.raw, error, file) from None

    def lines(self, table: pa.Table, notes: Sequence[str]) -> Lines:
        """What SQL gave as numbers."""
        found = {name: table[name].combine_chunks() for name in table.column_names}
        store, sku, category = (self.text_codes(name, found[name]) for name in TEXTS)
        day = (
            found["day"].cast(pa.int32()).fill_null(FIRST_DAY).to_numpy(zero_copy_only=False)
            if self.rules.dated
            else None
        )
        count = found["count"].fill_null(1).to_numpy(zero_copy_only=False) if self.source.columns.lines else None
        return Lines(
            store,
            sku,
            category,
            cents_of(found["amount"]),
            found["reason"].to_numpy(zero_copy_only=False),
            day,
            count,
            {name: found[name].to_numpy(zero_copy_only=False) for name in notes},
            found["fraction"].fill_null(0).to_numpy(zero_copy_only=False) if "fraction" in found else None,
            cents_of(found["units"]) if "units" in found else None,
        )

    def text_codes(self, name: str, column: pa.Array) -> NDArray[np.int32]:
        """Codes as they are, or of texts that DuckDB cleaned."""
        if pa.types.is_int32(column.type) or pa.types.is_null(column.type):
            codes: NDArray[np.int32] = column.cast(pa.int32()).fill_null(0).to_numpy(zero_copy_only=False)
            return codes
        encoded = pc.dictionary_encode(column)
        return at_places(np.append(getattr(self.coding, name).of(encoded.dictionary), np.int32(0)), encoded.indices)


def require_places(column: pa.DictionaryArray) -> None:
    """Raise ArrowInvalid where a damaged file has a text that is not in its dictionary, which Arrow does not look at."""
    ends = pc.min_max(column.indices).as_py()
    if ends["min"] is not None and not 0 <= ends["min"] <= ends["max"] < len(column.dictionary):
        raise pa.ArrowInvalid(f"text {ends['max']} of a dictionary of {len(column.dictionary)}")


def at_places(values: NDArray[Value], places: pa.Array) -> NDArray[Value]:
    """Values at places of a dictionary; the last of them where there is no place."""
    if places.null_count:
        places = pc.fill_null(places, value_of(len(values) - 1).cast(places.type))
    found: NDArray[Value] = values.take(array_of(places))
    return found


class Amounts(NamedTuple):
    """Numbers in hundredths. faults: which are missing, or none; rounded: which held more than hundredths."""

    cents: NDArray[np.int64]
    faults: dict[str, NDArray[np.bool_]]
    rounded: NDArray[np.bool_] | None


def is_plain_number(name: str, kind: pa.DataType) -> bool:
    """Whether a column of figures is of a type whose numbers, or days, are taken as they are."""
    if name == "date":
        return bool(pa.types.is_date32(kind))
    whole = pa.types.is_integer(kind) and kind.bit_width <= 32
    return bool(whole or pa.types.is_float64(kind) or pa.types.is_float32(kind))


def exact_cents(column: pa.Array, unknown: Sequence[float]) -> Amounts:
    """A column of numbers in whole hundredths, halves away from zero, as SQL rounds a number to decimals."""
    values = array_of(column).astype(np.float64, copy=False)
    hundredths = values * 100
    nearest = np.rint(hundredths)
    faults, rounded = {}, None
    with np.errstate(invalid="ignore"):
        gap = np.subtract(hundredths, nearest)
        np.abs(gap, out=gap)
        # Mostly there is nothing to round; what is no number compares as neither.
        if not gap.max(initial=0) <= ROUNDED:
            ties = gap == HALF
            nearest[ties] = hundredths[ties] + np.copysign(HALF, hundredths[ties])
            rounded = gap > ROUNDED
        if unknown or not max(nearest.max(initial=0), -nearest.min(initial=0)) < LARGEST_AMOUNT:
            missing = np.isnan(values)
            for value in unknown:
                missing |= values == value
            bad = missing | ~(np.abs(nearest) < LARGEST_AMOUNT)
            faults = {"missing_sales": missing, "invalid_sales": bad}
            nearest = np.where(bad, 0, nearest)
            rounded = None if rounded is None else rounded & ~bad
    return Amounts(nearest.astype(np.int64), faults, rounded)


def fractions_of(column: pa.Array, amounts: Amounts) -> NDArray[np.int64]:
    """What rounding to hundredths left out of the numbers that were rounded, in parts of a cent; 0 for the others."""
    fractions = np.zeros(len(amounts.cents), np.int64)
    places = np.flatnonzero(np.zeros(0) if amounts.rounded is None else amounts.rounded)
    exact = array_of(column.take(column_of(places))).astype(np.float64, copy=False) * 100
    fractions[places] = np.rint((exact - amounts.cents[places]) * PARTS_OF_A_CENT)
    return fractions


def exact_days(column: pa.Array) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Days since 1970, and which are missing or not of our time, as `in_our_time` has it."""
    days = array_of(column.cast(pa.int32()).fill_null(value_of(FIRST_DAY - 1).cast(pa.int32())))
    if days.min(initial=FIRST_DAY) >= FIRST_DAY and days.max(initial=FIRST_DAY) <= LAST_DAY:
        return days, np.zeros(len(days), np.bool_)
    wrong = (days < FIRST_DAY) | (days > LAST_DAY)
    return np.where(wrong, FIRST_DAY, days), wrong
