"""One view's table of stores to points: transform, clip, scale, impute, thin out, weigh, find outliers, take components.

Everything is learned from the rows that train, and every row is put through it. Outliers are found on points that were
learned with them; then everything is learned again without them, so that outliers train nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler

from storelib.errors import ConfigError, DataError, shown
from storelib.method.outliers import SCORES, find_outliers
from storelib.method.transforms import HUGE, clr, hellinger, log1p, replaceable_parts, skewness, yeo_johnson
from storelib.method.weights import weights_of
from storelib.names import MONTHS

Matrix = NDArray[np.float64]
Rows = NDArray[np.bool_]
TRANSFORMS = ("none", "hellinger", "clr", "log1p", "yeo_johnson")
SCALINGS = ("none", "robust", "standard", "quantile")
IMPUTATIONS = ("mean", "median", "most_frequent", "knn")
OUTLIERS = ("none", *SCORES)
NEIGHBOURS = 5
QUANTILES = 1000
RARE = "above 0 in fewer than two stores"
UNWANTED = "its weight is 0"
# In interquartile ranges beyond the quartiles: one huge store does not make the variance of all.
LEVEL_FENCES = 3


@dataclass(frozen=True)
class FeatureOptions:
    """The method of one view; by default nothing is done but to impute medians.

    transform: one of TRANSFORMS. winsorise_iqr: Tukey's fences in interquartile ranges, 0 is off. scaling: one of
    SCALINGS. imputation: one of IMPUTATIONS. max_correlation: of two features with a larger |r| one goes, 1 is off.
    feature_weights: such as `income=2`; 0 leaves a feature out, and 1 is what one that is not named has.
    outliers: one of OUTLIERS, `outlier_share` of the rows that train, 0 is off. pca_variance: share of variance kept,
    1 is off. pca_components: number of components, 0 is off. seed: of the outliers' forest or covariance, and of quantiles.
    """

    transform: str = "none"
    winsorise_iqr: float = 0.0
    scaling: str = "none"
    imputation: str = "median"
    max_correlation: float = 1.0
    feature_weights: Sequence[str] = ()
    outliers: str = "none"
    outlier_share: float = 0.0
    pca_variance: float = 1.0
    pca_components: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise ConfigError for values that the model of params.yaml refuses too: a script can be called without it."""
        expectations = {
            "transform": (self.transform in TRANSFORMS, f"one of {', '.join(TRANSFORMS)}"),
            "winsorise_iqr": (0 <= self.winsorise_iqr < np.inf, "at least 0"),
            "scaling": (self.scaling in SCALINGS, f"one of {', '.join(SCALINGS)}"),
            "imputation": (self.imputation in IMPUTATIONS, f"one of {', '.join(IMPUTATIONS)}"),
            "max_correlation": (0 < self.max_correlation <= 1, "above 0 and at most 1"),
            "outliers": (self.outliers in OUTLIERS, f"one of {', '.join(OUTLIERS)}"),
            "outlier_share": (0 <= self.outlier_share <= 0.5, "between 0 and 0.5"),
            "pca_variance": (0 < self.pca_variance <= 1, "above 0 and at most 1"),
            "pca_components": (self.pca_components >= 0, "at least 0"),
        }
        for name, (holds, expected) in expectations.items():
            if not holds:
                raise ConfigError(
                    f"{name} {getattr(self, name)!r} is not {expected}", solution="mend it in params.yaml"
                )
        if self.pca_variance < 1 and self.pca_components > 0:
            raise ConfigError(
                f"pca_variance {self.pca_variance} and pca_components {self.pca_components} are both set",
                solution="set pca_variance: 1 or pca_components: 0 in params.yaml",
            )


@dataclass(frozen=True)
class Block:
    """Further features, beside the table's, in the order of its rows: (n, d) finite values, called `<name>.<column>`.

    weight: how much all of them count beside the table, which has 1. Above 0.
    """

    name: str
    columns: tuple[str, ...]
    values: Matrix
    weight: float


