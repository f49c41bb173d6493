"""Contracts of tables: what is true of each file, checked before it is written, and told in one line.

A stage writes through `outputs`, which asks for a contract, so that no table between stages goes unchecked. Tables are
checked as Arrow holds them: types are those of the file, and no value becomes a Python object.

A table that keeps all its rules is recognised by evaluating them, one by one, on whole Arrow columns; of a column of texts that
comes as a dictionary, on each distinct text. pandera says what is wrong with any other: importing it costs as much as many a
stage computes, and a run in which all is well has no use for its words. pandas is imported where a rule of rows asks for it.
"""

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from storelib import names
from storelib.arrow import array_of, column_of, texts_of, value_of
from storelib.errors import DataError, shown
from storelib.tables import MONEY, moved_together, write_table

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pandera

Rows: TypeAlias = "pd.DataFrame | pa.Table"
# What `text_of` trims.
SPACE = " \t\r\n"
DEFECT = "nothing was written; if the raw data are right, this is a defect of the pipeline: report it with the log"


def check_table(
    frame: "pd.DataFrame",
    schema: "pandera.DataFrameSchema",
    where: str,
    locate: Callable[[dict[str, Any]], str] | None = None,
) -> None:
    """Raise DataError for the first broken rule of a small raw table: which column, how many rows, one example.

    where: the file; locate: the file and line of a row.
    """
    broken = first_broken(frame, schema)
    if broken is None:
        return
    # Rows come in no promised order: the same mistake gives the same example.
    rows = frame[frame.index.isin(broken.rows)].sort_values(list(frame.columns), ignore_index=True)
    example = {} if rows.empty else plain_row(rows, list(frame.columns))
    raise DataError(
        f"{locate(example) if locate and example else where}: {broken.told(example)}",
        solution="mend or remove those rows, or name the values that mean 'not known' under `missing`",
    )


class Broken(NamedTuple):
    """A rule that does not hold. column: None where it is of whole rows; rows: their labels, none where it is of the table."""

    rule: str
    column: str | None
    rows: "pd.Index"

    def told(self, example: Mapping[str, object]) -> str:
        """In words: the rule, how many rows, one of them."""
        if self.rows.empty:
            return self.rule
        row = ", ".join(f"{name} {shown(value)}" for name, value in example.items())
        return f"{self.rule} on {len(self.rows)} rows, such as {row}"


def first_broken(frame: "pd.DataFrame", schema: "pandera.DataFrameSchema") -> Broken | None:
    """The first rule that does not hold, columns before rows; None where all do."""
    import pandas as pd
    import pandera.pandas as pandera

    try:
        schema.validate(frame, lazy=True, inplace=True)
    except pandera.errors.SchemaErrors as error:
        failures = error.failure_cases
        # A rule that cannot be evaluated is a defect of the rule, unless it stumbled over what another one tells of.
        stumbled = [
            mistake.check.error
            for mistake in error.schema_errors
            if mistake.check is not None and mistake.reason_code == pandera.errors.SchemaErrorReason.CHECK_ERROR
        ]
        told = failures[~failures["check"].isin(stumbled)]
        if told.empty:
            raise RuntimeError(
                f"rule {stumbled[0]!r} cannot be evaluated: {failures['failure_case'].iloc[0]}"
            ) from None
        first = told.sort_values("schema_context", kind="stable").iloc[0]
        what = str(first["check"])
        same = told[told["check"] == first["check"]]
        column = None
        if first["schema_context"] == "Column" or what in KINDS:
            column = str(first["column"])
            same = same[same["column"] == first["column"]]
        rule = f"it does not hold that {what}" if column is None else f"column {column!r} {KINDS.get(what, what)}"
        rows = pd.Index(same["index"].dropna().unique())
        return Broken(rule, column, rows[rows.isin(frame.index)])
    return None


KINDS = {
    "not_nullable": "is empty",
    "multiple_fields_uniqueness": "is part of a key that occurs more than once",
    "field_uniqueness": "holds a key more than once",
}


def plain_row(rows: "pd.DataFrame", columns: Sequence[str]) -> dict[str, Any]:
    """The first row, with None where a value is missing, and Python's own numbers."""
    import pandas as pd

    values = {name: rows[name].iloc[0] for name in columns}
    return {n: None if pd.isna(v) else v.item() if isinstance(v, np.generic) else v for n, v in values.items()}


