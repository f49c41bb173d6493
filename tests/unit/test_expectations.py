"""What is expected of the result: figures by hand, levels, sentences, and the stage that fails."""

import json
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import check_results
import require_checks
from storelib.accounts.expectations import (
    EXPECTATIONS,
    Finding,
    Levels,
    apart,
    share_borderline,
    share_found,
    share_mapped,
    share_set_aside,
    smallest,
    summary,
    told,
)
from storelib.accounts.ledger import Entry, balanced
from storelib.configuration.params import load_params
from storelib.errors import DataError
from storelib.tables import write_table

ROOT = Path(__file__).resolve().parents[2]
CHAIN = ("ingest_sales", "assign_categories")
CATEGORY = ("split_need_states", "merge_segments")


def entry(stage: str, category: str, flow: str, reason: str, stores: int, lines: int, sales: str) -> Entry:
    return Entry(stage, category, flow, reason, stores, lines, Decimal(sales))


# 10 stores sell 200 lines for 1,000.00; what is left of them is 8 stores, 180 lines, 930.00.
LEDGER = [
    entry("ingest_sales", "", "in", "", 10, 200, "1000.00"),
    entry("ingest_sales", "", "set_aside", "negative_sales", 0, 4, "-30.00"),
    entry("ingest_sales", "", "set_aside", "invalid_date", 1, 6, "50.00"),
    entry("ingest_sales", "", "out", "", 9, 190, "980.00"),
    entry("assign_categories", "", "in", "", 9, 190, "980.00"),
    entry("assign_categories", "", "set_aside", "unknown_store", 1, 10, "50.00"),
    entry("assign_categories", "", "out", "", 8, 180, "930.00"),
    entry("join_external", "", "in", "", 10, 180, "930.00"),
    entry("join_external", "", "set_aside", "no_sales", 2, 0, "0.00"),
    entry("join_external", "", "out", "", 8, 180, "930.00"),
    entry("join_external", "", "noted", "not in county", 2, 0, "0.00"),
    entry("join_external", "", "noted", "not in county, no sales", 1, 0, "0.00"),
    entry("select_categories", "TOYS", "in", "", 8, 80, "430.00"),
    entry("select_categories", "TOYS", "not_selected", "category_not_selected", 8, 80, "430.00"),
    entry("select_categories", "beauty", "in", "", 8, 100, "500.00"),
    entry("select_categories", "beauty", "out", "", 8, 100, "500.00"),
    entry("split_need_states", "beauty", "in", "", 8, 100, "500.00"),
    entry("split_need_states", "beauty", "set_aside", "no_net_sales", 2, 5, "0.00"),
    entry("split_need_states", "beauty", "set_aside", "unmapped_sku", 0, 15, "40.00"),
    entry("split_need_states", "beauty", "out", "", 6, 80, "460.00"),
    entry("merge_segments", "beauty", "in", "", 6, 80, "460.00"),
    entry("merge_segments", "beauty", "out", "", 6, 80, "460.00"),
    entry("merge_segments", "beauty", "noted", "small_segment", 1, 9, "9.00"),
    entry("merge_segments", "beauty", "noted", "merged_segment", 4, 9, "9.00"),
]


@pytest.mark.parametrize(
    ("amount", "chain", "category"),
    [
        # returns that were dropped do not make up for what could not be read: 30 + 50 + 50 of 1,000
        ("sales", Fraction(13, 100), Fraction(40, 500)),
        ("lines", Fraction(20, 200), Fraction(20, 100)),
        ("stores", Fraction(2, 10), Fraction(2, 8)),
    ],
)
def test_share_set_aside(amount: str, chain: Fraction, category: Fraction) -> None:
    assert share_set_aside(LEDGER, CHAIN, "", amount) == chain
    assert share_set_aside(LEDGER, CATEGORY, "beauty", amount) == category


