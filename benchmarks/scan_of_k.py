"""Indices of a whole scan of k, beside scikit-learn's, and what the default rule adds to the bare scan.

On made-up stores in clusters of several overlaps: seconds of silhouette, Calinski-Harabasz and Davies-Bouldin of every k by
this project and by scikit-learn, the ratio, the largest difference of a value, and the k that each chooses. Then the seconds
of k-means alone and of k-means with every score that is computed by default. One thread, all in one run.

usage: python benchmarks/scan_of_k.py [--stores 10000] [--features 10] [--repeats 3] [--json FILE]
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import storelib.runtime  # isort: skip  # noqa: F401 (pins threads before numpy is loaded)

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from storelib.method.algorithms import Fitted, kmeans
from storelib.method.indices import calinski_harabasz, davies_bouldin, moments_of
from storelib.method.k_rules import INDICES
from storelib.method.partitions import Matrix
from storelib.method.scan import score_partitions
from storelib.method.silhouette import silhouettes

K = range(2, 11)
APART = (0.5, 1.0, 2.0)


def made_up(stores: int, features: int, apart: float, seed: int) -> Matrix:
    """Gaussian clusters of unequal size, `apart` standard deviations between neighbouring centres."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(3, 9))
    centres = rng.normal(size=(count, features)) * apart
    chosen = rng.choice(count, size=stores, p=rng.dirichlet(np.full(count, 3.0)))
    points: Matrix = centres[chosen] + rng.normal(size=(stores, features))
    return points


def ours(points: Matrix, partitions: dict[int, Fitted]) -> pd.DataFrame:
    """The three indices of each k."""
    widths = silhouettes(points, [partition.labels for partition in partitions.values()])
    moments = [moments_of(points, partition.labels) for partition in partitions.values()]
    values = zip(widths, moments, strict=True)
    return pd.DataFrame(
        [[w.mean(), calinski_harabasz(m), davies_bouldin(m)] for w, m in values], partitions, [*INDICES]
    )


def theirs(points: Matrix, partitions: dict[int, Fitted]) -> pd.DataFrame:
    """The same by scikit-learn."""
    functions = (silhouette_score, calinski_harabasz_score, davies_bouldin_score)
    rows = [[function(points, partition.labels) for function in functions] for partition in partitions.values()]
    return pd.DataFrame(rows, partitions, [*INDICES])


def choices(values: pd.DataFrame) -> list[int]:
    """The best k by each index."""
    return [int((values[name] * sign).idxmax()) for name, sign in INDICES.items()]


def seconds(function: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """The fastest of some runs, and what it returned."""
    times, result = [], None
    for _ in range(repeats):
        started = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - started)
    return min(times), result


def compare(stores: int, features: int, repeats: int, seed: int, apart: float) -> dict[str, Any]:
    """Seconds of both on the same partitions, and whether they say the same."""
    points = made_up(stores, features, apart, seed)
    partitions = {k: kmeans(points, k, 1, seed) for k in K}
    slow, reference = seconds(lambda: theirs(points, partitions), 1)
    fast, found = seconds(lambda: ours(points, partitions), repeats)
    return {
        "apart": apart,
        "scikit_learn_s": slow,
        "ours_s": fast,
        "largest_difference": float(((found - reference) / reference).abs().to_numpy().max()),
        "k_scikit_learn": choices(reference),
        "k_ours": choices(found),
    }


def added(stores: int, features: int, repeats: int) -> dict[str, float]:
    """Seconds of k-means alone, and of every score that is computed by default."""
    points = made_up(stores, features, APART[-1], len(APART) - 1)
    bare, fits = seconds(lambda: {k: kmeans(points, k, 10, 1) for k in range(1, 11)}, 1)
    scores, _ = seconds(lambda: score_partitions(points, fits, coarsening=250, min_cluster_share=0.02), repeats)
    return {"k_means_s": bare, "scores_s": scores}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stores", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    args = parser.parse_args()
    size = (args.stores, args.features, args.repeats)
    print(f"{args.stores:,} stores, {args.features} features, k = {K[0]} to {K[-1]}")
    rows = []
    for seed, apart in enumerate(APART):
        row = compare(*size, seed, apart)
        rows.append(row)
        same = "the same k" if row["k_ours"] == row["k_scikit_learn"] else "ANOTHER k"
        print(
            f"indices, clusters {apart} apart: scikit-learn {row['scikit_learn_s']:.2f} s, ours {row['ours_s']:.2f} s, "
            f"{row['scikit_learn_s'] / row['ours_s']:.0f} times as fast; "
            f"largest relative difference {row['largest_difference']:.1e}; {same} {row['k_ours']}"
        )
    more = added(*size)
    bare, scores = more["k_means_s"], more["scores_s"]
    print(
        f"k-means, 10 starts: {bare:.2f} s; every score of the default: {scores:.2f} s; together {1 + scores / bare:.2f} times"
    )
    if args.json:
        found = {"stores": args.stores, "features": args.features, "indices": rows, "default": more}
        args.json.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
