"""The place, `configs/<env>.yml`, as a model; and how any configuration file is read and checked.

An error names the file, the key, what was found and what was expected.
"""

import os
import re
from collections.abc import Iterator
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from storelib.configuration.date_settings import is_zone, unit_of
from storelib.configuration.yaml_files import read_yaml
from storelib.errors import ConfigError, nearest_name, shown
from storelib.names import KEY
from storelib.raw.readers import BUILT_IN, reader_names, reader_of

ENVIRONMENT_VARIABLE = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)(?:,([^}]*))?\}")
Key = Annotated[str, Field(pattern=f"^{KEY}$")]
# How pydantic names the branches of a union in the place of an error.
BRANCH = re.compile(r"^((constrained-)?(str|int|float)|(constrained-)?list\[.*\])$")
Column = Annotated[str, Field(min_length=1)]
# One column, or several whose texts make one id.
Columns = Column | Annotated[list[Column], Field(min_length=1)]
IdCase = Literal["fail", "keep", "upper"]


class Model(BaseModel):
    """Unknown keys are errors, values are not converted from one type to another, and numbers are finite."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


M = TypeVar("M", bound=Model)


class Source(Model):
    """Where one table of raw data lies and how it is read."""

    reader: str = Field(description="format of the files: `parquet`, `csv`, `json`, `excel`, or what a package adds")
    path: str = Field(
        description="one file, a folder of parts, or a pattern from `data/raw/<env>/` on, part by part: `*` and `?` stand for "
        "characters of one name, `**` for any number of folders"
    )
    missing: list[str | int | float] = Field(
        default=[], description="values that mean 'not known', such as `NA` or `-1`; an empty cell always does"
    )
    delimiter: str = Field(
        default=",", min_length=1, max_length=4, pattern=r'^[^"\r\n\x00]*$', description="column separator of CSV files"
    )
    encoding: str = Field(default="utf-8", description="of CSV files, such as utf-16 or cp1252")
    sheet: str | None = Field(
        default=None, description="of Excel files; by default the only one that is not hidden and not empty"
    )
    id_case: IdCase = Field(
        default="fail",
        description="ids of one table that differ by capitals alone, `s01` and `S01`: `fail`; `keep` takes them for two; `upper` writes "
        "them in capitals. The same for every source",
    )
    header_row: int | None = Field(
        default=None,
        ge=1,
        description="the line, or row, of the header of CSV and Excel files; by default the first that is not empty",
    )
    records: str | None = Field(
        default=None,
        pattern=r"^[^.]+(\.[^.]+)*$",
        description="of JSON files whose rows lie deeper: the keys that lead to the array of rows, such as `result.items`",
    )
    partitions: list[Column] = Field(
        default=[],
        description="keys of folder names, such as `STORE` of `STORE=007/`, that are columns; other folder names say nothing",
    )
    repeated_files: Literal["fail", "read"] = Field(
        default="fail",
        description="two files with the same content, such as a copy, or a file beside its .gz; `read` counts each",
    )

    @field_validator("path")
    @classmethod
    def stays_inside(cls, path: str) -> str:
        """The runners see only data/raw/<env>/."""
        if not path or "\0" in path or Path(path).is_absolute() or ".." in Path(path).parts:
            raise ValueError("a path inside data/raw/<env>/ is expected")
        return path

    @field_validator("reader")
    @classmethod
    def is_known(cls, reader: str) -> str:
        """Built in, or added by a package."""
        # Those of other packages are looked up only where they are needed: it takes a while.
        if reader not in BUILT_IN and reader not in (known := reader_names()):
            raise ValueError(f"a reader is expected{nearest_name(reader, known)}: {', '.join(known)}")
        return reader

    @field_validator("encoding")
    @classmethod
    def is_an_encoding(cls, encoding: str) -> str:
        """One that Python knows."""
        try:
            # Some codecs are not of text, and raise here too.
            "a".encode(encoding)
        except (LookupError, UnicodeError):
            raise ValueError("an encoding such as utf-8, utf-16, latin-1 or cp1252 is expected") from None
        return encoding

    @model_validator(mode="after")
    def options_are_the_readers(self) -> "Source":
        """A key that the reader would not look at is a mistake."""
        understood = reader_of(self.reader).options
        for option in ("delimiter", "encoding", "sheet", "header_row", "records"):
            if option in self.model_fields_set and option not in understood:
                raise ValueError(f"{option} means nothing to the reader {self.reader!r}")
        return self

    @field_validator("partitions")
    @classmethod
    def are_different(cls, partitions: list[str]) -> list[str]:
        """Columns are told apart whatever the case."""
        if len({key.lower() for key in partitions}) < len(partitions):
            raise ValueError("different keys are expected, whatever the case")
        return partitions

    @property
    def optional_columns(self) -> set[str]:
        """Columns, by our names, that a file may be without."""
        return set()

    @property
    def named_columns(self) -> list[str]:
        """The columns of the files that the configuration names."""
        tree = self.model_dump(exclude_none=True)
        found: list[str] = []
        for part in (tree.get("columns", {}), tree.get("key", {})):
            for value in part.values():
                found += value if isinstance(value, list) else [value]
        return found + list(tree.get("features", [])) + list(tree.get("categorical", []))


class NumbersSource(Source):
    """A table with numbers, and how it writes them."""

    decimal: Literal[".", ","] = Field(default=".", description="decimal sign of numbers that are text")
    thousands: Literal[".", ",", " ", "'"] | None = Field(
        default=None, description="sign between groups of three digits, as in `1,234.50`; by default there is none"
    )
    currency: str | list[str] = Field(
        default=[], description="currency symbols to remove from either end of a number, such as `$`"
    )

    @model_validator(mode="after")
    def signs_differ(self) -> "NumbersSource":
        """One sign cannot mean two things."""
        if self.thousands == self.decimal:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}; two different signs are expected")
        return self

    @field_validator("currency")
    @classmethod
    def is_no_number(cls, currency: str | list[str]) -> str | list[str]:
        """A symbol with digits or signs of numbers in it would eat the number."""
        for symbol in [currency] if isinstance(currency, str) else currency:
            if not symbol.strip() or re.search(r"[0-9+\-]|^[.,']$", symbol):
                raise ValueError(f"currency symbols such as $ or EUR are expected, not {symbol!r}")
        return currency


class SalesColumns(Model):
    """Ours: theirs."""

    store_id: Columns = Field(description="the store, as text; a list of columns where only several tell stores apart")
    sku: Columns = Field(description="the article, in the same way")
    sales: Column | None = Field(
        default=None,
        description="the amount, in currency; returns are negative. Needed, or else `quantity` and `price`, or `wide`",
    )
    quantity: Column | None = Field(
        default=None, description="where there is no amount: how many were sold, a decimal; returns are negative"
    )
    price: Column | None = Field(
        default=None,
        description="where there is no amount: the price of one, a decimal of up to six places, as `quantity`. Their exact product is "
        "rounded to the cent, half away from zero, line by line",
    )
    category: Column | None = Field(default=None, description="the category; needed here or in `product_map`")
    lines: Column | None = Field(
        default=None,
        description="how many sales lines each row stands for, in a table that is summed already; by default each row is one",
    )
    units: Column | None = Field(
        default=None,
        description="how many were sold, a number of up to two places, for `measure: units`; returns are negative",
    )
    date: Column | None = Field(
        default=None,
        description="the day, the week or the month, which count as their first day; written YYYY-MM-DD, YYYY-MM or YYYY-Www, or as "
        "`date_format` says",
    )

    @field_validator("sales", mode="before")
    @classmethod
    def is_one_column(cls, sales: object) -> object:
        """Several columns of amounts are a wide table."""
        if isinstance(sales, list):
            raise ValueError("one column is expected; a column for each day, week or month is told under `wide`")  # noqa: TRY004 (as pydantic has it)
        return sales


class ProductMapColumns(Model):
    """Ours: theirs. Several need-state columns are joined by a space."""

    sku: Columns = Field(description="the article, as in the sales")
    need_state: Columns = Field(description="one column, or a list of several that are joined by a space")
    category: Column | None = Field(
        default=None, description="the category; where the sales have one too, theirs counts"
    )


class LabelColumns(Model):
    """Ours: theirs. The defaults are those of data/merging/segments.parquet."""

    store_id: Columns = Field(default="store_id", description="the store, as in the sales")
    category: Column = Field(default="category", description="the category's key in `params.yaml`")
    internal_cluster: Column = Field(default="internal_cluster", description="cluster by what sells")
    external_cluster: Column = Field(default="external_cluster", description="cluster by external data")
    segment: Column = Field(default="segment", description="segment")
    segment_name: Column = Field(
        default="segment_name",
        description="its name, which a baseline's segment keeps; a file may be without it unless it is named here",
    )
    chain_segment: Column = Field(
        default="chain_segment",
        description="segment of the chain, whose number is kept too, the same in every category; a file may be without it as well",
    )


class NameColumns(Model):
    """Ours: theirs."""

    category: Column = Field(default="category", description="the category's key in `params.yaml`")
    segment: Column = Field(default="segment", description="number of the segment")
    name: Column = Field(default="name", description="what it is called")


class OverrideColumns(Model):
    """Ours: theirs."""

    store_id: Columns = Field(default="store_id", description="the store, as in the sales")
    category: Column = Field(default="category", description="the category's key in `params.yaml`")
    segment: Column = Field(default="segment", description="the segment that it belongs into")
    who: Column = Field(default="who", description="who says so")
    why: Column = Field(default="why", description="the reason")


class Wide(Model):
    """A table with a column for each day, week or month: each cell that is not empty is a sales line."""

    columns: str = Field(
        pattern=r"^[^*]*\*[^*]*$",
        description="the columns, `*` standing for the period: `d_*`, or `*` for all that nothing else names",
    )
    leave_out: list[Column] = Field(
        default=[], description="columns of that pattern that are no period, such as a total"
    )
    holds: Literal["sales", "quantity"] = Field(
        default="sales", description="what the cells are; of a `quantity` the `price` is in a column of its own"
    )
    first_day: str | None = Field(
        default=None,
        pattern=r"^\d{4}-\d{2}-\d{2}$",
        description="where the periods are numbers: the first day of number 1, in quotes; by default they are dates, as `date` and "
        "`date_format` have them",
    )
    unit: Literal["day", "week", "month"] = Field(default="day", description="what the numbers count")

    @field_validator("first_day", mode="before")
    @classmethod
    def is_in_quotes(cls, first_day: object) -> object:
        """YAML takes a date without quotes for something else than a text, which DVC writes in another way."""
        if isinstance(first_day, date):
            raise ValueError(f'quotes are expected around a date: "{first_day.isoformat()}"')  # noqa: TRY004 (as pydantic has it)
        if isinstance(first_day, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", first_day):
            date.fromisoformat(first_day)
        return first_day

    @model_validator(mode="after")
    def unit_is_of_numbers(self) -> "Wide":
        """A unit without a first day would mean nothing."""
        if "unit" in self.model_fields_set and self.first_day is None:
            raise ValueError("`first_day` is expected with `unit`")
        return self


# The columns of a wide table when it is made long.
CELL_COLUMNS = {"date": "day of the cell", "cell": "column of the cell", "value": "value of the cell"}


class SalesSource(NumbersSource):
    """Sales lines."""

    columns: SalesColumns = Field(description="ours: theirs")
    wide: Wide | None = Field(default=None, description="columns that are periods, where each has one of its own")
    date_format: str | list[str] = Field(
        default=[],
        description="how dates that are text are written, such as `%m/%d/%Y`, or a list; by default YYYY-MM-DD, YYYY-MM, YYYYMM or "
        "YYYY-Www. A date that two formats read as two different days is none",
    )
    time_zone: str = Field(
        default="UTC",
        description="whose day counts where a date is a time with a zone, such as `America/Chicago`; without one it is taken as written",
    )

    @model_validator(mode="after")
    def amount_is_told_once(self) -> "SalesSource":
        """An amount comes from one column, from quantity and price, or from the columns of a wide table."""
        columns = self.columns
        found = {name for name in ("sales", "quantity", "price") if getattr(columns, name) is not None}
        if self.wide is None:
            if found not in ({"sales"}, {"quantity", "price"}):
                raise ValueError(
                    "columns.sales is expected, or columns.quantity and columns.price, or `wide` for a table with a column for "
                    f"each period; there is {' and '.join(sorted(found)) or 'none of them'}"
                )
            return self
        wanted = {"price"} if self.wide.holds == "quantity" else set()
        if found != wanted:
            raise ValueError(
                f"of a wide table of {self.wide.holds}, columns.sales and columns.quantity are in the cells, and columns.price is "
                f"expected {'too' if wanted else 'with `holds: quantity` alone'}"
            )
        for name in ("date", "lines", "units"):
            if getattr(columns, name) is not None:
                raise ValueError(
                    f"columns.{name} means nothing with `wide`, where each cell is one line of its column's period"
                )
        return self

    @property
    def named(self) -> dict[str, str | list[str]]:
        """Ours: theirs, of all columns that there are; those of a wide table as it is when it is made long."""
        columns: dict[str, str | list[str]] = self.columns.model_dump(exclude_none=True)
        if self.wide is not None:
            columns |= {self.wide.holds: CELL_COLUMNS["value"], "date": CELL_COLUMNS["date"]}
        return columns

    @property
    def columns_used(self) -> list[str]:
        """Every column of the files that is named, those of a wide table's cells aside."""
        return [name for theirs in self.columns.model_dump(exclude_none=True).values() for name in listed(theirs)]

    @field_validator("time_zone")
    @classmethod
    def is_a_zone(cls, time_zone: str) -> str:
        """One of the tz database."""
        if time_zone != "UTC" and not is_zone(time_zone):
            raise ValueError("a zone such as UTC, Europe/Berlin or America/Chicago is expected")
        return time_zone

    @field_validator("date_format")
    @classmethod
    def gives_a_day(cls, date_format: str | list[str]) -> str | list[str]:
        """Formats of strptime that hold a day, a week or a month."""
        for form in [date_format] if isinstance(date_format, str) else date_format:
            if unit_of(form) is None:
                raise ValueError(
                    f"a format of year, month and day such as %m/%d/%Y is expected (or %Y%m, or %G-W%V), not {form!r}"
                )
        return date_format

    @property
    def date_formats(self) -> list[str]:
        """As a list; empty for YYYY-MM-DD."""
        return [self.date_format] if isinstance(self.date_format, str) else self.date_format