def test_share_of_nothing_and_of_less() -> None:
    returns = [
        entry("split_need_states", "x", "in", "", 2, 2, "-5.00"),
        entry("split_need_states", "x", "out", "", 2, 2, "-5.00"),
    ]
    assert share_set_aside(returns, CATEGORY, "x", "sales") == 0
    gone = [*returns, entry("split_need_states", "x", "set_aside", "unmapped_sku", 0, 1, "1.00")]
    assert share_set_aside(gone, CATEGORY, "x", "sales") is None
    assert share_mapped(gone, "x") is None
    assert Finding("mapped_sales", "x", None, Levels(Fraction(0), Fraction(0))).state == "fail"


@pytest.mark.parametrize("flow", ["set_aside", "noted"])
def test_share_mapped_is_the_same_whatever_the_policy(flow: str) -> None:
    entries = [
        entry("split_need_states", "beauty", "in", "", 8, 100, "500.00"),
        entry("split_need_states", "beauty", flow, "unmapped_sku", 3, 15, "40.00"),
        entry("split_need_states", "snacks", flow, "unmapped_sku", 3, 15, "99.00"),
    ]
    assert share_mapped(entries, "beauty") == Fraction(460, 500)


@pytest.mark.parametrize("flow", ["set_aside", "noted"])
def test_share_of_stores_found_is_the_same_whatever_the_policy(flow: str) -> None:
    out = 40 if flow == "set_aside" else 80
    entries = [
        entry("assign_categories", "", "in", "", 80, 800, "800.00"),
        entry("assign_categories", "", "out", "", out, 800, "800.00"),
        entry("assign_categories", "", flow, "unknown_store", 40, 400, "400.00"),
        # stores that sell nothing, and those without a value, are not missing
        entry("join_external", "", "in", "", 500, 800, "800.00"),
        entry("join_external", "", "noted", "not in county", 10, 0, "0.00"),
        entry("join_external", "", "noted", "not in county, no sales", 420, 0, "0.00"),
        entry("join_external", "", "noted", "value missing in county", 7, 0, "0.00"),
    ]
    assert share_found(entries, "sources.stores") == Fraction(40, 80)
    assert share_found(entries, "sources.external.county") == Fraction(out - 10, out)
    assert share_found(entries, "sources.external.other") == 1


@pytest.mark.parametrize(
    ("found", "of", "state"), [(35, 150, "fail"), (40, 80, "fail"), (94, 100, "warn"), (95, 100, "pass")]
)
def test_stores_that_are_not_found_fail_by_default(found: int, of: int, state: str) -> None:
    levels = load_params(ROOT / "params.yaml").checks.found_stores
    warn, fail = (Fraction(str(level)) for level in (levels.warn, levels.fail))
    finding = Finding("found_stores", "sources.stores", Fraction(found, of), Levels(warn, fail))
    assert finding.state == state
    if (found, of) == (40, 80):
        assert finding.sentence == "50 % of the stores that sell are in this table; at least 80 % is required"


def test_smallest_segment() -> None:
    segments = pd.DataFrame({"category": ["a"] * 5 + ["b"], "segment": [1, 1, 2, 2, 2, 1]})
    assert smallest(segments, "a") == 2
    assert smallest(segments, "b") == 1
    with pytest.raises(DataError, match="category c has no store in any segment"):
        smallest(segments, "c")


def test_share_of_borderline_stores() -> None:
    assert share_borderline(pd.DataFrame({"is_borderline": [True, False, False, True, False]})) == Fraction(2, 5)
    assert share_borderline(pd.DataFrame({"is_borderline": [False]})) == 0


@pytest.mark.parametrize(
    ("check", "value", "state"),
    [
        ("mapped_sales", Fraction(98, 100), "pass"),
        ("mapped_sales", Fraction(97, 100), "warn"),
        ("mapped_sales", Fraction(90, 100), "warn"),
        ("mapped_sales", Fraction(89, 100), "fail"),
        ("stores_set_aside", Fraction(90, 100), "pass"),
        ("stores_set_aside", Fraction(91, 100), "warn"),
        ("stores_set_aside", Fraction(98, 100), "warn"),
        ("stores_set_aside", Fraction(99, 100), "fail"),
    ],
)
def test_a_level_is_still_good(check: str, value: Fraction, state: str) -> None:
    low, high = Fraction("0.9"), Fraction("0.98")
    levels = Levels(high, low) if EXPECTATIONS[check].sense == "at least" else Levels(low, high)
    assert Finding(check, "beauty", value, levels).state == state


