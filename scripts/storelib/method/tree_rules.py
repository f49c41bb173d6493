"""Groups of stores as a few plain rules: a shallow decision tree, and how far it can be trusted."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold
from sklearn.tree import DecisionTreeClassifier

Matrix = NDArray[np.float64]
Labels = NDArray[np.int32]
FOLDS = 5
# Stores on each side of a rule's condition.
FEWEST = 5
# Of the stores' impurity, what a condition must take away: less is no rule but an exception.
LEAST_GAIN = 1e-3
MOST_DIGITS = 17
WIDEST = float(np.finfo("float32").max)


class Condition(NamedTuple):
    """A feature's values are above `low`, and at most `high`; either may be infinite. feature: its column."""

    feature: int
    low: float
    high: float


class Rule(NamedTuple):
    """All conditions hold: such stores are of group `label`. stores: for which it holds; right: those of the group."""

    label: int
    conditions: tuple[Condition, ...]
    stores: int
    right: int


def imputed(values: Matrix) -> Matrix:
    """Values as the rules read them: a missing one is the median of the known ones, 0 where there is none."""
    # Trees compare in single precision.
    result = np.clip(values, -WIDEST, WIDEST).astype("float32").astype("float64")
    for column in range(result.shape[1]):
        missing = np.isnan(result[:, column])
        if missing.any():
            result[missing, column] = 0.0 if missing.all() else np.median(result[~missing, column])
    return result


def rules_of(points: Matrix, labels: Labels, depth: int, seed: int) -> list[Rule]:
    """Rules that part the stores: each has one that holds of it. The most telling first, within each group.

    points: as `imputed` gives them; labels: (n_stores,) groups; depth: conditions of a rule at most.
    Source: classification trees, Breiman, Friedman, Olshen and Stone 1984.
    """
    tree = fitted(points, labels, depth, seed)
    parts = tree.tree_
    majority = tree.classes_[parts.value[:, 0, :].argmax(axis=1)]
    found: list[tuple[int, tuple[Condition, ...]]] = []

    def walk(node: int, conditions: dict[int, tuple[float, float]]) -> None:
        if same_below(node) is not None:
            bounds = tuple(Condition(feature, *conditions[feature]) for feature in sorted(conditions))
            found.append((int(majority[node]), bounds))
            return
        feature = int(parts.feature[node])
        cut = fewest_digits(float(parts.threshold[node]), points[:, feature])
        low, high = conditions.get(feature, (-math.inf, math.inf))
        walk(int(parts.children_left[node]), conditions | {feature: (low, min(high, cut))})
        walk(int(parts.children_right[node]), conditions | {feature: (max(low, cut), high)})

    def same_below(node: int) -> int | None:
        """The group of all leaves below a node, None where they are of several: then it is a question worth asking."""
        left, right = int(parts.children_left[node]), int(parts.children_right[node])
        if left < 0:
            return int(majority[node])
        label = same_below(left)
        return label if label is not None and label == same_below(right) else None

    walk(0, {})
    rules = []
    for label, conditions in found:
        held = holds(conditions, points)
        rules.append(Rule(label, conditions, int(held.sum()), int((held & (labels == label)).sum())))
    return sorted(rules, key=lambda rule: (rule.label, -rule.right, rule.conditions))


def holds(conditions: Sequence[Condition], points: Matrix) -> NDArray[np.bool_]:
    """Of which stores all conditions hold."""
    held = np.ones(len(points), dtype=bool)
    for feature, low, high in conditions:
        held &= (points[:, feature] > low) & (points[:, feature] <= high)
    return held


def fewest_digits(cut: float, values: NDArray[np.float64]) -> float:
    """The shortest number, of three digits or more, that parts the values as `cut` does."""
    below = int((values <= cut).sum())
    for digits in range(3, MOST_DIGITS):
        short = float(f"{cut:.{digits}g}")
        if int((values <= short).sum()) == below:
            return short
    return cut


def fidelity(points: Matrix, labels: Labels, depth: int, seed: int) -> float:
    """Share of stores whose group is told right by rules that were learned from other stores; NaN for a single store.

    The stores are dealt into five parts (as many as there are, if these are fewer); each part is told by the rest.
    """
    if len(labels) < 2:
        return math.nan
    parts = KFold(min(FOLDS, len(labels)), shuffle=True, random_state=seed)
    right = sum(
        int((fitted(points[rest], labels[rest], depth, seed).predict(points[part]) == labels[part]).sum())
        for rest, part in parts.split(points)
    )
    return right / len(labels)


def fitted(points: Matrix, labels: Labels, depth: int, seed: int) -> DecisionTreeClassifier:
    """The tree."""
    tree = DecisionTreeClassifier(
        max_depth=depth, min_samples_leaf=FEWEST, min_impurity_decrease=LEAST_GAIN, random_state=seed
    )
    return tree.fit(points, labels)
