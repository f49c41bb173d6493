"""Segments: where they are, what sets them apart, and their stores; names may be changed, and tables taken along."""

import csv
import io
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from clustering.exports import write_excel
from clustering.ui import chain
from clustering.ui.chain import Filter
from clustering.ui.editing import name_segment
from clustering.ui.guard import Form, action
from clustering.ui.reading import Part, Project, attempt
from clustering.ui.rendering import query, show
from storelib.errors import DataError
from storelib.pages import describing, report, sheets, words
from storelib.pages.segment_profiles import View, segment_profiles

CSV = "reports/segments.csv"
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Heat(NamedTuple):
    """A heat map: features are rows, with a cell for each segment."""

    title: str
    lead: str
    rows: list[report.Row]


class Card(NamedTuple):
    """One segment. typical, odd: stores with their names."""

    number: int
    name: str
    named_by: str
    stores: int
    share_of_stores: float
    sales: float
    share_of_sales: float
    sentence: str
    apart: list[describing.Apart]
    rules: str
    rule_words: str
    typical: list[tuple[str, str]]
    odd: list[tuple[str, str]]


class Profile(NamedTuple):
    """What a category's segments are like."""

    cards: list[Card]
    heats: list[Heat]
    prediction: list[str]


def profile_files(category: str) -> list[str]:
    """What `profile` reads."""
    kinds = ("descriptions", "traits", "store_fit", "predictions", "importance")
    internal = ("shares", "clusters", "store_sales")
    return [
        *(f"data/merging/{kind}/{category}.parquet" for kind in kinds),
        *(f"data/internal/{kind}/{category}.parquet" for kind in internal),
        "data/external/store_features.parquet",
        "data/external/clusters.parquet",
        chain.SEGMENTS,
        chain.STORES,
    ]


def profile(project: Project, category: str) -> Profile:
    """As the report says it, by the same functions."""
    return project.derived(f"profile of {category}", profile_files(category), lambda: make_profile(project, category))


def make_profile(project: Project, category: str) -> Profile:
    """The words and figures of a category's segments."""
    descriptions, traits, fit, prediction, importance, shares, clusters, sales, places, external = (
        project.frame(name) for name in profile_files(category)[:-2]
    )
    shares, clusters, places, external, sales = (
        frame.set_index("store_id") for frame in (shares, clusters, places, external, sales)
    )
    segments = chain.stores_of(project, category).set_index("store_id")["segment"]
    found = segment_profiles(
        segments,
        sales["sales"].astype("float64"),
        View(shares, clusters["exclusion"]),
        View(places, external["exclusion"]),
    )
    groups = found.groups({}, {}, told=True)
    names = sheets.names_of(project.frame(chain.STORES))
    told = describing.described(descriptions, traits, fit, {})
    shown = set(descriptions["segment"])
    cards = [
        Card(
            group.number,
            told[group.number].name,
            told[group.number].named_by,
            group.stores,
            group.share_of_stores,
            group.sales,
            group.share_of_sales,
            group.sentence.partition(": ")[2],
            told[group.number].apart,
            told[group.number].rules,
            told[group.number].rule_words,
            *(ranked(fit, group.number, rank, names) for rank in ("typical_rank", "odd_rank")),
        )
        for group in groups
        if group.number in shown
    ]
    numbers = [card.number for card in cards]
    return Profile(
        cards,
        [
            Heat(
                "What sells",
                "Index of each need state’s share of sales: 100 is the chain’s share, 200 twice as much.",
                found.mix_rows(numbers),
            ),
            Heat(
                "Where the stores are",
                "Mean of each external feature; the colour is the distance from the chain’s mean in standard deviations.",
                found.place_rows(numbers),
            ),
        ],
        describing.prediction_words(prediction, importance),
    )


def ranked(fit: pd.DataFrame, segment: int, rank: str, names: dict[str, str]) -> list[tuple[str, str]]:
    """The stores that come first by a rank within a segment, with their names."""
    own = fit[fit["segment"] == segment].dropna(subset=rank).sort_values(rank)
    return [(str(store), words.short(names.get(str(store), ""), 40)) for store in own["store_id"]]


def table_of(project: Project, asked: Filter) -> dict[str, Any]:
    """One page of the table of stores, and how many there are."""
    return chain.page_of(chain.chosen(project, asked), asked) | {
        "whole": len(chain.stores_of(project, asked.category)),
        "asked": {name: value for name, value in asked._asdict().items() if name != "page"},
        "sorts": chain.SORTS,
    }


