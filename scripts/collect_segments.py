"""Collect the segments of every selected category, the ledger of every stage, and the metrics.

Nothing is computed anew: it checks that the ledgers follow on each other to the cent, that every selling store has one
segment in each of its categories, and compares with reference labels where there are any: adjusted Rand index, and how
many stores of each known cluster lie in each found one, as a picture. The demo's reference is the planted truth.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
import io
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from storelib.accounts.ledger import Entry, balanced, read_ledger
from storelib.contracts.contract import checked, outputs
from storelib.contracts.ledger import LEDGER
from storelib.contracts.segments import COLLECTED, MIGRATIONS, RECOVERY
from storelib.errors import DataError
from storelib.method.agreement import Agreement, compare, pairs, parted
from storelib.method.k_rules import INDICES
from storelib.method.migrations import migrations, moved
from storelib.names import LABELS
from storelib.pages.segment_charts import recovery_chart, sizes_chart
from storelib.spreadsheets import for_spreadsheets
from storelib.tables import read_frame, read_table, write_text


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--categories", type=Path, required=True, help="keys and names of the selected categories")
    parser.add_argument("--ingest_ledger", type=Path, required=True)
    parser.add_argument("--assign_ledger", type=Path, required=True)
    parser.add_argument("--select_ledger", type=Path, required=True)
    parser.add_argument("--join_ledger", type=Path, required=True)
    parser.add_argument("--split_ledgers", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--merge_ledgers", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--override_ledgers", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--category_segments", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--descriptions", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--explained", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--internal_k_scores", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--external_k_scores", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True, help="known labels; header only where there are none")
    parser.add_argument("--baseline", type=Path, required=True, help="earlier labels; header only where there are none")
    parser.add_argument("--segments", type=Path, required=True, help="output: one row per category and store")
    parser.add_argument("--ledger", type=Path, required=True, help="output: the ledger of every stage")
    parser.add_argument(
        "--segments_csv", type=Path, required=True, help="output: the segments as CSV, for spreadsheets"
    )
    parser.add_argument("--migrations", type=Path, required=True, help="output: from the baseline's segments to these")
    parser.add_argument("--migrations_csv", type=Path, required=True, help="output: the same as CSV")
    parser.add_argument("--chain_segments", type=Path, required=True, help="one segment per store")
    parser.add_argument("--metrics", type=Path, required=True, help="output: metrics.json")
    parser.add_argument("--scores", type=Path, required=True, help="output: scores of every k and view, as CSV")
    parser.add_argument("--recovery", type=Path, required=True, help="output: found against planted labels, as CSV")
    parser.add_argument("--figure", type=Path, required=True, help="output: picture of the segments' sizes")
    parser.add_argument("--recovery_figure", type=Path, required=True, help="output: picture of found against planted")
    return parser.parse_args(argv)


def check_chain(entries: list[Entry]) -> None:
    """Raise DataError where what leaves one stage is not what enters the next."""

    def amounts(stage: str, flow: str, category: str) -> tuple[int, int, Decimal]:
        found = [e for e in entries if (e.stage, e.flow) == (stage, flow) and category in (e.category, "*")]
        stores = found[0].stores if len(found) == 1 else 0
        return stores, sum(e.lines for e in found), sum((e.sales for e in found), Decimal(0))

    links = [("ingest_sales", "assign_categories", "")]
    for category in sorted({e.category for e in entries if e.stage == "split_need_states"}):
        links += [
            ("select_categories", "split_need_states", category),
            ("split_need_states", "merge_segments", category),
            ("merge_segments", "apply_overrides", category),
        ]
    for before, after, category in links:
        left, entered = amounts(before, "out", category), amounts(after, "in", category)
        if left != entered:
            raise DataError(
                f"the ledger is broken between {before} and {after} {category!r}: {left} left, {entered} entered "
                "(stores, lines, sales)",
                solution="run the pipeline again from raw data; if it stays, this is a defect: report it with the logs",
            )
    if amounts("assign_categories", "out", "*")[1:] != amounts("select_categories", "in", "*")[1:]:
        raise DataError(
            "the sales by category do not add up to the sales that have a category",
            solution="run the pipeline again from raw data; if it stays, this is a defect: report it with the logs",
        )


def view_metrics(scores: pd.DataFrame) -> dict[str, Any]:
    """The chosen k and its indices; one cluster has none."""
    chosen = scores[scores["chosen"]].iloc[0]
    return {"k": int(chosen["k"])} | {i: round(float(chosen[i]), 6) for i in INDICES if pd.notna(chosen[i])}


def agreement(segments: pd.DataFrame, known: pd.DataFrame) -> dict[tuple[str, str], Agreement]:
    """Agreement of what is known with what was found, by view and label; views without a store in both are left out.

    So is the external view where the known external clusters are not the same in every category.
    """
    if known.empty:
        return {}
    names = [(str(key), label) for key in sorted(segments["category"].unique()) for label in LABELS]
    if known[["store_id", "external_cluster"]].drop_duplicates()["store_id"].is_unique:
        names.insert(0, ("external", "external_cluster"))
    of_view = parted(segments, known)
    every = {name: compare(*pairs(*of_view(name[0]), *name)) for name in names}
    return {name: part for name, part in every.items() if part.stores}


def recovery_table(found: dict[tuple[str, str], Agreement]) -> pd.DataFrame:
    """The agreement with the planted labels, one row per view and label."""
    rows = [[view, label, part.first_k, part.second_k, part.stores, part.ari] for (view, label), part in found.items()]
    return pd.DataFrame(rows, columns=RECOVERY.names)


def metrics_of(
    segments: dict[str, pd.DataFrame],
    scores: dict[str, pd.DataFrame],
    entries: list[Entry],
    known: dict[str, dict[tuple[str, str], Agreement]],
    explained: dict[str, float],
    chain: pd.DataFrame,
) -> dict[str, Any]:
    """What `dvc metrics show` prints. Money is in the source's currency.

    explained: share of the variance of both views that lies between the segments, by category. chain: one segment per store.
    """

    def total(stage: str, flow: str) -> Decimal:
        return sum((e.sales for e in entries if (e.stage, e.flow) == (stage, flow)), Decimal(0))

    metrics: dict[str, Any] = {
        "ledger": {
            "sales_in": float(total("ingest_sales", "in")),
            "sales_segmented": float(total("merge_segments", "out")),
            "sales_set_aside": float(sum((e.sales for e in entries if e.flow == "set_aside"), Decimal(0))),
            "sales_not_selected": float(total("select_categories", "not_selected")),
        },
        "external": view_metrics(scores["external"]),
        "internal": {key: view_metrics(scores[key]) for key in segments},
        "merging": {
            key: {
                "stores": len(table),
                "crossed": int(table["merged_cluster"].nunique()),
                "segments": int(table["segment"].nunique()),
                "smallest": int(table["segment"].value_counts().min()),
                "outliers": int(table["is_outlier"].sum()),
                "explained": round(explained[key], 6),
            }
            for key, table in segments.items()
        },
        "chain": {
            "segments": int(chain["segment"].nunique()),
            "sizes": {
                str(number): int(stores) for number, stores in chain["segment"].value_counts().sort_index().items()
            },
            "agreement": None if chain["agreement"].isna().all() else round(float(chain["agreement"].mean()), 6),
        },
    }
    for name, found in known.items():
        of_categories: dict[str, dict[str, Any]] = {}
        for (view, label), part in found.items():
            if view != "external":
                figures = of_categories.setdefault(view, {"stores": part.stores})
                figures[f"{label}_ari"] = part.ari
                if name == "recovery":
                    figures |= {f"{label}_planted_k": part.first_k, f"{label}_found_k": part.second_k}
        if of_categories:
            metrics[name] = of_categories
    return metrics


def named(segments: pa.Table, descriptions: Path) -> pa.Table:
    """A category's segments with their names."""
    described = read_table(descriptions, ["segment", "name"]).rename_columns(["segment", "segment_name"])
    names = dict(zip(*described.to_pydict().values(), strict=True))
    column = pa.array([names[number] for number in segments["segment"].to_pylist()], pa.string())
    return segments.append_column("segment_name", column).select(COLLECTED.names)


