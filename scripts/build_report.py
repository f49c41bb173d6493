"""Write the report: one page that opens anywhere, without a network.

Puts into words and pictures what other stages found: what does not hold, what changed since the baseline, headline figures,
every store's segments to search in, the clusters and segments of each category, the external view, stores on a map, the ledger
as a picture of flows, known segments against found, and what all this was made with. Nothing is clustered here. The same inputs
give the same bytes: no clock, no random names.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
import platform
from collections.abc import Sequence
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from typing import Any

import jinja2
import markupsafe
import pandas as pd

from storelib.accounts.ledger import Entry, read_ledger
from storelib.method.agreement import pairs, parted, shared_labels
from storelib.pages import (
    changes,
    checks,
    describing,
    finder,
    flows,
    grids,
    language,
    maps,
    merging,
    report,
    sheets,
    words,
)
from storelib.pages.language import number, say, say_number
from storelib.pages.palette import CLUSTER_COLOURS, INK
from storelib.pages.segment_profiles import View, segment_profiles
from storelib.seals import checked
from storelib.tables import read_frame, read_json, read_table, write_text

SECTIONS = ("internal", "external", "merging", "describing")
PACKAGES = (
    "duckdb", "jinja2", "matplotlib", "numpy", "pandas", "pandera", "pyarrow", "pydantic", "scikit-learn", "scipy",
    "threadpoolctl", "xlsxwriter",
)  # fmt: skip


def parse_args(argv: Sequence[str] | None) -> tuple[argparse.Namespace, dict[str, dict[str, str]]]:
    """Flags of this stage, and the method: values by key, by section."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--raw_files", type=Path, nargs="+", required=True, help="lists of raw files that were read")
    parser.add_argument("--categories", type=Path, required=True, help="keys and names of the selected categories")
    parser.add_argument("--period_sales", type=Path, required=True, help="sums by category and period")
    parser.add_argument("--stores", type=Path, required=True, help="store table")
    parser.add_argument("--shares", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--store_sales", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--clusters", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--k_scores", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--stability", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--profiles", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--store_features", type=Path, required=True, help="external data of each store")
    parser.add_argument("--external_clusters", type=Path, required=True)
    parser.add_argument("--external_k_scores", type=Path, required=True)
    parser.add_argument("--external_stability", type=Path, required=True)
    parser.add_argument("--external_profile", type=Path, required=True)
    parser.add_argument("--segments", type=Path, required=True, help="segments of every category")
    parser.add_argument("--ledger", type=Path, required=True, help="ledger of every stage")
    for name in ("descriptions", "traits", "store_fit", "predictions", "importance"):
        parser.add_argument(f"--{name}", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--explained", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--overrides", type=Path, required=True, help="stores that a person placed")
    parser.add_argument("--migrations", type=Path, required=True, help="from the baseline's segments to these")
    parser.add_argument("--baseline", type=Path, required=True, help="the baseline's labels, for its names")
    parser.add_argument("--chain_segments", type=Path, required=True, help="one segment per store")
    parser.add_argument("--reference", type=Path, required=True, help="known labels; header only where there are none")
    parser.add_argument("--recovery", type=Path, required=True, help="agreement with the known labels")
    parser.add_argument("--checks", type=Path, required=True, help="what was expected, and how far it holds")
    parser.add_argument("--template", type=Path, required=True, help="the page")
    parser.add_argument("--outlines", type=Path, required=True, help="borders for the map")
    parser.add_argument("--report", type=Path, required=True, help="output: the page, filled in")
    language.add_reader(parser)
    args, rest = parser.parse_known_args(argv)
    values: list[str] | None = None
    section: dict[str, list[str]] = {}
    found: dict[str, dict[str, list[str]]] = {}
    for word in rest:
        if word.removeprefix("--") in SECTIONS and word.startswith("--"):
            section = found.setdefault(word.removeprefix("--"), {})
            values = None
        elif word.startswith("--") and found:
            values = section.setdefault(word.removeprefix("--"), [])
        elif values is not None:
            values.append(word)
        else:
            parser.error(f"unrecognized arguments: {word}")
    method = {
        name: {key: words.short(", ".join(parts), 200) or "true" for key, parts in keys.items()}
        for name, keys in found.items()
    }
    return args, method


def dates_covered(period_sales: Path) -> str:
    """First to last period of the sales."""
    periods = read_frame(period_sales)["period"]
    return words.period(periods.min(), periods.max()) if len(periods) else ""


