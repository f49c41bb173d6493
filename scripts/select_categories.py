"""List the categories to cluster, and delete the files of categories that were dropped.

The categories come as flags, `--<key>.name <name as the source spells it>`, the way both runners unfold the block
`internal.categories`.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from storelib.contracts.contract import outputs
from storelib.contracts.sales import CATEGORIES
from storelib.errors import ConfigError
from storelib.leftovers import prune
from storelib.raw.spellings import id_text


def parse_args(argv: Sequence[str] | None) -> tuple[argparse.Namespace, dict[str, str]]:
    """Flags of this stage, and the categories: key to name."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--categories", type=Path, required=True, help="output: one row per category")
    args, rest = parser.parse_known_args(argv)
    if len(rest) % 2:
        parser.error(f"a value is missing in {rest}")
    names = {}
    for flag, name in zip(rest[::2], rest[1::2], strict=True):
        key, dot, field = flag.removeprefix("--").partition(".")
        if not flag.startswith("--") or not dot or field != "name":
            parser.error(f"{flag} is not --<key>.name")
        try:
            names[storelib.runtime.view_key(key)] = id_text(name)
        except argparse.ArgumentTypeError as error:
            parser.error(str(error))
    if not names:
        parser.error("at least one --<key>.name is expected")
    return args, names


def main(argv: Sequence[str] | None = None) -> None:
    """Check, prune, write."""
    args, names = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    keys_by_name: dict[str, str] = {}
    for key, name in names.items():
        other = keys_by_name.setdefault(name, key)
        if other != key:
            raise ConfigError(f"categories {other} and {key} both name {name!r}", solution="delete one in params.yaml")
    for path in prune(names):
        log.info("deleted %s: its category is not selected any more", path)
    keys = sorted(names)
    with outputs() as write:
        write(pa.table({"key": keys, "name": [names[key] for key in keys]}), CATEGORIES, args.categories)
    log.info("%d categories", len(keys))


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
