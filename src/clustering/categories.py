"""The categories in the raw data, and params.yaml with those that are missing."""

import io
import re
import unicodedata
from collections.abc import Collection
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pandas as pd

from storelib.configuration.params import ALL, Params, asks_for_all, load_params
from storelib.configuration.place import Place, ProductMapSource, SalesSource, listed, validated
from storelib.configuration.yaml_files import read_yaml
from storelib.database import database
from storelib.names import LONGEST_KEY
from storelib.raw.lines import FAULTS, REASONS, Rules, line_query, wanted_columns
from storelib.raw.sources import id_column, id_of_columns, name_of, open_source, require_columns, unreadable
from storelib.raw.spellings import folded, respelt
from storelib.tables import write_text

# The one category of a place without sales.
ALL_STORES = "All stores"
# SQL between the parts of a need state.
JOINED = " || ' ' || "


def safe_key(name: str, taken: Collection[str]) -> str:
    """A key for a category: as `names.KEY` describes them, made from its name, not yet taken, and not the external view's."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    key = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if not key[:1].isalpha():
        key = f"category_{key}".rstrip("_")
    key = key[:LONGEST_KEY].rstrip("_")
    candidate, number = key, 2
    while candidate in taken or candidate == "external":
        ending = f"_{number}"
        candidate = key[: LONGEST_KEY - len(ending)].rstrip("_") + ending
        number += 1
    return candidate


def params_to_complete(path: Path) -> Params:
    """The method, of which `all` stands for no category yet. Raises ConfigError."""
    raw = read_yaml(path)
    if not asks_for_all(raw):
        return load_params(path)
    none = {"none_yet": {"name": "(none yet)"}}
    params = validated(Params, raw | {"internal": raw["internal"] | {"categories": none}}, path)
    params.internal.categories.clear()
    return params


class Found(NamedTuple):
    """The categories of the raw sales, and the sales lines that are in none of them: by reason, how many and what they come to."""

    rows: list[dict[str, Any]]
    aside: list[tuple[str, int, Decimal]]


def found_categories(root: Path, params: Params, place: Place, env: str) -> Found:
    """A row per category of the raw sales: name, stores, SKUs, net sales, need states, and its key where it is selected.

    Lines count as `ingest_sales` counts them, whatever their date.
    """
    (sales, products), raw = place.sources.sold, root / "data" / "raw" / env
    with database(place.compute) as connection:
        told = sum_lines(connection, sales, raw)
        try:
            connection.execute(f"CREATE TABLE map AS {map_query(connection, products, raw)}")
        except duckdb.Error as error:
            raise unreadable(products, raw, error) from None
        try:
            connection.execute(f"CREATE TABLE told AS {told}")
        except duckdb.Error as error:
            raise unreadable(sales, raw, error) from None
        if params.internal.assign_categories.spelling == "unify":
            unify(connection)
        query = """
            WITH states AS (SELECT t.category, count(DISTINCT m.need_state) AS need_states
                FROM (SELECT DISTINCT category, sku FROM told WHERE reason = 0) t JOIN map m
                ON m.sku = t.sku AND coalesce(m.category, t.category) = t.category GROUP BY t.category)
            SELECT category AS name, count(DISTINCT store_id) AS stores, count(DISTINCT sku) AS skus, sum(sales) AS sales,
                coalesce(any_value(need_states), 0) AS need_states
            FROM told LEFT JOIN states USING (category) WHERE category IS NOT NULL AND reason = 0
            GROUP BY category ORDER BY category
        """
        rows: pd.DataFrame = connection.sql(query).to_arrow_table().to_pandas()
        lost = connection.execute(
            "SELECT reason, sum(lines), coalesce(sum(sales), 0) FROM told WHERE category IS NULL OR reason > 0 "
            "GROUP BY reason ORDER BY reason"
        ).fetchall()
    same = folded if params.internal.assign_categories.spelling == "unify" else str
    keys = {same(category.name): key for key, category in params.internal.categories.items()}
    told_by = {REASONS.index(reason): words for reason, words in FAULTS.items()} | {0: "no category"}
    return Found(
        [
            {**{str(k): v for k, v in row.items()}, "key": keys.get(same(row["name"]))}
            for row in rows.to_dict("records")
        ],
        [(told_by[reason], lines, amount) for reason, lines, amount in lost],
    )


def sum_lines(connection: duckdb.DuckDBPyConnection, source: SalesSource, raw: Path) -> str:
    """SQL of the raw sales by store, SKU, category and place of a reason in REASONS, with the category of the map for lines without one."""
    rules = Rules(dated=False, negatives=False)
    types = open_source(connection, source, raw, "raw_sales")
    columns = wanted_columns(source, rules)
    require_columns(types, columns.values(), source, raw)
    found = {ours: id_column(theirs, types, source) for ours, theirs in columns.items()}
    named = ", ".join(f"{column} AS {ours}" for ours, (column, _) in found.items())
    kinds = {ours: kind for ours, (_, kind) in found.items()}
    lines = line_query(kinds, source, rules, f"(SELECT {named} FROM raw_sales)")  # noqa: S608 (quoted)
    number = "sum(coalesce(count, 1))" if "lines" in kinds else "count(*)"
    return f"""
        WITH one AS (
            SELECT sku, CASE WHEN count(DISTINCT category) = 1 THEN max(category) END AS category FROM map GROUP BY sku
        ),
        sums AS (
            SELECT store_id, sku, CAST(category AS VARCHAR) AS category, reason, sum(amount) AS sales, {number} AS lines
            FROM ({lines}) GROUP BY ALL
        )
        SELECT s.store_id, s.sku, s.category AS own, coalesce(own, o.category) AS category, s.reason, s.sales, s.lines
        FROM sums s LEFT JOIN one o USING (sku)
    """  # noqa: S608 (ours)


def map_query(connection: duckdb.DuckDBPyConnection, source: ProductMapSource, raw: Path) -> str:
    """SQL of the distinct SKUs, categories and need states of the product map."""
    types = open_source(connection, source, raw, "raw_products")
    columns = source.columns
    needs = listed(columns.need_state)
    require_columns(types, [name for name in (columns.sku, columns.category, *needs) if name], source, raw)
    parts = [name_of(column, types[column], source) for column in needs]
    category = name_of(columns.category, types[columns.category], source) if columns.category else "NULL"
    return (
        f"SELECT DISTINCT {id_of_columns(columns.sku, types, source)} AS sku, CAST({category} AS VARCHAR) AS category, "  # noqa: S608
        f"{JOINED.join(parts)} AS need_state FROM raw_products"
    )


def unify(connection: duckdb.DuckDBPyConnection) -> None:
    """One spelling of each category in the tables `told` and `map`, as `assign_categories` chooses it."""
    counts = connection.execute(
        """SELECT category, CAST(sum(times) AS BIGINT) FROM (
            SELECT own AS category, sum(lines) AS times FROM told WHERE reason = 0 GROUP BY own
            UNION ALL SELECT category, count(DISTINCT sku) FROM map GROUP BY category
        ) WHERE category IS NOT NULL GROUP BY category"""
    )
    for name, better in respelt(dict(counts.fetchall())).items():
        for table in ("told", "map"):
            connection.execute(f"UPDATE {table} SET category = ? WHERE category = ?", [better, name])  # noqa: S608


def add_categories(root: Path, names: list[str], taken: Collection[str]) -> dict[str, str]:
    """Add categories to params.yaml, in place of `all` where that stands there, comments kept. Returns the keys, by name."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000
    path = root / "params.yaml"
    params = yaml.load(path.read_text(encoding="utf-8"))
    if params["internal"]["categories"] == ALL:
        params["internal"]["categories"] = {}
    keys: dict[str, str] = {}
    for name in names:
        keys[name] = safe_key(name, {*taken, *keys.values()})
        params["internal"]["categories"][keys[name]] = {"name": name}
    text = io.StringIO()
    yaml.dump(params, text)
    write_text(text.getvalue(), path)
    return keys
