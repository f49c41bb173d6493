"""Fail where a check failed: the last stage, so that the report and the workbooks are there to look at.

Where none failed it writes how many there are, and a line for each warning.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

from storelib.accounts.expectations import told
from storelib.errors import DataError
from storelib.tables import read_json, write_text

NAMED = 5


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--checks", type=Path, required=True, help="what check_results found")
    parser.add_argument("--report", type=Path, required=True, help="where a person can look it up")
    parser.add_argument(
        "--passed", type=Path, required=True, help="output: a line for each warning, written where none failed"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, warn, fail or write."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    checks = read_json(args.checks)["checks"]
    if not checks:
        raise DataError(f"{args.checks} holds no check", solution="run the pipeline again from raw data")
    warnings = [told(check) for check in checks if check["state"] == "warn"]
    failed = [check for check in checks if check["state"] == "fail"]
    for line in warnings:
        log.warning("warn %s", line)
    if failed:
        named = "; ".join(map(told, failed[:NAMED]))
        more = f"; and {len(failed) - NAMED} more" if len(failed) > NAMED else ""
        raise DataError(
            f"{len(failed)} of {len(checks)} checks failed: {named}{more}",
            solution=f"{failed[0]['to_do']}; or set other levels under `checks` in params.yaml "
            f"(all checks: {args.checks}, {args.report})",
        )
    verdict = f"{len(checks)} checks: none failed, {len(warnings)} warned"
    write_text("".join(f"{line}\n" for line in [verdict, *warnings]), args.passed)
    log.info(verdict)


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