def raw_files(paths: Sequence[Path]) -> list[tuple[str, str, int, int, Decimal | None, str]]:
    """Source, file, size in bytes, lines, sales where they are counted, and SHA-256 of every raw file, in the order of the lists."""
    rows = [row for path in paths for row in read_table(path).to_pylist()]
    figures = ("bytes", "lines", "sales", "sha256")
    return [(row["source"], words.printable(row["file"]), *(row[name] for name in figures)) for row in rows]


def net_sales(path: Path) -> pd.Series:
    """Net sales by store."""
    return read_frame(path).set_index("store_id")["sales"].astype("float64")


class External:
    """The external view, which every category's segments are also told by."""

    def __init__(self, args: argparse.Namespace) -> None:
        table = read_frame(args.store_features).set_index("store_id")
        self.clusters = read_frame(args.external_clusters).set_index("store_id")
        self.placed = View(table, self.clusters["exclusion"])
        self.scores = read_frame(args.external_k_scores)
        self.profile = read_frame(args.external_profile)
        self.stability = read_frame(args.external_stability)
        labels = words.labels_of(table.columns)
        self.traits, self.cells = report.traits_of(self.profile, self.placed.spread, labels)

    def view(self) -> dict[str, Any]:
        """What its section says."""
        borders = report.borderline_shares(self.clusters, "cluster")
        groups = report.groups_of(
            self.profile, "Cluster", (None, self.traits), borders, report.stability_words(self.stability)
        )
        features = report.ranked_places(self.profile, self.placed.spread)
        return {
            "groups": groups,
            "rows": report.heat_rows(self.cells, [g.number for g in groups], features, "place"),
            "features": self.placed.table.shape[1],
            "borderline": float(self.clusters["is_borderline"].mean()),
            "panels": report.panels_of(self.scores),
            "k_words": report.k_words(self.scores),
        }


def category_view(
    key: str, name: str, args: argparse.Namespace, segments: pd.DataFrame, external: External
) -> dict[str, Any]:
    """What one category's section says, but for its map. segments: those of the category, by store."""
    shares = read_frame(args.shares / f"{key}.parquet").set_index("store_id")
    clusters = read_frame(args.clusters / f"{key}.parquet").set_index("store_id")
    scores = read_frame(args.k_scores / f"{key}.parquet")
    profile = read_frame(args.profiles / f"{key}.parquet")
    sales = net_sales(args.store_sales / f"{key}.parquet")
    has_mix, has_places = bool(shares.shape[1]), bool(external.placed.table.shape[1])
    need_states = {feature: words.state_label(feature) for feature in shares.columns}
    mixes, cells = report.traits_of(profile, pd.Series(dtype="float64"), need_states)
    borders = report.borderline_shares(clusters, "cluster")
    groups = report.groups_of(
        profile,
        "Cluster",
        (mixes, None),
        borders,
        report.stability_words(read_frame(args.stability / f"{key}.parquet")),
    )
    told = segment_profiles(segments["segment"], sales, View(shares, clusters["exclusion"]), external.placed)
    notes = report.crossed_words(segments) if has_mix and has_places else {}
    segment_groups = told.groups(report.borderline_shares(segments, "segment"), notes, told=False)
    numbers = [g.number for g in segment_groups]
    return {
        "key": key,
        "name": words.short(name),
        "full_name": words.printable(name),
        "stores": len(segments),
        "sales": float(sales.sum()),
        "need_states": shares.shape[1],
        "borderline": float(segments["is_borderline"].mean()),
        "flagged": int(segments["flags"].str.contains(":").sum()),
        "explained": merging.explained_view(
            read_frame(args.explained / f"{key}.parquet"),
            merging.whose_variance(has_mix=has_mix, has_places=has_places),
        ),
        "groups": groups,
        "rows": report.heat_rows(cells, [g.number for g in groups], report.ranked_mix(profile), "mix"),
        "panels": report.panels_of(scores),
        "k_words": report.k_words(scores),
        "segments": segment_groups,
        "grid": grids.grid_of(segments, mixes, external.traits) if has_mix and has_places else None,
        "segment_rows": told.mix_rows(numbers),
        "place_rows": told.place_rows(numbers),
    }


def segment_views(
    key: str, args: argparse.Namespace, names: dict[str, str], depth: str, *, has_sales: bool
) -> dict[str, Any]:
    """What each of a category's segments is, and whether external data help. names: of stores; depth: of the rules."""
    folders = (args.descriptions, args.traits, args.store_fit, args.predictions, args.importance)
    descriptions, traits, fit, prediction, importance = (read_frame(folder / f"{key}.parquet") for folder in folders)
    return {
        "described": describing.described(descriptions, traits, fit, names),
        "fidelity": describing.fidelity_words(descriptions, depth),
        "prediction": describing.prediction_words(prediction, importance) if has_sales else [],
    }


