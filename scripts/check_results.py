"""Hold the result against what a business expects of it, and write what was found.

For each expectation and category: the figure, its warn and fail levels, whether it holds, and one sentence with what to
do. This stage writes whatever it finds, so that the report can show it; `require_checks` is the one that fails.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from storelib.accounts.expectations import EXPECTATIONS, Levels, findings, summary, told
from storelib.accounts.ledger import read_ledger
from storelib.tables import read_frame, write_text


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--categories", type=Path, required=True, help="keys and names of the selected categories")
    parser.add_argument("--segments", type=Path, required=True, help="segments of every category")
    parser.add_argument("--ledger", type=Path, required=True, help="ledger of every stage")
    parser.add_argument("--clusters", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--store_sales", type=Path, required=True, help="folder, one file per category")
    parser.add_argument("--external_clusters", type=Path, required=True)
    parser.add_argument("--stores", type=Path, required=True, help="store table; header only where there is none")
    parser.add_argument("--sources", type=Path, required=True, help="external sources, by name")
    parser.add_argument("--migrations", type=Path, required=True, help="from the baseline's segments to these")
    parser.add_argument("--checks", type=Path, required=True, help="output: checks.json")
    for name, expectation in EXPECTATIONS.items():
        for level in Levels._fields:
            parser.add_argument(f"--{name}.{level}", type=Fraction, required=True, help=f"{expectation.sense} this")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Gather, compare, write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    levels = {name: Levels(*(vars(args)[f"{name}.{level}"] for level in Levels._fields)) for name in EXPECTATIONS}
    clusters = {key: read_frame(args.clusters / f"{key}.parquet") for key in read_frame(args.categories)["key"]}
    store_sales = {key: read_frame(args.store_sales / f"{key}.parquet") for key in clusters}
    clusters["external"] = read_frame(args.external_clusters)
    tables = ["sources.stores"] if len(read_frame(args.stores, ["store_id"])) else []
    tables += [f"sources.external.{name}" for name in sorted(read_frame(args.sources, ["source"])["source"].unique())]
    entries, segments = read_ledger(args.ledger), read_frame(args.segments)
    found = list(findings(entries, segments, clusters, store_sales, tables, read_frame(args.migrations), levels))
    result = summary(found)
    write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", args.checks)
    for check in result["checks"]:
        if check["state"] != "pass":
            log.warning("%s %s", check["state"], told(check))
    log.info("%(pass)d hold, %(warn)d warn, %(fail)d fail", result["counts"])


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
