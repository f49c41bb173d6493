"""Score every number of clusters for one view, choose one, and place every store.

k-means is fitted to the stores that train, for each k in range. Each k is scored by several rules, and the configured one
chooses among the k whose clusters are all large enough. k = 1, no structure, can be chosen where it is in range. Every store,
training or not, then goes to its nearest centre. Clusters are numbered by size, or as in the baseline where there is one.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storelib.configuration.own_settings import parse
from storelib.contracts.contract import outputs
from storelib.contracts.views import CLUSTERS, FEATURES, SCORES
from storelib.errors import DataError
from storelib.method.indices import bic, calinski_harabasz, davies_bouldin, distinct_points, moments_of, principal_axes
from storelib.method.k_rules import RESAMPLING, RULES, choices_of, choose_k, consensus
from storelib.method.labels import known_labels, match_to_baseline
from storelib.method.partitions import Matrix, Partition, centres_of, distances_to, fit_partition, sizes_of
from storelib.method.resampling import bootstrap, gap, prediction_strength
from storelib.method.silhouette import silhouettes
from storelib.tables import read_frame


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument(
        "--view", type=storelib.runtime.view_key, required=True, help="key of the category, or external"
    )
    parser.add_argument("--features", type=Path, required=True, help="one point per store")
    parser.add_argument("--baseline", type=Path, required=True, help="earlier labels; header only where there are none")
    parser.add_argument("--clusters", type=Path, required=True, help="output: one row per store")
    parser.add_argument("--k_scores", type=Path, required=True, help="output: one row per k")
    parser.add_argument("--algorithm", choices=["kmeans"], required=True)
    parser.add_argument(
        "--min_clusters", type=storelib.runtime.whole(1), required=True, help="1: finding no structure is allowed"
    )
    parser.add_argument("--max_clusters", type=storelib.runtime.whole(1), required=True)
    parser.add_argument("--rule", choices=list(RULES), required=True)
    parser.add_argument("--all_rules", action="store_true", help="compute the rules that cost dozens of scans too")
    parser.add_argument(
        "--min_cluster_share",
        type=storelib.runtime.number(0, 1),
        required=True,
        help="of the stores that train; 0 is off",
    )
    parser.add_argument(
        "--bic_coarsening", type=storelib.runtime.number(0), required=True, help="in stores; 0 is plain BIC"
    )
    parser.add_argument(
        "--resamples",
        type=storelib.runtime.whole(2, 10_000),
        required=True,
        help="of gap, prediction_strength and stability",
    )
    parser.add_argument("--n_init", type=storelib.runtime.whole(1, 10_000), required=True, help="starts of k-means")
    parser.add_argument("--seed", type=storelib.runtime.seed, required=True)
    return parse(parser, argv)


def range_of_k(points: Matrix, smallest: int, largest: int) -> range:
    """The numbers of clusters to try: those asked for that the data allow.

    The indices need more points than clusters. Raises DataError where not even `smallest` clusters are possible.
    """
    distinct = len(np.unique(points, axis=0))
    allowed = min(distinct, max(len(points) - 1, 1))
    if smallest > largest:
        raise DataError(f"min_clusters {smallest} is above max_clusters {largest}", solution="swap them in params.yaml")
    if smallest > allowed:
        raise DataError(
            f"{smallest} clusters are asked for, but {len(points)} stores train, with {distinct} distinct points: "
            f"at most {allowed} are possible",
            solution="lower min_clusters, lower min_lines and outlier_share, or take this category out",
        )
    return range(smallest, min(largest, allowed) + 1)


def score_partitions(
    points: Matrix,
    partitions: dict[int, Partition],
    *,
    coarsening: float,
    min_cluster_share: float,
) -> tuple[pd.DataFrame, dict[int, NDArray[np.float64]]]:
    """One row per k, by the rules that need no more than the partitions, and the silhouettes of each k.

    points: (n_stores, n_features). Indices are missing for k = 1, of which they know nothing.
    """
    several = [k for k in partitions if k > 1]
    widths = dict(zip(several, silhouettes(points, [partitions[k].labels for k in several]), strict=True))
    axes, distinct = principal_axes(points), distinct_points(points)
    rows = []
    for k, (labels, inertia) in partitions.items():
        moments = moments_of(points, labels)
        smallest = int(sizes_of(labels).min())
        row = {
            "k": k,
            "bic": bic(axes, labels, "spherical", coarsening, distinct),
            "bic_tied": bic(axes, labels, "tied", coarsening, distinct),
            "inertia": inertia,
            "smallest": smallest,
            "eligible": k == 1 or smallest >= min_cluster_share * len(points),
        }
        if k > 1:
            row["silhouette"] = float(widths[k].mean())
            row["calinski_harabasz"] = calinski_harabasz(moments)
            row["davies_bouldin"] = davies_bouldin(moments)
        rows.append(row)
    scores = pd.DataFrame(rows).reindex(columns=[name for name in SCORES.names if name not in ("chosen", "chosen_by")])
    scores["consensus"] = consensus(scores)
    return scores, widths


def add_resampling(
    scores: pd.DataFrame,
    points: Matrix,
    partitions: dict[int, Partition],
    rules: set[str],
    *,
    resamples: int,
    n_init: int,
    seed: int,
) -> pd.DataFrame:
    """The scores with those of the rules asked for that cluster anew."""
    scores = scores.set_index("k")
    if "gap" in rules:
        inertias = {k: partition.inertia for k, partition in partitions.items()}
        gaps, errors = gap(points, inertias, resamples, n_init, seed)
        scores["gap"], scores["gap_error"] = pd.Series(gaps), pd.Series(errors)
    for k, partition in partitions.items():
        if "prediction_strength" in rules:
            scores.loc[k, "prediction_strength"] = prediction_strength(points, k, resamples, n_init, seed)
        if "stability" in rules:
            agreement, jaccards = bootstrap(points, partition.labels, resamples, n_init, seed)
            scores.loc[k, "bootstrap_ari"] = agreement
            scores.loc[k, "stability"] = jaccards.min()
    return scores.reset_index()


def place_stores(points: Matrix, centres: Matrix) -> pd.DataFrame:
    """Nearest and second nearest centre of each point (numbered from 1), with their distances.

    Of one centre alone there is no second: it is missing.
    """
    distances = distances_to(points, centres)
    order = np.argsort(distances, axis=1, kind="stable")
    rows = np.arange(len(points))
    placed = pd.DataFrame({"cluster": order[:, 0] + 1, "distance": distances[rows, order[:, 0]]})
    if len(centres) > 1:
        placed["runner_up"] = pd.Series(order[:, 1] + 1, dtype="Int32")
        placed["runner_up_distance"] = distances[rows, order[:, 1]]
    else:
        placed["runner_up"] = pd.Series(pd.NA, index=placed.index, dtype="Int32")
        placed["runner_up_distance"] = np.nan
    return placed


def main(argv: Sequence[str] | None = None) -> None:
    """Scan, choose, place, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    features = read_frame(args.features)
    points = FEATURES.others_of(features).to_numpy(dtype="float64")
    trains = features["trains"].to_numpy()
    training = points[trains]
    wanted = range_of_k(training, args.min_clusters, args.max_clusters)
    if wanted[-1] < args.max_clusters:
        log.warning("k is tried up to %d only: %d stores train", wanted[-1], len(training))
    partitions = {k: fit_partition(training, k, args.n_init, args.seed) for k in wanted}
    scores, widths = score_partitions(
        training, partitions, coarsening=args.bic_coarsening, min_cluster_share=args.min_cluster_share
    )
    scores = add_resampling(
        scores,
        training,
        partitions,
        set(RESAMPLING) if args.all_rules else {args.rule},
        resamples=args.resamples,
        n_init=args.n_init,
        seed=args.seed,
    )
    chosen = choose_k(scores, args.rule)
    choices = choices_of(scores)
    scores["chosen_by"] = [" ".join(rule for rule, choice in choices.items() if choice == k) for k in scores["k"]]
    scores["chosen"] = scores["k"] == chosen

    placed = place_stores(points, centres_of(training, partitions[chosen].labels))
    label = "external_cluster" if args.view == "external" else "internal_cluster"
    baseline = known_labels(read_frame(args.baseline), label, args.view)
    numbers = match_to_baseline(placed["cluster"].set_axis(features["store_id"]), baseline)
    placed["cluster"] = placed["cluster"].map(numbers)
    placed["runner_up"] = placed["runner_up"].map(numbers).astype("Int32")
    placed.insert(0, "store_id", features["store_id"])
    placed["silhouette"] = np.nan
    if chosen in widths:
        placed.loc[trains, "silhouette"] = widths[chosen]
    placed["is_outlier"] = features["exclusion"] == "outlier"
    placed["exclusion"] = features["exclusion"]
    with outputs() as write:
        write(placed[CLUSTERS.names], CLUSTERS, args.clusters)
        write(scores[SCORES.names], SCORES, args.k_scores)
    sizes = placed["cluster"].value_counts().sort_index().to_dict()
    log.info("k = %d by %s of k = %d..%d; stores per cluster: %s", chosen, args.rule, wanted[0], wanted[-1], sizes)
    log.info("choices: %s", ", ".join(f"{rule} {choice or 'none'}" for rule, choice in choices.items()))
    if chosen == 1:
        log.warning("no structure was found in this view: all its stores are one cluster")


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
