"""Say which files each script's code is, and what is in them: DVC's other stages depend on that, and not on each module.

Snakemake needs no such stage: it finds the same when it reads its rules.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

from storelib.configuration.code import settle_code


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument(
        "--code", type=Path, required=True, help="output: the folder of the files, one for each script in scripts/"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Look, write, tell."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    log.info("%d scripts", len(settle_code(folder=args.code)))


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
