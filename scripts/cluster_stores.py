"""Score every number of clusters for one view, choose one, and place every store.

k-means is fitted to the stores that train, for each k in range. Each k is scored by silhouette, Calinski-Harabasz and
Davies-Bouldin, and the configured rule chooses. Every store, training or not, then goes to its nearest centre. Clusters
are numbered by size, or as in the baseline where there is one.
"""

import lib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from lib.errors import DataError
from lib.labels import canonical_labels, known_labels, match_to_baseline
from lib.tables import read_frame, write_frame

Matrix = NDArray[np.float64]
Labels = NDArray[np.int32]
# +1: more is better.
INDICES = {"silhouette": 1, "calinski_harabasz": 1, "davies_bouldin": -1}
SCORES = pa.schema(
    [
        ("k", pa.int32()),
        *((index, pa.float64()) for index in INDICES),
        ("consensus", pa.float64()),
        ("inertia", pa.float64()),
        ("smallest", pa.int32()),
        ("chosen", pa.bool_()),
    ]
)
CLUSTERS = pa.schema(
    [
        ("store_id", pa.string()),
        ("cluster", pa.int32()),
        ("distance", pa.float64()),
        ("runner_up", pa.int32()),
        ("runner_up_distance", pa.float64()),
        ("is_outlier", pa.bool_()),
        ("exclusion", pa.string()),
    ]
)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = lib.runtime.stage_parser(__doc__)
    parser.add_argument("--view", type=lib.runtime.view_key, required=True, help="key of the category, or external")
    parser.add_argument("--features", type=Path, required=True, help="one point per store")
    parser.add_argument("--baseline", type=Path, required=True, help="earlier labels; header only where there are none")
    parser.add_argument("--clusters", type=Path, required=True, help="output: one row per store")
    parser.add_argument("--k_scores", type=Path, required=True, help="output: one row per k")
    parser.add_argument("--algorithm", choices=["kmeans"], required=True)
    parser.add_argument("--min_clusters", type=int, required=True)
    parser.add_argument("--max_clusters", type=int, required=True)
    parser.add_argument("--rule", choices=[*INDICES, "consensus"], required=True)
    parser.add_argument("--n_init", type=int, required=True, help="starts of k-means")
    parser.add_argument("--seed", type=int, required=True)
    return parser.parse_args(argv)


def range_of_k(points: Matrix, smallest: int, largest: int) -> range:
    """The numbers of clusters to try: those asked for that the data allow.

    The indices need more points than clusters. Raises DataError where not even `smallest` clusters are possible.
    """
    distinct = len(np.unique(points, axis=0))
    allowed = min(distinct, len(points) - 1)
    if smallest > largest:
        raise DataError(f"min_clusters {smallest} is above max_clusters {largest}", solution="swap them in params.yaml")
    if smallest > allowed:
        raise DataError(
            f"{smallest} clusters are asked for, but {len(points)} stores train, with {distinct} distinct points: "
            f"at most {max(allowed, 0)} are possible",
            solution="lower min_clusters, lower min_lines and outlier_share, or take this category out",
        )
    return range(smallest, min(largest, allowed) + 1)


def fit_partition(points: Matrix, k: int, n_init: int, seed: int) -> tuple[Labels, float]:
    """Labels 1..k in canonical order, and inertia (sum of squared distances to the centres) of Lloyd's k-means."""
    model = KMeans(n_clusters=k, n_init=n_init, random_state=seed, algorithm="lloyd", tol=0.0, max_iter=1000).fit(
        points
    )
    return canonical_labels(model.labels_, points), float(model.inertia_)


