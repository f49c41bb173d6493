"""What a person has placed: read, checked, followed, counted."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

import apply_overrides
import ingest_overrides
import select_categories
from storelib.contracts.segments import SEGMENTS
from storelib.errors import DataError

HEADER = "store_id,category,segment,who,why"
SOURCE = {"reader": "csv", "path": "overrides.csv"}


@pytest.fixture
def ingest(bench: Any) -> Callable[..., list[Any]]:
    def run(*lines: str, **sources: Any) -> list[Any]:
        bench.csv("raw/overrides.csv", HEADER, *lines)
        bench.run(
            ingest_overrides, config=bench.place(**(sources or {"overrides": SOURCE})), raw=bench.raw,
            overrides=bench / "overrides.parquet", files=bench / "files.parquet",
        )  # fmt: skip
        rows: list[Any] = bench.rows("overrides.parquet")
        return rows

    return run


def test_overrides_are_read_sorted_with_ids_as_text(ingest: Callable[..., list[Any]]) -> None:
    assert ingest("007,snacks,2,Ann,new format", "01,beauty,12,Bob,asked for") == [
        ("beauty", "01", 12, "Bob", "asked for"), ("snacks", "007", 2, "Ann", "new format"),
    ]  # fmt: skip


def test_a_header_alone_and_no_source_are_no_overrides(bench: Any, ingest: Callable[..., list[Any]]) -> None:
    assert ingest() == []
    assert len(bench.rows("files.parquet")) == 1
    assert ingest(stores={"reader": "csv", "path": "stores.csv", "columns": {"store_id": "S"}}) == []
    assert bench.rows("files.parquet") == []


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["1,beauty,0,Ann,x"], "line 2: column 'segment' is no whole number from 1"),
        (["1,beauty,two,Ann,x"], "line 2: column 'segment' is no whole number from 1"),
        (["1,beauty,2,,x"], "line 2: column 'who' is empty"),
        (["1,beauty,2,Ann,x", "2,beauty,2,Ann, "], "line 3: column 'why' is empty"),
        ([",beauty,2,Ann,x"], "line 2: column 'store_id' is empty"),
        (["1,beauty,2,Ann,x", "1,beauty,3,Bob,y"], "more than once on 2 rows"),
    ],
)
def test_rows_that_say_too_little_or_too_much_are_refused(
    ingest: Callable[..., list[Any]], lines: list[str], message: str
) -> None:
    with pytest.raises(DataError, match="overrides.csv.*" + message):
        ingest(*lines)


def test_category_that_is_not_selected_is_refused(bench: Any) -> None:
    bench.category_totals("BEAUTY")
    flags = {name: bench / f"{name}.parquet" for name in ("category_totals", "overrides", "categories", "ledger")}
    bench.overrides(("beauti", "007", 2, "Ann", "x"))
    with pytest.raises(DataError, match=r"no category 'beauti' \(nearest: 'beauty'\), in which Ann placed store '007'"):
        bench.run(select_categories, settings=bench / "settings", **flags, **{"beauty.name": "BEAUTY"})


class TestApplying:
    """Stores a to e of beauty: a, b and c in segment 1, d in 2, e in 3."""

    @pytest.fixture
    def apply(self, bench: Any) -> Callable[..., dict[str, Any]]:
        stores = list("abcde")
        rows = {
            "category": ["beauty"] * 5, "store_id": stores, "internal_cluster": [1, 1, 1, 2, 2], "external_cluster": [1] * 5,
            "merged_cluster": ["1x1"] * 3 + ["2x1"] * 2, "segment": [1, 1, 1, 2, 3], "is_outlier": [False] * 5,
            "flags": ["", "internal:thin", "", "", ""], "confidence": [0.8, 0.7, 1.0, 0.95, None],
            "runner_up_segment": [2, 3, None, 1, None], "is_borderline": [True, True, False, False, False],
        }  # fmt: skip
        bench.parquet("merged.parquet", rows, SEGMENTS.schema())
        sales = [Decimal(n) for n in ("1.10", "2.20", "3.30", "4.40", "-5.50")]
        bench.parquet("store_sales.parquet", {"store_id": stores, "lines": [1, 2, 3, 4, 5], "sales": sales})

        def run(*overrides: tuple[str, str, int, str, str]) -> dict[str, Any]:
            bench.overrides(*overrides)
            bench.run(
                apply_overrides, category="beauty", merged=bench / "merged.parquet", overrides=bench / "overrides.parquet",
                store_sales=bench / "store_sales.parquet", segments=bench / "segments.parquet", ledger=bench / "ledger.parquet",
            )  # fmt: skip
            found: dict[str, Any] = bench.frame("segments.parquet").to_dict("index")
            return found

        return run

    def test_without_any_the_bytes_are_those_that_were_found(
        self, bench: Any, apply: Callable[..., dict[str, Any]]
    ) -> None:
        apply(("snacks", "a", 9, "Ann", "another category"))
        assert bench.rows("segments.parquet") == bench.rows("merged.parquet")
        # 5 stores, 15 lines, 1.10 + 2.20 + 3.30 + 4.40 - 5.50 = 5.50
        assert bench.ledger() == dict.fromkeys([("in", ""), ("out", "")], (5, 15, Decimal("5.50")))

    def test_stores_are_placed_flagged_and_counted(self, bench: Any, apply: Callable[..., dict[str, Any]]) -> None:
        # d is where it was already: a person has said so all the same
        found = apply(("beauty", "b", 3, "Ann", "x"), ("beauty", "d", 2, "Bob", "y"))
        assert {s: (r["segment"], r["flags"]) for s, r in found.items()} == {
            "a": (1, ""), "b": (3, "internal:thin override"), "c": (1, ""), "d": (2, "override"), "e": (3, ""),
        }  # fmt: skip
        assert (found["b"]["internal_cluster"], found["b"]["merged_cluster"]) == (1, "1x1")
        # A person's choice is neither likely nor unlikely.
        sure = [(s, r["confidence"], r["runner_up_segment"], r["is_borderline"]) for s, r in found.items()]
        assert [row[0] for row in sure if np.isnan(row[1])] == ["b", "d", "e"]
        assert sure[0] == ("a", 0.8, 2, True)
        assert not found["b"]["is_borderline"]
        # b and d: 2 + 4 lines, 2.20 + 4.40
        assert bench.ledger()["noted", "override"] == (2, 6, Decimal("6.60"))
        assert "2 stores were placed by hand, 1 of them in another segment" in bench.log(apply_overrides)

    def test_segment_that_loses_its_last_store_is_told(self, bench: Any, apply: Callable[..., dict[str, Any]]) -> None:
        apply(("beauty", "d", 1, "Ann", "x"))
        assert "segment 2 has no store any more" in bench.log(apply_overrides)

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            (("beauty", "f", 1, "Ann", "x"), r"beauty has no store 'f', which Ann put into segment 1"),
            (("beauty", "a", 4, "Ann", "x"), "no segment 4, into which Ann put store 'a'; its segments are 1, 2, 3"),
        ],
    )
    def test_what_cannot_be_followed_fails(
        self, apply: Callable[..., dict[str, Any]], row: tuple[str, str, int, str, str], message: str
    ) -> None:
        with pytest.raises(DataError, match=message):
            apply(row)