def test_sentences_tell_the_figure_from_its_level() -> None:
    assert apart(Fraction("0.97996"), Fraction("0.98")) == ("97.996 %", "98 %")
    assert apart(Fraction(1, 3), Fraction(1, 4)) == ("33.3 %", "25 %")
    assert apart(Fraction(1), Fraction(1)) == ("100 %", "100 %")
    assert apart(Fraction(99_999_999, 100_000_000), Fraction(1)) == ("99.999999 %", "100 %")
    assert apart(Fraction(0), Fraction("0.005")) == ("0 %", "0.5 %")
    levels = Levels(Fraction(10), Fraction(2))
    assert Finding("smallest_segment", "x", Fraction(1), levels).sentence == (
        "the smallest segment has 1 store; at least 2 is required"
    )
    assert Finding("smallest_segment", "x", Fraction(4), levels).sentence == (
        "the smallest segment has 4 stores; at least 10 is expected"
    )


def test_summary_is_as_grave_as_its_gravest_check() -> None:
    levels = Levels(Fraction(10), Fraction(2))
    found = [Finding("smallest_segment", view, Fraction(n), levels) for view, n in (("a", 20), ("b", 5), ("c", 1))]
    result = summary(found)
    assert result["state"] == "fail"
    assert result["counts"] == {"pass": 1, "warn": 1, "fail": 1}
    assert [(c["state"], c["value"], bool(c["to_do"])) for c in result["checks"]] == [
        ("pass", 20.0, False),
        ("warn", 5.0, True),
        ("fail", 1.0, True),
    ]
    assert (
        told(result["checks"][2]) == "smallest_segment of c: the smallest segment has 1 store; at least 2 is required"
    )
    assert told({"check": "x", "view": "", "sentence": "y"}) == "x of all sales: y"
    assert summary(found[:2])["state"] == "warn"
    assert summary(found[:1])["state"] == "pass"


@pytest.fixture
def check(bench: Any) -> Callable[..., dict[str, Any]]:
    """`check_results` on six stores of one category; levels are off but for those given."""

    def run(name: str = "checks.json", **levels: tuple[float, float]) -> dict[str, Any]:
        write_table(balanced(LEDGER), bench / "ledger.parquet")
        stores = [f"s{i}" for i in range(6)]
        distances = {"is_borderline": [True, *[False] * 5]}
        bench.parquet("clusters/beauty.parquet", {"store_id": stores, **distances})
        (bench / "store_sales/beauty.parquet").unlink(missing_ok=True)
        off = {name: (0, 0) if e.sense == "at least" else (1, 1) for name, e in EXPECTATIONS.items()} | levels
        flags = {
            f"{name}.{level}": value
            for name, pair in off.items()
            for level, value in zip(("warn", "fail"), pair, strict=True)
        }
        bench.run(
            check_results,
            categories=bench.parquet("categories.parquet", {"key": ["beauty"], "name": ["BEAUTY"]}),
            segments=bench.parquet("segments.parquet", {"category": ["beauty"] * 6, "store_id": stores, "segment": [1, 1, 1, 1, 2, 2]}),
            ledger=bench / "ledger.parquet", clusters=bench / "clusters",
            store_sales=bench.parquet(
                "store_sales/beauty.parquet", {"large_lines": [0.0, 0.25, 0.26, 0.0], "largest_line": [0.25, 0.3, 0.9, 0.1]}
            ).parent,
            stores=bench.parquet("stores.parquet", {"store_id": ["1", "2"]}),
            sources=bench.parquet("sources.parquet", {"source": ["county", "county", "own"]}),
            external_clusters=bench.parquet("external.parquet", {"is_borderline": [False] * 6}),
            migrations=bench.parquet(
                "migrations.parquet", {"category": ["beauty"] * 4, "before": [1, 1, 2, None], "after": [1, 2, None, 2],
                "stores": [3, 1, 9, 9], "share": [0.75, 0.25, 1.0, None]},
            ),
            checks=bench / name, **flags,
        )  # fmt: skip
        result: dict[str, Any] = json.loads((bench / name).read_text())
        return result

    return run