class Check(NamedTuple):
    """What holds of the known values of a column, or of rows. error: how it is told.

    holds: one truth for each value of an Arrow array, or for each row of an Arrow table; or one for all of them.
    """

    error: str
    holds: Callable[[Any], Any]

    def keeps(self, values: pa.Array | pa.ChunkedArray | pa.Table) -> bool:
        """Whether it holds of all: a truth that is missing is none."""
        truth = self.holds(values)
        if isinstance(truth, bool):
            return truth
        return not len(truth) or bool(pc.all(truth, skip_nulls=False).as_py())

    def told_by_pandas(self, values: "pd.Series | pd.DataFrame") -> "pd.Series | bool":
        """The same of what pandera looks at."""
        import pandas as pd

        if not len(values):
            # Of a column in which nothing is known; it may not even have its type.
            return True
        is_column = isinstance(values, pd.Series)
        rows = pa.chunked_array([pa.array(values)]) if is_column else pa.Table.from_pandas(values, preserve_index=False)
        truth = self.holds(rows)
        return truth if isinstance(truth, bool) else pd.Series(pd.arrays.ArrowExtensionArray(truth), index=values.index)


class Column(NamedTuple):
    """One column of a file: its type, what holds of each value that is known, and whether a value may be missing."""

    kind: pa.DataType
    checks: tuple[Check, ...] = ()
    nullable: bool = False

    def keeps(self, values: pa.ChunkedArray) -> bool:
        """Whether values, as Arrow holds them, are of this column; of a dictionary also those that do not occur."""
        if not self.nullable and values.null_count:
            return False
        if pa.types.is_dictionary(values.type):
            values = pa.chunked_array([chunk.dictionary for chunk in values.chunks], values.type.value_type)
        known = values.drop_null()
        return bool(values.type == self.kind) and all(check.keeps(known) for check in self.checks)


