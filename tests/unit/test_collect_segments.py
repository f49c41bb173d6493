"""The whole chain on made-up data: the contract of segments, the ledger from end to end, the same bytes."""

import csv
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import collect_segments
from collect_segments import agreement, check_chain
from storelib.accounts.ledger import Entry, balanced, read_ledger
from storelib.errors import DataError
from storelib.method.agreement import Agreement, crossed
from storelib.tables import write_table

BEFORE = ("select_categories", "split_need_states")


def collect(bench: Any, keys: dict[str, str] | None = None) -> None:
    """`collect_segments` after the chain; keys: key to name."""
    chosen = keys or {"beauty": "BEAUTY", "snacks": "SNACKS"}
    bench.parquet("categories.parquet", {"key": list(chosen), "name": list(chosen.values())})
    # Of the 25 stores the first 15 are one segment of the chain, and agree half; the others wholly.
    alone = {
        "store_id": [f"{n:02d}" for n in range(25)],
        "segment": [2] * 15 + [1] * 10,
        "agreement": [0.5] * 15 + [1.0] * 10,
    }
    bench.parquet("chain_segments.parquet", alone)
    inputs = {name: bench / f"{name}.parquet" for name in ("categories", "reference", "baseline", "chain_segments")}
    ledgers = {f"{name}_ledger": bench / f"{name}_ledger.parquet" for name in ("ingest", "assign", "select", "join")}
    bench.run(
        collect_segments, **inputs, **ledgers, split_ledgers=bench / "split_ledgers", merge_ledgers=bench / "merge_ledgers",
        override_ledgers=bench / "override_ledgers", explained=bench / "explained", descriptions=bench / "descriptions",
        category_segments=bench / "category_segments", internal_k_scores=bench / "k_scores",
        external_k_scores=bench / "external_k_scores.parquet", segments=bench / "merging/segments.parquet",
        ledger=bench / "merging/ledger.parquet", segments_csv=bench / "reports/segments.csv",
        migrations=bench / "merging/migrations.parquet", migrations_csv=bench / "reports/migrations.csv",
        metrics=bench / "reports/metrics.json", scores=bench / "reports/k_scores.csv", figure=bench / "reports/segments.png",
        recovery=bench / "reports/recovery.csv", recovery_figure=bench / "reports/recovery.png",
    )  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    """Every Parquet file the chain made, but for the lists of raw files, whose hashes tell of the order of their rows."""
    made = [p for p in sorted(folder.rglob("*.parquet")) if not p.name.endswith("_files.parquet")]
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in made}


def test_order_of_rows_and_threads_change_no_byte_of_the_whole_chain(chain: Callable[..., Any]) -> None:
    first = contents(chain("first").folder)
    assert len(first) > 20
    assert contents(chain("shuffled", seed=1).folder) == first
    assert contents(chain("one_thread", seed=2, threads=1).folder) == first