@dataclass(frozen=True)
class Features:
    """The points of one view, in the order of the table's rows.

    points: (n, d), all finite. names: d columns. outliers: (n,) the rows among those that train that were found to be
    outliers, and trained nothing. report: one row per column of the table, see FeatureReport.
    """

    points: Matrix
    names: tuple[str, ...]
    outliers: Rows
    report: pd.DataFrame


def fit_features(
    table: pd.DataFrame,
    trains: Rows,
    options: FeatureOptions,
    totals: NDArray[np.float64] | None = None,
    blocks: Sequence[Block] = (),
) -> Features:
    """Points of every row of `table`, by what was fitted on the rows that train.

    table: one row per store under a unique index, one float column per feature, NaN where a value is missing. The order of
    rows changes no value: rows are taken in the order of the index. trains: (n,) rows to learn from. totals: (n,)
    number of sales lines of each store, for the clr transform alone. blocks: what counts beside the table.
    Raises DataError where the data do not allow what the options ask for.
    """
    order = np.argsort(table.index.to_numpy(), kind="stable")
    back = np.argsort(order, kind="stable")
    table, trains = table.iloc[order], trains[order]
    totals = None if totals is None else totals[order]
    blocks = [replace(block, values=block.values[order]) for block in blocks]
    if not trains.any():
        raise DataError("no store can train", solution="look at the data of this view, or take it out")
    outliers = np.zeros(len(table), dtype=bool)
    if options.outliers != "none" and options.outlier_share > 0:
        candidates, _ = prepare(table, trains, options, totals)
        candidates, _ = beside(candidates, (), blocks, trains)
        outliers[trains] = find_outliers(candidates[trains], options.outliers, options.outlier_share, options.seed)
        trains = trains & ~outliers
    points, report = prepare(table, trains, options, totals)
    points, names = beside(points, tuple(report.loc[report["used"], "feature"]), blocks, trains)
    if options.pca_variance < 1 or options.pca_components > 0:
        points = principal_components(points, trains, options.pca_variance, options.pca_components)
        names = tuple(f"pc_{i:02d}" for i in range(1, points.shape[1] + 1))
    return Features(points[back], names, outliers[back], report)


def beside(
    points: Matrix, names: tuple[str, ...], blocks: Sequence[Block], trains: Rows
) -> tuple[Matrix, tuple[str, ...]]:
    """Points with those of blocks beside them, and all names; nothing changes where there is no block.

    Each part is divided by the root of its total variance among the rows that train, and multiplied by its weight, so that neither
    its units nor the number of its features decide how much it counts. Multiple factor analysis (Escofier and Pages 1994) does
    this with the largest variance of any direction in place of the total. A block that is the same in every row that
    trains adds nothing.
    """
    if not blocks:
        return points, names
    parts, called = [of_unit_variance(points, trains)], list(names)
    for block in blocks:
        parts.append(block.weight * of_unit_variance(block.values, trains))
        called += [f"{block.name}.{column}" for column in block.columns]
    return np.hstack(parts), tuple(called)


def of_unit_variance(points: Matrix, trains: Rows) -> Matrix:
    """Points in units in which the rows that train have a total variance of 1; zeros where they do not differ."""
    total = float(points[trains].var(axis=0).sum())
    return points / np.sqrt(total) if total > 0 else np.zeros_like(points)


def level_of(sales: Matrix, trains: Rows, weight: float) -> Block:
    """The level of sales. sales: (n,) net sales. Raises DataError where no row that trains has net sales above 0."""
    if not ((sales > 0) & trains).any():
        raise DataError(
            "level_weight: no store that trains has net sales above 0", solution="set level_weight: 0 for this category"
        )
    return Block("level", ("log_sales",), robust_logs(sales, trains), weight)


