"""The categories in the raw data, and params.yaml with those that are missing."""

import io
import re
import unicodedata
from collections.abc import Collection
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from storelib.configuration.params import Params
from storelib.configuration.place import Place, listed
from storelib.database import database
from storelib.names import LONGEST_KEY
from storelib.raw.sources import id_of_columns, number_of, open_source, require_columns
from storelib.raw.spellings import respelt
from storelib.tables import write_text


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


def found_categories(root: Path, params: Params, place: Place, env: str) -> list[dict[str, Any]]:
    """A row per category of the raw sales: name, stores, SKUs, net sales, need states, and its key where it is selected."""
    sales, products, raw = place.sources.sales, place.sources.product_map, root / "data" / "raw" / env
    wanted = listed(products.columns.need_state)
    with database(place.compute) as connection:
        types = open_source(connection, sales, raw, "raw_sales")
        columns = {k: v for k, v in sales.columns.model_dump().items() if v is not None and k != "date"}
        require_columns(types, columns.values(), sales, raw)
        texts = {ours: id_of_columns(theirs, types, sales) for ours, theirs in columns.items()}
        amount = number_of(columns["sales"], types[columns["sales"]], sales)
        types = open_source(connection, products, raw, "raw_products")
        mapped = [column for column in (products.columns.sku, products.columns.category, *wanted) if column]
        require_columns(types, mapped, products, raw)
        parts = [id_of_columns(column, types, products) for column in wanted]
        category = id_of_columns(products.columns.category, types, products) if products.columns.category else "NULL"
        sku = id_of_columns(products.columns.sku, types, products)
        connection.execute(
            f"""
            CREATE TABLE map AS
                SELECT DISTINCT {sku} AS sku,
                    CAST({category} AS VARCHAR) AS category, {" || ' ' || ".join(parts)} AS need_state
                FROM raw_products;
            CREATE TABLE told AS
                WITH one AS (
                    SELECT sku, CASE WHEN count(DISTINCT category) = 1 THEN max(category) END AS category FROM map GROUP BY sku
                ),
                lines AS (
                    SELECT {texts["store_id"]} AS store_id, {texts["sku"]} AS sku,
                        CAST({texts.get("category", "NULL")} AS VARCHAR) AS category,
                        TRY_CAST({amount} AS DECIMAL(18, 2)) AS sales
                    FROM raw_sales
                )
                SELECT l.store_id, l.sku, coalesce(l.category, o.category) AS category, l.sales, 1 AS lines
                FROM lines l LEFT JOIN one o USING (sku)
            """  # noqa: S608 (columns by way of `id_of`)
        )
        if params.internal.assign_categories.spelling == "unify":
            unify(connection, [category.name for category in params.internal.categories.values()])
        query = """
            WITH states AS (SELECT t.category, count(DISTINCT m.need_state) AS need_states
                FROM (SELECT DISTINCT category, sku FROM told) t JOIN map m
                ON m.sku = t.sku AND coalesce(m.category, t.category) = t.category GROUP BY t.category)
            SELECT category AS name, count(DISTINCT store_id) AS stores, count(DISTINCT sku) AS skus, sum(sales) AS sales,
                coalesce(any_value(need_states), 0) AS need_states
            FROM told LEFT JOIN states USING (category) WHERE category IS NOT NULL GROUP BY category ORDER BY category
        """
        rows: pd.DataFrame = connection.sql(query).to_arrow_table().to_pandas()
    keys = {category.name: key for key, category in params.internal.categories.items()}
    return [{**{str(k): v for k, v in row.items()}, "key": keys.get(row["name"])} for row in rows.to_dict("records")]


def unify(connection: duckdb.DuckDBPyConnection, names: list[str]) -> None:
    """One spelling of each category in the tables `told` and `map`, as the stages choose it. names: as selected."""
    counts = connection.execute("SELECT category, count(*) FROM told WHERE category IS NOT NULL GROUP BY category")
    for name, better in respelt(dict(counts.fetchall()), names).items():
        for table in ("told", "map"):
            connection.execute(f"UPDATE {table} SET category = ? WHERE category = ?", [better, name])  # noqa: S608


def add_categories(root: Path, names: list[str], taken: Collection[str]) -> dict[str, str]:
    """Add categories to params.yaml, comments kept. Returns the keys that were given, by name."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000
    path = root / "params.yaml"
    params = yaml.load(path.read_text(encoding="utf-8"))
    keys: dict[str, str] = {}
    for name in names:
        keys[name] = safe_key(name, {*taken, *keys.values()})
        params["internal"]["categories"][keys[name]] = {"name": name}
    text = io.StringIO()
    yaml.dump(params, text)
    write_text(text.getvalue(), path)
    return keys
