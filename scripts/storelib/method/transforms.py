"""Transforms that bring a view's features into a space where Euclidean distance means something.

Each takes a table as a matrix (n_stores, n_features) in which a missing value is NaN, learns from the rows that train
alone, and gives every row back; missing values stay missing. Rows that do not train never change the others' values.
"""

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import PowerTransformer

from storelib.errors import DataError

Matrix = NDArray[np.float64]
Rows = NDArray[np.bool_]
HIGHLY_SKEWED = 1.0
# Below this share of a column's size its differences are rounding, not data.
FLAT = 1e-10
# Squares of larger values, which are summed later on, overflow.
HUGE = 1e100


def refuse_negative(shares: Matrix, transform: str) -> None:
    """Raise DataError where a value is below 0."""
    if (shares < 0).any():
        raise DataError(
            f"the {transform} transform needs values of at least 0, found {np.nanmin(shares):g}",
            solution="set transform: none for this view",
        )


def hellinger(shares: Matrix) -> Matrix:
    """Square roots of shares, whose Euclidean distance is the Hellinger distance times sqrt(2).

    Source: Legendre and Gallagher 2001, Ecologically meaningful transformations for ordination of species data.
    Raises DataError where a value is negative.
    """
    refuse_negative(shares, "hellinger")
    return np.sqrt(shares)


def replaceable_parts(shares: Matrix, trains: Rows) -> Rows:
    """Which parts (columns) are positive in at least two rows that train, so that `replace_zeros` knows their prior."""
    return np.asarray((shares[trains] > 0).sum(axis=0) >= 2)


def replace_zeros(shares: Matrix, totals: NDArray[np.float64], trains: Rows) -> Matrix:
    """Compositions (rows that sum to 1) without zeros, by Bayesian-multiplicative replacement with the GBM prior.

    shares: (n, D), none negative, each column positive in two rows that train at least; rows need not sum to 1.
    totals: (n,) the number of counts that a row of shares with sum 1 stands for; row i has c_ij = totals_i * shares_ij,
    n_i = sum_j c_ij.
    The prior of row i is Dirichlet with mean t_i and strength s_i: t_ij is the part of column j in the counts of all
    rows that train but i itself, s_i the reciprocal of the geometric mean of t_i. A zero becomes its posterior mean
    t_ij * s_i / (n_i + s_i); the other parts make room in proportion, so that their ratios are kept.
    Source: Martin-Fernandez, Hron, Templ, Filzmoser and Palarea-Albaladejo 2015, Bayesian-multiplicative treatment of
    count zeros in compositional data sets; method GBM of `cmultRepl` in the R package zCompositions, with its option of
    a cap off (one row's smallest share would decide for all rows).
    """
    counts = shares * totals[:, None]
    others = np.where(trains[:, None], counts, 0.0)
    # Sums of the rows before and after: taking a row off the whole sum would leave rounding where there is nothing.
    before = np.vstack([np.zeros(counts.shape[1]), np.cumsum(others, axis=0)])[:-1]
    after = np.vstack([np.zeros(counts.shape[1]), np.cumsum(others[::-1], axis=0)])[:-1][::-1]
    pooled = before + after
    prior = pooled / pooled.sum(axis=1, keepdims=True)
    strength = np.exp(-np.log(prior).mean(axis=1, keepdims=True))
    known = counts.sum(axis=1, keepdims=True)
    sums = shares.sum(axis=1, keepdims=True)
    closed = np.divide(shares, sums, out=np.zeros_like(shares), where=sums > 0)
    replaced: Matrix = np.where(closed == 0, prior * strength / (known + strength), 0.0)
    result: Matrix = replaced + closed * (1.0 - replaced.sum(axis=1, keepdims=True))
    return result


def clr(shares: Matrix, totals: NDArray[np.float64], trains: Rows) -> Matrix:
    """Centred log-ratios: logarithms of the parts over their geometric mean, zeros replaced by `replace_zeros`.

    A row that is missing altogether stays missing. Source: Aitchison 1986, The Statistical Analysis of Compositional Data.
    Raises DataError where a value is negative, a row is known in part, or a store has no counts.
    """
    refuse_negative(shares, "clr")
    missing = np.isnan(shares)
    whole = ~missing.any(axis=1)
    if (missing.any(axis=1) & ~missing.all(axis=1)).any():
        raise DataError(
            "the clr transform needs every part of a store's composition, and some are missing",
            solution="set transform: none for this view",
        )
    if not (totals[whole] > 0).all():
        raise DataError(
            f"the clr transform needs a count above 0 for every store, found {np.min(totals[whole]):g}",
            solution="look at the lines of the table of store sales, or choose transform: hellinger",
        )
    logs = np.log(replace_zeros(shares[whole], totals[whole], trains[whole]))
    points = np.full_like(shares, np.nan)
    points[whole] = logs - logs.mean(axis=1, keepdims=True)
    return points


