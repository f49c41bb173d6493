"""Score every number of clusters for one view, choose one, and place every store.

The algorithm is fitted to the stores that train, for each k in range. Each k is scored by several rules, and the configured one
chooses among the k whose clusters are all large enough. k = 1, no structure, can be chosen where it is in range. Every store,
training or not, is then placed as the algorithm places it, and the view is clustered again from resampled stores, to say how
sure that is. Clusters are numbered by size, or as in the baseline where there is one.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storelib.configuration.own_settings import parse
from storelib.contracts.contract import outputs
from storelib.contracts.views import CLUSTERS, FEATURES, MEMBERSHIPS, SCORES, STABILITY
from storelib.errors import ConfigError, DataError
from storelib.method.algorithms import ALGORITHMS, KEEPING, STEPS, Algorithm, Fitted
from storelib.method.confidence import refit
from storelib.method.k_rules import RESAMPLING, RULES, choices_of, choose_k
from storelib.method.labels import known_labels, match_to_baseline
from storelib.method.models import cluster_model, digest_of
from storelib.method.one_cluster import one_cluster
from storelib.method.partitions import Labels, Matrix
from storelib.method.resampling import bootstrap, gap, prediction_strength
from storelib.method.scan import most_clusters, score_partitions
from storelib.names import SURE
from storelib.tables import read_frame, write_text

# Of a view without data: its stores are one cluster, whatever is asked for.
ONE_CLUSTER = Algorithm("kmeans", 1, 0)


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
    parser.add_argument("--memberships", type=Path, required=True, help="output: each store's share of each cluster")
    parser.add_argument("--stability", type=Path, required=True, help="output: one row per cluster")
    parser.add_argument("--model", type=Path, required=True, help="output: the clusters as they were fitted")
    parser.add_argument("--algorithm", choices=ALGORITHMS, required=True)
    parser.add_argument(
        "--least_stores",
        type=storelib.runtime.number(0),
        required=True,
        help="of constrained_kmeans: in a cluster; below 1 a share of those that train; 0 is off",
    )
    parser.add_argument(
        "--most_stores",
        type=storelib.runtime.number(0),
        required=True,
        help="of constrained_kmeans: in a cluster; below 1 a share of all; 0 is off",
    )
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
    parser.add_argument(
        "--refits", type=storelib.runtime.whole(2, 10_000), required=True, help="of the k that is chosen"
    )
    parser.add_argument("--n_init", type=storelib.runtime.whole(1, 10_000), required=True, help="random starts")
    parser.add_argument("--seed", type=storelib.runtime.seed, required=True)
    return parse(parser, argv)


def range_of_k(points: Matrix, smallest: int, largest: int) -> range:
    """The numbers of clusters to try: those asked for that the data allow.

    The indices need more points than clusters. Raises DataError where not even `smallest` clusters are possible.
    """
    distinct, allowed = len(np.unique(points, axis=0)), most_clusters(points)
    if smallest > largest:
        raise DataError(f"min_clusters {smallest} is above max_clusters {largest}", solution="swap them in params.yaml")
    if smallest > allowed:
        raise DataError(
            f"{smallest} clusters are asked for, but {len(points)} stores train, with {distinct} distinct points: "
            f"at most {allowed} are possible",
            solution="lower min_clusters, lower min_lines and outlier_share, or take this category out",
        )
    return range(smallest, min(largest, allowed) + 1)


def fit_all(points: Matrix, every: int, wanted: range, algorithm: Algorithm, log: logging.Logger) -> dict[int, Fitted]:
    """The clusters of each k, but for the k that the algorithm cannot part these stores into.

    points: of the stores that train; every: how many stores there are, which all must find room. Raises DataError where none is left.
    """
    stores = len(points)
    possible = [k for k in wanted if algorithm.allows(stores, every, k)]
    if not possible:
        raise DataError(
            f"{stores} stores that train, of {every}, cannot be parted into {wanted[0]} to {wanted[-1]} clusters of at least "
            f"{algorithm.least * stores:.4g} and at most {algorithm.most * every:.4g} stores each",
            solution="lower least_stores, raise most_stores, or widen min_clusters and max_clusters in params.yaml",
        )
    fits = {k: algorithm.fit(points, k) for k in possible}
    whole = {k: fitted for k, fitted in fits.items() if int(fitted.labels.max()) == k}
    if lost := sorted(set(wanted) - set(whole)):
        log.warning(
            "k = %s: %s gives fewer clusters, or none of the sizes allowed", ", ".join(map(str, lost)), algorithm.name
        )
    if not whole:
        raise DataError(
            f"{algorithm.name} gives no partition of {stores} stores into {wanted[0]} to {wanted[-1]} clusters",
            solution="lower min_clusters, or choose algorithm: kmeans, in params.yaml",
        )
    for k, fitted in whole.items():
        if not fitted.converged:
            log.warning("k = %d: the search was stopped after %d steps", k, STEPS)
    return whole


def add_resampling(
    scores: pd.DataFrame,
    points: Matrix,
    partitions: Mapping[int, Fitted],
    rules: set[str],
    *,
    resamples: int,
    algorithm: Algorithm,
) -> pd.DataFrame:
    """The scores with those of the rules asked for that cluster anew."""
    scores = scores.set_index("k")
    if "gap" in rules:
        inertias = {k: partition.inertia for k, partition in partitions.items()}
        gaps, errors = gap(points, inertias, resamples, algorithm)
        scores["gap"], scores["gap_error"] = pd.Series(gaps), pd.Series(errors)
    for k, partition in partitions.items():
        if "prediction_strength" in rules:
            scores.loc[k, "prediction_strength"] = prediction_strength(points, k, resamples, algorithm)
        if "stability" in rules:
            agreement, jaccards = bootstrap(points, partition.labels, resamples, algorithm)
            scores.loc[k, "bootstrap_ari"] = agreement
            scores.loc[k, "stability"] = jaccards.min()
    return scores.reset_index()


def place_stores(distances: Matrix, kept: Labels | None = None, most: int = 0) -> pd.DataFrame:
    """Each store's cluster and the runner-up, numbered from 1, how far both are, and the margin between them.

    distances: (n, k). A store is in the nearest cluster, the first of equals. kept: (n,), of stores whose cluster is
    settled, which need not be the nearest; 0 where it is open. most: the stores that a cluster has room for; of those whose cluster
    is open the nearest go first. The runner-up is the nearest of the other clusters; of one cluster alone there is none.
    """
    clusters = distances.argmin(axis=1) if kept is None else with_room(distances, kept, most)
    rows = np.arange(len(distances))
    own = distances[rows, clusters]
    placed = pd.DataFrame({"cluster": clusters + 1, "distance": own})
    if distances.shape[1] == 1:
        placed["runner_up"] = pd.Series(pd.NA, index=placed.index, dtype="Int32")
        return placed.assign(runner_up_distance=np.nan, margin=np.nan)
    others = distances.copy()
    others[rows, clusters] = np.inf
    runner_up = others.argmin(axis=1)
    placed["runner_up"] = pd.Series(runner_up + 1, dtype="Int32")
    placed["runner_up_distance"] = distances[rows, runner_up]
    return placed.assign(margin=margins(own, distances[rows, runner_up]))


def place_all(points: Matrix, trains: NDArray[np.bool_], fitted: Fitted, algorithm: Algorithm) -> pd.DataFrame:
    """Every store's place, as the algorithm has it: see `place_stores`. points: (n, d); trains: (n,)."""
    distances = fitted.distances(points)
    if algorithm.name not in KEEPING:
        return place_stores(distances)
    kept = np.zeros(len(points), dtype=np.int32)
    kept[trains] = fitted.labels
    return place_stores(distances, kept, int(algorithm.most * len(points) + 1e-9))


