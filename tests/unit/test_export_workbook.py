"""Workbooks, read back from their XML."""

import hashlib
import xml.etree.ElementTree as ET
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import export_workbook
from storelib.accounts.ledger import Entry, balanced
from storelib.errors import DataError
from storelib.pages import sheets
from storelib.tables import write_table
from unit.conftest import describing_tables

SPACE = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
NASTY = ["=cmd|' /C calc'!A0", "http://example.org/<&\"'>", "+1", "00123", "😀 שלום", "x" * 40_000]
MONEY = pa.decimal128(38, 2)


def cells_of(path: Path, sheet: int) -> dict[str, dict[str, Any]]:
    """Every cell of the n-th sheet: its type, value and formula."""
    with zipfile.ZipFile(path) as archive:
        strings = ["".join(item.itertext()) for item in ET.fromstring(archive.read("xl/sharedStrings.xml"))]  # noqa: S314 (our own)
        tree = ET.fromstring(archive.read(f"xl/worksheets/sheet{sheet}.xml"))  # noqa: S314 (our own)
    cells = {}
    for cell in tree.iterfind(".//m:c", SPACE):
        value, formula = cell.find("m:v", SPACE), cell.find("m:f", SPACE)
        text = None if value is None else value.text
        kind = cell.get("t", "n")
        cells[cell.attrib["r"]] = {
            "value": strings[int(text or 0)] if kind == "s" else text,
            "type": kind,
            "formula": None if formula is None else formula.text,
        }
    return cells


@pytest.fixture
def workbook(bench: Any) -> Any:
    """Six stores with nasty names in two segments, as a workbook."""

    def run(name: str = "workbook.xlsx", ledger: str = "21.03", **reader: Any) -> Path:
        ids = [f"00{i}" for i in range(6)]
        numbers = {"segment": [1, 1, 1, 2, 2, 2], "internal_cluster": [1, 1, 2, 2, 2, 2], "external_cluster": [1] * 6}
        segments = bench.parquet(
            "segments.parquet",
            {"store_id": ids, **numbers, "flags": ["", "internal:thin external:outlier", "", "", "", ""]},
        )
        clusters = bench.parquet("clusters.parquet", {"store_id": ids, "exclusion": ["", "thin", "", "", "", ""]})
        amounts = ["1.01", "2.01", "3.01", "4.00", "5.00", "6.00"]
        sales = bench.parquet(
            "sales.parquet",
            {"store_id": ids, "sales": [Decimal(a) for a in amounts]},
            pa.schema([("store_id", pa.string()), ("sales", MONEY)]),
        )
        rows = [
            (s, state, float(a) / 2) for s, a in zip(ids, amounts, strict=True) for state in ("=1+1", "Gin & Tonic")
        ]
        need = bench.parquet(
            "need.parquet", dict(zip(("store_id", "need_state", "sales"), zip(*rows, strict=True), strict=True))
        )
        path = bench / "ledger.parquet"
        total = Decimal(ledger)
        write_table(
            balanced([Entry("merge_segments", "beauty", flow, "", 6, 6, total) for flow in ("in", "out")]), path
        )
        described = describing_tables(bench, {1: "=cmd|A0", 2: "high income"}, ids, numbers["segment"])
        bench.run(
            export_workbook, **described, category="beauty", name="=BEAUTY", segments=segments, clusters=clusters, store_sales=sales,
            need_state_sales=need, ledger=path, external_clusters=clusters,
            shares=bench.parquet("shares.parquet", {"store_id": ids, "=1+1": [0.2] * 3 + [0.8] * 3, "Gin & Tonic": [0.8] * 3 + [0.2] * 3}),
            store_features=bench.parquet("features.parquet", {"store_id": ids, "county.INCOME": [1.0] * 6}),
            stores=bench.parquet("stores.parquet", {"store_id": ids, "name": NASTY}), workbook=bench / name, **reader,
        )  # fmt: skip
        return bench / name

    return run


def test_texts_from_data_stay_texts(workbook: Any) -> None:
    cells = cells_of(workbook(), 2)
    shown = [cells[f"B{row}"] for row in range(2, 8)]
    assert {cell["type"] for cell in shown} == {"s"}
    assert {cell["formula"] for cell in shown} == {None}
    assert [cell["value"] for cell in shown[:4]] == NASTY[:4]
    assert "שלום" in shown[4]["value"]
    assert len(shown[5]["value"]) == sheets.LONGEST
    assert cells["A2"]["value"] == "000"
    assert cells["G3"]["value"] == "what sells: too little sold; place: unlike all others"
    with zipfile.ZipFile(workbook()) as archive:
        assert not [name for name in archive.namelist() if "rels" in name and "sheet" in name]
        assert archive.testzip() is None


def test_segments_are_named_and_told(workbook: Any) -> None:
    path = workbook()
    assert [cells_of(path, 2)[f"D{row}"]["value"] for row in (2, 5)] == ["=cmd|A0", "high income"]
    rows = cells_of(path, 3)
    assert [rows[f"{column}2"]["value"] for column in "ABCDEFGHI"] == [
        "1", "=cmd|A0", "3", "6.03", "nails +2.1, income \N{MINUS SIGN}1.0", "nails above 12.5 %",
        "holds for 4 stores, 3 of them among the segment’s 3", "000 =cmd|' /C calc'!A0", "002 +1",
    ]  # fmt: skip
    assert {cell["formula"] for cell in rows.values()} == {None}
    assert rows["G3"]["value"] == "no rule of so few conditions finds it"