def test_every_expectation_is_looked_at(check: Any) -> None:
    found = {(c["check"], c["view"]): c["value"] for c in check()["checks"]}
    assert found == {
        ("mapped_sales", "beauty"): 0.92,
        ("sales_set_aside", ""): 0.13,
        ("sales_set_aside", "beauty"): 0.08,
        ("lines_set_aside", ""): 0.1,
        ("lines_set_aside", "beauty"): 0.2,
        ("stores_set_aside", ""): 0.2,
        ("stores_set_aside", "beauty"): 0.25,
        # 1 of 9 stores is not in the store table, 2 of the 8 that are left are not in `county`
        ("found_stores", "sources.stores"): 0.888889,
        ("found_stores", "sources.external.county"): 0.75,
        ("found_stores", "sources.external.own"): 1.0,
        ("smallest_segment", "beauty"): 2.0,
        ("large_lines", "beauty"): 0.25,
        ("largest_line", "beauty"): 0.5,
        # 1 of 6 stores; those of merged segments are no matter of size
        ("dissolved_stores", "beauty"): 0.166667,
        # 1 of the 4 that are in both; stores that are new or gone changed no segment
        ("churn", "beauty"): 0.25,
        ("borderline_stores", "beauty"): 0.166667,
        ("borderline_stores", "external"): 0.0,
    }


def test_same_checks_again(check: Any, bench: Any) -> None:
    check("a.json")
    check("b.json")
    assert (bench / "a.json").read_bytes() == (bench / "b.json").read_bytes()


def test_failing_checks_are_written_and_then_refused(check: Any, bench: Any) -> None:
    result = check(mapped_sales=(0.98, 0.95), smallest_segment=(5, 3), sales_set_aside=(0.05, 0.5))
    assert result["counts"] == {"pass": 13, "warn": 2, "fail": 2}
    with pytest.raises(DataError) as error:
        bench.run(
            require_checks, checks=bench / "checks.json", report="reports/report.html", passed=bench / "passed.txt"
        )
    assert error.value.args[0] == (
        "2 of 17 checks failed: mapped_sales of beauty: 92 % of sales have a need state; at least 95 % is required; "
        "smallest_segment of beauty: the smallest segment has 2 stores; at least 3 is required"
    )
    assert "`checks` in params.yaml" in error.value.solution
    assert "reports/report.html" in error.value.solution
    assert error.value.exit_code == 4
    assert not (bench / "passed.txt").exists()
    assert "warn sales_set_aside of all sales: 13 % of sales are set aside; at most 5 %" in bench.log(require_checks)


def test_warnings_are_kept_where_nothing_failed(check: Any, bench: Any) -> None:
    check(lines_set_aside=(0.15, 0.3))
    bench.run(require_checks, checks=bench / "checks.json", report="reports/report.html", passed=bench / "passed.txt")
    assert (bench / "passed.txt").read_text().splitlines() == [
        "17 checks: none failed, 1 warned",
        "lines_set_aside of beauty: 20 % of sales lines are set aside; at most 15 % is expected",
    ]


def test_many_failures_are_counted_and_no_check_at_all_is_one(bench: Any) -> None:
    levels = Levels(Fraction(2), Fraction(2))
    found = [Finding("smallest_segment", f"c{i}", Fraction(1), levels) for i in range(7)]
    (bench / "checks.json").write_text(json.dumps(summary(found)))
    with pytest.raises(DataError, match=r"7 of 7 checks failed: .*c4: .*; and 2 more\n"):
        bench.run(require_checks, checks=bench / "checks.json", report="r", passed=bench / "passed.txt")
    (bench / "checks.json").write_text('{"checks": []}')
    with pytest.raises(DataError, match="holds no check"):
        bench.run(require_checks, checks=bench / "checks.json", report="r", passed=bench / "passed.txt")
