"""External features joined to stores by key, never by position."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import join_external
from storelib.errors import DataError


def sources(bench: Any, *rows: tuple[str, str, str, str, float | None]) -> None:
    """(source, column, key, feature, value)."""
    names = ["source", "column", "key", "feature"]
    schema = pa.schema([*((n, pa.string()) for n in names), ("value", pa.float64())])
    columns = map(list, zip(*rows, strict=True)) if rows else [[]] * 5
    bench.parquet("sources.parquet", dict(zip(schema.names, columns, strict=True)), schema)


@pytest.fixture
def join(bench: Any) -> Callable[..., None]:
    """Stores 1, 2, 3 sell; the store table knows 1, 2 and 8, which sells nothing."""

    def run(stores_without_sales: str = "drop") -> None:
        bench.run(
            join_external, selling_stores=bench / "selling.parquet", stores=bench / "stores.parquet",
            sources=bench / "sources.parquet", store_features=bench / "features.parquet", ledger=bench / "ledger.parquet",
            stores_without_sales=stores_without_sales,
        )  # fmt: skip

    schema = pa.schema([("store_id", pa.string()), ("sales", pa.decimal128(38, 2)), ("lines", pa.int64())])
    selling = {
        "store_id": ["1", "2", "3"],
        "sales": [Decimal("1.10"), Decimal("2.20"), Decimal("3.30")],
        "lines": [1, 2, 3],
    }
    bench.parquet("selling.parquet", selling, schema)
    bench.parquet("stores.parquet", {"store_id": ["8", "2", "1"], "county": ["c9", "c1", "c2"]})
    return run


def known(bench: Any, *columns: str) -> list[Any]:
    """Features with None for missing ones."""
    frame = bench.frame("features.parquet")[list(columns)]
    return [tuple(None if np.isnan(v) else v for v in row) for row in frame.to_numpy()]


def test_features_are_looked_up_by_key_whatever_the_order(bench: Any, join: Callable[..., None]) -> None:
    sources(
        bench, ("place", "county", "c9", "income", 9.0), ("place", "county", "c2", "income", 2.0),
        ("place", "county", "c1", "income", 1.0), ("own", "store_id", "3", "size", 30.0), ("own", "store_id", "1", "size", 10.0),
        ("own", "store_id", "2", "size", None),
    )  # fmt: skip
    join()
    assert bench.rows("features.parquet", "store_id") == ["1", "2", "3"]
    # 3 is not in the store table, so its county is not known; 2's size is missing in the source
    assert known(bench, "own.size", "place.income") == [(10.0, 2.0), (None, 1.0), (30.0, None)]
    assert pq.read_schema(bench / "features.parquet").names == ["store_id", "own.size", "place.income"]


def test_source_is_joined_by_all_columns_of_its_key(bench: Any, join: Callable[..., None]) -> None:
    stores = {"store_id": ["1", "2", "3"], "city": ["Salem", "Salem", None], "state": ["Ohio", "A|B", "Ohio"]}
    bench.parquet("stores.parquet", stores)
    keys = {"Salem | Ohio": 5.0, "Salem | Texas": 6.0, "Salem | A||B": 7.0, " | Ohio": 8.0}
    sources(bench, *(("town", "city | state", key, "size", value) for key, value in keys.items()))
    join()
    assert known(bench, "town.size") == [(5.0,), (7.0,), (None,)]
    assert bench.ledger()["noted", "not in town"] == (1, 0, Decimal("0.00"))


def test_stores_that_sell_are_told_apart_from_others(bench: Any, join: Callable[..., None]) -> None:
    sources(bench, ("place", "county", "c1", "income", None))
    join("keep")
    # 1 and 3 sell and are not there, 8 sells nothing; 2 is there without a value
    assert {reason: stores for (flow, reason), (stores, *_) in bench.ledger().items() if flow == "noted"} == {
        "not in place": 2, "not in place, no sales": 1, "value missing in place": 1,
    }  # fmt: skip


def test_ids_are_compared_as_text(bench: Any, join: Callable[..., None]) -> None:
    sources(bench, ("own", "store_id", "01", "size", 5.0), ("own", "store_id", "2", "size", 7.0))
    join()
    assert known(bench, "own.size") == [(None,), (7.0,), (None,)]


def test_features_of_one_name_in_two_sources_are_told_apart(bench: Any, join: Callable[..., None]) -> None:
    sources(bench, ("a", "store_id", "1", "x", 5.0), ("b", "store_id", "1", "x", 7.0))
    join()
    assert known(bench, "a.x", "b.x")[0] == (5.0, 7.0)


@pytest.mark.parametrize(("policy", "stores"), [("drop", ["1", "2", "3"]), ("keep", ["1", "2", "3", "8"])])
def test_stores_without_sales(bench: Any, join: Callable[..., None], policy: str, stores: list[str]) -> None:
    sources(bench, ("place", "county", "c1", "income", 1.0), ("place", "county", "c9", "income", 9.0))
    join(policy)
    assert bench.rows("features.parquet", "store_id") == stores
    # sales 1.10 + 2.20 + 3.30, lines 1 + 2 + 3; stores 1 and 3 are not in the source
    expected = {
        ("in", ""): (4, 6, Decimal("6.60")),
        ("out", ""): (len(stores), 6, Decimal("6.60")),
        ("noted", "not in place"): (2, 0, Decimal("0.00")),
    }
    if policy == "drop":
        expected["set_aside", "no_sales"] = (1, 0, Decimal("0.00"))
    assert bench.ledger() == expected


def test_source_that_matches_no_store_is_refused(bench: Any, join: Callable[..., None]) -> None:
    sources(bench, ("own", "store_id", "1", "x", 5.0), ("place", "county", "1001", "income", 1.0))
    with pytest.raises(
        DataError, match=r"'place' matches no store by 'county': stores have values like \['c2'\].*\['1001'\]"
    ):
        join()
    assert not (bench / "features.parquet").exists()


def test_without_a_source_stores_have_no_features(bench: Any, join: Callable[..., None]) -> None:
    sources(bench)
    join()
    assert bench.rows("features.parquet") == [("1",), ("2",), ("3",)]


@pytest.mark.parametrize("column", ["lines", "sales"])
def test_store_table_may_have_a_column_of_any_name(bench: Any, join: Callable[..., None], column: str) -> None:
    bench.parquet("stores.parquet", {"store_id": ["2", "1"], column: ["c1", "c2"]})
    sources(bench, ("place", column, "c1", "income", 1.0), ("place", column, "c2", "income", 2.0))
    join()
    assert known(bench, "place.income") == [(2.0,), (1.0,), (None,)]