class TestCollected:
    @pytest.fixture
    def done(self, chain: Callable[..., Any]) -> Any:
        bench = chain("run")
        collect(bench)
        return bench

    def test_numbers_in_the_csv_are_whole_where_others_are_missing(self, done: Any) -> None:
        rows = list(csv.DictReader((done / "reports/segments.csv").read_text(encoding="utf-8").splitlines()))
        numbers = set(map(str, range(1, 100)))
        assert {row["segment"] for row in rows} <= numbers
        assert {row["runner_up_segment"] for row in rows} <= numbers | {""}

    def test_contract_and_ledger(self, done: Any) -> None:
        schema = pq.read_schema(done / "merging/segments.parquet")
        assert {
            "store_id": "string", "category": "string", "internal_cluster": "int32", "external_cluster": "int32",
            "merged_cluster": "string", "segment": "int32", "is_outlier": "bool",
        }.items() <= {field.name: str(field.type) for field in schema}.items()  # fmt: skip
        keys = done.rows("merging/segments.parquet", "category", "store_id")
        assert keys == sorted(set(keys))
        # 24 stores sell both; store 900, which the store table lacks, sells beauty
        stores = [f"{s:03d}" for s in range(24)]
        assert keys == [("beauty", s) for s in [*stores, "900"]] + [("snacks", s) for s in stores]
        rows = done.rows("merging/segments.parquet", "internal_cluster", "external_cluster", "merged_cluster")
        assert all(merged == f"{internal}x{external}" for internal, external, merged in rows)

        entries = read_ledger(done / "merging/ledger.parquet")
        assert {(e.stage, e.category) for e in entries} == {
            ("ingest_sales", ""), ("assign_categories", ""), ("join_external", ""),
            *((stage, key) for stage in (*BEFORE, "merge_segments", "apply_overrides") for key in ("beauty", "snacks")),
        }  # fmt: skip
        raw = pd.read_csv(done / "raw/sales.csv", dtype="str")
        total = sum(map(Decimal, raw["AMOUNT"]), Decimal(0))

        def of(stage: str, flow: str) -> tuple[int, Decimal]:
            found = [e for e in entries if (e.stage, e.flow) == (stage, flow)]
            return sum(e.lines for e in found), sum((e.sales for e in found), Decimal(0))

        # every line and cent that came in was segmented
        assert of("ingest_sales", "in") == of("merge_segments", "out") == (len(raw), total)

    def test_kinds_of_assortment_are_found(self, done: Any) -> None:
        # stores were planted by number modulo 3
        frame = done.frame("merging/segments.parquet")
        snacks = frame[frame["category"] == "snacks"]
        kinds = pd.Index([int(store) % 3 for store in snacks.index])
        assert snacks.groupby(kinds)["internal_cluster"].nunique().tolist() == [1, 1, 1]
        assert snacks["internal_cluster"].nunique() == 3

    def test_a_ledger_that_lost_a_cent_between_stages_is_refused(self, done: Any) -> None:
        path = done / "split_ledgers/beauty.parquet"
        # it balances in itself, and does not follow from the stage before
        cheat = [
            e._replace(sales=e.sales - Decimal("0.01")) if e.flow in ("in", "out") else e for e in read_ledger(path)
        ]
        write_table(balanced(cheat), path)
        with pytest.raises(DataError, match="broken between select_categories and split_need_states 'beauty'"):
            collect(done)


def links() -> list[Entry]:
    one = Decimal("1.00")
    chain = [("ingest_sales", ""), ("assign_categories", ""), ("select_categories", "a"), ("split_need_states", "a")]
    return [
        Entry(s, c, flow, "", 2, 3, one)
        for s, c in [*chain, ("merge_segments", "a"), ("apply_overrides", "a")]
        for flow in ("in", "out")
    ]


def test_chain_that_holds() -> None:
    check_chain(links())


@pytest.mark.parametrize(
    ("position", "change"),
    [
        (1, {"sales": Decimal("0.99")}), (2, {"lines": 2}), (2, {"stores": 1}), (3, {"lines": 4}), (4, {"sales": Decimal("1.01")}),
        (5, {"lines": 9}), (6, {"stores": 3}), (7, {"sales": Decimal(0)}), (8, {"lines": 0}),
        (9, {"stores": 1}), (10, {"sales": Decimal(2)}),
    ],
)  # fmt: skip
def test_chain_that_is_broken_anywhere_is_refused(position: int, change: dict[str, Any]) -> None:
    entries = links()
    entries[position] = entries[position]._replace(**change)
    with pytest.raises(DataError):
        check_chain(entries)


LABELS = ["internal_cluster", "external_cluster", "segment"]


def test_agreement_joins_by_store_and_does_not_mind_the_numbers() -> None:
    ours = pd.DataFrame({"store_id": list("abcdz"), "category": "x", **{label: [1, 1, 2, 2, 9] for label in LABELS}})
    theirs = pd.DataFrame({"store_id": list("dcba"), "category": "x", **{label: [1, 1, 7, 7] for label in LABELS}})
    theirs["segment"] = [1, 2, 1, 2]
    # same pairs: 1. Segment: pairs of 4 stores cut across: (0 - 2*2/6) / ((2 + 2)/2 - 2*2/6) = -0.5. Store z is in one only
    same = Agreement(4, 2, 2, 1.0)
    assert agreement(ours, theirs) == {
        ("external", "external_cluster"): same, ("x", "internal_cluster"): same, ("x", "external_cluster"): same,
        ("x", "segment"): Agreement(4, 2, 2, -0.5),
    }  # fmt: skip


