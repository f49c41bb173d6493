"""Make one segmentation of the chain: a segment per store that agrees best with its segments in all categories.

Two stores are near where many categories have them in one segment. The stores are clustered by that with k-means, for each
number of segments up to the largest allowed, and the mean silhouette chooses. For 9,000 stores and 100 categories of ten
segments that is a table of 9,000 x 1,000 numbers, and no table of pairs of stores. Where the baseline has segments of the chain,
their numbers are kept.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from storelib.contracts.contract import outputs
from storelib.contracts.segments import CHAIN_SEGMENTS
from storelib.method.chain import agreement, evidence
from storelib.method.labels import EVERY, canonical_labels, known_labels, match_to_baseline
from storelib.method.scan import clusters_by_rule
from storelib.spreadsheets import for_spreadsheets
from storelib.tables import read_frame, write_text


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--categories", type=Path, required=True, help="keys of the selected categories")
    parser.add_argument("--category_segments", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--baseline", type=Path, required=True, help="earlier labels; header only where there are none")
    parser.add_argument("--chain_segments", type=Path, required=True, help="output: one row per store")
    parser.add_argument("--chain_csv", type=Path, required=True, help="output: the same as CSV, for spreadsheets")
    parser.add_argument("--max_segments", type=storelib.runtime.whole(1), required=True, help="the most that are tried")
    parser.add_argument("--n_init", type=storelib.runtime.whole(1, 10_000), required=True, help="starts of k-means")
    parser.add_argument("--seed", type=storelib.runtime.seed, required=True)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Gather the evidence, cluster, say how far it agrees, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    paths = [args.category_segments / f"{key}.parquet" for key in read_frame(args.categories, ["key"])["key"]]
    segments = pd.concat([read_frame(path, ["category", "store_id", "segment"]) for path in paths])
    labels = (
        segments.pivot(index="store_id", columns="category", values="segment").sort_index().sort_index(axis="columns")
    )
    points = evidence(labels)
    every = np.ones(len(points), dtype=bool)
    options = {"max_clusters": args.max_segments, "bic_coarsening": 0, "n_init": args.n_init, "seed": args.seed}
    found = canonical_labels(clusters_by_rule(points, every, rule="silhouette", **options), points)
    baseline = read_frame(args.baseline).dropna(subset="chain_segment")
    chain = pd.Series(found, index=labels.index)
    chain = chain.map(match_to_baseline(chain, known_labels(baseline, "chain_segment", EVERY)))
    agreed = agreement(labels, chain)
    result = pd.DataFrame(
        {
            "store_id": labels.index,
            "segment": chain.to_numpy(),
            "categories": labels.notna().sum(axis="columns").to_numpy(),
            "agreement": agreed.mean(axis="columns").to_numpy(),
        }
    )
    result = pd.concat([result, agreed.reset_index(drop=True)], axis="columns")
    with outputs() as write:
        write(result, CHAIN_SEGMENTS, args.chain_segments)
        text = for_spreadsheets(result.round(6)).to_csv(index=False, lineterminator="\n")
        write_text(text, write.temporary(args.chain_csv))
    sizes = chain.value_counts().sort_index().to_dict()
    log.info("%d segments of the chain: %s", len(sizes), sizes)
    log.info("mean agreement with the categories: %.3f", result["agreement"].mean())


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