class Contract:
    """What is true of one kind of file.

    columns: in order. key: columns whose values, taken together, occur once. rules: of whole rows, from `rule`.
    others: every further column, of a table with one column per feature; there is at least one where `others_required`.
    optional: columns that a file may be without.
    is_sorted: whether rows are in the order of the key; nulls_last: where a missing part of a key stands; ranks: columns of
    the key whose order is that of a list. may_be_empty: whether a table without a row is right.
    """

    def __init__(
        self,
        columns: Mapping[str, Column],
        key: Sequence[str],
        *rules: Check,
        others: Column | None = None,
        others_required: bool = True,
        optional: Iterable[str] = (),
        is_sorted: bool = True,
        nulls_last: bool = False,
        ranks: Mapping[str, Sequence[str]] | None = None,
        may_be_empty: bool = False,
    ) -> None:
        self.columns = dict(columns)
        self.key = list(key)
        self.others = others
        self.others_required = others_required
        self.optional = frozenset(optional)
        self.is_sorted = is_sorted
        self.nulls_last = nulls_last
        self.ranks = dict(ranks or {})
        self.may_be_empty = may_be_empty
        self.rules = [self.key_rule(), *rules]

    @property
    def names(self) -> list[str]:
        """The columns that such a file may have by name."""
        return list(self.columns)

    def others_of(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """The further columns of a table, one for each feature; those of the contract are left out by name."""
        return table.drop(columns=self.names, errors="ignore")

    def schema(self, others: Sequence[str] = (), without: Container[str] = ()) -> pa.Schema:
        """The file's schema. others: names of the further columns; without: the optional ones that it does not have."""
        fields = [(name, column.kind) for name, column in self.columns.items() if name not in without]
        return pa.schema(fields + [(name, self.others.kind) for name in others if self.others])

    def schema_for(self, names: Sequence[str], where: str) -> pa.Schema:
        """The schema of a table with these columns. Raises DataError where they are not the contract's."""
        without = self.optional.difference(names)
        own = [name for name in self.columns if name not in without]
        fixed, rest = names[: len(own)], names[len(own) :]
        is_wide = self.others is not None
        if list(fixed) != own or (rest and not is_wide) or (is_wide and self.others_required and not rest):
            further = " and one for each feature" if is_wide else ""
            raise DataError(
                f"{where}: columns {listed(names)} are not those of its contract, {listed(self.names)}{further}",
                solution=DEFECT,
            )
        return self.schema(rest, without)

    def key_rule(self) -> Check:
        """Each key once and, where the file is sorted, in order."""
        words = ", ".join(self.key)
        if not self.is_sorted:
            return rule(f"each {words} occurs once", lambda table: ~table.duplicated(self.key, keep=False))

        def rises(table: pa.Table) -> pa.Array:
            step = steps(self.ranked(table), nulls_last=self.nulls_last)
            return column_of(np.concatenate([[True], step > 0])[: table.num_rows])

        return Check(f"rows are sorted by {words}, each once", rises)

    def ranked(self, table: pa.Table) -> list[pa.ChunkedArray]:
        """The columns of the key, with ranks for the values of those that are ordered by a list."""
        return [
            pc.index_in(table[name], texts_of(self.ranks[name])) if name in self.ranks else table[name]
            for name in self.key
        ]

    def keeps(self, table: pa.Table) -> bool:
        """Whether every rule holds of a table with the contract's columns; False also where one cannot be evaluated.

        pandera agrees with every True. What it makes of the rest, `first_broken` tells.
        """
        if len(set(table.column_names)) < table.num_columns:
            return False
        columns = [self.columns.get(name, self.others) for name in table.column_names]
        try:
            return all(
                column is not None and column.keeps(values)
                for column, values in zip(columns, table.columns, strict=True)
            ) and all(rule.keeps(table) for rule in self.rules)
        except Exception:
            # A rule may stumble over what another one tells of: pandera tells them apart.
            return False

    @cached_property
    def pandera(self) -> "pandera.DataFrameSchema":
        """All of it, for pandera."""
        import pandas as pd
        import pandera.pandas as pandera

        def of(column: Column, **options: Any) -> pandera.Column:
            checks = [pandera.Check(check.told_by_pandas, error=check.error) for check in column.checks]
            return pandera.Column(pd.ArrowDtype(column.kind), checks, nullable=column.nullable, **options)

        columns = {name: of(column, required=name not in self.optional) for name, column in self.columns.items()}
        if self.others is not None:
            own = "|".join(self.columns)
            columns[rf"^(?!(?:{own})\Z)(?s:.*)\Z"] = of(self.others, regex=True, required=self.others_required)
        rules = [pandera.Check(rule.told_by_pandas, error=rule.error, ignore_na=False) for rule in self.rules]
        return pandera.DataFrameSchema(columns, checks=rules)


def listed(names: Sequence[str]) -> str:
    """Column names for an error message."""
    listed = [repr(name[:40]) for name in names[:20]]
    return f"[{', '.join(listed)}{', …' if len(names) > 20 else ''}]"


def steps(key: Sequence[pa.ChunkedArray], *, nulls_last: bool) -> NDArray[np.int8]:
    """How each row but the first compares with the one before, by the columns of a key: 1 after it, 0 the same, -1 before it.

    Texts compare by code point.
    """
    result = np.zeros(max(len(key[0]) - 1, 0), dtype=np.int8)
    for column in key:
        values = in_order(column)
        known = array_of(values.is_valid())
        after, before = values[1:], values[:-1]
        larger, smaller = (
            array_of(pc.fill_null(compared, value_of(value=False)))
            for compared in (pc.greater(after, before), pc.less(after, before))
        )
        if values.null_count:
            lost, gained = known[:-1] & ~known[1:], known[1:] & ~known[:-1]
            larger, smaller = larger | (lost if nulls_last else gained), smaller | (gained if nulls_last else lost)
        tied = result == 0
        result[tied & larger] = 1
        result[tied & smaller] = -1
    return result


def in_order(column: pa.ChunkedArray) -> pa.Array:
    """A column by which rows are compared: of a dictionary in order the places in it, else the values."""
    values = column.combine_chunks()
    if not pa.types.is_dictionary(values.type):
        return values
    texts = values.dictionary
    is_sorted = not texts.null_count and pc.all(pc.greater(texts[1:], texts[:-1]), min_count=0).as_py()
    return values.indices if is_sorted else values.dictionary_decode()


# Rules ----------------------------------------------------------------------------------------------------


def rule(text: str, holds: "Callable[[pd.DataFrame], Any]") -> Check:
    """What holds of rows, or of the whole table. text: as after "it holds that"; holds: one truth per row, or one."""

    def of_rows(table: pa.Table) -> Any:
        import pandas as pd

        truth = holds(table.to_pandas(types_mapper=pd.ArrowDtype))
        return truth if isinstance(truth, bool) else pa.array(truth)

    return Check(text, of_rows)


def check(text: str, holds: Callable[[pa.ChunkedArray], Any]) -> Check:
    """What holds of each known value of a column. text: as after "is"."""
    return Check(f"is not {text}", holds)


def at_least(smallest: float) -> Check:
    """Not below a number."""
    return check(f"at least {smallest}", lambda values: pc.greater_equal(values, value_of(smallest)))


def between(low: float, high: float, slack: float = 0) -> Check:
    """From one number to another; slack: for figures that rounding may take beyond them."""
    least, most = low - slack, high + slack
    return check(
        f"between {low} and {high}",
        lambda values: pc.and_(pc.greater_equal(values, value_of(least)), pc.less_equal(values, value_of(most))),
    )


def one_of(words: Sequence[str]) -> Check:
    """One of a few words."""
    listed = ", ".join(word or "(empty)" for word in words)
    return check(f"one of {listed}", lambda values: pc.is_in(values, texts_of(words).cast(values.type)))


def like(pattern: str, text: str) -> Check:
    """A text of a form. pattern: a regular expression for all of it, as RE2 reads it."""
    return check(text, lambda values: pc.match_substring_regex(values, f"^(?:{pattern})$"))


FILLED = check(
    "text without spaces around it",
    lambda values: pc.and_(pc.not_equal(values, value_of("")), pc.equal(pc.utf8_trim(values, SPACE), values)),
)
NAMED = check("filled", lambda values: pc.not_equal(values, value_of("")))
FINITE = check("a finite number", lambda values: pc.less(pc.abs(values), value_of(math.inf)))
KEY = like(names.KEY, "a key of params.yaml")


def text(*checks: Check, nullable: bool = False) -> Column:
    """Text without spaces around it, unless other checks are given."""
    return Column(pa.string(), checks or (FILLED,), nullable)


def number(*checks: Check, nullable: bool = False) -> Column:
    """A finite float."""
    return Column(pa.float64(), (FINITE, *checks), nullable)


def count(smallest: int = 0) -> Column:
    """A 64-bit number of things."""
    return Column(pa.int64(), (at_least(smallest),))


def label(*, nullable: bool = False) -> Column:
    """The number of a cluster or segment."""
    return Column(pa.int32(), (at_least(1),), nullable)


def money(*checks: Check) -> Column:
    """Exact amounts in currency, to the cent."""
    return Column(MONEY, checks)


TRUTH = Column(pa.bool_())


# Writing --------------------------------------------------------------------------------------------------


class Outputs:
    """Writes the files of a stage to temporary ones, which are moved together.

    temporary: gives where to write a file that is no table, such as a picture, which is moved with the others.
    """

    def __init__(self, temporary: Callable[[Path], Path]) -> None:
        self.temporary = temporary

    def __call__(self, rows: Rows, contract: Contract, path: Path) -> None:
        """A table, checked. Raises DataError where its contract is broken."""
        temporary = self.temporary(path)
        write_table(checked(rows, contract, str(path)), temporary)


@contextmanager
def outputs() -> Iterator[Outputs]:
    """Write the files of a stage: all of them, or none.

    Gives `write(rows, contract, path)`, which puts a table into a temporary file, and `write.temporary(path)` for other files;
    they are moved when the block ends without an error, so that a stage that is killed, or finds the disk full, leaves no new
    table beside an old picture.
    """
    with moved_together() as temporary:
        yield Outputs(temporary)


def checked(rows: "pd.DataFrame | pa.Table", contract: Contract, where: str) -> pa.Table:
    """A table under its contract's schema. Raises DataError where a rule is broken or a value does not fit its type."""
    arrow: Any = rows if isinstance(rows, pa.Table) else None
    names = list(map(str, rows.columns)) if arrow is None else arrow.column_names
    schema = contract.schema_for(names, where)
    try:
        table = pa.Table.from_pandas(rows, schema=schema, preserve_index=False) if arrow is None else arrow.cast(schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        words = " ".join(" ".join(map(str, error.args)).split())
        raise DataError(f"{where}: {words}", solution=DEFECT) from None
    if table.num_rows:
        refuse_broken(table, contract, where, arrow)
    elif not contract.may_be_empty:
        refuse_empty(where)
    return table


def refuse_broken(table: pa.Table, contract: Contract, where: str, rows: pa.Table | None = None) -> None:
    """Raise DataError for the first rule that a table breaks. rows: the same with dictionaries, which are quicker to look at."""
    if contract.keeps(table if rows is None else rows) or (rows is not None and contract.keeps(table)):
        return
    import pandas as pd

    frame = table.to_pandas(types_mapper=pd.ArrowDtype)
    broken = first_broken(frame, contract.pandera)
    if broken:
        further = [broken.column] if broken.column and broken.column not in contract.key else []
        example = {} if broken.rows.empty else plain_row(frame.loc[broken.rows[:1]], [*contract.key, *further])
        raise DataError(f"{where}: {broken.told(example)}", solution=DEFECT)


def refuse_empty(where: str) -> None:
    """Raise DataError for a table without a row."""
    raise DataError(
        f"{where}: no row is left to write", solution="look at what the earlier stages set aside, and at their logs"
    )
