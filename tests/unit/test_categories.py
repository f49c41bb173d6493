"""`clustering categories` counts as the pipeline does: nothing that it cannot read is left out without a word."""

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clustering.categories import Found, found_categories
from storelib.configuration.params import load_params
from storelib.configuration.place import load_place
from storelib.errors import DataError

PROJECT = Path(__file__).parents[2]
HEADER = "STORE,SKU,CAT,AMOUNT"
COLUMNS = {"store_id": "STORE", "sku": "SKU", "category": "CAT", "sales": "AMOUNT"}


def categories(bench: Any, **sales: Any) -> Found:
    """What the command finds in the raw files of a bench."""
    params = load_params(PROJECT / "params.yaml")
    place = load_place(bench.place(sales={"reader": "csv", "path": "sales.csv", "columns": COLUMNS} | sales))
    raw = bench.folder / "data/raw/dev"
    shutil.copytree(bench.raw, raw, dirs_exist_ok=True)
    return found_categories(bench.folder, params, place, "dev")


@pytest.fixture(autouse=True)
def product_map(bench: Any) -> None:
    bench.csv("raw/map.csv", "SKU,NEED,CAT", "a,dry,BEAUTY", "b,oily,BEAUTY", "c,salty,SNACKS")


def test_lines_in_no_category_are_told_with_what_they_come_to(bench: Any) -> None:
    bench.csv(
        "raw/sales.csv", HEADER, "1,a,BEAUTY,1.00", "2,b,,0.105", "1,a,BEAUTY,oops", "1,b,BEAUTY,(0.25)", ",a,BEAUTY,2.00",
        "1,z,,3.00", "1,c,SNACKS,", "1,c,SNACKS,4.00",
    )  # fmt: skip
    found = categories(bench)
    # 1.00 + 0.11, which the map places, - 0.25
    assert [(row["name"], row["stores"], row["skus"], row["sales"], row["need_states"]) for row in found.rows] == [
        ("BEAUTY", 2, 2, Decimal("0.86"), 2),
        ("SNACKS", 1, 1, Decimal("4.00"), 1),
    ]
    assert found.aside == [
        ("no category", 1, Decimal("3.00")),
        ("no store", 1, Decimal("2.00")),
        ("no sales amount", 1, Decimal(0)),
        ("a sales amount that is no number, or is too large", 1, Decimal(0)),
    ]


def test_sales_without_an_amount_and_wide_tables_are_counted(bench: Any) -> None:
    bench.csv("raw/sales.csv", "STORE,SKU,CAT,PRICE,2026-01,2026-02", "1,a,BEAUTY,0.335,3,", "2,a,BEAUTY,2,1,1")
    columns = {"store_id": "STORE", "sku": "SKU", "category": "CAT", "price": "PRICE"}
    found = categories(bench, columns=columns, wide={"columns": "*", "holds": "quantity"})
    # 1.005 is 1.01
    assert [(row["name"], row["stores"], row["sales"]) for row in found.rows] == [("BEAUTY", 2, Decimal("5.01"))]
    assert found.aside == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("sales.csv", f"{HEADER}\n1,a,BEAUTY,1.00,2.00\n", "line 2: 5 values, where the header has 4 columns"),
        ("sales.csv", f'{HEADER}\n1,a,"BEAUTY,1.00\n', "line 2"),
        ("map.csv", "SKU,NEED,CAT\na,dry\n", "map.csv, line 2: 2 values"),
    ],
)
def test_nobody_is_told_to_delete_a_raw_file(bench: Any, name: str, content: str, message: str) -> None:
    bench.csv("raw/sales.csv", HEADER, "1,a,BEAUTY,1.00")
    (bench / f"raw/{name}").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        categories(bench)
    assert "delete" not in caught.value.solution
