"""Describe the clusters of one view in figures and pictures.

Writes, per cluster and feature, the mean of the stores, the chain's mean and the index against it (chain = 100), with the
cluster's size and share of sales; and four pictures: scores of each k by each rule, silhouettes of the stores, stores on the
first two principal components, and the profile as a heat map. Means are of known values in stores that train: one gross
outlier would stand for a whole cluster. Sizes and sales are of all stores.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

from storelib.contracts.contract import outputs
from storelib.contracts.views import FEATURES, PROFILE
from storelib.method.k_rules import STABLE, STRENGTH, choices_of
from storelib.method.profiles import profile_table
from storelib.pages.charts import cluster_colour, note_chart, save_png
from storelib.pages.palette import GREY, INK, RED
from storelib.tables import read_frame

ROWS_SHOWN = 24
# A cluster's silhouettes are drawn as a curve through so many of them.
CURVE = 200
HINTS = {
    "davies_bouldin": "lower is better",
    "gap": "smallest k within one standard error of the next",
    "prediction_strength": f"largest k of at least {STRENGTH}",
    "stability": f"largest k of at least {STABLE}",
}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument(
        "--view", type=storelib.runtime.view_key, required=True, help="key of the category, or external"
    )
    parser.add_argument("--table", type=Path, required=True, help="one row per store, one column per feature")
    parser.add_argument("--store_sales", type=Path, required=True, help="net sales of each store")
    parser.add_argument("--features", type=Path, required=True, help="the points that were clustered")
    parser.add_argument("--clusters", type=Path, required=True, help="one row per store")
    parser.add_argument("--k_scores", type=Path, required=True, help="one row per k")
    parser.add_argument("--profile", type=Path, required=True, help="output: one row per cluster and feature")
    parser.add_argument("--k_figure", type=Path, required=True, help="output: picture of the scores")
    parser.add_argument("--silhouette_figure", type=Path, required=True, help="output: picture of the silhouettes")
    parser.add_argument("--stores_figure", type=Path, required=True, help="output: picture of the stores")
    parser.add_argument("--profile_figure", type=Path, required=True, help="output: picture of the profile")
    return parser.parse_args(argv)


def k_chart(scores: pd.DataFrame, view: str) -> alt.TopLevelMixin:
    """A panel for each rule that was computed, its own choice filled, and a line at the k that was chosen."""
    k = int(scores.loc[scores["chosen"], "k"].iloc[0])
    vetoed = scores.loc[~scores["eligible"], "k"].tolist()
    ks = scores["k"].tolist()
    panels = []
    for rule, choice in choices_of(scores).items():
        known = scores.loc[np.isfinite(scores[rule]), ["k", rule]].rename(columns={rule: "score"})
        known["own"] = known["k"] == choice
        base = alt.Chart(known).encode(
            x=alt.X("k:O", title="number of clusters k", axis=alt.Axis(labelAngle=0), scale=alt.Scale(domain=ks)),
            y=alt.Y("score:Q", title=None, scale=alt.Scale(zero=False)),
        )
        line = base.mark_line(color=GREY) + base.mark_point(color=GREY, fill="white", size=45, opacity=1)
        own = base.transform_filter("datum.own").mark_point(color=INK, size=140, filled=True, opacity=1)
        chosen = alt.Chart(pd.DataFrame({"k": [k]})).mark_rule(color=RED, strokeWidth=2).encode(x="k:O")
        title = f"{rule.replace('_', ' ')}: {'none' if choice is None else f'k = {choice}'}"
        subtitle = HINTS.get(rule, "higher is better")
        panels.append(
            (chosen + line + own).properties(title=alt.TitleParams(title, subtitle=subtitle), width=230, height=150)
        )
    subtitle = ["red: the k that was chosen; filled: the rule's own choice"]
    if vetoed:
        subtitle.append(f"not eligible, for a cluster is too small: k = {', '.join(map(str, vetoed))}")
    title = alt.TitleParams(f"{view}: {k} cluster{'s' if k > 1 else ', no structure found'}", subtitle=subtitle)
    return alt.concat(*panels, columns=3).properties(title=title)


def silhouette_chart(clusters: pd.DataFrame, view: str) -> alt.TopLevelMixin:
    """Silhouettes of the stores that trained, cluster by cluster, largest first (Rousseeuw 1987)."""
    known = clusters.dropna(subset="silhouette")
    title = f"{view}: how much nearer stores are to their own cluster than to the next"
    if known.empty:
        return note_chart(title, "One cluster: silhouettes need two.")
    curves = []
    top = 0
    for cluster, widths in known.groupby("cluster")["silhouette"]:
        ranks = np.unique(np.linspace(0, len(widths) - 1, CURVE).round().astype(int))
        ordered = np.sort(widths.to_numpy())[::-1]
        name = f"{cluster}: {len(widths):,} stores, mean {widths.mean():.2f}"
        curves.append(
            pd.DataFrame({"cluster": cluster, "name": name, "store": top + ranks, "silhouette": ordered[ranks]})
        )
        # A gap between clusters, as wide in every picture.
        top += len(widths) + max(len(known) // 60, 1)
    frame = pd.concat(curves)
    names = {int(c): n for c, n in frame.groupby("cluster")["name"].first().items()}
    colours = alt.Scale(domain=list(names.values()), range=cluster_colour(list(names))["range"])
    areas = (
        alt.Chart(frame)
        .mark_area(orient="horizontal", interpolate="step")
        .encode(
            y=alt.Y("store:Q", title="stores", scale=alt.Scale(domain=[top, 0]), axis=None),
            x=alt.X(
                "silhouette:Q", title="silhouette: 1 is at home, 0 between two clusters, below 0 nearer to another"
            ),
            color=alt.Color("name:N", title="cluster", scale=colours, sort=list(names.values())),
        )
    )
    mean = float(known["silhouette"].mean())
    line = alt.Chart(pd.DataFrame({"mean": [mean]})).mark_rule(strokeDash=[4, 4], color=INK).encode(x="mean:Q")
    subtitle = f"mean {mean:.2f} (dashed); the {len(known):,} stores that trained, sorted within each cluster"
    return (areas + line).properties(width=460, height=380, title=alt.TitleParams(title, subtitle=subtitle))


def stores_chart(features: pd.DataFrame, clusters: pd.DataFrame, view: str) -> alt.TopLevelMixin:
    """Stores on the first two principal components of the points; those that did not train as crosses.

    The axes are cut at the spread of the stores that train, so that an outlier does not press the rest into a dot.
    """
    points = FEATURES.others_of(features).to_numpy(dtype="float64")
    trains = features["trains"].to_numpy()
    centred = points - points[trains].mean(axis=0)
    _, _, axes = np.linalg.svd(centred[trains], full_matrices=False)
    axes = axes[:2] * np.sign(axes[:2].sum(axis=1, keepdims=True) + 1e-300)
    shown = centred @ axes.T
    if shown.shape[1] == 1:
        shown = np.column_stack([shown, np.zeros(len(shown))])
    limit = np.abs(shown[trains]).max(axis=0) * 1.05
    shown = np.clip(shown, -limit, limit)
    frame = pd.DataFrame(
        {
            "first component": shown[:, 0],
            "second component": shown[:, 1],
            "cluster": clusters["cluster"].to_numpy(),
            "training": np.where(trains, "trained", "placed only"),
        }
    )
    names = sorted(int(c) for c in frame["cluster"].unique())
    return (
        alt.Chart(frame)
        .mark_point(filled=True, opacity=0.65, size=28, strokeWidth=1)
        .encode(
            x=alt.X("first component:Q", axis=alt.Axis(grid=False)),
            y=alt.Y("second component:Q", axis=alt.Axis(grid=False)),
            color=alt.Color("cluster:O", scale=cluster_colour(names)),
            shape=alt.Shape(
                "training:N", title=None, scale=alt.Scale(domain=["trained", "placed only"], range=["circle", "cross"])
            ),
        )
        .properties(width=520, height=420, title=f"{view}: {len(frame):,} stores in {len(names)} clusters")
    )


def profile_chart(profile: pd.DataFrame, view: str) -> alt.TopLevelMixin:
    """Index of each feature in each cluster: the features that differ most, blue above the chain and orange below."""
    spread = profile.groupby("feature")["index"].agg(lambda s: s.max() - s.min()).dropna()
    # Features with next to no weight have the wildest indices; a share counts for as much as it sells.
    if (profile["chain_mean"].dropna() <= 1).all():
        spread = spread * profile.groupby("feature")["chain_mean"].first()
    shown = spread.sort_values(ascending=False).head(ROWS_SHOWN).index.tolist()
    frame = profile[profile["feature"].isin(shown)].copy()
    heads = {
        row.cluster: f"{row.cluster}: {row.stores:,} stores, {row.share_of_sales:.0%} of sales"
        for row in profile.drop_duplicates("cluster").itertuples()
    }
    frame["head"] = frame["cluster"].map(heads)
    frame["label"] = frame["index"].round().map(lambda v: "" if pd.isna(v) else f"{v:.0f}")
    frame["shade"] = frame["index"].clip(0, 200)
    frame["contrast"] = (frame["shade"] - 100).abs() > 70
    base = alt.Chart(frame).encode(
        x=alt.X(
            "head:N", title=None, sort=list(heads.values()), axis=alt.Axis(orient="top", labelAngle=-20, labelLimit=300)
        ),
        y=alt.Y("feature:N", title=None, sort=shown, axis=alt.Axis(labelLimit=320)),
    )
    shade = alt.Scale(domain=[0, 100, 200], range=["#d95f02", "#f7f7f7", "#2166ac"], interpolate="rgb")
    cells = base.mark_rect().encode(color=alt.Color("shade:Q", title="index (chain = 100)", scale=shade))
    text = base.mark_text(fontSize=12).encode(
        text="label:N", color=alt.condition("datum.contrast", alt.value("white"), alt.value(INK))
    )
    total = profile["feature"].nunique()
    title = f"{view}: what sets the clusters apart"
    subtitle = f"index of the mean against the chain = 100; the {len(shown)} features of {total} that differ most"
    return (cells + text).properties(
        width=max(90 * len(heads), 200), height=24 * len(shown), title=alt.TitleParams(title, subtitle=subtitle)
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Describe, draw, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    features, clusters, scores = (read_frame(path) for path in (args.features, args.clusters, args.k_scores))
    table = read_frame(args.table).set_index("store_id")
    by_store = clusters.set_index("store_id")
    sales = read_frame(args.store_sales).set_index("store_id")["sales"].astype("float64")
    profile = profile_table(table, by_store, sales.reindex(by_store.index, fill_value=0.0))
    aligned = by_store.reindex(features["store_id"]).reset_index()
    with outputs() as write:
        write(profile[PROFILE.names], PROFILE, args.profile)
    save_png(k_chart(scores, args.view), args.k_figure)
    save_png(silhouette_chart(clusters, args.view), args.silhouette_figure)
    save_png(stores_chart(features, aligned, args.view), args.stores_figure)
    save_png(profile_chart(profile, args.view), args.profile_figure)
    log.info("%d clusters, %d features", profile["cluster"].nunique(), profile["feature"].nunique())


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