def margins(own: NDArray[np.float64], next_one: NDArray[np.float64]) -> NDArray[np.float64]:
    """(b - a) / max(a, b) of the distances a to the cluster and b to the runner-up, 0 where both are 0.

    The simplified silhouette of Hruschka, de Castro and Campello 2004.
    """
    larger = np.maximum(own, next_one)
    result: NDArray[np.float64] = (next_one - own) / np.where(larger > 0, larger, 1.0)
    return result


def with_room(distances: Matrix, kept: Labels, most: int) -> NDArray[np.int64]:
    """Clusters, from 0: as kept, and for the others the nearest one of fewer than `most` stores, the nearest store first.

    Stores at the same distance go in the order of the rows.
    """
    clusters = kept.astype(np.int64) - 1
    sizes = np.bincount(clusters[kept > 0], minlength=distances.shape[1])
    waiting = np.flatnonzero(kept == 0)
    for store in waiting[np.argsort(distances[waiting].min(axis=1), kind="stable")]:
        clusters[store] = np.where(sizes < most, distances[store], np.inf).argmin()
        sizes[clusters[store]] += 1
    return clusters


def sizes_allowed(args: argparse.Namespace, training: int, every: int) -> tuple[float, float]:
    """The least and the most stores of a cluster, as parts: of the stores that train, and of all. 0 and 1 are off."""
    least = args.least_stores if args.least_stores < 1 else args.least_stores / training
    most = args.most_stores if args.most_stores < 1 else args.most_stores / every
    if args.algorithm != "constrained_kmeans" and (least or most):
        raise ConfigError(
            f"least_stores {args.least_stores:g} and most_stores {args.most_stores:g} mean nothing to {args.algorithm}",
            solution="set both to 0, or algorithm: constrained_kmeans, in params.yaml",
        )
    return least, min(most, 1.0) or 1.0


