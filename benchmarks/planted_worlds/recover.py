"""Cluster every planted world by every recipe and rule, and write what was found beside what was planted.

A recipe is a transform and a scaling; everything else is as in params.yaml, whose own recipe is marked `default`. For each
view of each world and each recipe the oracle is k-means told the planted k, on the same features; a world is identifiable
by it where the oracle's adjusted Rand index is at least 0.9. The rules that cluster dozens of times more are computed for
the default recipe only, with --all_rules. Places with gross errors are clustered without them too, as `clean`.

usage: python benchmarks/planted_worlds/recover.py tuning|final [--all_rules] [--processes 2] [--worlds 3]

writes benchmarks/planted_worlds/<purpose>.csv: one row per world, view, recipe and rule.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(Path(__file__).parent)]

import storelib.runtime  # isort: skip  # noqa: F401 (pins threads before numpy is loaded)

import argparse
import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pandas as pd
from sklearn.metrics import adjusted_rand_score
from worlds import View, World, load_worlds, make

from cluster_stores import add_resampling
from storelib.configuration.params import BuildFeatures, ClusterStores, load_params
from storelib.errors import PipelineError
from storelib.method.algorithms import Algorithm
from storelib.method.features import FeatureOptions, fit_features
from storelib.method.k_rules import RESAMPLING, choices_of
from storelib.method.scan import score_partitions

RECIPES = {
    "internal": [(t, s) for t in ("none", "hellinger", "clr") for s in ("none", "robust", "standard")],
    "external": [(t, s) for t in ("none", "log1p", "yeo_johnson") for s in ("robust", "standard", "quantile")],
}
Row = dict[str, object]


def options_of(block: BuildFeatures) -> FeatureOptions:
    """The features block of one view."""
    values = block.model_dump()
    return FeatureOptions(**{name: values[name] for name in FeatureOptions.__dataclass_fields__})


def cluster(view: View, options: FeatureOptions, clustering: ClusterStores, *, costly: bool) -> Iterator[Row]:
    """What each rule chose for one view, its agreement with the truth over all stores, and the oracle's."""
    trains = pd.notna(view.table).any(axis="columns").to_numpy()
    features = fit_features(view.table, trains, options, view.lines)
    trains = trains & ~features.outliers
    points = features.points[trains]
    planted = int(view.truth.max()) + 1
    algorithm = Algorithm(clustering.algorithm, clustering.n_init, clustering.seed)
    partitions = {k: algorithm.fit(points, k) for k in range(1, clustering.max_clusters + 1)}
    scores, _ = score_partitions(
        points, partitions, coarsening=clustering.bic_coarsening, min_cluster_share=clustering.min_cluster_share
    )
    if costly:
        scores = add_resampling(
            scores, points, partitions, set(RESAMPLING), resamples=clustering.resamples, algorithm=algorithm
        )

    def agreement(k: int) -> float:
        return float(adjusted_rand_score(view.truth, partitions[k].place(features.points)))

    oracle = agreement(planted)
    for rule, k in choices_of(scores).items():
        found = {"rule": rule, "planted": planted, "found": k, "oracle_ari": round(oracle, 4)}
        yield found | {"ari": None if k is None else round(agreement(k), 4)}


def recover(world: World, *, all_rules: bool) -> list[Row]:
    """Every row of one world."""
    try:
        return list(rows_of(world, all_rules=all_rules))
    except PipelineError as error:
        # An error with keyword arguments does not survive the way between processes.
        raise RuntimeError(f"{world.name}: {error}") from None


def rows_of(world: World, *, all_rules: bool) -> Iterator[Row]:
    """Both views, by every recipe, as planted; then by the default recipe, without dirt."""
    params = load_params(ROOT / "params.yaml")
    blocks = {
        "internal": (options_of(params.internal.build_features), params.internal.cluster_stores),
        "external": (options_of(params.external.build_features), params.external.cluster_stores),
    }
    for variant, name in (("as planted", "internal"), ("as planted", "external"), ("clean", "external")):
        if variant == "clean" and not world.dirt:
            continue
        view = make(world.clean() if variant == "clean" else world)[name]
        default, clustering = blocks[name]
        recipes = [replace(default, transform=t, scaling=s) for t, s in RECIPES[name]]
        if default not in recipes:
            raise ValueError(f"the default recipe of the {name} view is none of those that are compared")
        for options in recipes if variant == "as planted" else [default]:
            key = {
                "world": world.name,
                "view": name,
                "variant": variant,
                "transform": options.transform,
                "scaling": options.scaling,
                "default": options == default,
            }
            costly = all_rules and options == default and variant == "as planted"
            yield from (key | row for row in cluster(view, options, clustering, costly=costly))


def main() -> None:
    """Recover, with progress on stderr."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("purpose", choices=["tuning", "final"])
    parser.add_argument("--all_rules", action="store_true", help="also those that cost dozens of scans")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--worlds", type=int, help="only the first so many, to standard output")
    args = parser.parse_args()
    worlds = load_worlds(args.purpose)[: args.worlds]
    rows: list[Row] = []
    with multiprocessing.Pool(args.processes) as pool:
        for done, found in enumerate(pool.imap(partial(recover, all_rules=args.all_rules), worlds), start=1):
            rows += found
            print(f"{done} of {len(worlds)} worlds", file=sys.stderr)
    table = pd.DataFrame(rows).astype({"found": "Int64"})
    target = sys.stdout if args.worlds else Path(__file__).parent / f"{args.purpose}.csv"
    table.to_csv(target, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
