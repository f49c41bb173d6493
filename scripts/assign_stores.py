"""Place stores in one category's segments with what was fitted, without fitting anew.

Each store is put through the features and clusters of the views that something is known of it in. By both, its segment is that of
the nearest known store of the same two clusters, so that a store that trained comes to its own. By sales alone, of the nearest store
of its cluster by what sells; by external data alone, the commonest segment of its external cluster; and where less than half of
the external features are known, that of the store most like it in those.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storelib.configuration.weights import view_shares
from storelib.contracts.views import FEATURES
from storelib.errors import DataError
from storelib.method.confidence import tempered
from storelib.method.joint import weighted
from storelib.method.models import ClusterModel, FeatureModel, digest_of
from storelib.method.partitions import Matrix
from storelib.method.segment_confidence import segment_probabilities
from storelib.names import WEIGHTS
from storelib.tables import read_frame, write_text

VIEWS = ("internal", "external")
OPTIONS = ("transform", "scaling", "imputation", "pca_variance", "pca_components", *WEIGHTS)
# The part of the external features that must be known for a store to have an external cluster.
ENOUGH = 0.5
COLUMNS = [
    "store_id",
    "category",
    "segment",
    "confidence",
    "internal_cluster",
    "external_cluster",
    "like_store",
    "reason",
]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this program."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--category", type=storelib.runtime.view_key, required=True, help="key of the category")
    for view in VIEWS:
        parser.add_argument(f"--{view}_new", type=Path, help="table of the stores to place, as of the known ones")
        parser.add_argument(
            f"--{view}_table", type=Path, required=True, help="shares, or store features, of known stores"
        )
        parser.add_argument(f"--{view}_features", type=Path, required=True, help="points of known stores")
        parser.add_argument(f"--{view}_report", type=Path, required=True, help="what was learned of each feature")
        parser.add_argument(f"--{view}_model", type=Path, required=True, help="clusters as they were fitted")
        parser.add_argument(f"--{view}_clusters", type=Path, required=True, help="clusters of known stores")
        for option in OPTIONS:
            number = option.startswith("pca") or option.endswith("weight")
            parser.add_argument(f"--{view}_{option}", type=float if number else str, required=True)
        parser.add_argument(f"--{view}_weight", type=float, required=True, help="as of merge_segments")
    parser.add_argument("--segments", type=Path, required=True, help="segments of this category")
    parser.add_argument("--placed", type=Path, required=True, help="output: one row per store, as CSV")
    return parser.parse_args(argv)


class View(NamedTuple):
    """One view of the known stores and of those to place.

    columns: of the points. points, clusters, trains: of the known stores, in the order of the segments. new: table of the stores to
    place, by id; found: their points; placed: their clusters; probabilities: of each cluster, one column each.
    """

    columns: list[str]
    points: Matrix
    clusters: pd.Series
    trains: NDArray[np.bool_]
    new: pd.DataFrame
    found: Matrix
    placed: pd.Series
    probabilities: pd.DataFrame


def view_of(args: argparse.Namespace, view: str, stores: pd.Index) -> View:
    """Read one view, and place what is new in its clusters. stores: that have a segment."""
    paths: dict[str, Any] = {
        name: getattr(args, f"{view}_{name}") for name in ("new", "table", "features", "report", "model", "clusters")
    }
    model = ClusterModel.read(paths["model"], digest_of(paths["features"]))
    table = read_frame(paths["features"]).set_index("store_id")
    every = FEATURES.others_of(table).to_numpy(dtype="float64")
    clusters = read_frame(paths["clusters"]).set_index("store_id")["cluster"].astype("int64")
    trains = table["trains"].to_numpy(dtype=bool)
    labels = np.searchsorted(np.sort(model.numbers), clusters[table.index].to_numpy())
    labels = (np.argsort(model.numbers)[labels] + 1).astype(np.int32)
    fitted = model.fitted._replace(labels=labels[trains])

    columns = list(read_frame(paths["report"])["feature"])
    new = pd.DataFrame(columns=columns, dtype="float64")
    if paths["new"] is not None:
        new = read_frame(paths["new"]).set_index("store_id").sort_index().reindex(columns=columns).astype("float64")
    new = new[new.notna().any(axis="columns")]
    if view == "internal":
        # A need state that a store does not sell has no column where no store to place sells it.
        new = new.fillna(0.0)
    features = FeatureModel(read_frame(paths["report"]), {name: getattr(args, f"{view}_{name}") for name in OPTIONS})
    found = features.points(new) if len(new) else np.empty((0, every.shape[1]))
    # A store that lies where a known one does is placed as that one, whatever the algorithm.
    nearest = nearest_of(found, every, np.ones((len(found), len(every)), dtype=bool), new.index, table.index)
    own = fitted.place(found) if len(found) else np.empty(0, dtype=np.int32)
    exact = np.array(
        [np.allclose(point, every[at], rtol=1e-12, atol=1e-12) for point, at in zip(found, nearest, strict=True)]
    )
    placed = np.where(exact, labels[nearest], own) if len(found) else own
    probabilities = tempered(found, every[trains], fitted) if len(found) else np.empty((0, len(model.numbers)))
    place = table.index.get_indexer(stores)
    return View(
        model.names, every[place], clusters[stores], trains[place], new, found,
        pd.Series(model.numbers[placed - 1], index=new.index, dtype="int64"),
        pd.DataFrame(probabilities, index=new.index, columns=model.numbers),
    )  # fmt: skip


def nearest_of(
    points: Matrix, known: Matrix, allowed: NDArray[np.bool_], names: pd.Index, known_names: pd.Index
) -> NDArray[np.int64]:
    """Of each point the nearest known one that is allowed, (n,); of equally near ones the store itself, then the first."""
    found = np.zeros(len(points), dtype=np.int64)
    for row, (point, name) in enumerate(zip(points, names, strict=True)):
        distances = np.where(allowed[row], ((known - point) ** 2).sum(axis=1), np.inf)
        found[row] = distances.argmin()
        itself = known_names.get_indexer(pd.Index([name]))[0]
        if itself >= 0 and distances[itself] <= distances[found[row]] + 1e-12:
            found[row] = itself
    return found


def thin(view: View) -> pd.Series:
    """Which stores to place know less than half of their features."""
    return view.new.notna().mean(axis="columns") < ENOUGH


def place(category: str, segments: pd.Series, views: dict[str, View], shares: tuple[float, float]) -> pd.DataFrame:
    """One row per store to place, by id, and why it is where it is. segments: of the known stores; shares: weights of the views."""
    internal, external = views["internal"], views["external"]
    few = thin(external)
    by_sales, by_place = internal.new.index, external.new.index[~few]
    parts = [
        by_both(segments, views, shares, by_sales.intersection(by_place)),
        by_one(segments, internal, by_sales.difference(by_place), "internal"),
        by_one(segments, external, by_place.difference(by_sales), "external"),
        by_likeness(segments, external, few.index[few].difference(by_sales)),
    ]
    table = pd.concat([part for part in parts if len(part)]) if any(map(len, parts)) else pd.DataFrame(columns=COLUMNS)
    table = table.assign(category=category).rename_axis("store_id").sort_index().reset_index()
    return table.reindex(columns=COLUMNS)


def by_both(segments: pd.Series, views: dict[str, View], shares: tuple[float, float], stores: pd.Index) -> pd.DataFrame:
    """Stores of which both views are known: as the nearest known store of the same two clusters."""
    if not len(stores):
        return pd.DataFrame(columns=COLUMNS)
    known, points, same = [], [], np.ones((len(stores), len(segments)), dtype=bool)
    for view, share in zip((views[name] for name in VIEWS), shares, strict=True):
        place = view.new.index.get_indexer(stores)
        both = weighted(
            np.vstack([view.points, view.found[place]]), np.append(view.trains, np.zeros(len(place), bool)), share
        )
        known.append(both[: len(segments)])
        points.append(both[len(segments) :])
        same &= view.placed[stores].to_numpy()[:, None] == view.clusters.to_numpy()[None, :]
    empty = ~same.any(axis=1)
    same[empty] = True
    like = nearest_of(np.hstack(points), np.hstack(known), same, stores, segments.index)
    clusters = (views["internal"].clusters, views["external"].clusters)
    probabilities = (views["internal"].probabilities.loc[stores], views["external"].probabilities.loc[stores])
    numbers, totals = segment_probabilities(segments, clusters, probabilities)
    own = segments.to_numpy()[like]
    return pd.DataFrame(
        {
            "segment": own,
            "confidence": totals[np.arange(len(stores)), np.searchsorted(numbers, own)],
            "internal_cluster": views["internal"].placed[stores],
            "external_cluster": views["external"].placed[stores],
            "like_store": segments.index[like],
            "reason": np.where(
                empty, "by sales and place: the most like store, for none has these two clusters",
                "by sales and place: as the most like store of the same two clusters",
            ),
        },
        index=stores,
    )  # fmt: skip


def by_one(segments: pd.Series, view: View, stores: pd.Index, name: str) -> pd.DataFrame:
    """Stores of which one view is known. By sales as the nearest store of the cluster, by place the cluster's commonest segment."""
    if not len(stores):
        return pd.DataFrame(columns=COLUMNS)
    numbers = np.unique(segments)
    went = pd.crosstab(view.clusters, segments).reindex(index=view.probabilities.columns, columns=numbers, fill_value=0)
    went = went.div(went.sum(axis="columns").clip(lower=1), axis="index")
    totals = view.probabilities.loc[stores].to_numpy() @ went.to_numpy()
    placed = view.placed[stores]
    facts: dict[str, Any] = {f"{name}_cluster": placed}
    if name == "internal":
        same = placed.to_numpy()[:, None] == view.clusters.to_numpy()[None, :]
        same[~same.any(axis=1)] = True
        like = nearest_of(view.found[view.new.index.get_indexer(stores)], view.points, same, stores, segments.index)
        own = segments.to_numpy()[like]
        facts |= {"like_store": segments.index[like], "reason": "by sales: as the most like store of the same cluster"}
    else:
        own = went.loc[placed].to_numpy().argmax(axis=1)
        own = numbers[own]
        facts["reason"] = "by place: the commonest segment of the same external cluster"
    confidence = totals[np.arange(len(stores)), np.searchsorted(numbers, own)]
    return pd.DataFrame({"segment": own, "confidence": confidence, **facts}, index=stores)


