"""The raw data as `clustering doctor` looks at it, before a run does: each source readable, with its columns, and its ids among those
of the others; each category there.

Only distinct ids are compared, as the stages clean them. What a policy of params.yaml would make of those that do not match is no
matter of this: that none matches, or a category is nowhere, is a mistake in any case.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb

from clustering.checking import Check
from storelib.configuration.params import Params
from storelib.configuration.place import Place, Source, named_sources
from storelib.configuration.views import view_words
from storelib.database import database, one_row
from storelib.errors import PipelineError, nearest_name, shown
from storelib.raw.files import source_files
from storelib.raw.sources import Form, id_of, id_of_columns, name_of, open_source, require_columns, unreadable
from storelib.raw.spellings import folded

Values = set[str]


class Tables:
    """The sources that can be read, as views of one database, and the distinct texts of their columns."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.connection = connection
        self.folder = folder
        self.known: dict[str, tuple[Source, Mapping[str, str]]] = {}
        # A column of the sales may be asked for by several checks, and is read once.
        self.found: dict[tuple[str, str], Values] = {}

    def open(self, name: str, source: Source) -> int:
        """The rows of a source. Raises DataError where it cannot be read or lacks a column."""
        types = open_source(self.connection, source, self.folder, name)
        require_columns(types, source.named_columns, source, self.folder)
        try:
            (rows,) = one_row(self.connection, f'SELECT count(*) FROM "{name}"')  # noqa: S608 (a source's name: letters, digits, _ and .)
        except duckdb.Error as error:
            raise unreadable(source, self.folder, error) from None
        self.known[name] = source, types
        return int(rows)

    def values(self, name: str, column: str | list[str], form: Form = id_of) -> Values:
        """The distinct ids of a column, or of several that make one, by the source's own names. Raises DataError where one is broken."""
        source, types = self.known[name]
        text = id_of_columns(column, types, source, form)
        if (name, text) not in self.found:
            try:
                rows = self.connection.sql(f'SELECT DISTINCT {text} AS value FROM "{name}"').fetchall()  # noqa: S608 (as above)
            except duckdb.Error as error:
                raise unreadable(source, self.folder, error) from None
            self.found[name, text] = {str(value) for (value,) in rows if value is not None}
        return self.found[name, text]


def raw_data(root: Path, params: Params, place: Place, env: str) -> Iterator[Check]:
    """Every source of an environment, then what they must have in common."""
    folder = root / "data" / "raw" / env
    if env in params.demo and not folder.is_dir():
        yield Check("fine", f"data/raw/{env}", "not there yet: the demo makes it")
        return
    if not folder.is_dir() or not any(folder.iterdir()):
        advice = (
            f"run `clustering fetch --env {env}`" if place.fetch else "put the raw files there (or `dvc pull` them)"
        )
        yield Check("mend", f"data/raw/{env}", "does not exist or is empty", advice)
        return
    with database(place.compute) as connection:
        tables = Tables(connection, folder)
        for name, source in named_sources(place.sources):
            try:
                rows = tables.open(name, source)
                files = len(source_files(source, folder))
                found = f"{rows:,} rows in {files} file{'s' if files != 1 else ''}"
                yield (
                    Check("fine", f"raw {name}", found)
                    if rows
                    else Check("mend", f"raw {name}", found, "see that the file is whole, and `path` names it")
                )
            except PipelineError as error:
                yield Check("mend", f"raw {name}", error.args[0], error.solution)
        for looked in (store_ids, skus, places, categories):
            try:
                yield from looked(tables, params, place)
            except PipelineError as error:
                yield Check("mend", "raw data", error.args[0], error.solution)


def store_ids(tables: Tables, _: Params, place: Place) -> Iterator[Check]:
    """The stores that sell are in the store table."""
    sales, stores = place.sources.sales, place.sources.stores
    if {"sales", "stores"} <= tables.known.keys() and sales and stores:
        sold = tables.values("sales", sales.columns.store_id)
        yield matching(
            "stores that sell",
            sold,
            "the store table",
            tables.values("stores", stores.columns["store_id"]),
        )


def skus(tables: Tables, _: Params, place: Place) -> Iterator[Check]:
    """The SKUs that are sold are in the product map."""
    sales, products = place.sources.sales, place.sources.product_map
    if {"sales", "product_map"} <= tables.known.keys() and sales and products:
        sold = tables.values("sales", sales.columns.sku)
        yield matching(
            "SKUs that are sold",
            sold,
            "the product map",
            tables.values("product_map", products.columns.sku),
        )


def places(tables: Tables, _: Params, place: Place) -> Iterator[Check]:
    """The stores, or what the store table says of where they are, are keys of each external source."""
    for name, source in place.sources.external.items():
        if f"external.{name}" not in tables.known:
            continue
        for ours, theirs in source.key.items():
            keys = tables.values(f"external.{name}", theirs)
            if place.sources.stores and ours in place.sources.stores.columns and "stores" in tables.known:
                wanted = tables.values("stores", place.sources.stores.columns[ours])
                yield matching(f"{ours} of the store table", wanted, f"external.{name}", keys)
            elif ours == "store_id" and "sales" in tables.known and place.sources.sales:
                yield matching(
                    "stores that sell",
                    tables.values("sales", place.sources.sales.columns.store_id),
                    f"external.{name}",
                    keys,
                )


def categories(tables: Tables, params: Params, place: Place) -> Iterator[Check]:
    """The categories of params.yaml are in the data."""
    if words := view_words(place):
        yield Check("note", "views", words[0].lower() + words[1:].removesuffix("."), "nothing, if that is meant")
    sources = {"sales": place.sources.sales, "product_map": place.sources.product_map}
    columns = {name: source.columns.category for name, source in sources.items() if source}
    found: Values = set()
    for name, column in columns.items():
        if column and name in tables.known:
            found |= tables.values(name, column, name_of)
    if not found:
        return
    names = [category.name for category in params.internal.categories.values()]
    same = folded if params.internal.assign_categories.spelling == "unify" else str
    there = {same(name) for name in found}
    missing = [name for name in names if same(name) not in there]
    if missing:
        others = f"{shown(missing[0])} is in neither the sales nor the product map{nearest_name(missing[0], found)}"
        yield Check(
            "mend", "categories", others, "mend its name in params.yaml; `clustering categories` lists those there are"
        )
    else:
        rest = len(there - {same(name) for name in names})
        more = f", {rest} more are not selected" if rest else ""
        yield Check("fine", "categories", f"{len(names)} of params.yaml are in the data{more}")


def matching(what: str, wanted: Values, where: str, known: Values) -> Check:
    """How many ids of one table are in another; none is a mistake."""
    lost = wanted - known
    found = f"{len(wanted) - len(lost)} of {len(wanted)} are in {where}"
    if not lost:
        return Check("fine", what, found)
    first = min(lost)
    hint = nearest_name(first, known)
    example = hint or (f" (there: {shown(min(known))})" if known else "")
    advice = (
        "compare how the two tables write their ids: zeros in front, capitals, decimals"
        if len(lost) == len(wanted)
        else ("complete that table, or see what the policies of params.yaml make of the rest")
    )
    return Check("mend" if len(lost) == len(wanted) else "note", what, f"{found}, not {shown(first)}{example}", advice)