def test_external_clusters_are_compared_once_over_the_stores_of_all_categories() -> None:
    ours = pd.DataFrame(
        {"store_id": list("abbc"), "category": list("xxyy"), **{label: [1, 2, 2, 2] for label in LABELS}}
    )
    theirs = pd.DataFrame({"store_id": list("abcd"), "category": "x", **{label: [1, 2, 3, 4] for label in LABELS}})
    found = agreement(ours, theirs)
    # a|b|c planted, a|bc found, no pair together in both: (0 - 0*1/3) / ((0 + 1)/2 - 0) = 0
    assert found["external", "external_cluster"] == Agreement(3, 3, 2, 0.0)
    # category y is not in what is known
    assert {view for view, _ in found} == {"external", "x"}


def test_known_external_clusters_of_each_category_are_compared_by_category_alone() -> None:
    ours = pd.DataFrame(
        {"store_id": list("abab"), "category": list("xxyy"), **{label: [1, 2, 1, 2] for label in LABELS}}
    )
    theirs = ours.assign(external_cluster=[1, 2, 2, 1])
    found = agreement(ours, theirs)
    assert {view for view, _ in found} == {"x", "y"}
    assert found["y", "external_cluster"] == Agreement(2, 2, 2, 1.0)


def test_nothing_known_is_nothing_compared() -> None:
    ours = pd.DataFrame({"store_id": ["a"], "category": "x", **{label: [1] for label in LABELS}})
    theirs = pd.DataFrame({"store_id": ["b"], "category": "x", **{label: [1] for label in LABELS}})
    assert agreement(ours, theirs) == {}


def test_cells_count_stores_and_columns_follow_the_diagonal() -> None:
    planted = pd.Series([1, 1, 1, 2, 2, 3, 3, 3, 9], index=list("abcdefghx"))
    found = pd.Series([2, 2, 5, 3, 3, 2, 1, 1, 9], index=list("abcdefghz"))
    table = crossed(planted, found)
    assert table.index.tolist() == [1, 2, 3]
    # 1 is found as 2, 2 as 3, 3 as 1; nothing is left for 5
    assert table.columns.tolist() == [2, 3, 1, 5]
    assert table.to_numpy().tolist() == [[2, 0, 0, 1], [0, 2, 0, 0], [1, 0, 2, 0]]


def test_reference_is_compared_in_the_table_the_metrics_and_the_picture(chain: Callable[..., Any]) -> None:
    bench = chain("run")
    known = [(key, f"{s:03d}", s % 3 + 1, 1, s % 3 + 1) for key in ("beauty", "snacks") for s in range(24)]
    bench.labels(*known, name="reference.parquet")
    collect(bench)
    rows = pd.read_csv(bench / "reports/recovery.csv").set_index(["view", "label"])
    assert list(rows.index) == [
        ("external", LABELS[1]),
        *((key, label) for key in ("beauty", "snacks") for label in LABELS),
    ]
    snacks = rows.loc["snacks", "internal_cluster"]
    assert snacks.to_dict() == {"planted_k": 3, "found_k": 3, "stores": 24, "ari": 1.0}
    recovery = json.loads((bench / "reports/metrics.json").read_text())["recovery"]
    assert sorted(recovery) == ["beauty", "snacks"]
    assert recovery["snacks"]["stores"] == 24
    for label in LABELS:
        figures = {key: recovery["snacks"][f"{label}_{key}"] for key in ("planted_k", "found_k", "ari")}
        assert figures == rows.loc["snacks", label][list(figures)].to_dict()
    assert (bench / "reports/recovery.png").stat().st_size > 20_000


def test_without_a_reference_the_outputs_are_there_all_the_same(chain: Callable[..., Any]) -> None:
    bench = chain("run")
    collect(bench)
    assert (bench / "reports/recovery.csv").read_text() == "view,label,planted_k,found_k,stores,ari\n"
    assert (bench / "reports/recovery.png").read_bytes().startswith(b"\x89PNG")
    metrics = json.loads((bench / "reports/metrics.json").read_text())
    assert "recovery" not in metrics
    # (15 x 0.5 + 10) / 25
    assert metrics["chain"] == {"segments": 2, "sizes": {"1": 10, "2": 15}, "agreement": 0.7}


def test_stages_write_no_pandas_metadata(chain: Callable[..., Any]) -> None:
    folder = chain("run").folder
    for path in folder.rglob("*.parquet"):
        assert pa.parquet.read_schema(path).metadata is None, path
