"""Turn one view's table of stores into the points that are clustered.

Everything is fitted on the stores that train and every store is put through it, in this order: transform, winsorising,
scaling, imputation, near-duplicate features, weights, outliers, principal components. Outliers train nothing: what was fitted with
them is fitted again without. Stores that do not train (`trains` is false) say why: `thin` (too few sales lines, sales or
need states), `no_net_sales`, `no_data` (no value known), `outlier`. A report says what became of each feature.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import fields
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storelib.configuration.own_settings import parse
from storelib.contracts.contract import outputs
from storelib.contracts.views import FEATURE_REPORT, FEATURES
from storelib.errors import DataError
from storelib.method.features import (
    IMPUTATIONS,
    OUTLIERS,
    SCALINGS,
    TRANSFORMS,
    Block,
    FeatureOptions,
    FeatureReport,
    fit_features,
    level_of,
    price_of,
    season_of,
)
from storelib.names import MONTHS, WEIGHTS
from storelib.tables import read_frame


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--table", type=Path, required=True, help="one row per store, one column per feature")
    parser.add_argument(
        "--store_sales", type=Path, help="lines, sales and units of each store, for --min_... and weights"
    )
    parser.add_argument("--features", type=Path, required=True, help="output: one point per store")
    parser.add_argument("--feature_report", type=Path, required=True, help="output: what became of each feature")
    parser.add_argument("--transform", choices=TRANSFORMS, required=True)
    parser.add_argument(
        "--winsorise_iqr",
        type=storelib.runtime.number(0),
        required=True,
        help="fences in interquartile ranges; 0 is off",
    )
    parser.add_argument("--scaling", choices=SCALINGS, required=True)
    parser.add_argument("--imputation", choices=IMPUTATIONS, required=True)
    parser.add_argument(
        "--max_correlation",
        type=storelib.runtime.number(0, 1, above=True),
        required=True,
        help="of features above it one goes; 1 is off",
    )
    parser.add_argument(
        "--feature_weights", nargs="*", default=[], help="such as income=2; 1 where none is given, 0 leaves it out"
    )
    parser.add_argument("--outliers", choices=OUTLIERS, required=True)
    parser.add_argument(
        "--outlier_share", type=storelib.runtime.number(0, 0.5), required=True, help="contamination; 0 is off"
    )
    parser.add_argument(
        "--pca_variance",
        type=storelib.runtime.number(0, 1, above=True),
        required=True,
        help="share of variance kept; 1 is off",
    )
    parser.add_argument(
        "--pca_components", type=storelib.runtime.whole(0), required=True, help="number of components kept; 0 is off"
    )
    parser.add_argument(
        "--min_lines", type=storelib.runtime.whole(0), default=0, help="stores with fewer sales lines do not train"
    )
    parser.add_argument("--min_sales", type=money, default=Decimal(0), help="stores with less sales do not train")
    parser.add_argument(
        "--min_need_states", type=storelib.runtime.whole(0), default=0, help="stores that sell fewer do not train"
    )
    parser.add_argument(
        "--level_weight",
        type=storelib.runtime.number(0, 1_000_000),
        default=0,
        help="of the level of a store's sales beside the table, which has 1; 0 is off",
    )
    parser.add_argument(
        "--price_weight",
        type=storelib.runtime.number(0, 1_000_000),
        default=0,
        help="of what a store takes for a unit beside the table, which has 1; 0 is off",
    )
    parser.add_argument(
        "--season_weight",
        type=storelib.runtime.number(0, 1_000_000),
        default=0,
        help="of the shares of a store's sales by month of the year beside the table, which has 1; 0 is off",
    )
    parser.add_argument("--seed", type=storelib.runtime.seed, required=True)
    return parse(parser, argv)


def money(text: str) -> Decimal:
    """An amount of at least 0, exactly."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not (amount.is_finite() and amount >= 0):
        raise argparse.ArgumentTypeError(f"an amount of at least 0 is expected, not {text!r}")
    return amount


def sales_history(path: Path, stores: pd.Index) -> pd.DataFrame:
    """Lines, sales and has_net_sales of the given stores. Raises DataError where a store has none."""
    history = read_frame(path).set_index("store_id")
    missing = stores.difference(history.index)
    if len(missing):
        raise DataError(
            f"store {missing[0]!r} has shares but no sales", solution="run the pipeline again from raw data"
        )
    return history.loc[stores]


def is_thin(
    shares: pd.DataFrame, history: pd.DataFrame, min_lines: int, min_sales: Decimal, min_need_states: int
) -> pd.Series:
    """Stores with too little history to learn from, by lines, net sales, or need states sold.

    No store can sell more need states than the chain does.
    """
    sold = shares > 0
    enough = min(min_need_states, int(sold.any().sum()))
    thin = (history["lines"] < min_lines) | (sold.sum(axis="columns") < enough)
    # Net sales can be below 0, where a limit of 0 is off.
    return thin | (history["sales"] < min_sales) if min_sales > 0 else thin