def test_it_speaks_the_readers_language(workbook: Any) -> None:
    words = Path(export_workbook.__file__).parent / "templates" / "words" / "de.yaml"
    path = workbook(words=words, language="de", decimal="comma", thousands="point", currency="€")
    with zipfile.ZipFile(path) as archive:
        sheets_of = ET.fromstring(archive.read("xl/workbook.xml")).iterfind(".//m:sheet", SPACE)  # noqa: S314 (our own)
        names = [sheet.attrib["name"] for sheet in sheets_of]
    assert names[1:] == ["Zuordnung", "Segmente", "Profil", "Umsatz nach Bedarf"]
    assert [cells_of(path, 2)[f"{column}1"]["value"] for column in "AEG"] == [
        "Filiale",
        "Cluster nach Verkauf",
        "Bemerkungen",
    ]
    assert cells_of(path, 2)["A8"]["value"] == "Summe"
    assert "6 Filialen, 2 Segmente, 21,03 Umsatz" in {cell["value"] for cell in cells_of(path, 1).values()}
    # Amounts are numbers, which the reader's Excel writes in its own way.
    assert cells_of(path, 2)["H2"] == {"value": "1.01", "type": "n", "formula": None}


def test_sums_are_those_of_the_ledger(workbook: Any) -> None:
    path = workbook()
    stores, needs = cells_of(path, 2), cells_of(path, 5)
    assert (stores["H8"]["formula"], stores["H8"]["value"]) == ("SUM(H2:H7)", "21.03")
    assert sum(Decimal(stores[f"H{row}"]["value"]) for row in range(2, 8)) == Decimal("21.03")
    # segment 1 sells 6.03: 3.015 of each need state, and a cent cannot be halved
    assert needs["A2"] == {"value": "=1+1", "type": "s", "formula": None}
    cents = [[Decimal(needs[f"{column}{row}"]["value"]) for column in "BC"] for row in (2, 3)]
    assert [sum(column) for column in zip(*cents, strict=True)] == [Decimal("6.03"), Decimal("15.00")]
    assert (needs["D4"]["formula"], needs["D4"]["value"]) == ("SUM(D2:D3)", "21.03")
    assert (needs["B4"]["formula"], needs["B4"]["value"]) == ("SUM(B2:B3)", "6.03")


def test_profile_by_segment(workbook: Any) -> None:
    cells = cells_of(workbook(), 4)
    assert [cells[f"{column}1"]["value"] for column in "ABCDE"] == [
        "What", "Need state or feature", "Chain", "Segment 1", "Segment 2",
    ]  # fmt: skip
    assert [float(cells[f"{column}2"]["value"]) for column in "CDE"] == [6, 3, 3]
    assert [Decimal(cells[f"{column}3"]["value"]) for column in "CDE"] == [
        Decimal("21.03"),
        Decimal("6.03"),
        Decimal(15),
    ]
    # the second store did not train: the chain's share is (2 * 0.2 + 3 * 0.8) / 5 = 0.56
    assert float(cells["C4"]["value"]) == pytest.approx(0.56)
    assert float(cells["D4"]["value"]) == pytest.approx(100 * 0.2 / 0.56)
    assert cells["B6"]["value"] == "income"


def test_same_bytes_again(workbook: Any) -> None:
    first, second = (hashlib.sha256(workbook(name).read_bytes()).hexdigest() for name in ("a.xlsx", "b.xlsx"))
    assert first == second


def test_another_total_than_the_ledgers_is_an_error(workbook: Any) -> None:
    with pytest.raises(DataError, match=r"21\.03.* 21\.04"):
        workbook(ledger="21.04")


def test_missing_cents_go_where_rounding_took_most() -> None:
    thirds = {"need_state": ["x", "y", "z"], "sales": [10 / 3, 10 / 3, 10 / 3]}
    sales = pd.DataFrame({"store_id": ["a"] * 3, **thirds})
    table = sheets.need_state_table(sales, pd.Series({"a": 7}), {7: Decimal("10.00")})
    assert table == ([7], [("x", [Decimal("3.34")]), ("y", [Decimal("3.33")]), ("z", [Decimal("3.33")])])
    with pytest.raises(ValueError, match="segment 7 are 101 cents from its total"):
        sheets.need_state_table(sales, pd.Series({"a": 7}), {7: Decimal("11.00")})


def test_every_segment_adds_up_to_its_own_sales() -> None:
    # two stores' sales of 0.05 split in two: 0.025 each, which rounds to 0.02 and leaves a cent over in each segment
    sales = pd.DataFrame({"store_id": ["a", "a", "b", "b"], "need_state": ["x", "y"] * 2, "sales": [0.025] * 4})
    stores = [
        sheets.Assignment(store, "", segment, 1, 1, "", Decimal("0.05")) for store, segment in (("a", 1), ("b", 2))
    ]
    table = sheets.need_state_table(sales, pd.Series({"a": 1, "b": 2}), sheets.sales_by_segment(stores))
    columns = zip(*(amounts for _, amounts in table.rows), strict=True)
    assert [sum(column) for column in columns] == [Decimal("0.05"), Decimal("0.05")]
