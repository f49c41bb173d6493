"""One segmentation of the chain: where its segments are, how far they agree with those of each category, and their stores."""

from typing import Any, NamedTuple

import pandas as pd
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from clustering.ui import chain
from clustering.ui.reading import Project, attempt
from clustering.ui.rendering import show
from storelib.errors import DataError
from storelib.pages import merging, sheets, words

CHAIN = "data/merging/chain_segments.parquet"
SOLD = "data/internal/selling_stores.parquet"
CSV = "reports/chain_segments.csv"
FILES = (CHAIN, SOLD, chain.SEGMENTS, chain.STORES)


class Most(NamedTuple):
    """Of the stores of one segment of the chain: the segment that most of them have in a category, and their share."""

    segment: int
    name: str
    share: float


def stores_of(project: Project) -> pd.DataFrame:
    """One row per store, in the order of the file: its segment of the chain, agreement, name, sales, and its segment by category."""

    def make() -> pd.DataFrame:
        found: pd.DataFrame = project.frame(CHAIN)[["store_id", "segment", "agreement"]].copy()
        names, sales = sheets.names_of(project.frame(chain.STORES)), project.frame(SOLD).set_index("store_id")["sales"]
        found["name"] = [words.printable(names.get(store, "")) for store in found["store_id"]]
        found["sales"] = found["store_id"].map(sales.astype("float64"))
        # What the map shows of a store in a category, and the chain does not have.
        found[["segment_name", "remarks"]], found["confidence"] = "", float("nan")
        segments = project.frame(chain.SEGMENTS).pivot(index="store_id", columns="category", values="segment")
        return found.join(segments.add_prefix("in "), on="store_id")

    return project.derived("stores of the chain", FILES, make)


def mostly(project: Project) -> dict[int, dict[str, Most]]:
    """By segment of the chain and category: what most of its stores are there."""

    def make() -> dict[int, dict[str, Most]]:
        rows = project.frame(chain.SEGMENTS)[["category", "store_id", "segment", "segment_name"]].merge(
            project.frame(CHAIN)[["store_id", "segment"]], on="store_id", suffixes=("", "_of_chain")
        )
        found: dict[int, dict[str, Most]] = {}
        for key, own in rows.groupby(["segment_of_chain", "category"]):
            number, category = key
            sizes = own["segment"].value_counts()
            # The lower number of two that are as large.
            first = min(sizes.index[sizes == sizes.max()])
            name = own.loc[own["segment"] == first, "segment_name"].iloc[0]
            most = Most(int(first), words.printable(name or ""), float(sizes.max() / len(own)))
            found.setdefault(int(str(number)), {})[str(category)] = most
        return found

    return project.derived("segments of the chain", FILES, make)


def chosen(project: Project, search: str, segment: str) -> pd.DataFrame:
    """The stores whose id or name holds a text, of one segment where its number is given."""
    stores = stores_of(project)
    if segment:
        stores = stores[stores["segment"].astype("str") == segment]
    return stores[chain.holding(stores, search, ("store_id", "name"))] if search else stores


def table_of(project: Project, asked: chain.Filter) -> dict[str, Any]:
    """One page of the stores."""
    return chain.page_of(chosen(project, asked.search, asked.segment), asked) | {
        "whole": len(stores_of(project)),
        "asked": {"search": asked.search, "segment": asked.segment},
    }


def page(request: Request) -> Response:
    """The whole page."""
    project: Project = request.app.state.project
    names = attempt(project.categories)
    if names.value is None:
        return show(request, "empty.html", title="The chain", problem=names.problem)
    asked = chain.Filter.of(request.query_params, "")
    return show(
        request,
        "whole.html",
        title="One segmentation of the chain",
        categories=names.value,
        asked=asked,
        view=attempt(lambda: merging.chain_view(project.frame(CHAIN), names.value or {})),
        mostly=attempt(mostly, project),
        table=attempt(table_of, project, asked),
        has_map=attempt(chain.places, project),
    )


def map_data(request: Request) -> Response:
    """The stores that are asked for, for the map."""
    project: Project = request.app.state.project
    asked = chain.Filter.of(request.query_params, "")
    stores = chosen(project, asked.search, asked.segment)
    return JSONResponse(chain.map_of(project, stores, {"segment": ("segment of the chain", stores["segment"])}))


def download(request: Request) -> Response:
    """The table as the pipeline wrote it."""
    project: Project = request.app.state.project
    path = project.path(CSV)
    if not path.is_file():
        raise DataError(f"{path} does not exist", solution="run the whole pipeline, which writes it")
    return FileResponse(path, media_type="text/csv", filename="chain_segments.csv")


ROUTES = [Route("/chain", page), Route("/chain/map", map_data), Route("/chain/segments.csv", download)]