class ProductMapSource(Source):
    """Which need states a SKU serves."""

    columns: ProductMapColumns = Field(description="ours: theirs")


class StoresSource(NumbersSource):
    """The store table: `store_id` and any column that external sources join on."""

    columns: dict[Key, Columns] = Field(
        description="ours: theirs. `store_id`, and any column under a name of yours that external sources join on; "
        "a list of columns makes one id of them"
    )

    @field_validator("columns")
    @classmethod
    def has_store_id(cls, columns: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
        """Everything is joined by store."""
        if "store_id" not in columns:
            raise ValueError(f"a column for store_id is expected{nearest_name('store_id', columns)}")
        return columns


class ExternalSource(NumbersSource):
    """Features of stores, or of places that stores lie in."""

    key: Annotated[dict[Key, Columns], Field(min_length=1)] = Field(
        description="column of the store table (or `store_id`): column of this source, or a list of columns; "
        "several pairs where only all of them tell places apart"
    )
    features: Annotated[list[Column], Field(min_length=1)] | None = Field(
        default=None, description="columns of numbers to use; by default every numeric column but the key"
    )
    categorical: Annotated[list[Column], Field(min_length=1)] | None = Field(
        default=None,
        description="columns of words to use, such as a store format: each word becomes a feature of 0 and 1; by default none",
    )
    max_levels: int = Field(
        default=12, ge=2, le=1000, description="distinct words that a categorical column may have; more fail the run"
    )
    rows_without_key: Literal["fail", "drop"] = Field(
        default="fail",
        description="rows whose key is missing, which can be about no store; `drop` counts them in the log",
    )

    @property
    def key_columns(self) -> list[str]:
        """The columns of this source that make its key."""
        return [column for theirs in self.key.values() for column in listed(theirs)]

    @model_validator(mode="after")
    def columns_have_one_use(self) -> "ExternalSource":
        """A column is a number, a word, or part of the key."""
        for column in self.categorical or []:
            if column in [*(self.features or []), *self.key_columns] or (self.categorical or []).count(column) > 1:
                raise ValueError(
                    f"column {column!r} is named twice, in categorical and in key, features or categorical"
                )
        return self


class LabelSource(Source):
    """Known segments of stores: an earlier month's, or planted ones."""

    columns: LabelColumns = Field(default=LabelColumns(), description="ours: theirs")

    @property
    def optional_columns(self) -> set[str]:
        """A name that the configuration does not ask for itself."""
        return {"segment_name", "chain_segment"} - self.columns.model_fields_set

    @property
    def named_columns(self) -> list[str]:
        """The columns of the files that must be there."""
        columns = self.columns.model_dump(exclude=self.optional_columns)
        return [name for theirs in columns.values() for name in listed(theirs)]


class NameSource(Source):
    """Names that a person has given to segments."""

    columns: NameColumns = Field(default=NameColumns(), description="ours: theirs")


class OverrideSource(Source):
    """Stores that a person places in another segment."""

    columns: OverrideColumns = Field(default=OverrideColumns(), description="ours: theirs")


class Sources(Model):
    """Every table of raw data."""

    sales: SalesSource | None = Field(
        description="sales lines; `null` where there are none, and stores are segmented by external data alone"
    )
    product_map: ProductMapSource | None = Field(
        description="which need states a SKU serves; `null` where there are no sales"
    )
    stores: StoresSource | None = Field(default=None, description="store table")
    external: dict[Key, ExternalSource] = Field(
        default={},
        description="sources of external features, by name; `{}` where there are none, and stores are segmented by what sells alone",
    )
    baseline: LabelSource | None = Field(default=None, description="earlier segments, whose numbers are kept")
    reference: LabelSource | None = Field(default=None, description="known segments, with which the metrics compare")
    segment_names: NameSource | None = Field(
        default=None,
        description="names that a person has given to segments; the others' are made of what sets them apart",
    )
    overrides: OverrideSource | None = Field(
        default=None, description="stores that a person places in another segment, each with who and why"
    )

    @model_validator(mode="after")
    def one_view_is_there(self) -> "Sources":
        """What sells with what is sold; or else where stores are, with the stores; or all of it."""
        if (self.sales is None) != (self.product_map is None):
            given, missing = ("product_map", "sales") if self.sales is None else ("sales", "product_map")
            raise ValueError(f"{given} means nothing without {missing}; both are expected, or null for both")
        if self.sales is None and not self.external:
            raise ValueError(
                "sales with a product_map are expected, or at least one external source; there are neither"
            )
        if self.sales is None and self.stores is None:
            raise ValueError("without sales, `stores` is expected: nothing else says which stores there are")
        return self

    @model_validator(mode="after")
    def category_is_somewhere(self) -> "Sources":
        """A sale's category comes from the sale or from its product."""
        columns = [source.columns for source in (self.sales, self.product_map) if source]
        if columns and not any(own.category for own in columns):
            raise ValueError("a category column is expected in sales.columns or in product_map.columns")
        return self

    @model_validator(mode="after")
    def keys_are_known(self) -> "Sources":
        """An external source joins on store_id or on columns of the store table."""
        known = {"store_id", *(self.stores.columns if self.stores else ())}
        for name, source in self.external.items():
            for column in source.key:
                if column not in known:
                    hint = nearest_name(column, known)
                    raise ValueError(
                        f"external.{name}.key: {column!r} is no column of stores{hint}; known: {sorted(known)}"
                    )
        return self

    @model_validator(mode="after")
    def ids_are_alike(self) -> "Sources":
        """Ids of two tables that are written in different ways would not be found in each other."""
        (first, other), *_ = named_sources(self)
        for name, source in named_sources(self):
            if source.id_case != other.id_case:
                raise ValueError(
                    f"id_case is {other.id_case!r} in {first} and {source.id_case!r} in {name}; the same is expected in every source"
                )
        return self

    @property
    def sold(self) -> tuple[SalesSource, ProductMapSource]:
        """The sales, and the map of what is sold. Raises ConfigError where there are none."""
        if self.sales is None or self.product_map is None:
            raise ConfigError(
                "there are no sales: sources.sales is null in configs/<env>.yml",
                solution="this needs sales; name their files there, and those of the product map",
            )
        return self.sales, self.product_map


Database = Literal["postgresql", "sqlite", "snowflake", "bigquery"]
Format = Literal["parquet", "csv", "excel", "json"]
# Keys of a configuration whose variables are filled in where they are used: what they hold may be secret, and no stage needs it.
UNRESOLVED = ("fetch", "publish")


class Remote(Model):
    """Something outside the project: a database, or files in an object store or a folder."""

    database: Database | None = Field(default=None, description="kind of database; not together with `files`")
    uri: str | None = Field(
        default=None,
        min_length=1,
        description="where the database is, such as `${env:SALES_DATABASE}`; of sqlite its file",
    )
    options: dict[str, str] = Field(default={}, description="further options of the database's ADBC driver, by name")
    files: str | None = Field(
        default=None,
        min_length=1,
        description="`s3://`, `gs://`, `abfss://` or a path outside the project, which may be a pattern; not together with `database`",
    )

    connect_timeout: int | None = Field(
        default=None,
        ge=1,
        le=86_400,
        description="seconds to wait for a connection to a database or an object store; by default 20",
    )
    answer_timeout: int | None = Field(
        default=None,
        ge=1,
        le=86_400,
        description="seconds in which a byte has to come or go before a server counts as hung, and is tried again: more than "
        "the slowest query takes; by default 600 for a database, 60 for an object store",
    )

    @model_validator(mode="after")
    def is_one_thing(self) -> "Remote":
        """A database with its address, or files."""
        if (self.database is None) == (self.files is None):
            raise ValueError("either `database` or `files` is expected")
        if self.database is not None and self.uri is None:
            raise ValueError("`uri` is expected with `database`")
        if self.files is not None and (self.uri is not None or self.options):
            raise ValueError("`uri` and `options` belong to `database`, not to `files`")
        return self


class Fetch(Remote):
    """Where `clustering fetch` finds a source."""

    query: str | None = Field(
        default=None, min_length=1, description="of a database: the SELECT whose rows are the source"
    )

    @model_validator(mode="after")
    def asks_a_database(self) -> "Fetch":
        """A query belongs to a database."""
        if (self.query is None) != (self.database is None):
            raise ValueError("`query` is expected with `database`, and only there")
        return self


# PostgreSQL cuts names at 63 bytes; the longest here has `_profiles` behind it.
TABLE_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,49}$"


