"""Make one category's segments of both views, dissolve those that are too small, and merge those that are too many.

Segments are what sells crossed with where stores are, clusters of one view within those of the other, or clusters of the
joint space of both views' points. A segment under the minimum size is dissolved store by store: each of its stores goes to
the nearest centre of the other segments. The smallest goes first and the centres are taken anew, until none is too small.
Then the two segments that are nearest by Ward's criterion are made one, until there are no more than wanted. Every store
keeps its two clusters; only its segment changes. How much of the variance each number of segments explains is written too.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storelib.accounts.ledger import Entry, balanced
from storelib.configuration.own_settings import parse
from storelib.configuration.weights import least_stores, view_shares
from storelib.contracts.contract import outputs
from storelib.contracts.ledger import LEDGER
from storelib.contracts.segments import EXPLAINED, SEGMENTS
from storelib.contracts.views import FEATURES
from storelib.errors import DataError
from storelib.method.joint import Labels, Matrix, Merge, dissolve_small, explained, merged, merges, weighted
from storelib.method.labels import canonical_labels, known_labels, match_to_baseline
from storelib.method.segment_confidence import probabilities_of, sureness
from storelib.tables import read_frame

METHODS = ("cross", "nested", "joint")
VIEWS = ("internal", "external")
# Rules that choose k without clustering dozens of times more.
RULES = ("silhouette", "calinski_harabasz", "davies_bouldin", "consensus", "bic", "bic_tied")
# A minimum size that dissolves more than this share of a category's stores is told.
MANY = Fraction(1, 4)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--category", type=storelib.runtime.view_key, required=True, help="key of the category")
    parser.add_argument("--internal_clusters", type=Path, required=True, help="this category's clusters")
    parser.add_argument("--internal_features", type=Path, required=True, help="this category's points")
    parser.add_argument("--external_clusters", type=Path, required=True, help="clusters by external data")
    parser.add_argument("--external_features", type=Path, required=True, help="points of external data")
    parser.add_argument(
        "--internal_memberships", type=Path, required=True, help="how sure this category's clusters are"
    )
    parser.add_argument("--external_memberships", type=Path, required=True, help="how sure external clusters are")
    parser.add_argument("--store_sales", type=Path, required=True, help="lines and net sales of each store")
    parser.add_argument("--baseline", type=Path, required=True, help="earlier labels; header only where there are none")
    parser.add_argument("--segments", type=Path, required=True, help="output: one row per store")
    parser.add_argument("--ledger", type=Path, required=True, help="output: stores and sales that were segmented")
    parser.add_argument("--explained", type=Path, required=True, help="output: one row per number of segments")
    parser.add_argument("--method", choices=METHODS, required=True, help="how segments are made of both views")
    parser.add_argument("--inner_view", choices=VIEWS, required=True, help="nested: found within the other's clusters")
    parser.add_argument("--rule", choices=RULES, required=True, help="nested and joint: what chooses k")
    parser.add_argument(
        "--max_clusters", type=storelib.runtime.whole(1), required=True, help="the largest k tried there"
    )
    parser.add_argument("--bic_coarsening", type=storelib.runtime.number(0), required=True, help="as of cluster_stores")
    parser.add_argument("--n_init", type=storelib.runtime.whole(1, 10_000), required=True, help="starts of k-means")
    parser.add_argument("--seed", type=storelib.runtime.seed, required=True)
    parser.add_argument(
        "--min_cluster_size",
        type=size,
        required=True,
        help="stores of a segment; below 1: share of the category's stores",
    )
    parser.add_argument("--max_segments", type=storelib.runtime.whole(0), required=True, help="0 is off")
    weight = storelib.runtime.number(0, 100, above=True)
    parser.add_argument("--internal_weight", type=weight, required=True, help="of what sells, in per cent")
    parser.add_argument("--external_weight", type=weight, required=True, help="of external data, in per cent")
    args = parse(parser, argv)
    try:
        args.shares = view_shares(args.internal_weight, args.external_weight)
    except ValueError as error:
        parser.error(str(error))
    return args


def size(text: str) -> Fraction:
    """A flag's type: a whole number of stores, or a share above 0 and below 1."""
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        value = Fraction(0)
    if value <= 0 or (value >= 1 and value.denominator != 1):
        raise argparse.ArgumentTypeError(
            f"a whole number of at least 1, or a share above 0 and below 1 is expected, not {text!r}"
        )
    return value


def first_segments(
    args: argparse.Namespace, clusters: dict[str, pd.Series], features: dict[str, pd.DataFrame], points: Matrix
) -> Labels:
    """The segments before small ones are dissolved, in canonical order, by the method of `--method`.

    clusters, features: of both views, by store in one order; points: the joint space.
    """
    if args.method == "cross":
        names = clusters["internal"].astype(str) + "x" + clusters["external"].astype(str)
        return canonical_labels(pd.factorize(names, sort=True)[0], points)
    # An import that is spared where nothing is clustered here.
    from storelib.method.scan import clusters_by_rule

    options = {name: getattr(args, name) for name in ("rule", "max_clusters", "bic_coarsening", "n_init", "seed")}
    if args.method == "joint":
        trains = np.logical_and(*(features[view]["trains"].to_numpy() for view in VIEWS))
        return canonical_labels(clusters_by_rule(points, trains, **options), points)
    outer = clusters[next(view for view in VIEWS if view != args.inner_view)].to_numpy()
    inner = features[args.inner_view]
    own, trains = FEATURES.others_of(inner).to_numpy(dtype="float64"), inner["trains"].to_numpy()
    found = np.zeros(len(outer), dtype=np.int64)
    for cluster in np.unique(outer):
        members = outer == cluster
        found[members] = found.max() + clusters_by_rule(own[members], trains[members], **options)
    return canonical_labels(found, points)