def price_of(sales: Matrix, units: Matrix, trains: Rows, weight: float) -> Block:
    """The level of prices: what a store takes for a unit, on the average.

    sales, units: (n,) net. Where one of them is not above 0 there is no price. Raises DataError where no row that trains has one.
    """
    known = (sales > 0) & (units > 0)
    if not (known & trains).any():
        raise DataError(
            "price_weight: no store that trains has a price, which is its net sales by its units",
            solution="name the column of units as `units` under sources.sales.columns, or set price_weight: 0",
        )
    prices = np.divide(sales, units, out=np.zeros(len(sales)), where=known)
    return Block("price", ("log_price",), robust_logs(prices, trains), weight)


def season_of(months: Matrix, trains: Rows, weight: float) -> Block:
    """When a store sells: the square roots of the shares of its sales by month of the year.

    months: (n, 12) net sales, January first; those below 0 count as 0. So distances are Hellinger's, as of need states. A store that
    sells nothing has the shares of all that train. Raises DataError where none of these sells anything.
    """
    positive = np.maximum(months, 0.0)
    chain = positive[trains].sum(axis=0)
    if not chain.sum() > 0:
        raise DataError(
            "season_weight: no store that trains has sales in any month",
            solution="set internal.ingest_sales.seasons to true, or season_weight: 0",
        )
    totals = positive.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, positive / np.where(totals > 0, totals, 1.0), chain / chain.sum())
    return Block("season", MONTHS, np.sqrt(shares), weight)


def robust_logs(values: Matrix, trains: Rows) -> Matrix:
    """Logarithms in interquartile ranges from the median, within Tukey's fences at 3 of them, as a column: (n, 1).

    values: (n,). Those that are not above 0 have no logarithm, and become the median of the rows that train.
    """
    known = values > 0
    logs = np.log(np.where(known, values, 1.0))
    first, middle, third = np.quantile(logs[known & trains], [0.25, 0.5, 0.75])
    reach = LEVEL_FENCES * (third - first)
    if reach > 0:
        logs = np.clip(logs, first - reach, third + reach)
    return (np.where(known, logs - middle, 0.0) / (third - first or 1.0))[:, None]


def prepare(
    table: pd.DataFrame, trains: Rows, options: FeatureOptions, totals: NDArray[np.float64] | None
) -> tuple[Matrix, pd.DataFrame]:
    """Transform, winsorise, scale, impute, drop near-duplicates, weigh: the points before principal components, and a report.

    For the report's columns see FeatureReport.
    """
    values = table.to_numpy(dtype="float64")
    refuse_huge(values, table, "the table of features holds values")
    weights = np.array(weights_of(options.feature_weights, list(table.columns)))
    report = FeatureReport(values, trains, list(table.columns))
    report.note(weight=weights)
    values = report.keep(values, [UNWANTED if weight == 0 else "" for weight in weights])
    if options.transform == "clr":
        if totals is None:
            raise DataError(
                "the clr transform needs the number of sales lines of each store, which this view does not have",
                solution="choose another transform for this view",
            )
        points = report.keep(values, ["" if fine else RARE for fine in replaceable_parts(values, trains)])
        points = clr(points, totals, trains)
        report.note(transformed=True)
        points = report.keep(points, uninformative(points[trains]))
    else:
        points = report.keep(values, uninformative(values[trains]))
        points, transformed = transform(points, trains, options.transform, report.names)
        report.note(transformed=transformed)
    if options.winsorise_iqr > 0:
        lower, upper = fences(points[trains], options.winsorise_iqr)
        report.note(lower_fence=lower, upper_fence=upper)
        # A missing value, or a missing fence, compares as false.
        report.note(clipped_low=(points < lower).sum(axis=0), clipped_high=(points > upper).sum(axis=0))
        points = np.where(points < lower, lower, np.where(points > upper, upper, points))
    refuse_huge(points, table, f"the {options.transform} transform makes values")
    points, centre, spread = scale(points, trains, options.scaling, options.seed)
    report.note(centre=centre, scale=spread)
    points, filled = impute(points, trains, options.imputation)
    report.note(imputed_value=filled)
    points = report.keep(points, near_duplicates(points[trains], report.names, options.max_correlation))
    return points * report.frame.loc[report.frame["used"], "weight"].to_numpy(), report.frame


