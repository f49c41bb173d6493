"""The algorithms that part stores into k clusters, behind one face: fit, fit again from what was found, place any store.

What comes after, the scores of every k, gap, bootstrap and the placing of stores that did not train, asks this face alone. So k
is chosen for the algorithm that is fitted.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.mixture import GaussianMixture

from storelib.method.labels import order_of
from storelib.method.partitions import Labels, Matrix, centres_of, distances_to

ALGORITHMS = ("kmeans", "gaussian_mixture", "ward", "kmedoids", "constrained_kmeans")
# Those whose clusters are not the stores nearest to each centre: a store that trained keeps the cluster it was fitted to.
KEEPING = ("ward", "constrained_kmeans")
STEPS = 1000
# Of squared distances: what is beyond is as far from one cluster as from another.
FARTHEST = 1e300
# Rows of distances that are looked at together.
BLOCK = 64
# Part of the mean variance that is added to the variances of a mixture, so that none vanishes.
FLOOR = 1e-3


class Mixture(NamedTuple):
    """A Gaussian mixture: weights (k,), means (k, d), and of each component a root of the inverse covariance (k, d, d)."""

    weights: Matrix
    means: Matrix
    roots: Matrix


class Fitted(NamedTuple):
    """A partition of the stores that train, and what places any store in it.

    labels: (n_stores,), 1 to k in canonical order. inertia: sum of squared distances to the means of the clusters. centres:
    (k, n_features), means, or medoids. mixture: of `gaussian_mixture` alone. converged: whether the search came to an end.
    """

    labels: Labels
    inertia: float
    centres: Matrix
    mixture: Mixture | None = None
    converged: bool = True

    def distances(self, points: Matrix) -> Matrix:
        """How far each point is from each cluster, (n, k): Euclidean, or, of a mixture, sqrt(-2 ln posterior probability)."""
        if self.mixture is None:
            return distances_to(points, self.centres)
        return np.sqrt(np.maximum(-2 * log_posteriors(points, self.mixture), 0))

    def place(self, points: Matrix) -> Labels:
        """The nearest cluster of each point, the first of equals."""
        placed: Labels = (self.distances(points).argmin(axis=1) + 1).astype(np.int32)
        return placed


@dataclass(frozen=True)
class Algorithm:
    """One of ALGORITHMS and its options.

    n_init: random starts, of which the best is kept (`ward` has none). least, most: of `constrained_kmeans`, the smallest and the
    largest part of the stores that a cluster may have; 0 and 1 are off.
    """

    name: str
    n_init: int
    seed: int
    least: float = 0.0
    most: float = 1.0

    def fit(self, points: Matrix, k: int) -> Fitted:
        """points: (n_stores, n_features), with at least k distinct rows. A mixture may come out with fewer clusters."""
        return self.search(points, k, None)

    def refit(self, points: Matrix, fitted: Fitted) -> Fitted:
        """The same of other stores, by one start from clusters that were found before."""
        return self.search(points, len(fitted.centres), fitted)

    def search(self, points: Matrix, k: int, start: Fitted | None) -> Fitted:
        """From random starts, or from one that is given."""
        if k == 1 and (self.name in KEEPING or len(points) == 1):
            # Their libraries want two of everything.
            return of_labels(np.zeros(len(points), dtype=np.int32), points)
        if self.name == "gaussian_mixture":
            return mixture(points, k, self.n_init, self.seed, start)
        if self.name == "ward":
            return of_labels(AgglomerativeClustering(n_clusters=k, linkage="ward").fit_predict(points), points)
        if self.name == "constrained_kmeans":
            return constrained(points, k, self.n_init, self.seed, start, self.sizes(len(points), k))
        found = kmeans(points, k, self.n_init, self.seed, start)
        return medoids(points, found if start is None else start) if self.name == "kmedoids" else found

    def sizes(self, stores: int, k: int) -> tuple[int, int]:
        """The smallest and the largest cluster of so many stores, as far as k clusters can keep to it."""
        least, most = int(np.ceil(self.least * stores - 1e-9)), int(np.floor(self.most * stores + 1e-9))
        return min(least, stores // k), max(most, -(-stores // k))

    def allows(self, training: int, every: int, k: int) -> bool:
        """Whether k clusters can have the least of the stores that train, and room for every store."""
        return (
            self.sizes(training, k)[0] >= self.least * training - 1e-9
            and self.sizes(every, k)[1] <= self.most * every + 1e-9
        )


def of_labels(labels: NDArray[np.integer], points: Matrix) -> Fitted:
    """What a partition is worth, whatever its labels are called: canonical labels, inertia and means."""
    order = order_of(labels, points)
    numbers = np.empty(int(labels.max()) + 1, dtype=np.int32)
    numbers[order] = np.arange(1, len(order) + 1)
    canonical: Labels = numbers[labels]
    centres = centres_of(points, canonical)
    return Fitted(canonical, float(((points - centres[canonical - 1]) ** 2).sum()), centres)


def kmeans(points: Matrix, k: int, n_init: int, seed: int, start: Fitted | None = None) -> Fitted:
    """Lloyd's k-means, the best of `n_init` starts by k-means++ (Lloyd 1982; Arthur and Vassilvitskii 2007)."""
    model = KMeans(
        n_clusters=k,
        init="k-means++" if start is None else start.centres,
        n_init=n_init if start is None else 1,
        random_state=seed,
        algorithm="lloyd",
        tol=0.0,
        max_iter=STEPS,
    ).fit(points)
    return of_labels(model.labels_, points)._replace(inertia=float(model.inertia_), converged=model.n_iter_ < STEPS)


