"""The four pictures of one view: scores of each k, silhouettes, stores, and what sets its clusters apart."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from storelib.contracts.views import FEATURES
from storelib.method.k_rules import STABLE, STRENGTH, choices_of
from storelib.pages.charts import (
    LINE,
    NUMBERS,
    PLAIN,
    SMALL,
    Picture,
    colour_of,
    grid_lines,
    label_axis,
    note,
    points,
    rgb,
    written,
)
from storelib.pages.palette import ABOVE, BELOW, GREY, INK, MIDDLE, RED, SOFT
from storelib.pages.words import percent

Matrix = NDArray[np.float64]
# Rows of the profile, and letters of a feature's name.
ROWS_SHOWN, LONGEST_NAME = 24, 48
# A cluster's silhouettes are drawn as a curve through so many of them.
CURVE = 200
HINTS = {
    "davies_bouldin": "lower is better",
    "gap": "smallest k within one standard error of the next",
    "prediction_strength": f"largest k of at least {STRENGTH}",
    "stability": f"largest k of at least {STABLE}",
}
# Of the picture of scores: panels in a row, their size and the distance from one to the next.
COLUMNS, PANEL, PITCH = 3, (230, 150), (330, 270)
# A letter's width, about.
LETTER = 7
NO_DATA = "There are no data of this view: all stores are one cluster."
# Labels of an axis that do not touch each other.
MOST_TICKS = 12


def k_chart(scores: pd.DataFrame, view: str) -> Picture:
    """A panel for each rule that was computed, its own choice filled, and a line at the k that was chosen."""
    k = int(scores.loc[scores["chosen"], "k"].iloc[0])
    if scores["k"].tolist() == [1] and not choices_of(scores):
        return note(f"{view}: 1 cluster", NO_DATA)
    vetoed = scores.loc[~scores["eligible"], "k"].tolist()
    lines = ["red: the k that was chosen; filled: the rule's own choice"]
    if vetoed:
        lines.append(f"not eligible, for a cluster is too small: k = {', '.join(map(str, vetoed))}")
    picture = Picture(f"{view}: {k} cluster{'s' if k > 1 else ', no structure found'}", lines)
    for place, (rule, choice) in enumerate(choices_of(scores).items()):
        left = 60 + place % COLUMNS * PITCH[0]
        top = picture.top + 2 * LINE + 12 + place // COLUMNS * PITCH[1]
        axes = picture.panel(left, top, *PANEL)
        heading = f"{rule.replace('_', ' ')}: {'none' if choice is None else f'k = {choice}'}"
        axes.set_title(heading, loc="left", pad=points(LINE + 8), fontsize=points(PLAIN + 1), fontweight="bold")
        picture.words(left, top - LINE - 4, HINTS.get(rule, "higher is better"), size=SMALL, color=SOFT)
        draw_scores(axes, scores, rule, choice, k)
    return picture


def draw_scores(axes: Axes, scores: pd.DataFrame, rule: str, choice: int | None, chosen: int) -> None:
    """One rule's score of each k; infinite ones cannot be shown."""
    known = scores[np.isfinite(scores[rule].to_numpy(dtype="float64"))]
    axes.axvline(chosen, color=RED, linewidth=2)
    axes.plot(known["k"], known[rule], color=GREY, marker="o", markersize=5, markerfacecolor="white", linewidth=1.5)
    own = known[known["k"] == choice]
    axes.plot(own["k"], own[rule], color=INK, marker="o", markersize=9, linestyle="none")
    ks = scores["k"].tolist()
    axes.set_xlim(ks[0] - 0.5, ks[-1] + 0.5)
    shown = ks[:: -(-len(ks) // MOST_TICKS)]
    label_axis(axes, "bottom", shown, [str(k) for k in shown], "number of clusters k")
    least, most = axes.get_ylim()
    axes.set_ylim(least, most)
    marks = np.asarray(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(least, most))
    levels = marks[(least <= marks) & (marks <= most)].tolist()
    label_axis(axes, "left", levels, [NUMBERS(level) for level in levels])
    grid_lines(axes, "y", levels)


def silhouette_curves(clusters: pd.DataFrame) -> pd.DataFrame:
    """Silhouettes of the stores that trained, cluster by cluster, each from high to low: cluster, store, silhouette.

    store: the place from the top at which a silhouette begins; the last row of a cluster is where its last one ends.
    """
    known = clusters.dropna(subset="silhouette")
    curves = []
    top = 0
    for cluster, widths in known.groupby("cluster")["silhouette"]:
        ranks = np.unique(np.linspace(0, len(widths) - 1, CURVE).round().astype(int))
        ordered = np.sort(widths.to_numpy())[::-1]
        store = [*(top + ranks), top + len(widths)]
        curves.append(pd.DataFrame({"cluster": cluster, "store": store, "silhouette": ordered[[*ranks, -1]]}))
        # A gap between clusters, as wide in every picture.
        top += len(widths) + max(len(known) // 60, 1)
    return pd.concat(curves)


def silhouette_chart(clusters: pd.DataFrame, view: str) -> Picture:
    """Silhouettes of the stores that trained, cluster by cluster, largest first (Rousseeuw 1987)."""
    known = clusters.dropna(subset="silhouette")
    title = f"{view}: how much nearer stores are to their own cluster than to the next"
    if known.empty:
        return note(title, "One cluster: silhouettes need two.")
    mean = float(known["silhouette"].mean())
    line = f"mean {mean:.2f} (dashed); the {len(known):,} stores that trained, sorted within each cluster"
    picture = Picture(title, [line])
    axes = picture.panel(0, picture.top, 460, 380)
    curves = silhouette_curves(clusters)
    for cluster in sorted({int(cluster) for cluster in known["cluster"]}):
        curve = curves[curves["cluster"] == cluster]
        widths = known.loc[known["cluster"] == cluster, "silhouette"]
        axes.fill_betweenx(
            curve["store"], 0, curve["silhouette"], step="post", color=colour_of(cluster), linewidth=0.5,
            label=f"{cluster}: {len(widths):,} stores, mean {widths.mean():.2f}",
        )  # fmt: skip
    axes.axvline(mean, color=INK, linestyle=(0, (4, 4)), linewidth=1)
    axes.invert_yaxis()
    axes.margins(y=0.02)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("silhouette: 1 is at home, 0 between two clusters, below 0 nearer to another")
    axes.grid(axis="x")
    axes.legend(title="cluster", loc="upper left", bbox_to_anchor=(1.02, 1), alignment="left")
    return picture


def stores_on_axes(features: pd.DataFrame) -> tuple[Matrix, tuple[float, float]]:
    """Stores on the first two principal components of the points, (n_stores, 2), and the share of variance on each.

    They are cut at the spread of the stores that train, so that an outlier does not press the rest into a dot.
    """
    values = FEATURES.others_of(features).to_numpy(dtype="float64")
    trains = features["trains"].to_numpy()
    centred = values - values[trains].mean(axis=0)
    _, lengths, axes = np.linalg.svd(centred[trains], full_matrices=False)
    variances = np.append(lengths**2, 0.0)
    first, second = variances[:2] / (variances.sum() or 1.0)
    axes = axes[:2] * np.sign(axes[:2].sum(axis=1, keepdims=True) + 1e-300)
    shown = centred @ axes.T
    if shown.shape[1] == 1:
        shown = np.column_stack([shown, np.zeros(len(shown))])
    limit = np.abs(shown[trains]).max(axis=0) * 1.05
    cut: Matrix = np.clip(shown, -limit, limit)
    return cut, (float(first), float(second))


def stores_chart(features: pd.DataFrame, clusters: pd.DataFrame, view: str) -> Picture:
    """Stores on the first two principal components; those that did not train as crosses.

    features, clusters: the same stores in the same order.
    """
    if FEATURES.others_of(features).empty:
        return note(f"{view}: {len(features):,} stores in 1 cluster", NO_DATA)
    shown, explained = stores_on_axes(features)
    trains = features["trains"].to_numpy()
    labels = clusters["cluster"].to_numpy()
    names = sorted({int(cluster) for cluster in labels})
    picture = Picture(f"{view}: {len(shown):,} stores in {len(names)} cluster{'s' if len(names) > 1 else ''}")
    axes = picture.panel(0, picture.top, 520, 420)
    colours = np.array([rgb(colour_of(cluster)) for cluster in names])[np.searchsorted(names, labels)]
    for rows, marker, size in ((trains, "o", 14), (~trains, "P", 24)):
        # Stores of all clusters in one go, so that none lies over all of another.
        axes.scatter(shown[rows, 0], shown[rows, 1], c=colours[rows], marker=marker, s=size, alpha=0.65, linewidths=0)
    for cluster in names:
        axes.plot([], [], linestyle="none", marker="o", color=colour_of(cluster), label=str(cluster))
    clusters_key = axes.legend(
        title="cluster", loc="upper left", bbox_to_anchor=(1.02, 1), alignment="left", ncols=-(-len(names) // 18)
    )
    axes.add_artist(clusters_key)
    kinds = [
        axes.plot([], [], linestyle="none", marker=marker, color=GREY, label=label)[0]
        for marker, label in (("o", "trained"), ("P", "placed only"))
    ]
    axes.legend(handles=kinds, loc="lower left", bbox_to_anchor=(1.02, 0))
    for name, axis, share in zip(("first", "second"), (axes.xaxis, axes.yaxis), explained, strict=True):
        axis.set_label_text(f"{name} component ({percent(share)} of the variance)")
    return picture


def features_apart(profile: pd.DataFrame) -> list[str]:
    """The features whose index differs most between clusters, those first that differ most."""
    spread = profile.groupby("feature")["index"].agg(lambda s: s.max() - s.min()).dropna()
    # Features with next to no weight have the wildest indices; a share counts for as much as it sells.
    if (profile["chain_mean"].dropna() <= 1).all():
        spread = spread * profile.groupby("feature")["chain_mean"].first()
    return [str(name) for name in spread.sort_values(ascending=False).head(ROWS_SHOWN).index]


def shades(indices: Matrix) -> Matrix:
    """Red, green and blue of indices: orange at 0, light at 100, blue from 200, white where there is none."""
    stops = np.array([rgb(BELOW), rgb(MIDDLE), rgb(ABOVE)])
    colours = np.stack([np.interp(indices, [0, 100, 200], part) for part in stops.T], axis=-1)
    colours[np.isnan(indices)] = 1.0
    return colours


def profile_chart(profile: pd.DataFrame, view: str, labels: Mapping[str, str]) -> Picture:
    """Index of each feature in each cluster: the features that differ most, blue above the chain and orange below.

    labels: what to call the features.
    """
    if profile.empty:
        return note(f"{view}: what sets the clusters apart", NO_DATA)
    shown = features_apart(profile)
    heads = [
        f"{row['cluster']}\n{row['stores']:,} stores\n{percent(float(row['share_of_sales']))} of sales"
        for row in profile.drop_duplicates("cluster").sort_values("cluster").to_dict("records")
    ]
    total = profile["feature"].nunique()
    picture = Picture(
        f"{view}: what sets the clusters apart",
        [
            "index of the mean against the chain = 100"
            + (f"; the {len(shown)} features of {total} that differ most" if len(shown) < total else "")
        ],
    )
    cells = profile.pivot_table(index="feature", columns="cluster", values="index", dropna=False).reindex(shown)
    width, height = max(90 * len(heads), 200), 24 * max(len(shown), 1)
    names = [written(labels[name], LONGEST_NAME) for name in shown]
    # Names end where the axes begin; heads have three lines, and reach up.
    left, top = LETTER * max(map(len, names), default=0), picture.top + 3 * LINE + 6
    axes = picture.panel(left, top, width, height)
    indices = cells.to_numpy(dtype="float64").reshape(len(shown), len(heads))
    axes.imshow(shades(indices), aspect="auto", interpolation="nearest")
    for row, column in np.argwhere(~np.isnan(indices)):
        index = indices[row, column]
        ink = "white" if abs(min(index, 200) - 100) > 70 else INK
        axes.text(column, row, f"{index:.0f}", ha="center", va="center_baseline", color=ink)
    label_axis(axes, "top", range(len(heads)), heads, size=SMALL)
    label_axis(axes, "left", range(len(names)), names)
    axes.spines[:].set_visible(False)
    picture.words(left + width + 60, top, "index (chain = 100)")
    draw_key(picture.panel(left + width + 60, top + LINE + 8, 14, 100))
    return picture


def draw_key(axes: Axes) -> None:
    """What the shades of the profile mean."""
    axes.imshow(shades(np.linspace(200, 0, 100)[:, None]), aspect="auto", extent=(0, 1, 0, 200))
    axes.xaxis.set_visible(False)
    label_axis(axes, "right", [0, 100, 200], ["0", "100", "200 and above"], size=SMALL)
    axes.spines[:].set_visible(False)
