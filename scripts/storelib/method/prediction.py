"""Whether where stores are tells what sells there: clusters predicted from external features, held against chance."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

Matrix = NDArray[np.float64]
Labels = NDArray[np.int32]
FOLDS = 5
# Stores that a leaf of the tree holds at least, and its depth at most.
FEWEST, DEPTH = 10, 5
# A p-value above this is chance. Part of the way from chance to all right below which it is little, and from which it is much.
SURE = 0.01
LITTLE, MUCH = 0.1, 0.5


class Prediction(NamedTuple):
    """How well clusters are told from features.

    accuracy: balanced, mean of the repeats; shuffled: the same where clusters are shuffled among the stores, mean; p_value: share
    of the shuffled ones that are as good, the one that was not shuffled among them; importance: by feature and fold, the
    balanced accuracy that is lost where the feature's values are shuffled.
    """

    accuracy: float
    shuffled: float
    p_value: float
    importance: Matrix


def balanced_accuracy(labels: Labels, told: Labels, clusters: int) -> float:
    """Mean over the clusters of the share of their stores that is told right; labels: 0, 1, ... each of which occurs."""
    right = np.bincount(labels, weights=labels == told, minlength=clusters)
    return float((right / np.bincount(labels, minlength=clusters)).mean())


def sample(labels: Labels, most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """At most `most` stores, of each cluster as large a part as of all (at least FOLDS stores, or all), in their order."""
    if len(labels) <= most:
        return np.arange(len(labels))
    chosen = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        size = min(len(members), max(FOLDS, len(members) * most // len(labels)))
        chosen.append(rng.choice(members, size, replace=False))
    return np.sort(np.concatenate(chosen))


def predict(points: Matrix, labels: Labels, repeats: int, shuffles: int, seed: int) -> Prediction:
    """Predict each store's cluster by a tree that was learned from other stores, in stratified folds, several times.

    points: (n_stores, n_features), NaN where unknown, which a tree sends to the side where that helps; labels: two clusters or
    more of at least FOLDS stores. Clusters count alike, however many stores they have. The test of the result shuffles the
    clusters of the held-out stores (Ojala and Garriga 2010, test 1, without learning anew for each).
    """
    rng = np.random.default_rng(seed)
    names, inverse = np.unique(labels, return_inverse=True)
    coded: Labels = inverse.astype(np.int32)
    told = np.empty((repeats, len(coded)), dtype=np.int32)
    losses = []
    for repeat in range(repeats):
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=int(rng.integers(2**32)))
        for rest, part in folds.split(points, coded):
            tree = DecisionTreeClassifier(
                max_depth=DEPTH, min_samples_leaf=FEWEST, class_weight="balanced", random_state=seed
            ).fit(points[rest], coded[rest])
            told[repeat, part] = tree.predict(points[part])
            losses.append(losses_of(tree, points[part], coded[part], len(names), rng))
    accuracy = mean_accuracy(coded, told, len(names))
    null = [mean_accuracy(rng.permutation(coded), told, len(names)) for _ in range(shuffles)]
    as_good = sum(value >= accuracy for value in null)
    return Prediction(accuracy, float(np.mean(null)), (1 + as_good) / (1 + shuffles), np.array(losses).T)


def mean_accuracy(labels: Labels, told: Labels, clusters: int) -> float:
    """Balanced accuracy, mean of several tellings (rows)."""
    return float(np.mean([balanced_accuracy(labels, row, clusters) for row in told]))


def losses_of(
    tree: DecisionTreeClassifier, points: Matrix, labels: Labels, clusters: int, rng: np.random.Generator
) -> list[float]:
    """What each feature's shuffling costs in balanced accuracy, on stores that the tree was not learned from.

    Source: permutation importance, Breiman 2001. Features that no condition asks for cost nothing, and are not tried.
    """
    used = np.unique(tree.tree_.feature[tree.tree_.feature >= 0])
    losses = np.zeros(points.shape[1])
    whole = balanced_accuracy(labels, tree.predict(points), clusters)
    for feature in used:
        shuffled = points.copy()
        shuffled[:, feature] = rng.permutation(points[:, feature])
        losses[feature] = whole - balanced_accuracy(labels, tree.predict(shuffled), clusters)
    return losses.tolist()


def verdict_of(found: Prediction, clusters: int) -> str:
    """`nothing` where shuffled clusters are told as well; else `little`, `some`, `much`: how far from chance to all right."""
    chance = 1 / clusters
    gain = (found.accuracy - chance) / (1 - chance)
    if found.p_value > SURE or gain <= 0:
        return "nothing"
    return "little" if gain < LITTLE else "some" if gain < MUCH else "much"