def constrained(points: Matrix, k: int, n_init: int, seed: int, start: Fitted | None, sizes: tuple[int, int]) -> Fitted:
    """k-means whose clusters have from `sizes[0]` to `sizes[1]` stores: a least-cost flow takes the place of the nearest centre.

    Source: Bradley, Bennett and Demiriz 2000, Constrained k-means clustering.
    """
    from k_means_constrained import KMeansConstrained  # an import that is spared where it is not the algorithm

    # The library's costs are whole thousandths of squared distances, in 32 bits: in these units they are up to 1e6.
    middle, unit = points.mean(axis=0), float(np.linalg.norm(np.ptp(points, axis=0))) / 1000
    model = KMeansConstrained(
        n_clusters=k,
        size_min=sizes[0],
        size_max=sizes[1],
        init="k-means++" if start is None else (start.centres - middle) / unit,
        n_init=n_init if start is None else 1,
        random_state=seed,
        max_iter=STEPS,
        tol=0.0,
    ).fit((points - middle) / unit)
    return of_labels(model.labels_, points)._replace(converged=model.n_iter_ < STEPS)


def mixture(points: Matrix, k: int, n_init: int, seed: int, start: Fitted | None) -> Fitted:
    """A Gaussian mixture of components of any shape, by expectation-maximisation (Dempster, Laird and Rubin 1977).

    A store is of the component with the largest posterior probability. A component that no store is of is left out.
    """
    model = GaussianMixture(
        n_components=k,
        covariance_type=SHAPE,
        n_init=n_init if start is None else 1,
        random_state=seed,
        max_iter=STEPS,
        tol=1e-4,
        reg_covar=FLOOR * float(points.var(axis=0).mean()) or FLOOR,
        **begun(start),
    ).fit(points)
    labels = model.predict(points)
    order = order_of(labels, points)
    roots = np.broadcast_to(model.precisions_cholesky_, (k, *model.precisions_cholesky_.shape[-2:]))
    parts = Mixture(model.weights_[order], model.means_[order], roots[order])
    return of_labels(labels, points)._replace(mixture=parts, converged=bool(model.converged_))


