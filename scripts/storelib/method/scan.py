"""Clusters of some points by k-means, with the number of clusters that a rule chooses."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storelib.method.algorithms import kmeans
from storelib.method.indices import bic, calinski_harabasz, davies_bouldin, distinct_points, moments_of, principal_axes
from storelib.method.k_rules import RULES, choose_k, consensus
from storelib.method.partitions import Labels, Matrix, sizes_of
from storelib.method.silhouette import silhouettes


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

    points: (n_stores, n_features); trains: the stores that the centres are of. Where none trains, all are one cluster.
    rule: one that needs no resampling.
    """
    training = points[trains]
    if not len(training):
        return np.ones(len(points), dtype=np.int32)
    allowed = min(len(np.unique(training, axis=0)), max(len(training) - 1, 1))
    partitions = {k: kmeans(training, k, n_init, seed) for k in range(1, min(max_clusters, allowed) + 1)}
    several = [k for k in partitions if k > 1]
    widths = dict(zip(several, silhouettes(training, [partitions[k].labels for k in several]), strict=True))
    axes, distinct = principal_axes(training), distinct_points(training)
    rows = []
    for k, partition in partitions.items():
        labels = partition.labels
        row: dict[str, float] = {"k": k, "eligible": True, "smallest": int(sizes_of(labels).min())}
        row |= {
            name: bic(axes, labels, shape, bic_coarsening, distinct)
            for name, shape in (("bic", "spherical"), ("bic_tied", "tied"))
        }
        if k > 1:
            moments = moments_of(training, labels)
            row |= {"silhouette": float(widths[k].mean()), "calinski_harabasz": calinski_harabasz(moments)}
            row["davies_bouldin"] = davies_bouldin(moments)
        rows.append(row)
    scores = pd.DataFrame(rows).reindex(columns=["k", "eligible", "smallest", *RULES])
    scores["consensus"] = consensus(scores)
    chosen = choose_k(scores, rule)
    return partitions[chosen].place(points)
