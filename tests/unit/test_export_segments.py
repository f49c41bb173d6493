"""The workbook of all categories: every store beside its segments, texts from data as texts, and the same bytes again."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from unit.test_export_workbook import cells_of

ROOT = Path(__file__).resolve().parents[2]
STORES = ["01", "02", "03"]
NASTY = "=1+1"


@pytest.fixture
def exported(bench: Any) -> Any:
    """Two categories; store 03 has no sales in snacks, and nothing is said of how sure 02 is."""

    def run(name: str = "all.xlsx", **reader: Any) -> Path:
        money = pa.schema([("store_id", pa.string()), ("sales", pa.decimal128(38, 2))])
        for key, stores in (("beauty", STORES), ("snacks", STORES[:2])):
            rows = len(stores)
            bench.parquet(
                f"shares/{key}.parquet",
                {"store_id": stores, "dry": [0.9, 0.1, 0.1][:rows], "wet": [0.1, 0.9, 0.9][:rows]},
            )
            bench.parquet(f"clusters/{key}.parquet", {"store_id": stores, "exclusion": [""] * rows})
            bench.parquet(f"store_sales/{key}.parquet", {"store_id": stores, "sales": [Decimal(10)] * rows}, money)
        segments = {
            "category": ["beauty"] * 3 + ["snacks"] * 2, "store_id": [*STORES, *STORES[:2]], "segment": [1, 2, 2, 1, 1],
            "segment_name": ["Dry", NASTY, NASTY, "All", "All"], "confidence": [0.75, None, 1.0, None, None],
        }  # fmt: skip
        bench.run(
            "export_segments", segments=bench.parquet("segments.parquet", segments), shares=bench / "shares",
            categories=bench.parquet("categories.parquet", {"key": ["beauty", "snacks"], "name": ["BEAUTY", "SNACKS"]}),
            stores=bench.parquet("stores.parquet", {"store_id": STORES, "name": ["Ames", NASTY, None]}),
            clusters=bench / "clusters", store_sales=bench / "store_sales",
            store_features=bench.parquet("features.parquet", {"store_id": STORES, "county.INCOME": [1.0, 2.0, 3.0]}),
            external_clusters=bench.parquet("external.parquet", {"store_id": STORES, "exclusion": [""] * 3}),
            workbook=bench / name, **reader,
        )  # fmt: skip
        return Path(bench / name)

    return run


def values(path: Path, sheet: int, row: int, columns: str) -> list[str | None]:
    cells = cells_of(path, sheet)
    return [cells.get(f"{column}{row}", {"value": None})["value"] for column in columns]


def test_every_store_stands_beside_its_segments(exported: Any) -> None:
    path = exported()
    assert values(path, 2, 1, "ABCDE") == ["Store", "Name", "BEAUTY: Segment", "BEAUTY: Name", "BEAUTY: Confidence"]
    assert values(path, 2, 2, "ABCDEFGH") == ["01", "Ames", "1", "Dry", "0.75", "1", "All", None]
    assert values(path, 2, 3, "ABCDEFGH") == ["02", NASTY, "2", NASTY, None, "1", "All", None]
    assert values(path, 2, 4, "ACDEFGH") == ["03", "2", NASTY, "1", None, None, None]
    assert {
        (cell["type"], cell["formula"]) for name, cell in cells_of(path, 2).items() if name in {"B3", "D3", "A2"}
    } == {("s", None)}


def test_every_segment_is_told_in_a_sentence(exported: Any) -> None:
    path = exported()
    assert [values(path, 3, row, "ABCD") for row in (2, 3, 4)] == [
        ["BEAUTY", "1", "Dry", "1"], ["BEAUTY", "2", NASTY, "2"], ["SNACKS", "1", "All", "2"],
    ]  # fmt: skip
    sales, sentence = values(path, 3, 2, "FH")
    assert sales == "10"
    # a third of the sales; 0.9 of them dry, and 0.367 of the chain's
    assert str(sentence).startswith(
        "Segment 1: 1 store, 33 % of sales; sells 2.5 times the chain’s share of dry, but only"
    )


def test_the_same_bytes_again_and_in_german(exported: Any) -> None:
    assert exported("a.xlsx").read_bytes() == exported("b.xlsx").read_bytes()
    words = ROOT / "scripts/templates/words/de.yaml"
    path = exported("de.xlsx", words=words, language="de", decimal="comma", thousands="point")
    assert values(path, 2, 1, "AB") == ["Filiale", "Name"]
    assert "von dry das 2,5-Fache des Anteils der Kette" in str(values(path, 3, 2, "H"))
