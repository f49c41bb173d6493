"""Turn one view's table of stores into the points that are clustered.

Missing values are imputed, the transform applied, outliers found (isolation forest), the scaling and the principal
components fitted on the stores that train, and every store is put through them. Stores that do not train (`trains` is
false) say why: `thin` (too few sales lines), `no_net_sales`, `no_data` (no value known), `outlier`.
"""

import lib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import RobustScaler, StandardScaler

from lib.errors import DataError
from lib.tables import read_frame, write_frame

Matrix = NDArray[np.float64]
SCALERS = {"robust": RobustScaler, "standard": StandardScaler}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = lib.runtime.stage_parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="one row per store, one column per feature")
    parser.add_argument("--store_sales", type=Path, help="lines of each store and has_net_sales, for --min_lines")
    parser.add_argument("--features", type=Path, required=True, help="output: one point per store")
    parser.add_argument("--imputation", choices=["mean", "median", "most_frequent"], required=True)
    parser.add_argument("--transform", choices=["none", "hellinger"], required=True)
    parser.add_argument("--outlier_share", type=float, required=True, help="contamination; 0 is off")
    parser.add_argument("--scaling", choices=["none", *SCALERS], required=True)
    parser.add_argument("--pca_variance", type=float, required=True, help="share of variance kept; 1 is off")
    parser.add_argument("--min_lines", type=int, default=0, help="stores with fewer sales lines do not train")
    parser.add_argument("--seed", type=int, required=True)
    return parser.parse_args(argv)


def exclusions(table: pd.DataFrame, store_sales: pd.DataFrame | None, min_lines: int) -> pd.Series:
    """Why a store does not train (empty: it does), indexed like `table`, by store."""
    reasons = pd.Series("", index=table.index, dtype="str")
    reasons[table.isna().all(axis="columns")] = "no_data"
    if store_sales is not None:
        history = store_sales.set_index("store_id").reindex(table.index)
        if history["lines"].isna().any():
            missing = history.index[history["lines"].isna()][0]
            raise DataError(
                f"store {missing!r} has shares but no sales", solution="run the pipeline again from raw data"
            )
        reasons[history["lines"] < min_lines] = "thin"
        reasons[~history["has_net_sales"].astype(bool)] = "no_net_sales"
    return reasons


def usable_columns(table: pd.DataFrame, trains: pd.Series) -> tuple[list[str], dict[str, str]]:
    """Columns that tell stores apart, and why each other one is left out."""
    dropped = {}
    for name, column in table[trains].items():
        if column.isna().all():
            dropped[str(name)] = "no value known"
        elif (column == column.iloc[0]).all():
            dropped[str(name)] = "the same in every store"
    return [name for name in table.columns if name not in dropped], dropped


def impute(table: Matrix, trains: NDArray[np.bool_], strategy: str) -> Matrix:
    """Fill in missing values from the stores that train. table: (n_stores, n_features)."""
    filled: Matrix = SimpleImputer(strategy=strategy).fit(table[trains]).transform(table)
    return filled


def hellinger(shares: Matrix) -> Matrix:
    """Square roots of shares, whose Euclidean distance is the Hellinger distance times sqrt(2).

    Source: Legendre and Gallagher 2001, Ecologically meaningful transformations for ordination of species data.
    Raises DataError where a value is negative.
    """
    if (shares < 0).any():
        raise DataError(
            "the hellinger transform needs values of at least 0", solution="set transform: none for this view"
        )
    return np.sqrt(shares)


def find_outliers(points: Matrix, share: float, seed: int) -> NDArray[np.bool_]:
    """The `share` of points that an isolation forest isolates soonest (Liu, Ting and Zhou 2008)."""
    if share == 0:
        return np.zeros(len(points), dtype=bool)
    forest = IsolationForest(contamination=share, random_state=seed, n_jobs=1)
    return np.asarray(forest.fit_predict(points) == -1)


def scale(points: Matrix, trains: NDArray[np.bool_], scaling: str) -> Matrix:
    """Centre and scale by the stores that train."""
    if scaling == "none":
        return points
    scaled: Matrix = SCALERS[scaling]().fit(points[trains]).transform(points)
    return scaled


def principal_components(points: Matrix, trains: NDArray[np.bool_], variance: float) -> Matrix:
    """The fewest principal components of the stores that train which hold the share `variance` of their variance."""
    components: Matrix = PCA(n_components=variance, svd_solver="full").fit(points[trains]).transform(points)
    return components


def main(argv: Sequence[str] | None = None) -> None:
    """Clean, transform, write."""
    args = parse_args(argv)
    log = lib.runtime.start_log(args.log)
    table = read_frame(args.table).set_index("store_id")
    reasons = exclusions(table, read_frame(args.store_sales) if args.store_sales else None, args.min_lines)
    if not (reasons == "").any():
        raise DataError(
            "no store can train: all are thin or without data", solution="lower min_lines, or look at the data"
        )
    names, dropped = usable_columns(table, reasons == "")
    for name, why in dropped.items():
        log.info("feature %r is left out: %s", name, why)
    if not names:
        raise DataError(
            f"no feature tells stores apart (of {table.shape[1]})", solution="take this view out, or give it other data"
        )
    if reserved := {"trains", "exclusion"} & set(names):
        raise DataError(
            f"a feature is called {min(reserved)!r}, which is a column of the table of features",
            solution="rename that need state in the product map",
        )
    missing = table[names].isna()
    trains = (reasons == "").to_numpy()
    points = impute(table[names].to_numpy(dtype="float64"), trains, args.imputation)
    if args.transform == "hellinger":
        points = hellinger(points)
    outliers = np.zeros(len(points), dtype=bool)
    outliers[trains] = find_outliers(points[trains], args.outlier_share, args.seed)
    reasons[outliers] = "outlier"
    trains = trains & ~outliers
    points = scale(points, trains, args.scaling)
    if args.pca_variance < 1:
        points = principal_components(points, trains, args.pca_variance)
        names = [f"pc_{i:02d}" for i in range(1, points.shape[1] + 1)]
    frame = pd.DataFrame(points, index=table.index, columns=names)
    frame.insert(0, "trains", trains)
    frame.insert(1, "exclusion", reasons)
    schema = pa.schema(
        [
            ("store_id", pa.string()),
            ("trains", pa.bool_()),
            ("exclusion", pa.string()),
            *((name, pa.float64()) for name in names),
        ]
    )
    write_frame(frame.reset_index(), schema, args.features)
    log.info("%d stores, %d of them train, in %d dimensions", len(frame), int(trains.sum()), len(names))
    log.info("not training: %s", reasons[reasons != ""].value_counts().sort_index().to_dict())
    log.info("imputed: %d values in %d features", int(missing.sum().sum()), int(missing.any().sum()))


if __name__ == "__main__":
    lib.runtime.run_stage(main)
