"""The pictures of all categories together: how large segments are, and what is known against what was found."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from storelib.method.agreement import Agreement, crossed, pairs
from storelib.pages.charts import LINE, PLAIN, SMALL, Picture, colour_of, points, rgb, written
from storelib.pages.palette import ABOVE, INK, SOFT
from storelib.pages.words import short

# Of the bars: the distance from one to the next, and the width of all.
STEP, WIDTH = 34, 640
# Letters of a category's name beside a bar, and above the least of maps.
LONGEST_NAME, LONGEST_TITLE = 32, 18
# Of a heat map: a column's and a row's size, what lies beside and above it, and the least width with its title.
COLUMN, ROW, BESIDE, HEAD, NARROWEST = 34, 22, 44, 64, 230
READING = (
    "stores of each planted cluster (row) in each found one (column), shaded by their share of the row; "
    "columns are ordered so that agreement is a diagonal"
)
NOTHING_KNOWN = "No known segments were given (sources.reference in configs/<env>.yml): there is nothing to compare."


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
    axes.set_yticks(range(len(sizes)), [written(names.get(key, key), LONGEST_NAME) for key in sizes])
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("stores")
    axes.grid(axis="x")
    return picture


def recovery_chart(
    segments: pd.DataFrame, known: pd.DataFrame, found: Mapping[tuple[str, str], Agreement], names: Mapping[str, str]
) -> Picture:
    """Planted against found: a heat map of each view's clusters, then one of each category's segments. names: of categories."""
    if not found:
        picture = Picture()
        picture.words(0, 0, NOTHING_KNOWN, size=PLAIN + 1)
        return picture
    picture = Picture(
        "Planted against found",
        [READING],
    )
    # The external clusters are the same in every category: they are shown once.
    clusters = [name for name in found if name[0] == "external" or name[1] == "internal_cluster"]
    of_segments = [name for name in found if name[1] == "segment"]

    def named(view: str) -> str:
        return short(names.get(view, view), LONGEST_TITLE)

    top = picture.top
    for shown, word, columns in ((clusters, "clusters", 5), (of_segments, "segments", 2)):
        for start in range(0, len(shown), columns):
            row = [
                (
                    f"{short(names.get(view, view), LONGEST_TITLE)}: {word}",
                    found[view, label],
                    crossed(*pairs(segments, known, view, label)),
                )
                for view, label in shown[start : start + columns]
            ]
            top = draw_row(picture, top, row)
    return picture


def draw_row(picture: Picture, top: float, maps: Sequence[tuple[str, Agreement, pd.DataFrame]]) -> float:
    """Heat maps side by side, with their titles. Returns where the next row starts."""
    left = 0.0
    for title, part, table in maps:
        picture.words(left + BESIDE, top, title, size=PLAIN + 1, weight="bold")
        figures = f"planted k {part.first_k}, found k {part.second_k}, ARI {part.ari:.3f}"
        picture.words(left + BESIDE, top + LINE, figures, size=SMALL, color=SOFT)
        draw_map(picture, left + BESIDE, top + HEAD - LINE, table)
        left += BESIDE + max(COLUMN * table.shape[1], NARROWEST) + 20
    return top + HEAD + ROW * max(table.shape[0] for _, _, table in maps) + 3 * LINE


def draw_map(picture: Picture, left: float, top: float, table: pd.DataFrame) -> None:
    """One heat map: rows planted, columns found, cells stores, shaded by their share of the row."""
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
    for axis, labels, name in ((axes.xaxis, table.columns, "found"), (axes.yaxis, table.index, "planted")):
        axis.set_ticks(range(len(labels)), [str(label) for label in labels], fontsize=points(SMALL))
        axis.set_ticks(np.arange(len(labels) + 1) - 0.5, minor=True)
        axis.set_label_text(name)
    axes.grid(which="minor")
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
