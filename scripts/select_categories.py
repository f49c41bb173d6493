"""List the categories to cluster with their own settings, account for the others, and delete files of dropped categories.

The categories come as flags, `--<key>.name <name as the source spells it>` and `--<key>.<block>.<setting> <value>`, the way
both runners unfold the block `internal.categories`. Each stage of a category reads the file of its own settings and no other:
selecting another category, or setting something for it, changes nothing for those that were selected before.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from storelib.accounts.ledger import Entry, balanced, log_entries
from storelib.accounts.selection import category_named, has_sales, refuse_several
from storelib.configuration.own_settings import FOLDER, NAME, STAGES, settings_table, told, values_of
from storelib.contracts.contract import outputs
from storelib.contracts.ledger import LEDGER
from storelib.contracts.sales import CATEGORIES, SETTINGS
from storelib.errors import ConfigError, DataError, nearest_name, shown
from storelib.leftovers import prune
from storelib.names import KEY
from storelib.tables import read_table


def parse_args(argv: Sequence[str] | None) -> tuple[argparse.Namespace, dict[str, dict[str, list[str]]]]:
    """Flags of this stage, and the values of each category's settings, by key; its name is one of them."""
    parser = storelib.runtime.stage_parser(__doc__)
    parser.add_argument("--category_totals", type=Path, required=True, help="the categories of the data")
    parser.add_argument(
        "--overrides", type=Path, required=True, help="stores that a person placed; header only where none"
    )
    parser.add_argument("--categories", type=Path, required=True, help="output: one row per category")
    parser.add_argument("--ledger", type=Path, required=True, help="output: what is selected, and what is not")
    parser.add_argument(
        "--settings", type=Path, required=True, help=f"output: the folder of settings by stage and category, {FOLDER}"
    )
    args, rest = parser.parse_known_args(argv)
    try:
        settings = values_of(rest)
        for key in settings:
            storelib.runtime.view_key(key)
    except (ValueError, argparse.ArgumentTypeError) as error:
        parser.error(str(error))
    if not settings:
        parser.error("at least one --<key>.name is expected")
    return args, settings


def found_by(names: Mapping[str, str], totals: pa.Table) -> dict[str, str]:
    """The key of each selected category, by its name in the data. Raises PipelineError for one that is not there, or twice."""
    keys: dict[str, str] = {}
    for key, name in names.items():
        other = keys.setdefault(category_named(name, totals), key)
        if other != key:
            raise ConfigError(
                f"categories {other} and {key} both name {shown(name)}", solution="delete one in params.yaml"
            )
    return keys


def not_a_key(category: str) -> str:
    """A category that is not selected, as the ledger calls it: in quotes where its name could be the key of another one."""
    return json.dumps(category, ensure_ascii=False) if re.fullmatch(KEY, category) or category[0] == '"' else category


def selection_entries(totals: pa.Table, keys: Mapping[str, str]) -> list[Entry]:
    """The ledger between all sales with a category and the selected categories. keys: by the category's name in the data."""
    entries = []
    for row in totals.to_pylist():
        amounts = (row["stores"], row["lines"], row["sales"])
        is_selected = row["category"] in keys
        category = keys[row["category"]] if is_selected else not_a_key(row["category"])
        flow = ("out", "") if is_selected else ("not_selected", "category_not_selected")
        entries += [
            Entry("select_categories", category, "in", "", *amounts),
            Entry("select_categories", category, *flow, *amounts),
        ]
    return entries


def check_overrides(overrides: pa.Table, keys: Collection[str]) -> None:
    """Raise DataError for a store that a person placed in a category which is not selected: no other stage would see it."""
    for row in overrides.to_pylist():
        if row["category"] not in keys:
            raise DataError(
                f"overrides: params.yaml has no category {shown(row['category'])}{nearest_name(row['category'], keys)}, in which "
                f"{row['who']} placed store {shown(row['store_id'])}",
                solution="write a key of internal.categories in the file of sources.overrides, or delete the row",
            )


def main(argv: Sequence[str] | None = None) -> None:
    """Check, account, prune, write."""
    args, settings = parse_args(argv)
    names = {key: values[NAME][0] for key, values in settings.items()}
    log = storelib.runtime.start_log(args.log)
    totals = read_table(args.category_totals)
    if not has_sales(totals):
        refuse_several(names)
    check_overrides(read_table(args.overrides), names)
    entries = selection_entries(totals, found_by(names, totals))
    for path in prune(names):
        log.info("deleted %s: its category is not selected any more", path)
    keys = sorted(names)
    with outputs() as write:
        write(pa.table({"key": keys, "name": [names[key] for key in keys]}), CATEGORIES, args.categories)
        write(balanced(entries), LEDGER, args.ledger)
        for stage in STAGES:
            for key in keys:
                write(settings_table(told(stage, settings[key])), SETTINGS, args.settings / stage / f"{key}.parquet")
    log.info("%d of %d categories", len(keys), totals.num_rows)
    log_entries(log, [entry for entry in entries if entry.flow == "not_selected"])


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