def exclusions(
    table: pd.DataFrame, history: pd.DataFrame | None, min_lines: int, min_sales: Decimal, min_need_states: int
) -> pd.Series:
    """Why a store does not train (empty: it does), by store; of several reasons the gravest."""
    reasons = pd.Series("", index=table.index, dtype="str")
    if history is not None:
        reasons[is_thin(table, history, min_lines, min_sales, min_need_states)] = "thin"
        reasons[~history["has_net_sales"].astype(bool)] = "no_net_sales"
    reasons[table.isna().all(axis="columns")] = "no_data"
    return reasons


def counted(reasons: pd.Series) -> str:
    """How many stores do not train for which reason, such as `3 thin, 1 no_data`."""
    return ", ".join(
        f"{count} {reason}" for reason, count in reasons.value_counts().sort_index().items() if reason != ""
    )


def blocks_of(history: pd.DataFrame | None, trains: NDArray[np.bool_], weights: Mapping[str, float]) -> list[Block]:
    """What counts beside the table. weights: by name of WEIGHTS. Raises DataError where it cannot be told."""
    asked = [name for name in WEIGHTS if weights[name]]
    if not asked:
        return []
    if history is None:
        raise DataError(f"{asked[0]} needs --store_sales", solution=f"set {asked[0]}: 0 for this view")
    sales = history["sales"].to_numpy(dtype="float64")
    blocks = []
    for name in asked:
        if name == "level_weight":
            blocks.append(level_of(sales, trains, weights[name]))
        elif name == "price_weight":
            units = history["units"].to_numpy(dtype="float64", na_value=0.0)
            blocks.append(price_of(sales, units, trains, weights[name]))
        else:
            months = history[list(MONTHS)].to_numpy(dtype="float64", na_value=0.0)
            blocks.append(season_of(months, trains, weights[name]))
    return blocks


def refuse_reserved(names: Sequence[str]) -> None:
    """Raise DataError where a feature is called like a column of this stage's own."""
    if reserved := {"trains", "exclusion"} & set(names):
        raise DataError(
            f"a feature is called {min(reserved)!r}, which is a column of the table of features",
            solution="rename that need state in the product map, or that column in the source",
        )


def write_no_features(stores: pd.Index, args: argparse.Namespace) -> None:
    """The tables of a view without data: every store trains, and there is nothing to learn."""
    nothing = FeatureReport(np.empty((len(stores), 0)), np.ones(len(stores), dtype=bool), [])
    with outputs() as write:
        write(pd.DataFrame({"store_id": stores, "trains": True, "exclusion": ""}), FEATURES, args.features)
        write(nothing.frame, FEATURE_REPORT, args.feature_report)


def main(argv: Sequence[str] | None = None) -> None:
    """Say who trains, fit, put every store through, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    options = FeatureOptions(**{field.name: getattr(args, field.name) for field in fields(FeatureOptions)})
    table = read_frame(args.table).set_index("store_id").sort_index()
    if not len(table.columns):
        write_no_features(table.index, args)
        log.info("%d stores, and no data to tell them apart by", len(table))
        return
    history = sales_history(args.store_sales, table.index) if args.store_sales else None
    reasons = exclusions(table, history, args.min_lines, args.min_sales, args.min_need_states)
    if not (reasons == "").any():
        raise DataError(
            f"{args.table}: no store can train: {counted(reasons)} of {len(reasons)} stores",
            solution="lower min_lines, min_sales and min_need_states, or look at the data",
        )
    totals = None if history is None else history["lines"].to_numpy(dtype="float64")
    trains = (reasons == "").to_numpy()
    try:
        blocks = blocks_of(history, trains, {name: getattr(args, name) for name in WEIGHTS})
        features = fit_features(table, trains, options, totals, blocks)
    except DataError as error:
        raise DataError(f"{args.table}: {error.args[0]}", solution=error.solution) from None
    refuse_reserved(features.names)
    reasons[features.outliers] = "outlier"

    frame = pd.DataFrame(features.points, index=table.index, columns=list(features.names))
    frame.insert(0, "trains", reasons == "")
    frame.insert(1, "exclusion", reasons)
    with outputs() as write:
        write(frame.reset_index(), FEATURES, args.features)
        write(features.report, FEATURE_REPORT, args.feature_report)
    for row in features.report[~features.report["used"]].itertuples():
        log.info("feature %r is left out: %s", row.feature, row.reason)
    log.info(
        "%d stores, %d of them train, in %d dimensions", len(frame), int((reasons == "").sum()), len(features.names)
    )
    log.info("not training: %s", reasons[reasons != ""].value_counts().sort_index().to_dict())
    missing = features.report.loc[features.report["used"], "missing"]
    log.info("imputed: %d values in %d features", int(missing.sum()), int((missing > 0).sum()))


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
