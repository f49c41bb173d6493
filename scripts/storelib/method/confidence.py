"""How sure a store's cluster is, and a cluster itself: the view is clustered again from resampled stores, some dozens of times.

Each refit draws as many of the training stores, with replacement, and starts from the clusters that were found, so it
costs one start and not a scan. Its clusters are matched to those that were found by the stores that they share, and every
store, drawn or not, is placed in it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from storelib.method.algorithms import Algorithm, Fitted, Mixture, log_posteriors
from storelib.method.indices import tied_covariance
from storelib.method.partitions import Labels, Matrix, centres_of, sizes_of
from storelib.method.resampling import jaccards_of

# Below this coefficient a cluster is dissolved in a refit (Hennig 2007).
DISSOLVED = 0.5
# What the log-odds of two clusters count, for clusters of stores are never exactly Gaussian: with it, of the stores of the tuning
# worlds in `benchmarks/planted_worlds` that are called p sure about p lie in their planted segment.
TEMPER = 0.5


class Refits(NamedTuple):
    """What the refits say; NaN where none was possible.

    shares: (n, k), the part of the refits that place each store in each cluster. probabilities: (n, k), the mean over refits of
    its probability of being of each. Rows of both sum to 1. jaccards: (refits, k), how like each cluster its likeness was
    (Hennig 2007); NaN where no store of it was drawn.
    """

    shares: Matrix
    probabilities: Matrix
    jaccards: Matrix

    def memberships(self, stores: pd.Series, names: Sequence[int]) -> pd.DataFrame:
        """One row per store and cluster. stores: ids in the order of the rows; names: numbers of the clusters."""
        count, k = self.shares.shape
        table = pd.DataFrame(
            {
                "store_id": np.repeat(stores.to_numpy(), k),
                "cluster": np.tile(np.array(names, dtype=np.int32), count),
                "share": self.shares.ravel(),
                "probability": self.probabilities.ravel(),
            }
        )
        known = table[table["share"].notna()]
        return known.sort_values(["store_id", "cluster"], ignore_index=True)

    def stability(self, fitted: Fitted, names: Sequence[int]) -> pd.DataFrame:
        """One row per cluster: its training stores, its mean Jaccard coefficient, and the part of refits that dissolve it."""
        known = pd.DataFrame(self.jaccards)
        table = pd.DataFrame(
            {
                "cluster": np.array(names, dtype=np.int32),
                "stores": sizes_of(fitted.labels),
                "jaccard": known.mean(),
                "dissolved": (known <= DISSOLVED).sum() / known.notna().sum(),
            }
        )
        return table.sort_values("cluster", ignore_index=True)


def refit(
    points: Matrix, trains: NDArray[np.bool_], placed: Labels, fitted: Fitted, algorithm: Algorithm, count: int
) -> Refits:
    """Cluster `count` bootstrap samples of the stores that train anew.

    points: (n, d) of every store; placed: (n,) their clusters 1..k. A sample with fewer than k distinct points says nothing.
    """
    k = int(fitted.labels.max())
    training, rows = points[trains], np.arange(len(points))
    rng = np.random.default_rng([algorithm.seed, 4])
    same = np.unique(training, axis=0, return_inverse=True)[1].ravel()
    shares, probabilities = np.zeros((len(points), k)), np.zeros((len(points), k))
    jaccards = np.full((count, k), np.nan)
    done = 0
    for sample in range(count):
        drawn = np.sort(rng.integers(0, len(training), size=len(training)))
        if len(np.unique(same[drawn])) < k:
            continue
        done += 1
        again = algorithm.refit(training[drawn], fitted)
        found = again.place(points)
        names = matched(placed, found, k)
        shares[rows, names[found - 1]] += 1
        probabilities[:, names] += tempered(points, training[drawn], again)
        stores, first = np.unique(drawn, return_index=True)
        present = np.unique(fitted.labels[stores]) - 1
        jaccards[sample, present] = jaccards_of(fitted.labels[stores], again.labels[first])
    if not done:
        return Refits(np.full_like(shares, np.nan), np.full_like(shares, np.nan), jaccards)
    return Refits(shares / done, probabilities / done, jaccards)


def tempered(points: Matrix, drawn: Matrix, fitted: Fitted) -> Matrix:
    """Each point's probability of being of each cluster of a refit, (n, k)."""
    parts = fitted.mixture or as_mixture(drawn, fitted)
    if parts is None:
        certain: Matrix = np.eye(int(fitted.labels.max()))[fitted.place(points) - 1]
        return certain
    logs = TEMPER * log_posteriors(points, parts)
    found: Matrix = np.exp(logs - logs.max(axis=1, keepdims=True))
    found /= found.sum(axis=1, keepdims=True)
    return found


def matched(placed: Labels, found: Labels, k: int) -> NDArray[np.int64]:
    """Of each cluster of a refit the cluster, 0 to k - 1, that it is: the pairs that share the most stores (Kuhn 1955)."""
    table = np.zeros((int(found.max()), k))
    np.add.at(table, (found - 1, placed - 1), 1)
    rows, columns = linear_sum_assignment(table, maximize=True)
    names = np.empty(len(table), dtype=np.int64)
    names[rows] = columns
    return names


def as_mixture(points: Matrix, fitted: Fitted) -> Mixture | None:
    """The clusters as Gaussians of one shape, as `bic_tied` sees them; None where each is a single point."""
    sizes = sizes_of(fitted.labels)
    means = centres_of(points, fitted.labels)
    residuals = points - means[fitted.labels - 1]
    pooled = residuals.T @ residuals / len(points)
    if np.trace(pooled) == 0:
        return None
    root: Matrix = np.asarray(np.linalg.cholesky(np.linalg.inv(tied_covariance(pooled))), dtype=np.float64)
    return Mixture(sizes / sizes.sum(), means, np.broadcast_to(root, (len(sizes), *root.shape)))
