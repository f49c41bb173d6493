"""Say whether external data help: how well they tell a category's clusters by what sells, and which features carry that.

A shallow tree learns from some stores and tells the clusters of others, in stratified folds, several times. All clusters count
alike (balanced accuracy), so that chance is one over their number; and the same is asked of clusters that were shuffled among
the stores. A feature carries as much as is lost where its values are shuffled among stores that the tree was not learned from.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from storelib.contracts.contract import outputs
from storelib.contracts.describing import IMPORTANCE, PREDICTIONS
from storelib.method.prediction import FOLDS, predict, sample, verdict_of
from storelib.tables import read_frame


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--category", type=storelib.runtime.view_key, required=True, help="key of the category")
    parser.add_argument("--clusters", type=Path, required=True, help="this category's clusters")
    parser.add_argument("--store_features", type=Path, required=True, help="external data of each store")
    parser.add_argument("--predictions", type=Path, required=True, help="output: one row")
    parser.add_argument("--importance", type=Path, required=True, help="output: one row per feature")
    parser.add_argument("--most_stores", type=storelib.runtime.whole(100), required=True, help="a sample beyond that")
    parser.add_argument("--repeats", type=storelib.runtime.whole(1, 100), required=True, help="times that all is told")
    parser.add_argument("--shuffles", type=storelib.runtime.whole(19, 100_000), required=True, help="of the clusters")
    parser.add_argument("--seed", type=storelib.runtime.seed, required=True)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Take the stores that train, predict, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    clusters = read_frame(args.clusters).set_index("store_id")
    features = read_frame(args.store_features).set_index("store_id")
    trained = clusters.loc[clusters["exclusion"] == "", "cluster"]
    table = features.reindex(trained.index)
    told = table.loc[:, table.notna().any()]
    sizes = trained.value_counts()
    kept = trained[trained.map(sizes) >= FOLDS]
    number = kept.nunique()
    # Trees compare in single precision.
    widest = float(np.finfo("float32").max)
    points = np.clip(told.loc[kept.index].to_numpy(dtype="float64"), -widest, widest)
    row = {"clusters": len(sizes), "left_out": len(sizes) - number, "features": told.shape[1], "stores": len(trained)}
    importance = pd.DataFrame({"feature": [], "importance": [], "deviation": []}).astype({"feature": "str"})
    if len(sizes) < 2 or number < 2 or not told.shape[1]:
        verdict = "no data" if not told.shape[1] else "one cluster" if len(sizes) < 2 else "too few stores"
        figures = dict.fromkeys(("accuracy", "chance", "shuffled", "p_value"), np.nan)
        row["sampled"] = 0
    else:
        labels = kept.to_numpy()
        chosen = sample(labels, args.most_stores, np.random.default_rng(args.seed))
        found = predict(points[chosen], labels[chosen], args.repeats, args.shuffles, args.seed)
        verdict = verdict_of(found, number)
        figures = {
            "accuracy": found.accuracy, "chance": 1 / number, "shuffled": found.shuffled, "p_value": found.p_value,
        }  # fmt: skip
        row["sampled"] = len(chosen)
        importance = pd.DataFrame(
            {
                "feature": told.columns,
                "importance": found.importance.mean(axis=1),
                "deviation": found.importance.std(axis=1),
            }
        )
    result = pd.DataFrame([row | figures | {"category": args.category, "verdict": verdict}])
    with outputs() as write:
        write(result[PREDICTIONS.names], PREDICTIONS, args.predictions)
        importance = importance.assign(category=args.category).sort_values("feature")
        write(importance[IMPORTANCE.names], IMPORTANCE, args.importance)
    log.info(
        "external data tell %s of %d clusters by what sells: balanced accuracy %.3f, chance %.3f, p %.3f (%d of %d stores)",
        verdict, len(sizes), figures["accuracy"], figures["chance"], figures["p_value"], row["sampled"], len(trained),
    )  # fmt: skip


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