def begun(start: Fitted | None) -> dict[str, Matrix]:
    """Where the search starts: from k-means, or from components that were found before."""
    if start is None or start.mixture is None:
        return {}
    weights, means, roots = start.mixture
    precisions = roots @ roots.transpose(0, 2, 1)
    return {
        "weights_init": weights,
        "means_init": means,
        "precisions_init": precisions[0] if SHAPE == "tied" else precisions,
    }


SHAPE = "tied"


def log_posteriors(points: Matrix, parts: Mixture) -> Matrix:
    """Logarithms of each point's probabilities of being of each component, (n, k)."""
    logs = np.empty((len(points), len(parts.weights)))
    with np.errstate(over="ignore"):
        for component, (weight, mean, root) in enumerate(zip(*parts, strict=True)):
            squares = np.minimum((((points - mean) @ root) ** 2).sum(axis=1), FARTHEST)
            logs[:, component] = np.log(weight) + np.log(np.abs(np.diag(root))).sum() - squares / 2
    largest = logs.max(axis=1, keepdims=True)
    found: Matrix = logs - largest - np.log(np.exp(logs - largest).sum(axis=1, keepdims=True))
    return found


def medoids(points: Matrix, start: Fitted) -> Fitted:
    """The stores in whose place no other store would have a smaller sum of distances to those it is nearest to.

    Starts from the stores nearest to given centres. A medoid is swapped for a store while that lowers the sum of all stores'
    distances to their nearest medoid; the best swap of each block of candidates is made at once. Source: Schubert and
    Rousseeuw 2021, Fast and eager k-medoids clustering: FasterPAM. Distances are never held as a whole.
    """
    chosen = distinct_nearest(points, start.centres)
    k, unchanged, first = len(chosen), 0, 0
    near = Nearest(points, chosen)
    while unchanged < len(points):
        block = np.arange(first, min(first + BLOCK, len(points)))
        first = int(block[-1] + 1) % len(points)
        unchanged += len(block)
        changes = near.changes(np.asarray(cdist(points[block], points), dtype=np.float64))
        candidate, medoid = np.unravel_index(int(changes.argmin()), (len(block), k))
        if changes[candidate, medoid] < -ROUNDING * near.total:
            chosen[medoid] = block[candidate]
            near, unchanged = Nearest(points, chosen), 0
    found = of_labels(near.first, points)
    return found._replace(centres=points[chosen][order_of(near.first, points)])


ROUNDING = 1e-12


class Nearest:
    """Of each point its nearest medoid, and the distances to that and to the next one."""

    def __init__(self, points: Matrix, chosen: NDArray[np.int64]) -> None:
        distances = cdist(points, points[chosen])
        rows = np.arange(len(points))
        self.first = distances.argmin(axis=1)
        self.distance = distances[rows, self.first].copy()
        distances[rows, self.first] = np.inf
        self.second = distances.min(axis=1)
        self.members = np.eye(len(chosen))[self.first]
        self.total = float(self.distance.sum())

    def changes(self, distances: Matrix) -> Matrix:
        """What the sum of distances becomes larger by where a candidate takes a medoid's place, (candidates, k).

        distances: (candidates, n). A store goes to the candidate where that is nearer than its own medoid, whichever is taken
        away. Of the medoid that is taken away, the others go to the candidate or to their next medoid.
        """
        gains = np.minimum(distances - self.distance, 0)
        losses = np.minimum(distances, self.second) - self.distance - gains
        result: Matrix = gains.sum(axis=1, keepdims=True) + losses @ self.members
        return result


def distinct_nearest(points: Matrix, centres: Matrix) -> NDArray[np.int64]:
    """The store nearest to each centre; a store that is equal to one of an earlier centre is passed over."""
    chosen: list[int] = []
    for distances in cdist(centres, points):
        for store in chosen:
            distances[(points == points[store]).all(axis=1)] = np.inf
        chosen.append(int(distances.argmin()))
    return np.array(chosen)
