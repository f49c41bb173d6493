"""Describe the clusters of one view in figures and pictures.

Writes, per cluster and feature, the mean of the stores, the chain's mean and the index against it (chain = 100), with the
cluster's size and share of sales; and four pictures: scores of each k by each rule, silhouettes of the stores, stores on the
first two principal components, and the profile as a heat map. Means are of known values in stores that train: one gross
outlier would stand for a whole cluster. Sizes and sales are of all stores.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

from storelib.configuration.own_settings import parse
from storelib.contracts.contract import outputs
from storelib.contracts.views import PROFILE
from storelib.method.profiles import profile_table
from storelib.pages.view_charts import k_chart, profile_chart, silhouette_chart, stores_chart
from storelib.pages.words import labels_of, short, state_label
from storelib.tables import read_frame


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument(
        "--view", type=storelib.runtime.view_key, required=True, help="key of the category, or external"
    )
    parser.add_argument("--name", default="External view", help="what pictures call the view")
    parser.add_argument("--table", type=Path, required=True, help="one row per store, one column per feature")
    parser.add_argument("--store_sales", type=Path, required=True, help="net sales of each store")
    parser.add_argument("--features", type=Path, required=True, help="the points that were clustered")
    parser.add_argument("--clusters", type=Path, required=True, help="one row per store")
    parser.add_argument("--k_scores", type=Path, required=True, help="one row per k")
    parser.add_argument("--profile", type=Path, required=True, help="output: one row per cluster and feature")
    parser.add_argument("--k_figure", type=Path, required=True, help="output: picture of the scores")
    parser.add_argument("--silhouette_figure", type=Path, required=True, help="output: picture of the silhouettes")
    parser.add_argument("--stores_figure", type=Path, required=True, help="output: picture of the stores")
    parser.add_argument("--profile_figure", type=Path, required=True, help="output: picture of the profile")
    return parse(parser, argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Describe, draw, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    features, clusters, scores = (read_frame(path) for path in (args.features, args.clusters, args.k_scores))
    table = read_frame(args.table).set_index("store_id")
    by_store = clusters.set_index("store_id")
    sales = read_frame(args.store_sales).set_index("store_id")["sales"].astype("float64")
    profile = profile_table(table, by_store, sales.reindex(by_store.index, fill_value=0.0))
    aligned = by_store.reindex(features["store_id"]).reset_index()
    features_told = [str(feature) for feature in table.columns]
    labels = (
        labels_of(features_told) if args.view == "external" else {state: state_label(state) for state in features_told}
    )
    name = short(args.name)
    with outputs() as write:
        write(profile[PROFILE.names], PROFILE, args.profile)
        k_chart(scores, name).save(write.temporary(args.k_figure))
        silhouette_chart(clusters, name).save(write.temporary(args.silhouette_figure))
        stores_chart(features, aligned, name).save(write.temporary(args.stores_figure))
        profile_chart(profile, name, labels).save(write.temporary(args.profile_figure))
    log.info("%d clusters, %d features", profile["cluster"].nunique(), profile["feature"].nunique())


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
