"""Rules that choose the number of clusters from the scores of every k, each its own way."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from storelib.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# Tibshirani and Walther 2005 advise 0.8 to 0.9; Hennig 2007 calls a cluster stable from 0.75.
STRENGTH = 0.8
STABLE = 0.75
# +1: more is better. None of these can judge one cluster.
INDICES = {"silhouette": 1, "calinski_harabasz": 1, "davies_bouldin": -1}


def best(scores: "pd.DataFrame", column: str, sign: int = 1) -> int | None:
    """The eligible k with the best value, the smallest of equals."""
    known = scores[scores["eligible"] & scores[column].notna()]
    if known.empty:
        return None
    return int(known["k"].iloc[int((sign * known[column].to_numpy()).argmax())])


def largest(scores: "pd.DataFrame", column: str, limit: float) -> int | None:
    """The largest eligible k whose value is at least `limit`."""
    passing = scores.loc[scores["eligible"] & (scores[column] >= limit), "k"]
    return None if passing.empty else int(passing.max())


def one_standard_error(scores: "pd.DataFrame") -> int | None:
    """The smallest eligible k with gap(k) >= gap(k + 1) - s(k + 1), else the largest eligible one.

    Source: Tibshirani, Walther and Hastie 2001; where no k satisfies it, as `maxSE(method = "Tibs2001SEmax")` in R's cluster.
    """
    eligible = scores.loc[scores["eligible"], "k"]
    enough = scores["gap"] >= (scores["gap"] - scores["gap_error"]).shift(-1)
    satisfied = scores.loc[scores["eligible"] & enough, "k"]
    if eligible.empty:
        return None
    return int(eligible.max() if satisfied.empty else satisfied.min())


RULES: "dict[str, Callable[[pd.DataFrame], int | None]]" = {
    "silhouette": lambda scores: best(scores, "silhouette"),
    "calinski_harabasz": lambda scores: best(scores, "calinski_harabasz"),
    "davies_bouldin": lambda scores: best(scores, "davies_bouldin", sign=-1),
    "consensus": lambda scores: best(scores, "consensus"),
    "bic": lambda scores: best(scores, "bic"),
    "bic_tied": lambda scores: best(scores, "bic_tied"),
    "gap": one_standard_error,
    "prediction_strength": lambda scores: largest(scores, "prediction_strength", STRENGTH),
    "stability": lambda scores: largest(scores, "stability", STABLE),
}
# Those that cluster dozens of times more; they are computed where they are asked for.
RESAMPLING = ("gap", "prediction_strength", "stability")


def consensus(scores: "pd.DataFrame") -> "pd.Series":
    """Mean of the indices, each scaled to 0..1 over the k that it can judge, more being better.

    An index that is equal for all k counts 0.
    """
    signed = scores[list(INDICES)] * list(INDICES.values())
    spread = signed.max() - signed.min()
    return ((signed - signed.min()) / spread.where(spread > 0, np.inf)).mean(axis="columns", skipna=False)


def choices_of(scores: "pd.DataFrame") -> dict[str, int | None]:
    """The k that each computed rule chooses; None where it finds none that will do.

    scores: one row per k, ascending: `k`, `eligible`, and a column per rule (`gap_error` besides), empty where not computed.
    An index cannot judge k = 1, so it chooses that only where no other k is eligible.
    """
    computed = {name: rule for name, rule in RULES.items() if scores[name].notna().any()}
    return {name: rule(scores) for name, rule in computed.items()}


def choose_k(scores: "pd.DataFrame", rule: str) -> int:
    """The k that the rule chooses. Raises DataError where it finds none that will do."""
    eligible = scores.loc[scores["eligible"], "k"]
    tried = f"k = {scores['k'].iloc[0]} to {scores['k'].iloc[-1]}"
    if eligible.empty:
        raise DataError(
            f"each of {tried} has a cluster of fewer stores than min_cluster_share allows; the smallest clusters have "
            f"{', '.join(map(str, scores['smallest']))} stores",
            solution="lower min_cluster_share or min_clusters, or set min_clusters: 1",
        )
    if eligible.tolist() == [1]:
        return 1
    chosen = choices_of(scores).get(rule)
    if chosen is None:
        limits = {"prediction_strength": STRENGTH, "stability": STABLE}
        why = f"reaches {limits[rule]} for none" if rule in limits else "cannot be computed for any"
        raise DataError(
            f"{rule} {why} of {tried}", solution="set min_clusters: 1, or choose another rule or other features"
        )
    return chosen
