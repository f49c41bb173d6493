"""What sets each group of stores apart from the rest of the chain, one feature at a time: the standardised difference."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storelib.method.standing import standing_for

# Of a difference without any spread within the groups, and of all that would be larger.
LARGEST = 100.0
# A difference of fewer standard errors may be chance: with a hundred features and segments, every third of two is.
SURE = 3.0
# Spreads and differences below this share of a feature's largest value are rounding.
ROUNDING = 1e-9


def counted(groups: pd.Series, trains: pd.Series) -> pd.Series:
    """Which stores a group is described by: those that train, or all of a group in which none does. By store."""
    labels, of_store = np.unique(groups.to_numpy(), return_inverse=True)
    training = trains.to_numpy(dtype=bool)
    standing = [standing_for(of_store == label, training) for label in range(len(labels))]
    return pd.Series(np.any(standing, axis=0), index=groups.index)


def effects_of(table: pd.DataFrame, groups: pd.Series) -> pd.DataFrame:
    """One row per group and feature: both means, Cohen's d and its standard error where there is no difference.

    table: features by store, NaN where unknown; groups: labels by the same stores. d is the difference of the means, of the
    group's stores and of all others, over their pooled standard deviation (Cohen 1988, p. 67); it is missing where one side
    has no known value, or both together have fewer than three. Raises ValueError where the stores are not the same.
    """
    if not table.index.equals(groups.index):
        raise ValueError("table and groups must have the same stores in the same order")
    values = table.to_numpy(dtype="float64")
    labels, of_store = np.unique(groups.to_numpy(), return_inverse=True)
    known = ~np.isnan(values)
    # In units of the largest value, from the mean: squares neither overflow nor cancel out.
    largest = np.abs(np.where(known, values, 0.0)).max(axis=0, initial=0.0)
    largest[largest == 0] = 1.0
    scaled = values / largest
    centre = np.where(known, scaled, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    points = np.where(known, scaled - centre, 0.0)
    member = (of_store[:, None] == np.arange(len(labels))[None, :]).astype("float64").T

    stores, sums, squares = member @ known, member @ points, member @ points**2
    others, other_sums = stores.sum(axis=0) - stores, sums.sum(axis=0) - sums
    mean, other_mean = over(sums, stores), over(other_sums, others)
    within = squares.sum(axis=0) - sums * np.nan_to_num(mean) - other_sums * np.nan_to_num(other_mean)
    spread = np.sqrt(np.maximum(over(within, stores + others - 2), 0.0))
    effect = standardised(mean - other_mean, spread)
    rows = pd.MultiIndex.from_product([labels.tolist(), table.columns], names=["group", "feature"]).to_frame(
        index=False
    )
    figures = {
        "stores": stores.astype("int64"),
        "mean": (mean + centre) * largest,
        "rest_mean": (other_mean + centre) * largest,
        "effect": effect,
        "error": np.sqrt(over(stores + others, stores * others)),
    }
    return rows.assign(**{name: figure.ravel() for name, figure in figures.items()})


def over(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """A quotient, missing where the denominator is not above 0."""
    result = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result


def standardised(difference: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float64]:
    """Differences over spreads, at most LARGEST either way, which also stands for a difference without any spread."""
    same = np.abs(difference) <= ROUNDING
    flat = spread <= ROUNDING
    quotient = over(difference, np.where(flat, 0.0, spread))
    quotient[flat & same] = 0.0
    quotient[flat & ~same] = np.copysign(LARGEST, difference[flat & ~same])
    quotient[np.isnan(difference) | np.isnan(spread)] = np.nan
    return np.clip(quotient, -LARGEST, LARGEST)


def notable(effects: pd.DataFrame, least: float) -> pd.Series:
    """Which differences are worth a word: an effect of at least `least`, either way, that is hardly chance."""
    size = effects["effect"].abs()
    return (size >= least) & (size >= SURE * effects["error"])