def score_partitions(points: Matrix, partitions: dict[int, Labels], inertias: dict[int, float]) -> pd.DataFrame:
    """One row per k: the three indices, their consensus, inertia and the size of the smallest cluster.

    Source: Rousseeuw 1987; Calinski and Harabasz 1974; Davies and Bouldin 1979. The consensus is the mean of the
    indices, each scaled to 0..1 over the k tried, with more meaning better; an index that is equal for all k counts 0.
    """
    scores = pd.DataFrame(
        [
            {
                "k": k,
                "silhouette": silhouette_score(points, labels),
                "calinski_harabasz": calinski_harabasz_score(points, labels),
                "davies_bouldin": davies_bouldin_score(points, labels),
                "inertia": inertias[k],
                "smallest": int(np.bincount(labels)[1:].min()),
            }
            for k, labels in partitions.items()
        ]
    )
    signed = scores[list(INDICES)] * pd.Series(INDICES)
    spread = signed.max() - signed.min()
    scores["consensus"] = ((signed - signed.min()) / spread.where(spread > 0, np.inf)).mean(axis="columns")
    return scores


def choose_k(scores: pd.DataFrame, rule: str) -> int:
    """The k that the rule likes best; the smallest of several that are equally good.

    scores: one row per k, finite in the rule's column. Raises DataError where it is not.
    """
    values = scores[rule] * INDICES.get(rule, 1)
    if not np.isfinite(values).all():
        broken = scores.loc[~np.isfinite(values), "k"].tolist()
        raise DataError(
            f"{rule} cannot be computed for k = {broken}", solution="choose another rule, or other features"
        )
    return int(scores["k"].iloc[int(values.to_numpy().argmax())])


def centres_of(points: Matrix, labels: Labels) -> Matrix:
    """Means of the clusters 1..k: (k, n_features)."""
    return np.vstack([points[labels == label].mean(axis=0) for label in range(1, int(labels.max()) + 1)])


def distances_to(points: Matrix, centres: Matrix) -> Matrix:
    """Euclidean distances (n_stores, k), computed without BLAS so that each is exact in its own right."""
    return np.sqrt(np.stack([((points - centre) ** 2).sum(axis=1) for centre in centres], axis=1))


def place_stores(points: Matrix, centres: Matrix) -> pd.DataFrame:
    """Nearest and second nearest centre of each point (numbered from 1), with their distances."""
    distances = distances_to(points, centres)
    nearest, second = np.argsort(distances, axis=1, kind="stable")[:, :2].T
    rows = np.arange(len(points))
    return pd.DataFrame(
        {
            "cluster": nearest + 1,
            "distance": distances[rows, nearest],
            "runner_up": second + 1,
            "runner_up_distance": distances[rows, second],
        }
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Scan, choose, place, write."""
    args = parse_args(argv)
    log = lib.runtime.start_log(args.log)
    features = read_frame(args.features)
    points = features.iloc[:, 3:].to_numpy(dtype="float64")
    training = points[features["trains"].to_numpy()]
    wanted = range_of_k(training, args.min_clusters, args.max_clusters)
    if wanted[-1] < args.max_clusters:
        log.warning("k is tried up to %d only: %d stores train", wanted[-1], len(training))
    fits = {k: fit_partition(training, k, args.n_init, args.seed) for k in wanted}
    partitions = {k: labels for k, (labels, _) in fits.items()}
    scores = score_partitions(training, partitions, {k: inertia for k, (_, inertia) in fits.items()})
    chosen = choose_k(scores, args.rule)

    placed = place_stores(points, centres_of(training, partitions[chosen]))
    label = "external_cluster" if args.view == "external" else "internal_cluster"
    baseline = known_labels(read_frame(args.baseline), label, args.view)
    numbers = match_to_baseline(placed["cluster"].set_axis(features["store_id"]), baseline)
    placed["cluster"] = placed["cluster"].map(numbers)
    placed["runner_up"] = placed["runner_up"].map(numbers)
    placed.insert(0, "store_id", features["store_id"])
    placed["is_outlier"] = features["exclusion"] == "outlier"
    placed["exclusion"] = features["exclusion"]
    write_frame(placed, CLUSTERS, args.clusters)
    write_frame(scores.assign(chosen=scores["k"] == chosen)[SCORES.names], SCORES, args.k_scores)
    sizes = placed["cluster"].value_counts().sort_index().to_dict()
    log.info("k = %d by %s of k = %d..%d; stores per cluster: %s", chosen, args.rule, wanted[0], wanted[-1], sizes)


if __name__ == "__main__":
    lib.runtime.run_stage(main)
