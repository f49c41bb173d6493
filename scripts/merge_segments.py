"""Cross one category's clusters with the external clusters, and dissolve the segments that are too small.

A segment under the minimum size is dissolved store by store: each of its stores goes to the nearest centre of the other
segments, in the joint space of both views' points. The smallest goes first and the centres are taken anew, until none is
too small. Every store keeps its two clusters; only its segment changes.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storelib.accounts.ledger import Entry, balanced
from storelib.configuration.own_settings import parse
from storelib.contracts.contract import outputs
from storelib.contracts.ledger import LEDGER
from storelib.contracts.segments import SEGMENTS
from storelib.contracts.views import FEATURES
from storelib.errors import DataError
from storelib.method.labels import canonical_labels, known_labels, match_to_baseline
from storelib.tables import read_frame

Matrix = NDArray[np.float64]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--category", type=storelib.runtime.view_key, required=True, help="key of the category")
    parser.add_argument("--internal_clusters", type=Path, required=True, help="this category's clusters")
    parser.add_argument("--internal_features", type=Path, required=True, help="this category's points")
    parser.add_argument("--external_clusters", type=Path, required=True, help="clusters by external data")
    parser.add_argument("--external_features", type=Path, required=True, help="points of external data")
    parser.add_argument("--store_sales", type=Path, required=True, help="lines and net sales of each store")
    parser.add_argument("--baseline", type=Path, required=True, help="earlier labels; header only where there are none")
    parser.add_argument("--segments", type=Path, required=True, help="output: one row per store")
    parser.add_argument("--ledger", type=Path, required=True, help="output: stores and sales that were segmented")
    parser.add_argument("--min_cluster_size", type=storelib.runtime.whole(1), required=True)
    parser.add_argument("--internal_weight", type=storelib.runtime.number(0, 1_000_000, above=True), required=True)
    parser.add_argument("--external_weight", type=storelib.runtime.number(0, 1_000_000, above=True), required=True)
    return parse(parser, argv)


def weighted(points: Matrix, trains: NDArray[np.bool_], weight: float) -> Matrix:
    """Points in units in which the stores that train have the total variance weight squared.

    So the number and units of a view's features do not decide how much it counts beside the other view.
    """
    total = float(points[trains].var(axis=0).sum())
    return points * (weight / np.sqrt(total) if total > 0 else weight)


def dissolve_small(
    segments: NDArray[np.int32], points: Matrix, trains: NDArray[np.bool_], smallest: int
) -> NDArray[np.int32]:
    """Segments of at least `smallest` stores (or one segment of all), by the labels of those that survive.

    segments: (n_stores,) labels; points: (n_stores, n_features); trains: which stores make a segment's centre, all of its
    stores where none does. Of segments of one size the one with the lower label goes first.
    """
    result = segments.copy()
    while True:
        labels, sizes = np.unique(result, return_counts=True)
        if len(labels) == 1 or sizes.min() >= smallest:
            return result
        target = labels[int(sizes.argmin())]
        others = labels[labels != target]
        centres = np.vstack([centre_of(points, result == label, trains) for label in others])
        stores = np.flatnonzero(result == target)
        distances = ((points[stores, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
        result[stores] = others[distances.argmin(axis=1)]


def centre_of(points: Matrix, members: NDArray[np.bool_], trains: NDArray[np.bool_]) -> Matrix:
    """Mean of the members that train, or of all members where none does."""
    used = members & trains
    centre: Matrix = points[used if used.any() else members].mean(axis=0)
    return centre


def flags_of(internal: pd.Series, external: pd.Series) -> pd.Series:
    """Both views' reasons for not training, such as `internal:thin external:outlier`."""
    parts = [
        side.where(side == "", prefix + side) for prefix, side in (("internal:", internal), ("external:", external))
    ]
    return (parts[0] + " " + parts[1]).str.strip()


def by_store(path: Path, stores: pd.Index, what: str) -> pd.DataFrame:
    """A table's rows for the given stores. Raises DataError where one is missing."""
    table = read_frame(path).set_index("store_id")
    missing = stores.difference(table.index)
    if len(missing):
        raise DataError(
            f"{path}: {len(missing)} stores have no {what}, such as {missing[0]!r}",
            solution="run the earlier stages again",
        )
    return table.loc[stores]


def main(argv: Sequence[str] | None = None) -> None:
    """Cross, dissolve, number, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    history = read_frame(args.store_sales).set_index("store_id")
    stores = history.index
    internal = by_store(args.internal_clusters, stores, "internal cluster")
    external = by_store(args.external_clusters, stores, "external cluster")
    internal_features = by_store(args.internal_features, stores, "internal features")
    external_features = by_store(args.external_features, stores, "external features")
    trains = (internal_features["trains"] & external_features["trains"]).to_numpy()
    blocks = [
        weighted(FEATURES.others_of(table).to_numpy(dtype="float64"), table["trains"].to_numpy(), weight)
        for table, weight in ((internal_features, args.internal_weight), (external_features, args.external_weight))
    ]
    points = np.hstack(blocks)

    crossed = internal["cluster"].astype(str) + "x" + external["cluster"].astype(str)
    merged = canonical_labels(pd.factorize(crossed, sort=True)[0], points)
    surviving = dissolve_small(merged, points, trains, args.min_cluster_size)
    baseline = known_labels(read_frame(args.baseline), "segment", args.category)
    segment = pd.Series(canonical_labels(surviving, points), index=stores)
    segment = segment.map(match_to_baseline(segment, baseline))

    result = pd.DataFrame(
        {
            "category": args.category,
            "store_id": stores,
            "internal_cluster": internal["cluster"].to_numpy(),
            "external_cluster": external["cluster"].to_numpy(),
            "merged_cluster": crossed.to_numpy(),
            "segment": segment.to_numpy(),
            "is_outlier": (internal["is_outlier"] | external["is_outlier"]).to_numpy(),
            "flags": flags_of(internal["exclusion"], external["exclusion"]).to_numpy(),
        }
    )
    with outputs() as write:
        write(result, SEGMENTS, args.segments)
        write(balanced(ledger_entries(args.category, history, result, surviving != merged)), LEDGER, args.ledger)
    sizes = result["segment"].value_counts().sort_index().to_dict()
    log.info("%d crossed segments, %d after small ones: %s", len(np.unique(merged)), len(sizes), sizes)
    if min(sizes.values()) < args.min_cluster_size:
        log.warning("all %d stores together are fewer than min_cluster_size %d", len(stores), args.min_cluster_size)


def ledger_entries(
    category: str, history: pd.DataFrame, segments: pd.DataFrame, moved: NDArray[np.bool_]
) -> list[Entry]:
    """Every store in, every store out, and notes on those that were flagged or moved."""
    stage = "merge_segments"

    def entry(flow: str, reason: str, stores: pd.Index) -> Entry:
        part = history.loc[stores]
        return Entry(stage, category, flow, reason, len(part), int(part["lines"].sum()), sum(part["sales"], Decimal(0)))

    every = pd.Index(segments["store_id"])
    entries = [entry("in", "", history.index), entry("out", "", every), entry("noted", "small_segment", every[moved])]
    flags = segments.set_index("store_id")["flags"]
    reasons = flags.str.split().explode().dropna()
    entries += [entry("noted", reason, reasons.index[reasons == reason]) for reason in sorted(set(reasons))]
    return [e for e in entries if e.stores or e.flow != "noted"]


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