def what_to_fit(args: argparse.Namespace, training: Matrix, every: int, log: logging.Logger) -> tuple[range, Algorithm]:
    """The numbers of clusters to try, and by which algorithm. training: points of the stores that train, of `every` store."""
    wanted = range_of_k(training, args.min_clusters, args.max_clusters)
    if wanted[-1] < args.max_clusters:
        log.warning("k is tried up to %d only: %d stores train", wanted[-1], len(training))
    return wanted, Algorithm(args.algorithm, args.n_init, args.seed, *sizes_allowed(args, len(training), every))


def main(argv: Sequence[str] | None = None) -> None:
    """Scan, choose, place, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    features = read_frame(args.features)
    points = FEATURES.others_of(features).to_numpy(dtype="float64")
    trains = features["trains"].to_numpy()
    has_data = points.shape[1] > 0
    # Without data all stores are at one point.
    points = points if has_data else np.zeros((len(features), 1))
    training = points[trains]
    wanted, algorithm = what_to_fit(args, training, len(points), log) if has_data else (range(1, 2), ONE_CLUSTER)
    fits = fit_all(training, len(points), wanted, algorithm, log)
    scores, widths = score_partitions(
        training, fits, coarsening=args.bic_coarsening, min_cluster_share=args.min_cluster_share
    )
    asked: set[str] = set() if not has_data else set(RESAMPLING) if args.all_rules else {args.rule}
    scores = add_resampling(scores, training, fits, asked, resamples=args.resamples, algorithm=algorithm)
    chosen = choose_k(scores, args.rule) if has_data else 1
    choices = choices_of(scores)
    scores["chosen_by"] = [" ".join(rule for rule, choice in choices.items() if choice == k) for k in scores["k"]]
    scores["chosen"] = scores["k"] == chosen

    fitted = fits[chosen]
    placed = place_all(points, trains, fitted, algorithm)
    again = refit(points, trains, placed["cluster"].to_numpy(), fitted, algorithm, args.refits)
    placed["membership"] = again.probabilities[np.arange(len(points)), placed["cluster"] - 1]
    placed["is_borderline"] = placed["membership"] < SURE
    placed["silhouette"] = np.nan
    if chosen in widths:
        placed.loc[trains, "silhouette"] = widths[chosen]
    label = "external_cluster" if args.view == "external" else "internal_cluster"
    baseline = known_labels(read_frame(args.baseline), label, args.view)
    numbers = match_to_baseline(placed["cluster"].set_axis(features["store_id"]), baseline)
    names = [numbers[k] for k in range(1, chosen + 1)]
    placed["cluster"] = placed["cluster"].map(numbers)
    placed["runner_up"] = placed["runner_up"].map(numbers).astype("Int32")
    placed.insert(0, "store_id", features["store_id"])
    placed = placed.assign(is_outlier=features["exclusion"] == "outlier", exclusion=features["exclusion"])
    with outputs() as write:
        write(placed[CLUSTERS.names], CLUSTERS, args.clusters)
        write(scores[SCORES.names], SCORES, args.k_scores)
        write(again.memberships(features["store_id"], names), MEMBERSHIPS, args.memberships)
        write(again.stability(fitted, names), STABILITY, args.stability)
        columns = list(FEATURES.others_of(features).columns)
        model = cluster_model(args.view, algorithm.name, fitted, names, columns, digest_of(args.features))
        write_text(model, write.temporary(args.model))
    if not has_data:
        log.info("no data of this view: all %d stores are one cluster", len(placed))
        return
    sizes = placed["cluster"].value_counts().sort_index().to_dict()
    log.info("k = %d by %s of k = %d..%d; stores per cluster: %s", chosen, args.rule, wanted[0], wanted[-1], sizes)
    log.info("choices: %s", ", ".join(f"{rule} {choice or 'none'}" for rule, choice in choices.items()))
    log.info("%d of %d stores are on a border", int(placed["is_borderline"].sum()), len(placed))
    if chosen == 1:
        log.warning("%s", one_cluster(choices))


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