def page(request: Request) -> Response:
    """The whole page."""
    project: Project = request.app.state.project
    category = attempt(project.category, request.query_params.get("category"))
    if category.value is None:
        return show(request, "empty.html", title="Segments", problem=category.problem)
    key = category.value
    asked = Filter.of(request.query_params, key)
    names = project.categories()
    return show(
        request,
        "segments.html",
        title=f"Segments of {names[key]}",
        category=key,
        categories=names,
        asked=asked,
        named=request.query_params.get("of", "") if request.query_params.get("done") == "named" else "",
        states=chain.STATES,
        colourings=chain.COLOURINGS,
        columns=attempt(chain.column_values, project),
        profile=attempt(profile, project, key),
        table=attempt(table_of, project, asked),
        has_map=attempt(chain.places, project),
    )


def filtered(request: Request) -> Response:
    """What changes with the filter: the table as HTML, and the stores that the map shows."""
    project: Project = request.app.state.project
    asked = Filter.of(request.query_params, project.category(request.query_params.get("category")))
    table: Part[dict[str, Any]] = attempt(table_of, project, asked)
    ids = chain.chosen(project, asked.stores_alone())["store_id"].tolist() if table.value else []
    html = bytes(show(request, "stores_table.html", table=table).body).decode()
    return JSONResponse({"html": html, "ids": None if table.value and len(ids) == table.value["whole"] else ids})


def map_data(request: Request) -> Response:
    """Every store of a category for the map."""
    project: Project = request.app.state.project
    stores = chain.stores_of(project, project.category(request.query_params.get("category")))
    groups = {name: (told, stores[name]) for name, told in chain.COLOURINGS.items()}
    return JSONResponse(chain.map_of(project, stores, groups))


def records_of(text: str) -> Iterator[str]:
    """The records of a CSV file as they stand there, line ends included; one may hold line ends within quotes."""
    pending = ""
    for line in text.splitlines(keepends=True):
        pending += line
        if pending.count('"') % 2 == 0:
            yield pending
            pending = ""
    if pending:
        yield pending


def csv_rows(project: Project, rows: pd.DataFrame) -> str:
    """The lines of reports/segments.csv of some stores, byte for byte. Raises DataError where the file is of another run."""
    path = project.path(CSV)

    def read() -> list[str]:
        if not path.is_file():
            raise DataError(f"{path} does not exist", solution="run the whole pipeline, which writes it")
        # Line ends stay what they are.
        with path.open(encoding="utf-8", newline="") as handle:
            records = list(records_of(handle.read()))
        stores = project.table(chain.SEGMENTS)["store_id"].to_pylist()
        found = [row[1] for row in csv.reader(io.StringIO("".join(records[1:]), newline=""))]
        if len(found) != len(stores) or any(b not in {a, f"'{a}"} for a, b in zip(stores, found, strict=True)):
            raise DataError(
                f"{path} is not of the segments that are shown", solution="run the whole pipeline, which writes it"
            )
        return records

    lines = project.derived("segments.csv", [CSV, chain.SEGMENTS], read)
    return lines[0] + "".join(lines[at + 1] for at in sorted(rows["at"]))


def excel_of(project: Project, rows: pd.DataFrame) -> bytes:
    """The same rows as a workbook, from the table itself."""
    table: pa.Table = project.table(chain.SEGMENTS).take(pa.array(sorted(rows["at"])))
    with tempfile.TemporaryDirectory(prefix="clustering-ui-") as folder:
        path = Path(folder) / "segments.xlsx"
        write_excel({"segments": table}, path)
        return path.read_bytes()


def download(request: Request) -> Response:
    """The chosen stores as a file; of all categories where `category` is `all`."""
    project: Project = request.app.state.project
    kind = request.url.path.rpartition(".")[2]
    if request.query_params.get("category") == "all":
        whole = project.table(chain.SEGMENTS).num_rows
        rows, name = pd.DataFrame({"at": range(whole)}), "segments"
    else:
        asked = Filter.of(request.query_params, project.category(request.query_params.get("category")))
        rows, name = chain.chosen(project, asked.stores_alone()), f"segments_{asked.category}"
    headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"'}
    if kind == "csv":
        return Response(csv_rows(project, rows), media_type="text/csv", headers=headers)
    return Response(excel_of(project, rows), media_type=EXCEL, headers=headers)


def rename(request: Request, form: Form) -> Response:
    """Give a segment a name, which the next run takes."""
    project: Project = request.app.state.project
    category = project.category(form.get("category"))
    number = form.get("segment", "")
    known = {str(card.number) for card in profile(project, category).cards}
    if not re.fullmatch(r"[1-9]\d{0,8}", number) or number not in known:
        raise DataError(f"{category} has no segment {number!r}", solution="choose one of the page")
    name_segment(project, category, int(number), form.get("name", ""))
    return RedirectResponse(
        "/segments?" + query({"category": category, "done": "named", "of": number}) + f"#segment-{number}", 303
    )


ROUTES = [
    Route("/segments", page),
    Route("/segments/filtered", filtered),
    Route("/segments/map", map_data),
    Route("/segments/table.csv", download),
    Route("/segments/table.xlsx", download),
    Route("/segments/name", action(rename), methods=["POST"]),
]