class Publish(Remote):
    """Where `clustering publish` puts segments and profiles."""

    table: str = Field(
        default="store_segments",
        pattern=TABLE_NAME,
        description="of a database: the table of current segments; profiles are in `<table>_profiles`, the segments of every "
        "published run in `<table>_archive`",
    )
    schema_name: str | None = Field(
        default=None,
        pattern=TABLE_NAME,
        description="of a database: the schema of these tables; by default the user's own",
    )
    formats: Annotated[list[Format], Field(min_length=1)] | None = Field(
        default=None, description="of files: what to write"
    )

    @model_validator(mode="after")
    def keys_are_the_kinds(self) -> "Publish":
        """Tables belong to a database, formats to files; a key that nothing looks at is a mistake."""
        if (self.formats is None) != (self.files is None):
            raise ValueError("`formats` is expected with `files`, and only there")
        if self.formats is not None and len(set(self.formats)) < len(self.formats):
            raise ValueError("a format is listed twice")
        if self.files is not None and {"table", "schema_name"} & self.model_fields_set:
            raise ValueError("`table` and `schema_name` belong to `database`, not to `files`")
        if self.files is not None and set("*?[") & set(self.files.partition("?")[0]):
            raise ValueError("one folder is expected in `files`, not a pattern")
        if self.database == "sqlite" and self.schema_name is not None:
            raise ValueError("`schema_name` means nothing to sqlite")
        return self


