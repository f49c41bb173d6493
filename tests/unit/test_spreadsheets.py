"""Texts that a spreadsheet would compute are marked, and every value can be had back."""

import csv
import io

import pandas as pd
import pyarrow as pa
import pytest

from storelib.spreadsheets import for_spreadsheets

HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1",
    "-7",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\nx",
    *(f"{wide}1" for wide in "\uff1d\uff0b\uff0d\uff20"),
]
PLAIN = ["007", "a=b", "x-1", "", " =1", "O'Neil", "日本"]


@pytest.mark.parametrize("kind", ["object", "str", pd.ArrowDtype(pa.string())])
def test_marked_where_needed_and_had_back_by_taking_one_mark_off(kind: object) -> None:
    values = [*HOSTILE, *PLAIN, "'quoted", "'=1", None]
    table = pd.DataFrame({"store_id": pd.Series(values, dtype=kind), "segment": range(len(values))})
    marked = for_spreadsheets(table)
    expected = [f"'{text}" for text in HOSTILE] + PLAIN + ["''quoted", "''=1"]
    assert marked["store_id"].tolist()[:-1] == expected
    assert marked["store_id"].isna().tolist() == [False] * len(expected) + [True]
    assert marked["segment"].tolist() == table["segment"].tolist()
    assert table["store_id"].tolist()[:-1] == values[:-1], "the table itself stays as it is"

    one_line = marked[~marked["store_id"].str.contains("\r", na=False)]
    read = list(csv.DictReader(io.StringIO(one_line.to_csv(index=False), newline="")))
    known = [value for value in values if value is not None and "\r" not in value]
    assert [row["store_id"].removeprefix("'") for row in read][:-1] == known


def test_figures_are_no_texts() -> None:
    table = pd.DataFrame({"moved": [-1, 2], "share": [-0.5, 0.25]})
    assert for_spreadsheets(table).to_csv(index=False) == table.to_csv(index=False)