def skewness(values: Matrix) -> float:
    """Adjusted Fisher-Pearson skewness G1 of the known values of one column; NaN for fewer than three or equal values.

    G1 = sqrt(n (n - 1)) / (n - 2) * m3 / m2^1.5, with m the central moments. Source: Joanes and Gill 1998.
    """
    known = values[~np.isnan(values)]
    if len(known) < 3 or np.ptp(known) == 0:
        return float("nan")
    deviations = known / np.abs(known).max()
    deviations = deviations - deviations.mean()
    # In units of the largest, so that no power of them over- or underflows.
    deviations = deviations / np.abs(deviations).max()
    n = len(known)
    second, third = float((deviations**2).mean()), float((deviations**3).mean())
    return float(np.sqrt(n * (n - 1)) / (n - 2) * third / second**1.5)


def log1p(table: Matrix, trains: Rows) -> tuple[Matrix, Rows]:
    """log(1 + x) of the columns that are at least 0 and highly skewed (skewness above 1) among the rows that train.

    Returns the table and which columns were changed. A value below 0 in a row that does not train is mirrored:
    -log(1 - x), so that every row can be put through. Source of the limit: Bulmer 1979, Principles of Statistics.
    """
    fitted = table[trains]
    skewed = np.array([skewness(column) > HIGHLY_SKEWED for column in fitted.T])
    # A missing value compares as false.
    chosen = skewed & ~(fitted < 0).any(axis=0)
    result = table.copy()
    result[:, chosen] = np.sign(table[:, chosen]) * np.log1p(np.abs(table[:, chosen]))
    return result, chosen


def yeo_johnson(table: Matrix, trains: Rows, names: Sequence[str]) -> Matrix:
    """The power transform that brings each column nearest to a normal distribution, by maximum likelihood.

    The family bends values about 0 and about a width of 1, so each column is first put into those units: its median and
    interquartile range among the rows that train (their standard deviation where that range is 0), as Raymaekers and
    Rousseeuw 2024, Transforming variables to central normality, advise. So units decide nothing.
    A row that does not train may come out infinite; the caller clips or refuses it.
    Source: Yeo and Johnson 2000, A new family of power transformations to improve normality or symmetry.
    Raises DataError for a column whose training values overflow or melt into one.
    """
    points = np.full_like(table, np.nan)
    for position, name in enumerate(names):
        column = standardised(table[:, [position]], trains)
        try:
            # What overflows on the search for the best power is no news; what the result holds is looked at below.
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                transformer = PowerTransformer(method="yeo-johnson", standardize=False).fit(column[trains])
                points[:, position] = transformer.transform(column)[:, 0]
        except ValueError as error:
            raise broken_power(name, str(error).splitlines()[0]) from None
        points[:, position] = np.where(np.isnan(table[:, position]), np.nan, points[:, position])
        fitted = points[trains & ~np.isnan(table[:, position]), position]
        largest = np.abs(fitted).max()
        if not largest < HUGE:
            raise broken_power(name, "its values overflow")
        if np.ptp(fitted) <= FLAT * largest:
            raise broken_power(name, "its values melt into one")
        lost = np.isnan(points[:, position]) & ~np.isnan(table[:, position])
        points[lost, position] = np.copysign(np.inf, table[lost, position])
    return points


def standardised(column: Matrix, trains: Rows) -> Matrix:
    """A column less its median, over its interquartile range or, where that is 0, its standard deviation."""
    low, middle, high = np.nanpercentile(column[trains], [25, 50, 75])
    with np.errstate(over="ignore"):
        result: Matrix = (column - middle) / (high - low or np.nanstd(column[trains]))
    return result


def broken_power(name: str, why: str) -> DataError:
    """The Yeo-Johnson transform of a column that cannot be used."""
    return DataError(
        f"the yeo_johnson transform of feature {name!r} failed: {why}",
        solution="give that feature in other units (a difference, a rate), or choose transform: log1p or none",
    )
