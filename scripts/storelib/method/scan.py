"""The scan of k: what each number of clusters is worth, and the clusters of the one that a rule chooses."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storelib.contracts.views import SCORES
from storelib.method.algorithms import Fitted, kmeans
from storelib.method.indices import bic, calinski_harabasz, davies_bouldin, distinct_points, moments_of, principal_axes
from storelib.method.k_rules import choose_k, consensus
from storelib.method.partitions import Labels, Matrix, sizes_of
from storelib.method.silhouette import silhouettes


def most_clusters(points: Matrix) -> int:
    """The largest number of clusters that the indices can judge: they need more points than clusters. points: (n, d)."""
    return min(len(np.unique(points, axis=0)), max(len(points) - 1, 1))


def score_partitions(
    points: Matrix,
    partitions: Mapping[int, Fitted],
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
    for k, partition in partitions.items():
        labels = partition.labels
        moments = moments_of(points, labels)
        smallest = int(sizes_of(labels).min())
        row = {
            "k": k,
            "bic": bic(axes, labels, "spherical", coarsening, distinct),
            "bic_tied": bic(axes, labels, "tied", coarsening, distinct),
            "inertia": partition.inertia,
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


def clusters_by_rule(
    points: Matrix,
    trains: NDArray[np.bool_],
    *,
    rule: str,
    max_clusters: int,
    bic_coarsening: float,
    n_init: int,
    seed: int,
) -> Labels:
    """The cluster of each store, from 1: all k from 1 to `max_clusters` that the data allow are scored, and the rule chooses.

    points: (n_stores, n_features); trains: the stores that the centres are of. Where none trains, or there is no feature, all
    are one cluster.
    rule: one that needs no resampling.
    """
    training = points[trains]
    if not training.size:
        return np.ones(len(points), dtype=np.int32)
    partitions = {
        k: kmeans(training, k, n_init, seed) for k in range(1, min(max_clusters, most_clusters(training)) + 1)
    }
    scores, _ = score_partitions(training, partitions, coarsening=bic_coarsening, min_cluster_share=0)
    return partitions[choose_k(scores, rule)].place(points)