def megabytes(size: str) -> int:
    """`512MB` or `2GB` as a number of megabytes."""
    return int(size[:-2]) * (1000 if size.endswith("GB") else 1)


class Compute(Model):
    """What one stage may use of this machine."""

    memory_limit: str = Field(
        default="512MB", pattern=r"^[1-9]\d*(MB|GB)$", description="of DuckDB, which spills to disk beyond it"
    )
    threads: int = Field(
        default=2, ge=1, description="of a stage that reads raw sales, or uses DuckDB; results do not depend on it"
    )
    cache_limit: str = Field(
        default="2GB",
        pattern=r"^(0|[1-9]\d*)(MB|GB)$",
        description="of the sums of single raw files, which are kept so that a new file costs one file's work",
    )

    @property
    def megabytes(self) -> int:
        """The memory limit as a number."""
        return megabytes(self.memory_limit)


class Logging(Model):
    """The log of the command `clustering` itself; each stage has its own in `logs/`."""

    folder: str = Field(
        default="~/.clustering/logs",
        min_length=1,
        description="folder of `clustering.log`; a relative one lies in the project; the variable `CLUSTERING_LOG_DIR` goes before it",
    )
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="the least that is logged")
    max_bytes: int = Field(default=1_000_000, ge=1_000, description="size at which a new file is begun")
    rotated_files: int = Field(default=3, ge=1, le=1000, description="full files that are kept beside it")


