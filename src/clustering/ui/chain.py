"""The stores of a category as pages show them: where they are, what they belong to, and how they are chosen and mapped."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow.compute as pc
from numpy.typing import NDArray

from clustering.ui.reading import Project
from storelib.errors import DataError
from storelib.names import OVERRIDE
from storelib.pages import maps, sheets, words
from storelib.pages.report import mark

SEGMENTS = "data/merging/segments.parquet"
STORES = "data/external/stores.parquet"
OUTLINES = "scripts/outlines/outlines.json"
# What the filter of a store's state offers, with its words.
STATES = {
    "sure": "not on a border",
    "border": "on a border of its segment",
    "flagged": "did not train a view",
    "outlier": "unlike all others",
    "placed": "placed by hand",
}
COLOURINGS = {"segment": "segment", "internal_cluster": "cluster by what sells", "external_cluster": "cluster by place"}
# Columns of the store table with more values than this are searched, not chosen from.
CHOSEN_FROM = 60
SORTS = (
    "store_id",
    "name",
    "segment",
    "internal_cluster",
    "external_cluster",
    "confidence",
    "runner_up_segment",
    "sales",
)
PER_PAGE = 50
LONGEST = 200


class Filter(NamedTuple):
    """Which stores are asked for, and in which order. Empty texts ask for nothing."""

    category: str
    segment: str = ""
    state: str = ""
    column: str = ""
    value: str = ""
    search: str = ""
    sort: str = "store_id"
    down: str = ""
    page: str = ""

    @classmethod
    def of(cls, asked: Mapping[str, str], category: str) -> "Filter":
        """A filter from the query of an address; what no page asks is not asked."""
        texts = {name: asked.get(name, "")[:LONGEST] for name in cls._fields if name != "category"}
        found = cls(category, **texts)
        return found._replace(
            sort=found.sort if found.sort in SORTS else "store_id",
            down="1" if found.down else "",
            state=found.state if found.state in STATES else "",
            segment=found.segment if re.fullmatch(r"[1-9]\d{0,8}", found.segment) else "",
        )

    @property
    def number(self) -> int:
        """The page of the table, from 1."""
        return int(self.page) if re.fullmatch(r"[1-9]\d{0,5}", self.page) else 1

    def stores_alone(self) -> "Filter":
        """What decides which stores there are, without their order."""
        return self._replace(sort="store_id", down="", page="")


def store_table(project: Project) -> pd.DataFrame:
    """The store table by store; no column where none is configured."""

    def make() -> pd.DataFrame:
        table: pd.DataFrame = project.frame(STORES).set_index("store_id")
        return table

    found: pd.DataFrame = project.derived("store_table", [STORES], make)
    return found


def stores_of(project: Project, category: str) -> pd.DataFrame:
    """One row per store of a category, in the order of the file: labels, name, sales, remarks; `at`: its row in the file."""
    sales_file = f"data/internal/store_sales/{category}.parquet"

    def make() -> pd.DataFrame:
        table = project.table(SEGMENTS)
        own = pc.equal(table["category"], category)
        frame: pd.DataFrame = table.filter(own).to_pandas()
        if frame.empty:
            raise DataError(f"{SEGMENTS} has no store of {category}", solution="run the pipeline again")
        frame["at"] = np.flatnonzero(own.to_numpy())
        sales = project.frame(sales_file).set_index("store_id")["sales"].astype("float64")
        names = sheets.names_of(project.frame(STORES))
        frame["sales"] = frame["store_id"].map(sales)
        frame["name"] = [words.printable(names.get(store, "")) for store in frame["store_id"]]
        frame["remarks"] = [sheets.remarks(flags) for flags in frame["flags"]]
        return frame

    return project.derived(f"stores of {category}", [SEGMENTS, sales_file, STORES], make)


def column_values(project: Project) -> dict[str, list[str] | None]:
    """The columns of the store table, each with its values, or None where there are too many to choose from."""

    def make() -> dict[str, list[str] | None]:
        found: dict[str, list[str] | None] = {}
        for name, texts in store_table(project).items():
            values = sorted(map(str, texts.dropna().unique()))
            found[str(name)] = values if len(values) <= CHOSEN_FROM else None
        return found

    return project.derived("column values", [STORES], make)


def chosen(project: Project, asked: Filter) -> pd.DataFrame:
    """The stores that a filter asks for, in its order."""
    stores = stores_of(project, asked.category)
    keep = np.ones(len(stores), dtype=bool)
    if asked.segment:
        keep &= (stores["segment"] == int(asked.segment)).to_numpy()
    if asked.state:
        keep &= in_state(stores, asked.state).to_numpy()
    if asked.column and asked.value:
        if asked.column not in column_values(project):
            raise DataError(f"the store table has no column {asked.column!r}", solution="choose one of the list")
        texts = stores["store_id"].map(store_table(project)[asked.column]).fillna("").astype("str")
        # One of the column's values, or a part of them.
        same = (texts == asked.value).to_numpy(dtype=bool)
        keep &= same if same.any() else texts.str.contains(asked.value, case=False, regex=False).to_numpy(dtype=bool)
    if asked.search:
        keep &= holding(stores, asked.search, ("store_id", "name", "segment_name")).to_numpy(dtype=bool)
    rows = stores[keep]
    if asked.sort != "store_id" or asked.down:
        rows = rows.sort_values(asked.sort, ascending=not asked.down, kind="stable", na_position="last")
    return rows


def holding(stores: pd.DataFrame, text: str, columns: Sequence[str]) -> pd.Series:
    """Whether one of some columns of each store holds a text, in whatever letters."""
    found = pd.Series(False, index=stores.index)
    for name in columns:
        found |= stores[name].fillna("").str.contains(text, case=False, regex=False)
    return found


def page_of(rows: pd.DataFrame, asked: Filter) -> dict[str, Any]:
    """The rows of the page that is asked for, the last one where there are fewer; and how many rows and pages there are."""
    pages = max(1, -(-len(rows) // PER_PAGE))
    at = min(asked.number, pages)
    shown = rows.iloc[(at - 1) * PER_PAGE : at * PER_PAGE]
    return {"rows": shown.to_dict("records"), "count": len(rows), "page": at, "page_count": pages}


def in_state(stores: pd.DataFrame, state: str) -> pd.Series:
    """Whether each store is in one of STATES."""
    flags: pd.Series = stores["flags"]
    match state:
        case "border":
            found = stores["is_borderline"]
        case "sure":
            found = ~stores["is_borderline"]
        case "flagged":
            found = flags.str.contains(":", regex=False)
        case "outlier":
            found = stores["is_outlier"]
        case _:
            found = pd.Series([OVERRIDE in text.split() for text in flags], index=flags.index)
    return found.astype(bool)


class Places(NamedTuple):
    """A map and where each store is on it, by store; no place where it has no coordinates."""

    drawn: maps.Map
    points: pd.DataFrame


def places(project: Project) -> Places | None:
    """The map that holds every store with coordinates; None where none has any."""

    def make() -> Places | None:
        known = maps.coordinates(project.frame(STORES))
        every = set(project.table(SEGMENTS)["store_id"].to_pylist())
        known = known[known.index.isin(every)]
        if known.empty:
            return None
        drawn = maps.map_of(known, project.path(OUTLINES))
        points: NDArray[np.float64] = drawn.place(known["longitude"].to_numpy(), known["latitude"].to_numpy())
        return Places(drawn, pd.DataFrame(points.round(1), index=known.index, columns=["x", "y"]))

    return project.derived("places", [STORES, SEGMENTS, OUTLINES], make)


def marks(numbers: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Colour and shape by number."""
    return {int(n): mark(int(n)) for n in numbers}


