"""Cluster planted worlds by every algorithm, and count how many of the stores that are called sure are in their planted segment.

For each view of each world, on the features and by the rule of params.yaml: the k that is found, its agreement with the truth and
that of the same algorithm told the planted k; and by the membership that a store is given, how many stores there are and how many
are right. A store is right where the cluster it is in is the one that its planted segment is paired with, by the optimal
assignment of shared stores. Other algorithms than k-means are for the worlds of at most --stores stores, with three starts.

usage: python benchmarks/planted_worlds/confide.py tuning|final [--processes 2] [--stores 1000] [--worlds 3]

writes benchmarks/planted_worlds/<purpose>_confidence.csv: one row per world, view, algorithm and tenth of membership.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(Path(__file__).parent)]

import storelib.runtime  # isort: skip  # noqa: F401 (pins threads before numpy is loaded)

import argparse
import multiprocessing
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from recover import options_of
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score
from worlds import View, World, load_worlds, make

from cluster_stores import place_all
from storelib.configuration.params import BuildFeatures, ClusterStores, load_params
from storelib.errors import PipelineError
from storelib.method.algorithms import ALGORITHMS, Algorithm
from storelib.method.confidence import refit
from storelib.method.features import fit_features
from storelib.method.k_rules import choose_k
from storelib.method.scan import score_partitions

# Lower ends of the classes of membership.
CLASSES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
# So much of a world is in the smallest cluster allowed, and so much in the largest: planted segments may be uneven.
LEAST, MOST = 0.02, 0.9


def right_stores(placed: NDArray[np.integer], truth: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Whose cluster is the one that its planted segment is paired with. placed: from 1; truth: from 0."""
    table = np.zeros((int(placed.max()), int(truth.max()) + 1))
    np.add.at(table, (placed - 1, truth), 1)
    rows, columns = linear_sum_assignment(table, maximize=True)
    pair = np.full(len(table), -1)
    pair[rows] = columns
    right: NDArray[np.bool_] = pair[placed - 1] == truth
    return right


def confide(view: View, features: BuildFeatures, clustering: ClusterStores, name: str) -> list[dict[str, object]]:
    """One row per class of membership of one view, by one algorithm."""
    trains = pd.notna(view.table).any(axis="columns").to_numpy()
    found = fit_features(view.table, trains, options_of(features), view.lines)
    trains = trains & ~found.outliers
    training = found.points[trains]
    starts = clustering.n_init if name == "kmeans" else 3
    limits = (LEAST, MOST) if name == "constrained_kmeans" else (0.0, 1.0)
    algorithm = Algorithm(name, starts, clustering.seed, *limits)
    planted = int(view.truth.max()) + 1
    fits = {k: algorithm.fit(training, k) for k in range(1, clustering.max_clusters + 1)}
    fits = {k: fitted for k, fitted in fits.items() if int(fitted.labels.max()) == k}
    scores, _ = score_partitions(
        training, fits, coarsening=clustering.bic_coarsening, min_cluster_share=clustering.min_cluster_share
    )
    k = choose_k(scores, clustering.rule)
    placed = place_all(found.points, trains, fits[k], algorithm)["cluster"].to_numpy()
    refits = refit(found.points, trains, placed, fits[k], algorithm, clustering.refits)
    sure = refits.probabilities[np.arange(len(placed)), placed - 1]
    right = right_stores(placed, view.truth)
    oracle = None
    if planted in fits:
        told = place_all(found.points, trains, fits[planted], algorithm)["cluster"]
        oracle = round(adjusted_rand_score(view.truth, told), 4)
    facts = {
        "algorithm": name, "planted": planted, "found": k, "ari": round(adjusted_rand_score(view.truth, placed), 4),
        "oracle_ari": oracle,
    }  # fmt: skip
    classes = np.searchsorted(CLASSES, sure, side="right") - 1
    return [
        facts | {"membership": CLASSES[c], "stores": int((classes == c).sum()), "right": int(right[classes == c].sum())}
        for c in sorted(set(classes.tolist()))
    ]


def rows_of(world: World, *, most: int) -> list[dict[str, object]]:
    """Both views of one world, by every algorithm that it is not too large for."""
    params = load_params(ROOT / "params.yaml")
    rows: list[dict[str, object]] = []
    for name, view in make(world).items():
        block = params.internal if name == "internal" else params.external
        for algorithm in ALGORITHMS if world.stores <= most else ALGORITHMS[:1]:
            try:
                found = confide(view, block.build_features, block.cluster_stores, algorithm)
            except PipelineError as error:
                # An error with keyword arguments does not survive the way between processes.
                raise RuntimeError(f"{world.name}: {error}") from None
            rows += [{"world": world.name, "view": name} | row for row in found]
    return rows


def main() -> None:
    """Cluster, with progress on stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("purpose", choices=["tuning", "final"])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--stores", type=int, default=1000, help="of the worlds that every algorithm clusters, at most")
    parser.add_argument("--worlds", type=int, help="only the first so many, to standard output")
    args = parser.parse_args()
    worlds = load_worlds(args.purpose)[: args.worlds]
    rows: list[dict[str, object]] = []
    with multiprocessing.Pool(args.processes) as pool:
        for done, found in enumerate(pool.imap(partial(rows_of, most=args.stores), worlds), start=1):
            rows += found
            print(f"{done} of {len(worlds)} worlds", file=sys.stderr)
    target = sys.stdout if args.worlds else Path(__file__).parent / f"{args.purpose}_confidence.csv"
    pd.DataFrame(rows).to_csv(target, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