class Place(Model):
    """configs/<env>.yml."""

    sources: Sources = Field(description="every table of raw data")
    compute: Compute = Field(default=Compute(), description="what one stage may use of this machine")
    logging: Logging = Field(default=Logging(), description="the log of the command `clustering`")
    fetch: dict[str, Fetch] = Field(
        default={},
        description="where `clustering fetch` finds sources that lie elsewhere: `sales`, `external.<name>`, ...",
    )
    publish: dict[Key, Publish] = Field(
        default={},
        description="where `clustering publish` puts segments and profiles, under names of yours, in this order",
    )

    @model_validator(mode="after")
    def fetched_sources_exist(self) -> "Place":
        """A source that is fetched is one that is read; rows of a database become one Parquet file."""
        known = dict(named_sources(self.sources))
        for name, wanted in self.fetch.items():
            if name not in known:
                raise ValueError(
                    f"fetch.{name}: there is no such source{nearest_name(name, known)}; sources: {', '.join(known)}"
                )
            source = known[name]
            if wanted.database is not None and (source.reader != "parquet" or not source.path.endswith(".parquet")):
                raise ValueError(
                    f"fetch.{name}: rows of a database become one Parquet file; reader: parquet and a path such as "
                    f"{name.rpartition('.')[2]}.parquet are expected in sources.{name}"
                )
        return self


