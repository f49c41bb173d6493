"""Compare the clusters and segments of two halves of the same retailer, joined by store.

Reads data/merging/segments.parquet and data/external/clusters.parquet of both, and writes one row per view: k in each half,
stores in each and in both, and the adjusted Rand index of each label over the stores in both; then of the view's own
clusters over the stores that trained in both, for a store with a handful of lines may fall anywhere.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from storelib.method.agreement import Agreement, compare
from storelib.names import LABELS
from storelib.tables import read_frame, write_text

COLUMNS = [
    *("view", "k_odd", "k_even", "stores_odd", "stores_even", "stores_both"),
    *(f"{label}_ari" for label in LABELS),
    *("stores_trained", "trained_ari"),
]


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this program."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--odd_segments", type=Path, required=True, help="segments of one half")
    parser.add_argument("--even_segments", type=Path, required=True, help="segments of the other half")
    parser.add_argument("--odd_external", type=Path, required=True, help="external clusters of one half")
    parser.add_argument("--even_external", type=Path, required=True, help="external clusters of the other half")
    parser.add_argument("--comparison", type=Path, required=True, help="output: one row per view, as CSV")
    return parser.parse_args(argv)


def agreement(odd: pd.Series, even: pd.Series) -> Agreement:
    """How far two halves agree. Where both have one cluster alone there is nothing to compare: the index is missing, not 1."""
    found = compare(odd, even)
    return found._replace(ari=float("nan")) if found.first_k == found.second_k == 1 else found


def view_row(view: str, odd: pd.DataFrame, even: pd.DataFrame, counted: str) -> dict[str, Any]:
    """The comparison of one view.

    odd, even: labels and whether a store `trained`, by store, the columns the same. counted: the view's own label.
    """
    labels = [column for column in odd.columns if column != "trained"]
    trained = agreement(odd.loc[odd["trained"], counted], even.loc[even["trained"], counted])
    row: dict[str, Any] = {
        "view": view,
        "k_odd": odd[counted].nunique(),
        "k_even": even[counted].nunique(),
        "stores_odd": len(odd),
        "stores_even": len(even),
        "stores_both": len(odd.index.intersection(even.index)),
    }
    row |= {f"{label}_ari": agreement(odd[label], even[label]).ari for label in labels}
    return row | {"stores_trained": trained.stores, "trained_ari": trained.ari}


def compare_halves(
    segments: tuple[pd.DataFrame, pd.DataFrame], external: tuple[pd.DataFrame, pd.DataFrame]
) -> pd.DataFrame:
    """One row per category, sorted, then one for the external view.

    segments: as `collect_segments` writes them, of the odd and the even half; external: as `cluster_stores` does. A category that one
    half lacks has no stores there.
    """
    rows = []
    for category in sorted({key for half in segments for key in half["category"]}):
        odd, even = (
            half[half["category"] == category]
            .set_index("store_id")
            .assign(trained=lambda half: ~half["flags"].str.contains("internal:", regex=False))[[*LABELS, "trained"]]
            for half in segments
        )
        rows.append(view_row(category, odd, even, "internal_cluster"))
    odd, even = (
        half.set_index("store_id").assign(
            external_cluster=half["cluster"].to_numpy(), trained=(half["exclusion"] == "").to_numpy()
        )[["external_cluster", "trained"]]
        for half in external
    )
    rows.append(view_row("external", odd, even, "external_cluster"))
    return pd.DataFrame(rows, columns=COLUMNS)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, compare, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    segments = (read_frame(args.odd_segments), read_frame(args.even_segments))
    external = (read_frame(args.odd_external), read_frame(args.even_external))
    compared = compare_halves(segments, external)
    write_text(compared.to_csv(index=False, lineterminator="\n"), args.comparison)
    log.info("%d views compared", len(compared))


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
