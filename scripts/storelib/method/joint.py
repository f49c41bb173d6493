"""Segments in the joint space of both views: its weights, the small segments that dissolve in it, the near ones that merge."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from storelib.method.standing import standing_for

Matrix = NDArray[np.float64]
Labels = NDArray[np.int32]
Truths = NDArray[np.bool_]


def weighted(points: Matrix, trains: Truths, share: float) -> Matrix:
    """A view's points in units in which the stores that train have the total variance 2 `share`.

    So the number and units of a view's features do not decide how much it counts beside the other one, and half of the joint
    space's variance is that of a view whose share is a half.
    """
    total = float(points[trains].var(axis=0).sum())
    scale = float(np.sqrt(2 * share))
    result: Matrix = points * (scale / np.sqrt(total) if total > 0 else scale)
    return result


def dissolve_small(segments: Labels, points: Matrix, trains: Truths, smallest: int) -> Labels:
    """Segments of at least `smallest` stores (or one segment of all), by the labels of those that survive.

    segments: (n_stores,) labels; points: (n_stores, n_features); trains: which stores make a segment's centre, all of its
    stores where none does. Of segments of one size the one with the lower label goes first.
    """
    result = segments.copy()
    while True:
        labels, sizes = np.unique(result, return_counts=True)
        if len(labels) == 1 or sizes.min() >= smallest:
            return result
        target = labels[int(sizes.argmin())]
        others = labels[labels != target]
        centres = np.vstack([centre_of(points, result == label, trains) for label in others])
        stores = np.flatnonzero(result == target)
        distances = ((points[stores, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
        result[stores] = others[distances.argmin(axis=1)]


def centre_of(points: Matrix, members: Truths, trains: Truths) -> Matrix:
    """Mean of the members that train, or of all members where none does."""
    centre: Matrix = points[standing_for(members, trains)].mean(axis=0)
    return centre


def explained(segments: Labels, points: Matrix, trains: Truths) -> float:
    """Share of the variance of the stores that train which lies between segments; 1 where they do not differ."""
    used, labels = points[trains], segments[trains]
    total = float(((used - used.mean(axis=0)) ** 2).sum())
    within = sum(
        float(((p - p.mean(axis=0)) ** 2).sum()) for p in (used[labels == label] for label in np.unique(labels))
    )
    return max(1 - within / total, 0.0) if total > 0 else 1.0


class Merge(NamedTuple):
    """Two segments made one: the label that is left, the one that goes into it, and what is explained from then on."""

    kept: int
    gone: int
    explained: float


def merges(segments: Labels, points: Matrix, trains: Truths) -> list[Merge]:
    """Ward's way from the segments to one: at each step the two whose union loses the least explained variance.

    Joining segments of n and m stores whose centres are d apart adds nm / (n + m) d² to the variance within (Ward 1963). Stores
    that train count; a segment without any is lost for nothing, and goes first, to the nearest centre. The larger segment
    keeps its label, of equals the lower one. Segments are few, so each step looks at all pairs anew.
    """
    labels = np.unique(segments)
    centres = np.vstack([centre_of(points, segments == label, trains) for label in labels])
    mass = np.array([(trains & (segments == label)).sum() for label in labels], dtype="float64")
    sizes = np.array([(segments == label).sum() for label in labels])
    used = points[trains]
    total = float(((used - used.mean(axis=0)) ** 2).sum())
    left = explained(segments, points, trains)
    steps: list[Merge] = []
    while len(labels) > 1:
        squares = ((centres[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2)
        both = mass[:, None] + mass[None, :]
        costs = np.divide(mass[:, None] * mass[None, :], both, out=np.zeros_like(both), where=both > 0) * squares
        first, second = np.triu_indices(len(labels), 1)
        at = np.lexsort((squares[first, second], costs[first, second]))[0]
        pair = sorted((int(first[at]), int(second[at])), key=lambda i: (-sizes[i], labels[i]))
        kept, gone = pair
        if total > 0:
            # One segment explains nothing, and not what rounding leaves.
            left = max(left - costs[kept, gone] / total, 0.0) if len(labels) > 2 else 0.0
        steps.append(Merge(int(labels[kept]), int(labels[gone]), left))
        if mass[gone]:
            centres[kept] = (mass[kept] * centres[kept] + mass[gone] * centres[gone]) / (mass[kept] + mass[gone])
        mass[kept] += mass[gone]
        sizes[kept] += sizes[gone]
        labels, mass, sizes = (np.delete(part, gone) for part in (labels, mass, sizes))
        centres = np.delete(centres, gone, axis=0)
    return steps


def merged(segments: Labels, steps: list[Merge]) -> Labels:
    """The segments after these steps, by the labels that are kept."""
    result = segments.copy()
    for step in steps:
        result[result == step.gone] = step.kept
    return result