class FeatureReport:
    """What became of each column of the table: one row each, in the table's order.

    feature, used, reason: why it is not used, else empty. missing: values that were imputed. skewness: of the known values
    that train, before the transform. transformed: whether the transform changed it. lower_fence, upper_fence: in
    transformed units, NaN where it is not clipped. clipped_low, clipped_high: values beyond them, of all rows. centre,
    scale: what was subtracted and divided by, NaN for none and quantile. imputed_value: in scaled units, NaN for knn. weight: what
    points were multiplied by in the end.
    """

    def __init__(self, values: Matrix, trains: Rows, names: Sequence[str]) -> None:
        self.frame = pd.DataFrame(
            {
                "feature": list(names),
                "used": True,
                "reason": "",
                "missing": np.isnan(values).sum(axis=0),
                "skewness": [skewness(column) for column in values[trains].T],
                "transformed": False,
                "lower_fence": np.nan,
                "upper_fence": np.nan,
                "clipped_low": 0,
                "clipped_high": 0,
                "centre": np.nan,
                "scale": np.nan,
                "imputed_value": np.nan,
                "weight": 1.0,
            }
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The columns in use."""
        return tuple(self.frame.loc[self.frame["used"], "feature"])

    def note(self, **facts: Matrix | Rows | NDArray[np.int64] | bool) -> None:
        """Facts about each column in use."""
        for name, fact in facts.items():
            self.frame.loc[self.frame["used"], name] = fact

    def keep(self, points: Matrix, reasons: Sequence[str]) -> Matrix:
        """The columns in use that have no reason to leave them out; the reasons are noted.

        Raises DataError where none is left.
        """
        dropped = np.array([reason != "" for reason in reasons])
        self.frame.loc[self.frame["used"], "reason"] = list(reasons)
        self.frame["used"] = self.frame["reason"] == ""
        if dropped.all():
            counts = self.frame["reason"].value_counts().sort_index().items()
            why = ", ".join(f"{count} {reason}" for reason, count in counts)
            raise DataError(
                f"no feature tells the stores that train apart (of {len(self.frame)}: {why})",
                solution="look at the data of this view, give it others, or take it out",
            )
        return points[:, ~dropped]


def refuse_huge(points: Matrix, table: pd.DataFrame, what: str) -> None:
    """Raise DataError, with a store as example, where a value is infinite or its square nearly so."""
    huge = np.abs(points) >= HUGE
    rows = np.flatnonzero(huge.any(axis=1))
    if len(rows):
        # Some transforms leave features out before.
        whole = points.shape == table.shape
        column = f" in column {shown(table.columns[np.flatnonzero(huge[rows[0]])[0]])}" if whole else ""
        raise DataError(
            f"{what} beyond {HUGE:g}{column} in {len(rows)} stores, such as {table.index[rows[0]]!r}",
            solution="mend the source, or set winsorise_iqr where it is the transform that makes them",
        )


def uninformative(points: Matrix) -> list[str]:
    """Why each column cannot tell rows apart; empty where it can. points: the rows that train."""
    reasons = []
    for column in points.T:
        known = column[~np.isnan(column)]
        if len(known) == 0:
            reasons.append("no value known")
        else:
            reasons.append("the same in every store" if (known == known[0]).all() else "")
    return reasons


def transform(points: Matrix, trains: Rows, method: str, names: tuple[str, ...]) -> tuple[Matrix, Rows]:
    """The transforms that take each column by itself, and which columns they changed."""
    every = np.full(points.shape[1], method != "none")
    if method == "hellinger":
        return hellinger(points), every
    if method == "log1p":
        return log1p(points, trains)
    if method == "yeo_johnson":
        return yeo_johnson(points, trains, names), every
    return points, every


def fences(points: Matrix, width: float) -> tuple[Matrix, Matrix]:
    """Tukey's fences of each column: quartiles widened by `width` interquartile ranges; NaN where that range is 0.

    points: the rows that train, NaN where missing. Source: Tukey 1977, Exploratory Data Analysis.
    """
    first, third = np.nanquantile(points, [0.25, 0.75], axis=0)
    reach = np.where(third > first, width * (third - first), np.nan)
    return first - reach, third + reach


def scale(points: Matrix, trains: Rows, scaling: str, seed: int) -> tuple[Matrix, Matrix, Matrix]:
    """Points in units of the rows that train, with the centre and scale of each column (NaN where there is none).

    robust: median and interquartile range; standard: mean and standard deviation; a range of 0 counts as 1.
    quantile: each value's rank as a quantile of the normal distribution. Missing values stay missing.
    """
    unknown = np.full(points.shape[1], np.nan)
    fitted = points[trains]
    if scaling == "robust":
        robust = RobustScaler().fit(fitted)
        return robust.transform(points), robust.center_, robust.scale_
    if scaling == "standard":
        standard = StandardScaler().fit(fitted)
        return standard.transform(points), standard.mean_, standard.scale_
    if scaling == "quantile":
        quantile = QuantileTransformer(
            n_quantiles=min(QUANTILES, len(fitted)), output_distribution="normal", subsample=None, random_state=seed
        ).fit(fitted)
        return quantile.transform(points), unknown, unknown
    return points, unknown, unknown


def impute(points: Matrix, trains: Rows, strategy: str) -> tuple[Matrix, Matrix]:
    """Points without gaps, filled from the rows that train, and each column's filling (NaN for knn, where it varies).

    knn: the mean of the 5 nearest rows that know the value, by the features that both know (Troyanskaya et al. 2001).
    """
    if strategy == "knn":
        if not np.isnan(points).any():
            return points, np.full(points.shape[1], np.nan)
        filled: Matrix = KNNImputer(n_neighbors=NEIGHBOURS).fit(points[trains]).transform(points)
        return filled, np.full(points.shape[1], np.nan)
    imputer = SimpleImputer(strategy=strategy).fit(points[trains])
    return imputer.transform(points), imputer.statistics_


def near_duplicates(points: Matrix, names: tuple[str, ...], limit: float) -> list[str]:
    """Why each column repeats an earlier one that is kept (|Pearson r| above the limit); empty where none does.

    points: the rows that train, without gaps. Of several twins the one with the largest |r| is named.
    """
    if limit == 1:
        return [""] * len(names)
    centred = points - points.mean(axis=0)
    # In units of the largest first, so that squares neither over- nor underflow.
    largest = np.abs(centred).max(axis=0)
    centred = centred / np.where(largest > 0, largest, 1.0)
    length = np.sqrt((centred**2).sum(axis=0))
    unit = centred / np.where(length > 0, length, 1.0)
    reasons: list[str] = []
    kept: list[int] = []
    for position in range(len(names)):
        r = (unit[:, kept] * unit[:, [position]]).sum(axis=0)
        if kept and np.abs(r).max() > limit:
            twin = int(np.abs(r).argmax())
            reasons.append(f"r = {r[twin]:.2f} with {names[kept[twin]]}")
        else:
            reasons.append("")
            kept.append(position)
    return reasons


def principal_components(points: Matrix, trains: Rows, variance: float, components: int) -> Matrix:
    """Principal components of the rows that train: `components` of them, or the fewest that hold the share `variance`."""
    possible = min(int(trains.sum()) - 1, points.shape[1])
    if components > possible:
        raise DataError(
            f"pca_components {components} is more than the {possible} that {points.shape[1]} features of "
            f"{int(trains.sum())} stores that train allow",
            solution=f"set pca_components to {possible} at most",
        )
    projection = PCA(n_components=components or variance, svd_solver="full").fit(points[trains])
    result: Matrix = projection.transform(points)
    return result