def named_sources(sources: Sources) -> Iterator[tuple[str, Source]]:
    """Every source that is configured, by its name; those of external features are `external.<name>`."""
    found: dict[str, Source | None] = {name: getattr(sources, name) for name in ("sales", "product_map", "stores")}
    found |= {f"external.{name}": source for name, source in sources.external.items()}
    names = ("baseline", "reference", "overrides", "segment_names")
    found |= {name: getattr(sources, name) for name in names}
    yield from ((name, source) for name, source in found.items() if source is not None)


def listed(columns: str | list[str]) -> list[str]:
    """One column or several, as a list."""
    return [columns] if isinstance(columns, str) else columns


def load_place(path: Path) -> Place:
    """The place, with `${env:NAME,default}` filled in, but for what is fetched and published. Raises ConfigError.

    Variables are refused under `sources`: the runners do not see them change, so a stage would go stale unseen.
    """
    raw = read_yaml(path)
    for keys, text in strings_in(raw):
        if keys[:1] == ["sources"] and ENVIRONMENT_VARIABLE.search(text):
            raise ConfigError(
                f"{path}: {'.'.join(keys)}: {text!r} depends on an environment variable",
                solution="give a path inside data/raw/<env>/; only other sections may use ${env:...}",
            )
    if isinstance(raw, dict):
        raw = {key: part if key in UNRESOLVED else with_environment(part, path) for key, part in raw.items()}
    return validated(Place, raw, path)