def map_of(
    project: Project, stores: pd.DataFrame, groups: Mapping[str, tuple[str, pd.Series]]
) -> dict[str, Any] | None:
    """What the page's script draws: outlines, and each store's place, facts and group; None where no store has a place.

    groups: the ways to colour the stores, each with its words and the number of each store's group (0: none, drawn pale).
    """
    found = places(project)
    if found is None:
        return None
    points = found.points.reindex(stores["store_id"])
    has = points["x"].notna().to_numpy()
    own, points = stores[has], points[has]
    return {
        "width": found.drawn.width,
        "height": round(found.drawn.height, 1),
        "outlines": found.drawn.outlines,
        "missing": int((~has).sum()),
        "id": own["store_id"].tolist(),
        "x": points["x"].tolist(),
        "y": points["y"].tolist(),
        "name": own["name"].tolist(),
        "segment": own["segment"].tolist(),
        "segment_name": own["segment_name"].fillna("").tolist(),
        "sales": [None if pd.isna(value) else round(float(value), 2) for value in own["sales"]],
        "confidence": [None if pd.isna(value) else round(float(value), 4) for value in own["confidence"]],
        "remarks": own["remarks"].tolist(),
        "groups": {
            name: {
                "words": told,
                "of": numbers[has].astype("int64").tolist(),
                "marks": marks(sorted(set(numbers[has]) - {0})),
            }
            for name, (told, numbers) in groups.items()
        },
    }