def by_likeness(segments: pd.Series, view: View, stores: pd.Index) -> pd.DataFrame:
    """Stores of which few external features are known: as the known store that is most like them in those.

    Their confidence is the share of the ten most like stores that have that segment.
    """
    rows = []
    for store in stores:
        at = view.new.index.get_loc(store)
        used = view.new.notna().iloc[at].reindex(view.columns, fill_value=False).to_numpy()
        distances = ((view.points[:, used] - view.found[at, used]) ** 2).sum(axis=1)
        order = np.argsort(distances, kind="stable")
        like, ten = order[0], segments.to_numpy()[order[:10]]
        rows.append(
            {
                "segment": segments.iloc[like],
                "confidence": float((ten == segments.iloc[like]).mean()),
                "like_store": segments.index[like],
                "reason": f"by {int(used.sum())} of {len(used)} external features: as the most like store",
            }
        )
    return pd.DataFrame(rows, index=stores)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, place, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    segments = read_frame(args.segments).set_index("store_id")["segment"].astype("int64")
    views = {view: view_of(args, view, segments.index) for view in VIEWS}
    if not len(views["internal"].new) and not len(views["external"].new):
        raise DataError(
            f"nothing is known of any store in {args.category}",
            solution="give sales of the category, or features that the external view knows",
        )
    placed = place(args.category, segments, views, view_shares(args.internal_weight, args.external_weight))
    write_text(placed.to_csv(index=False, lineterminator="\n"), args.placed)
    log.info("%d stores placed: %s", len(placed), placed["reason"].value_counts().sort_index().to_dict())


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
