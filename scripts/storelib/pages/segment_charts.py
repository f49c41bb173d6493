"""The pictures of all categories together: how large segments are, and what is known, or the place, against what was found."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from storelib.method.agreement import Agreement, compare, crossed, pairs, parted
from storelib.method.labels import crosstab
from storelib.pages.charts import LINE, PLAIN, SMALL, Picture, colour_of, grid_lines, label_axis, points, rgb, written
from storelib.pages.palette import ABOVE, INK, SOFT
from storelib.pages.words import short


class Reading(NamedTuple):
    """How a picture of heat maps is read: its title and a sentence, and what rows and columns are."""

    title: str
    sentence: str
    rows: str
    columns: str


# Of the bars: the distance from one to the next, and the width of all.
STEP, WIDTH = 34, 640
# Letters of a category's name beside a bar, and above the least of maps.
LONGEST_NAME, LONGEST_TITLE = 32, 18
# Of a heat map: a column's and a row's size, what lies beside and above it, and the least width with its title.
COLUMN, ROW, BESIDE, HEAD, NARROWEST = 34, 22, 44, 64, 230
PLANTED = Reading(
    "Planted against found",
    "stores of each planted cluster (row) in each found one (column), shaded by their share of the row; "
    "columns are ordered so that agreement is a diagonal",
    "planted",
    "found",
)
PLACES = Reading(
    "What sells, and where",
    "stores of each cluster by what sells (row) in each external cluster (column), shaded by their share of the row; "
    "where rows look alike, what sells does not depend on the place (ARI near 0)",
    "what sells",
    "external",
)


def sizes_chart(segments: pd.DataFrame, names: Mapping[str, str]) -> Picture:
    """Stores per segment, one bar per category; blocks wide enough for it carry the segment's number. names: of categories."""
    sizes = {str(key): part["segment"].value_counts().sort_index() for key, part in segments.groupby("category")}
    longest = max(int(part.sum()) for part in sizes.values())
    picture = Picture("Segments", ["stores in each segment of each category, by segment number"])
    axes = picture.panel(0, picture.top, WIDTH, STEP * len(sizes))
    for row, part in enumerate(sizes.values()):
        start = 0
        for segment, stores in zip(part.index.tolist(), part.tolist(), strict=True):
            axes.barh(row, stores, left=start, height=0.9, color=colour_of(segment), edgecolor="white")
            if stores > 0.03 * longest:
                axes.text(
                    start + stores / 2, row, str(segment), ha="center", va="center_baseline", color="white",
                    fontweight="bold",
                )  # fmt: skip
            start += stores
    axes.set_ylim(len(sizes) - 0.5, -0.5)
    axes.set_xlim(0, longest * 1.02)
    label_axis(axes, "left", range(len(sizes)), [written(names.get(key, key), LONGEST_NAME) for key in sizes])
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("stores")
    axes.grid(axis="x")
    return picture


class Crossed(NamedTuple):
    """One heat map: its title, the line below, and stores by row and column."""

    title: str
    figures: str
    table: pd.DataFrame


def recovery_chart(
    segments: pd.DataFrame, known: pd.DataFrame, found: Mapping[tuple[str, str], Agreement], names: Mapping[str, str]
) -> Picture:
    """Planted against found: a heat map of each view's clusters, then one of each category's segments. names: of categories.

    Where nothing is known, the clusters that were found: by what sells against by place.
    """
    if not found:
        return drawn(PLACES, [(places_of(segments, names), 3)])

    of_view = parted(segments, known)

    def of(view: str, label: str, word: str) -> Crossed:
        part = found[view, label]
        figures = f"planted k {part.first_k}, found k {part.second_k}, ARI {part.ari:.3f}"
        return Crossed(titled(view, word, names), figures, crossed(*pairs(*of_view(view), view, label)))

    # The external clusters are the same in every category: they are shown once.
    clusters = [of(*name, "clusters") for name in found if name[0] == "external" or name[1] == "internal_cluster"]
    return drawn(PLANTED, [(clusters, 5), ([of(*name, "segments") for name in found if name[1] == "segment"], 2)])


def places_of(segments: pd.DataFrame, names: Mapping[str, str]) -> list[Crossed]:
    """Of each category: its clusters by what sells against the external ones."""
    maps = []
    for view, rows in segments.groupby("category"):
        by_store = rows.set_index("store_id")
        agreed = compare(by_store["internal_cluster"], by_store["external_cluster"])
        figures = f"{agreed.stores:,} stores, ARI {agreed.ari:.3f}"
        table = crosstab(by_store["internal_cluster"], by_store["external_cluster"])
        maps.append(Crossed(titled(str(view), "clusters", names), figures, table))
    return maps


def titled(view: str, word: str, names: Mapping[str, str]) -> str:
    """The title of one heat map."""
    return f"{short(names.get(view, view), LONGEST_TITLE)}: {word}"


def drawn(reading: Reading, groups: Sequence[tuple[Sequence[Crossed], int]]) -> Picture:
    """Groups of heat maps below each other, each with so many in a row."""
    picture = Picture(reading.title, [reading.sentence])
    top = picture.top
    for maps, columns in groups:
        for start in range(0, len(maps), columns):
            top = draw_row(picture, top, maps[start : start + columns], reading)
    return picture


def draw_row(picture: Picture, top: float, maps: Sequence[Crossed], reading: Reading) -> float:
    """Heat maps side by side, with their titles. Returns where the next row starts."""
    left = 0.0
    for title, figures, table in maps:
        picture.words(left + BESIDE, top, title, size=PLAIN + 1, weight="bold")
        picture.words(left + BESIDE, top + LINE, figures, size=SMALL, color=SOFT)
        draw_map(picture, left + BESIDE, top + HEAD - LINE, table, reading)
        left += BESIDE + max(COLUMN * table.shape[1], NARROWEST) + 20
    return top + HEAD + ROW * max(one.table.shape[0] for one in maps) + 3 * LINE


def draw_map(picture: Picture, left: float, top: float, table: pd.DataFrame, reading: Reading) -> None:
    """One heat map: cells are stores, shaded by their share of the row."""
    counts = table.to_numpy()
    shares = counts / counts.sum(axis=1, keepdims=True)
    axes = picture.panel(left, top, COLUMN * counts.shape[1], ROW * counts.shape[0])
    white, blue = np.ones(3), np.array(rgb(ABOVE))
    axes.imshow(white + shares[:, :, None] * (blue - white), aspect="auto", interpolation="nearest")
    for row, column in np.argwhere(counts > 0):
        ink = "white" if shares[row, column] > 0.5 else INK
        axes.text(
            column, row, f"{counts[row, column]}", ha="center", va="center_baseline", color=ink, fontsize=points(SMALL)
        )
    sides = (("bottom", "x", table.columns, reading.columns), ("left", "y", table.index, reading.rows))
    for side, direction, labels, name in sides:
        label_axis(axes, side, range(len(labels)), [str(label) for label in labels], name, size=SMALL)
        grid_lines(axes, direction, [place - 0.5 for place in range(len(labels) + 1)])
    axes.spines[:].set_visible(False)
