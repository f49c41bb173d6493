"""A store: its way from raw sales to its segments, how sure that is, stores like it; and another segment for it, with a reason."""

import re
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from clustering import explain as stores
from clustering.ui import chain
from clustering.ui.editing import place_store, rows_of, take_back
from clustering.ui.guard import Form, action
from clustering.ui.reading import Project, attempt
from clustering.ui.rendering import query, show
from storelib.errors import DataError
from storelib.pages import sheets, words

LIKE_SHOWN = 6


class Like(NamedTuple):
    """A store that sells much the same. distance: between both, in units of the points that are clustered."""

    store: str
    name: str
    segment: int
    distance: float


def like(project: Project, category: str, store: str) -> list[Like]:
    """The stores that are nearest by what sells, among the points that the category's clusters are made of."""
    features = project.frame(f"data/internal/features/{category}.parquet").set_index("store_id")
    points = features.drop(columns=["trains", "exclusion"]).to_numpy(dtype="float64")
    if store not in features.index:
        raise DataError(
            f"data/internal/features/{category}.parquet has no store {store!r}", solution="run the pipeline again"
        )
    ids = [str(name) for name in features.index]
    away = np.sqrt(((points - points[ids.index(store)]) ** 2).sum(axis=1))
    own = chain.stores_of(project, category)
    segments = dict(zip(own["store_id"], own["segment"], strict=True))
    names = sheets.names_of(project.frame(chain.STORES))
    nearest = [int(at) for at in np.argsort(away, kind="stable") if ids[at] != store and ids[at] in segments]
    return [
        Like(ids[at], words.short(names.get(ids[at], ""), 40), int(segments[ids[at]]), float(away[at]))
        for at in nearest[:LIKE_SHOWN]
    ]


def known(project: Project, store: str, wanted: str) -> dict[str, Any]:
    """What `clustering explain` says of a store in one category, the first where none is named; and its segment in every one."""
    table = project.table(chain.SEGMENTS)
    every = table.filter(pc.equal(table["store_id"], store)).to_pylist()
    keys = [row["category"] for row in every]
    category = wanted if wanted in keys else next(iter(keys), None)
    found = stores.explain(project.root, project.params(), project.place(), project.env, store, category)
    names = project.categories()
    found["every"] = [
        (row["category"], names.get(row["category"], row["category"]), row["segment"], row["segment_name"])
        for row in every
    ]
    for part in found["categories"]:
        part["lines_told"] = stores.segment_lines(part)
        part["sentences"] = stores.in_words(part["flags"])
        part["like"] = attempt(like, project, part["category"], store)
        part["choices"] = attempt(choices, project, part["category"])
    return found


def choices(project: Project, category: str) -> list[tuple[int, str]]:
    """The segments of a category, by number and name."""
    rows = project.table(f"data/merging/descriptions/{category}.parquet").to_pydict()
    return [(int(number), str(name)) for number, name in zip(rows["segment"], rows["name"], strict=True)]


def details(project: Project, store: str) -> list[tuple[str, str]]:
    """What the store table says of a store."""
    table = chain.store_table(project)
    if store not in table.index:
        return []
    row = table.loc[store]
    return [
        (words.printable(str(name)), words.printable(str(value)))
        for name, value in row.items()
        if isinstance(value, str)
    ]


def decided(project: Project, store: str) -> dict[str, dict[str, str]]:
    """What the next run will do with the store by hand, by category."""
    return {row["category"]: row for row in rows_of(project, "overrides") if row["store_id"] == store}


def page(request: Request) -> Response:
    """One store; where none is named, a field to find one."""
    project: Project = request.app.state.project
    store = request.query_params.get("id", "")[: chain.LONGEST]
    found = attempt(known, project, store, request.query_params.get("category", "")) if store else None
    return show(
        request,
        "store.html",
        title=f"Store {words.printable(store)}" if store else "A store",
        store=store,
        found=found,
        details=attempt(details, project, store),
        decided=attempt(decided, project, store),
    )


def move(request: Request, form: Form) -> Response:
    """Put a store into another segment, or leave it to the pipeline again."""
    project: Project = request.app.state.project
    category, store = project.category(form.get("category")), form.get("store_id", "")
    if form.get("what") == "take_back":
        take_back(project, category, store)
        done = "taken_back"
    else:
        number = form.get("segment", "")
        if not re.fullmatch(r"[1-9]\d{0,8}", number):
            raise DataError(f"{number!r} is no segment", solution="give a segment's number")
        place_store(project, category, store, int(number), form.get("who", ""), form.get("why", ""))
        done = "placed"
    back = "/compare" if form.get("back") == "compare" else "/stores"
    return RedirectResponse(
        f"{back}?"
        + query(
            {"id": store if back == "/stores" else "", "category": category if back == "/stores" else "", "done": done}
        ),
        303,
    )


ROUTES = [Route("/stores", page), Route("/stores/move", action(move), methods=["POST"])]