def explained_table(
    category: str, first: tuple[int, float], surviving: tuple[int, float], steps: Sequence[Merge], chosen: int
) -> pd.DataFrame:
    """One row per number of segments: those of both views, those that are large enough, and Ward's way to one.

    first, surviving: how many segments, and the share of variance that they explain. chosen: how many there are at last.
    """
    rows = [(surviving[0] - n, step.explained, "merged") for n, step in enumerate(steps, 1)][::-1]
    rows += [(*surviving, "dissolved")] if surviving[0] < first[0] else []
    table = pd.DataFrame([*rows, (*first, "views")], columns=["segments", "explained", "step"])
    return table.assign(category=category, chosen=table["segments"] == chosen)[EXPLAINED.names]


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
    features = {"internal": internal_features, "external": external_features}
    clusters = {"internal": internal["cluster"], "external": external["cluster"]}
    trains = (internal_features["trains"] & external_features["trains"]).to_numpy()
    blocks = [
        weighted(FEATURES.others_of(table).to_numpy(dtype="float64"), table["trains"].to_numpy(), share)
        for table, share in zip(features.values(), args.shares, strict=True)
    ]
    points = np.hstack(blocks)

    first = first_segments(args, clusters, features, points)
    smallest = least_stores(args.min_cluster_size, len(stores))
    surviving = dissolve_small(first, points, trains, smallest)
    steps = merges(surviving, points, trains)
    count = len(steps) + 1
    wanted = min(args.max_segments or count, count)
    last = merged(surviving, steps[: count - wanted])
    baseline = known_labels(read_frame(args.baseline), "segment", args.category)
    segment = pd.Series(canonical_labels(last, points), index=stores)
    segment = segment.map(match_to_baseline(segment, baseline))

    found = sureness(
        segment,
        (clusters["internal"], clusters["external"]),
        (
            probabilities_of(
                read_frame(args.internal_memberships), clusters["internal"], str(args.internal_memberships)
            ),
            probabilities_of(
                read_frame(args.external_memberships), clusters["external"], str(args.external_memberships)
            ),
        ),
    )
    result = pd.DataFrame(
        {
            "category": args.category,
            "store_id": stores,
            "internal_cluster": internal["cluster"].to_numpy(),
            "external_cluster": external["cluster"].to_numpy(),
            "merged_cluster": (internal["cluster"].astype(str) + "x" + external["cluster"].astype(str)).to_numpy(),
            "segment": segment.to_numpy(),
            "is_outlier": (internal["is_outlier"] | external["is_outlier"]).to_numpy(),
            "flags": flags_of(internal["exclusion"], external["exclusion"]).to_numpy(),
            "confidence": found.confidence,
            "runner_up_segment": pd.Series(found.runner_up, dtype="Int32").replace(0, pd.NA),
            "is_borderline": found.is_borderline,
        }
    )
    at_first = len(np.unique(first))
    shares = explained_table(
        args.category,
        (at_first, explained(first, points, trains)),
        (count, explained(surviving, points, trains)),
        steps,
        wanted,
    )
    moved = {"small_segment": surviving != first, "merged_segment": last != surviving}
    with outputs() as write:
        write(result, SEGMENTS, args.segments)
        write(shares, EXPLAINED, args.explained)
        write(balanced(ledger_entries(args.category, history, result, moved)), LEDGER, args.ledger)
    sizes = result["segment"].value_counts().sort_index().to_dict()
    log.info(
        "%d segments of both views (%s), %d after small ones, %d in the end: %s",
        at_first,
        args.method,
        count,
        wanted,
        sizes,
    )
    log.info("%d of %d stores are on a border between segments", int(found.is_borderline.sum()), len(stores))
    log.info(
        "they explain %.1f %% of the variance of both views",
        100 * float(shares.loc[shares["chosen"], "explained"].iloc[0]),
    )
    if min(sizes.values()) < smallest:
        log.warning(
            "all %d stores together are fewer than min_cluster_size %s",
            len(stores),
            told_size(args.min_cluster_size, smallest),
        )
    dissolved = int(moved["small_segment"].sum())
    if dissolved > MANY * len(stores):
        log.warning(
            "min_cluster_size %s dissolves the segments of %d of %d stores: a smaller one, or a share such as 0.02, leaves more",
            told_size(args.min_cluster_size, smallest), dissolved, len(stores),
        )  # fmt: skip


def told_size(asked: Fraction, smallest: int) -> str:
    """The minimum size as it was asked for: `20`, or `0.02 (3 stores)`."""
    return f"{float(asked):g} ({smallest} stores)" if asked < 1 else str(smallest)


def ledger_entries(
    category: str, history: pd.DataFrame, segments: pd.DataFrame, moved: dict[str, NDArray[np.bool_]]
) -> list[Entry]:
    """Every store in, every store out, and notes on those that were flagged or moved. moved: by reason."""
    stage = "merge_segments"

    def entry(flow: str, reason: str, stores: pd.Index) -> Entry:
        part = history.loc[stores]
        return Entry(stage, category, flow, reason, len(part), int(part["lines"].sum()), sum(part["sales"], Decimal(0)))

    every = pd.Index(segments["store_id"])
    entries = [entry("in", "", history.index), entry("out", "", every)]
    entries += [entry("noted", reason, every[which]) for reason, which in moved.items()]
    flags = segments.set_index("store_id")["flags"]
    reasons = flags.str.split().explode().dropna()
    entries += [entry("noted", reason, reasons.index[reasons == reason]) for reason in sorted(set(reasons))]
    return [e for e in entries if e.stores or e.flow != "noted"]


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