def strings_in(node: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[list[str], str]]:
    """Every string value with the keys that lead to it."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from strings_in(value, (*keys, str(key)))
    elif isinstance(node, list):
        for value in node:
            yield from strings_in(value, keys)
    elif isinstance(node, str):
        yield list(keys), node


def with_environment(node: Any, path: Path) -> Any:
    """The same tree with `${env:NAME,default}` replaced; a variable that is unset and has no default is an error."""
    if isinstance(node, dict):
        return {key: with_environment(value, path) for key, value in node.items()}
    if isinstance(node, list):
        return [with_environment(value, path) for value in node]
    if not isinstance(node, str):
        return node

    def value_of(match: re.Match[str]) -> str:
        name, default = match.groups()
        value = os.environ.get(name, default)
        if value is None:
            raise ConfigError(
                f"{path}: environment variable {name} is not set",
                solution=f"set {name}, in .env.{path.stem} for instance",
            )
        return value

    text = ENVIRONMENT_VARIABLE.sub(value_of, node)
    # A variable that stands alone may be a number, which is decimal: `010` is ten, where YAML 1.1 would read eight.
    return int(text) if ENVIRONMENT_VARIABLE.fullmatch(node) and re.fullmatch("[0-9]{1,18}", text) else text


def validated(model: type[M], raw: Any, path: Path) -> M:
    """`raw` as a model, or a ConfigError about the first thing that is wrong."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = misspelt(plainest(error.errors()), error.errors())
        keys = [part for part in map(str, first["loc"]) if not BRANCH.match(part)]
        where = ".".join(keys) or "the file"
        found = "" if first["type"] == "missing" else f", found {shown(first['input'], 200)}"
        if first["type"] == "extra_forbidden":
            hint = nearest_name(keys[-1], known_keys(model, keys[:-1]))
            raise ConfigError(f"{path}: {where} is not a known key{hint}", solution="mend or delete it") from None
        places = {tuple(part for part in map(str, e["loc"]) if not BRANCH.match(part)) for e in error.errors()}
        more = f" ({len(places) - 1} more)" if len(places) > 1 else ""
        raise ConfigError(f"{path}: {where}: {first['msg']}{found}{more}", solution=f"mend {where} in {path}") from None