def main(argv: Sequence[str] | None = None) -> None:
    """Collect, check, compare, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    categories = read_frame(args.categories)
    keys = categories["key"].tolist()
    told = dict(zip(keys, categories["name"].tolist(), strict=True))

    def per_category(folder: Path) -> dict[str, Path]:
        return {key: folder / f"{key}.parquet" for key in keys}

    of_all = (args.ingest_ledger, args.assign_ledger, args.select_ledger, args.join_ledger)
    entries = [entry for path in of_all for entry in read_ledger(path)]
    for folder in (args.split_ledgers, args.merge_ledgers, args.override_ledgers):
        for path in per_category(folder).values():
            entries += read_ledger(path)
    ledger = balanced(entries)
    check_chain(entries)

    descriptions = per_category(args.descriptions)
    tables = [named(read_table(path), descriptions[key]) for key, path in per_category(args.category_segments).items()]
    segments = pa.concat_tables(tables).sort_by([("category", "ascending"), ("store_id", "ascending")])
    frame = segments.to_pandas()
    by_category = {str(key): part for key, part in frame.groupby("category")}
    scores = {key: read_frame(path) for key, path in per_category(args.internal_k_scores).items()}
    scores["external"] = read_frame(args.external_k_scores)
    reference = read_frame(args.reference)
    recovery = agreement(frame, reference)
    baseline = read_frame(args.baseline)
    known = {"recovery": recovery, "baseline": agreement(frame, baseline)}
    moves = migrations(frame, baseline)
    shares = {key: read_frame(path) for key, path in per_category(args.explained).items()}
    explained = {key: float(table.loc[table["chosen"], "explained"].iloc[0]) for key, table in shares.items()}
    metrics = metrics_of(by_category, scores, entries, known, explained, read_frame(args.chain_segments))

    every_score = pd.concat([table.assign(view=view) for view, table in sorted(scores.items())])
    every_score = every_score[["view", *scores["external"].columns]].round(6)
    recovered = recovery_table(recovery)
    checked(recovered, RECOVERY, str(args.recovery))
    with outputs() as write:
        write(segments, COLLECTED, args.segments)
        write(ledger, LEDGER, args.ledger)
        write(moves, MIGRATIONS, args.migrations)
        for table, path in (
            # A number stays whole where others of its column are missing.
            (for_spreadsheets(frame.astype({"runner_up_segment": "Int64"})), args.segments_csv),
            (every_score, args.scores),
            (recovered, args.recovery),
            (moves.assign(share=moves["share"].round(6)), args.migrations_csv),
        ):
            write_text(as_csv(table), write.temporary(path))
        sizes_chart(frame, told).save(write.temporary(args.figure))
        recovery_chart(frame, reference, recovery, told).save(write.temporary(args.recovery_figure))
        write_text(json.dumps(metrics, indent=2) + "\n", write.temporary(args.metrics))
    amounts = metrics["ledger"]
    log.info(
        "%d stores in %d categories; sales %.2f in, %.2f segmented, %.2f set aside, %.2f not selected",
        frame["store_id"].nunique(), len(keys), *amounts.values(),
    )  # fmt: skip
    for key in sorted(set(moves["category"])):
        log.info("%s: %d of %d stores are in another segment than in the baseline", key, *moved(moves, key))
    for key in keys:
        found = metrics["merging"][key]
        log.info(
            "%s: k = %d, %d segments, smallest %d",
            key,
            metrics["internal"][key]["k"],
            found["segments"],
            found["smallest"],
        )


def as_csv(frame: pd.DataFrame) -> str:
    """A table as CSV text."""
    buffer = io.StringIO()
    frame.to_csv(buffer, index=False, lineterminator="\n")
    return buffer.getvalue()


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