def map_views(args: argparse.Namespace, segments: pd.DataFrame) -> dict[str, Any] | None:
    """Outlines, and each category's dots by segment; None where no store has coordinates."""
    places = maps.coordinates(read_frame(args.stores))
    places = places[places.index.isin(segments["store_id"])]
    if places.empty:
        return None
    drawn = maps.map_of(places, args.outlines)
    points = pd.DataFrame(
        drawn.place(places["longitude"].to_numpy(), places["latitude"].to_numpy()),
        index=places.index,
        columns=["x", "y"],
    )
    dots = {}
    for key, part in segments.groupby("category"):
        placed = part.set_index("store_id").join(points, how="inner")
        # The largest segment is drawn first, so that it hides none.
        sizes = placed["segment"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
        dots[str(key)] = {
            "paths": [
                (int(number), maps.dots_path(placed.loc[placed["segment"] == number, ["x", "y"]].to_numpy()))
                for number in sizes.index
            ],
            "missing": len(part) - len(placed),
        }
    return {"width": drawn.width, "height": drawn.height, "outlines": drawn.outlines, "dots": dots}


def known_views(args: argparse.Namespace, segments: pd.DataFrame) -> dict[str, Any]:
    """Agreement with known labels, by view, and who lies where."""
    recovery = pd.read_csv(checked(args.recovery), keep_default_na=False)
    if recovery.empty:
        return {"rows": [], "crossings": {}}
    of_view = parted(segments, read_frame(args.reference))
    crossings: dict[tuple[str, str], Any] = {}
    for row in recovery.itertuples():
        view, label = str(row.view), str(row.label)
        if view != "external" and label == "external_cluster":
            continue
        planted, found = pairs(*of_view(view), view, label)
        if len(shared_labels(planted, found)):
            crossings[view, label] = report.crossing(planted, found)
    return {"rows": recovery.to_dict("records"), "crossings": crossings}


def headline(segments: pd.DataFrame, entries: Sequence[Entry], dates: str) -> list[tuple[str, str, str]]:
    """Figure, what it is of, and its exact value where that differs.

    A category that is not selected is nobody's loss: sales in segments are a share of the others.
    """
    sold = sold_figures(entries)
    segmentations = len(segments[["category", "segment"]].drop_duplicates())
    categories = len(segments["category"].unique())
    return [
        (number(segments["store_id"].nunique()), say("stores"), ""),
        *([(number(categories), say_number("category", "categories", categories), "")] if sold else []),
        *sold[:-1],
        (number(segmentations), say_number("segment", "segments", segmentations), ""),
        *sold[-1:],
        *([(dates, say("dates covered"), "")] if dates else []),
    ]


def sold_figures(entries: Sequence[Entry]) -> list[tuple[str, str, str]]:
    """The figures about sales, how much of them is in segments last; none where there are no sales."""
    if not any(entry.lines for entry in entries):
        return []
    raw, segmented = flows.total(entries, "ingest_sales", "in"), flows.total(entries, "merge_segments", "out")
    unselected = flows.total(entries, "select_categories", "not_selected")
    wanted = raw - unselected
    share = float(segmented / wanted) if wanted else float("nan")

    def part(amount: Decimal, whole: Decimal) -> str:
        return say("%(part)s of %(whole)s", part=words.exact(amount), whole=words.exact(whole))

    told = say("of selected sales in segments") if unselected else say("of sales in segments")
    return [
        (words.money(raw), say("sales"), words.exact(raw)),
        *([(words.money(unselected), say("of it not selected"), part(unselected, raw))] if unselected else []),
        (words.percent(share), told, part(segmented, wanted)),
    ]


def versions() -> list[tuple[str, str]]:
    """Python and the packages that compute."""
    found = [("Python", platform.python_version())]
    return found + [(name, metadata.version(name)) for name in PACKAGES]


STAGES = {
    "ingest_sales": "ingest sales", "assign_categories": "assign categories", "select_categories": "select categories",
    "split_need_states": "split need states", "join_external": "join external", "merge_segments": "merge segments",
    "apply_overrides": "apply overrides",
}  # fmt: skip
FLOWS = {
    "in": "came in", "out": "went on", "set_aside": "set aside", "not_selected": "not selected", "noted": "kept, noted",
}  # fmt: skip


def ledger_rows(entries: Sequence[Entry], names: dict[str, str]) -> list[dict[str, Any]]:
    """The whole ledger in the order of the pipeline, for the table below the picture."""
    stages = list(STAGES)
    ordered = sorted(entries, key=lambda e: (stages.index(e.stage) if e.stage in stages else 99, e.stage))
    return [
        {
            "stage": words.said(STAGES, e.stage), "category": names.get(e.category, e.category), "kind": e.flow,
            "flow": words.said(FLOWS, e.flow), "reason": flows.reason_words(e.reason), "stores": e.stores,
            "lines": e.lines, "sales": e.sales,
        }
        for e in ordered
    ]  # fmt: skip


# What the search says, and what it says of a store, in the order of the finder's bits.
HEADS = ("Category", "Segment", "Confidence", "Runner-up", "Remarks")
SAID = {
    "how": "Type a store’s id or a part of its name.",
    "matches": "Stores found: {}",
    "more": "and {} more",
    "nothing": "No store has that in its id or name.",
    "none": "no sales in this category",
}
REMARKS = ("on a border", "did not train", "placed by hand")


def finder_script(
    segments: pd.DataFrame, names: dict[str, str], store_names: dict[str, str], named: dict[str, dict[int, str]]
) -> markupsafe.Markup:
    """What the search of stores needs, as a script element may hold it."""
    content = finder.finder_of(segments, store_names, names, named) | {
        "marks": [(colour, report.ink_on(colour)) for colour in CLUSTER_COLOURS],
        "words": {key: say(text) for key, text in SAID.items()}
        | {"heads": [say(head) for head in HEADS], "remarks": [say(remark) for remark in REMARKS]},
    }
    return markupsafe.Markup(finder.as_script(content))  # noqa: S704 (as_script escapes what could end the element)


def page(template: Path, values: dict[str, Any]) -> str:
    """The template, filled in; everything that is not part of it is escaped."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.add_extension("jinja2.ext.i18n")
    environment.install_gettext_callables(language.message, language.message_by_number, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= {"percent": words.percent, "money": words.money, "exact": words.exact, "count": words.count}
    environment.filters |= {"number": number, "whole": number, "nb": without_break}
    environment.globals |= {"mark": report.mark, "ink_on": report.ink_on}
    return environment.from_string(template.read_text(encoding="utf-8")).render(values).lstrip()


def without_break(text: str) -> str:
    """A per cent sign stays with its number."""
    return text.replace(" %", "\u00a0%")


def report_of(args: argparse.Namespace, method: dict[str, dict[str, str]]) -> str:
    """The whole page. method: values by key, by section."""
    categories = read_frame(args.categories)
    names = {key: words.short(name) for key, name in zip(categories["key"], categories["name"], strict=True)}
    segments = read_frame(args.segments)
    entries = read_ledger(args.ledger)
    found = read_json(args.checks)
    external = External(args)
    store_names = sheets.names_of(read_frame(args.stores))
    depth = method.get("describing", {}).get("describe_segments.rule_depth", "few")
    has_sales = any(entry.lines for entry in entries)
    views = [
        category_view(key, name, args, segments[segments["category"] == key].set_index("store_id"), external)
        | segment_views(key, args, store_names, depth, has_sales=has_sales)
        for key, name in zip(categories["key"], categories["name"], strict=True)
    ]
    named = {view["key"]: {segment: told.name for segment, told in view["described"].items()} for view in views}
    of_views = {**names, "external": say("External view")}
    return page(
        args.template,
        {
            "language": language.READER.get().language,
            "headline": headline(segments, entries, dates_covered(args.period_sales)),
            "checks": checks.check_views(found["checks"], of_views),
            "check_counts": found["counts"],
            "changes": changes.change_views(read_frame(args.migrations), read_frame(args.baseline), names, named),
            "finder": finder_script(segments, names, store_names, named),
            "views": views,
            "has_sales": has_sales,
            "external": external.view(),
            "external_stores": len(external.clusters),
            "map": map_views(args, segments),
            "picture": flows.picture_of(flows.flows_of(entries, names)),
            "ledger": ledger_rows(entries, names),
            "raw_sales": flows.total(entries, "ingest_sales", "in"),
            "segmented": flows.total(entries, "merge_segments", "out"),
            "aside": sum((e.sales for e in entries if e.flow == "set_aside"), Decimal(0)),
            "unselected": flows.total(entries, "select_categories", "not_selected"),
            "overrides": merging.override_rows(read_frame(args.overrides), names),
            "chain": merging.chain_view(read_frame(args.chain_segments), names),
            "known": known_views(args, segments),
            "names": of_views,
            "method": method,
            "versions": versions(),
            "raw_files": raw_files(args.raw_files),
            "ink": INK,
        },
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Gather, put into words, write."""
    args, method = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    with language.written_for(language.reader_of(args)):
        text = report_of(args, method)
    write_text(text, args.report)
    log.info("%d bytes", len(text.encode()))


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