def plainest(errors: list[Any]) -> Any:
    """The first error; of the branches of a union the one that is meant, which is not that of another type."""
    first = errors[0]
    if not first["loc"]:
        return first
    branches = [
        e for e in errors if e["loc"] and e["loc"][:-1] == first["loc"][:-1] and BRANCH.match(str(e["loc"][-1]))
    ]
    return next((e for e in branches if not e["type"].endswith("_type")), first)


def misspelt(missing: Any, errors: list[Any]) -> Any:
    """The error about an unknown key that a missing one, which stands first, may be meant by; else that about the missing one."""
    unknown = {
        str(e["loc"][-1]): e for e in errors if e["type"] == "extra_forbidden" and e["loc"][:-1] == missing["loc"][:-1]
    }
    found = get_close_matches(str(missing["loc"][-1]), unknown, n=1) if missing["type"] == "missing" else []
    return unknown[found[0]] if found else missing


def known_keys(model: type[BaseModel], keys: list[str]) -> list[str]:
    """Names of the fields at `keys`, for a hint; every field name of the file where the way there is not plain."""
    names: set[str] = set()
    queue: list[Any] = [model]
    while queue:
        current = queue.pop()
        for name, field in current.model_fields.items():
            names.add(name)
            queue.extend(models_in(field.annotation))
    return sorted(names - set(keys))


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a type annotation mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from models_in(argument)
