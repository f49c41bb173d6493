"""A category's own settings: from the flags of all categories to one small file per stage, and from there to flags.

DVC cannot unfold a block that may be missing, nor quote one name by itself, and a command that held the settings of all
categories would run anew for each. So `select_categories` alone is told what stands under `internal.categories`, and leaves
for every stage of a category a file of what is meant for it, which that stage reads by `--settings`.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from storelib.arrow import column_of, texts_of
from storelib.raw.spellings import id_text
from storelib.tables import read_table

NAME = "name"
FOLDER = "data/internal/settings"
# What each stage of a category reads of `internal.categories.<key>`: settings by themselves, or blocks of them.
STAGES: Mapping[str, tuple[str, ...]] = {
    "split_need_states": (NAME, "split_need_states"),
    "build_features": ("build_features",),
    "cluster_stores": ("cluster_stores",),
    "profile_clusters": (NAME,),
    "merge_segments": ("merging",),
    "describe_segments": ("merging.internal_weight", "merging.external_weight"),
    "export_workbook": (NAME,),
}
BLOCKS = sorted({part for parts in STAGES.values() for part in parts if "." not in part} - {NAME})
# Values of each setting, by `name` or `<block>.<setting>`; a setting that is on has none.
Values = Mapping[str, Sequence[str]]


def values_of(words: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """Values of each category's settings, by key, from flags such as `--beauty.cluster_stores.rule bic`.

    Raises ValueError where they are no such flags.
    """
    found: dict[str, dict[str, list[str]]] = {}
    values: list[str] | None = None
    for word in words:
        if word.startswith("--"):
            key, dot, setting = word.removeprefix("--").partition(".")
            block, inner, _ = setting.partition(".")
            if not dot or not (setting == NAME or (inner and block in BLOCKS)):
                expected = ", ".join(f"--<key>.{name}" for name in (NAME, *(f"{block}.<setting>" for block in BLOCKS)))
                raise ValueError(f"{word} is none of {expected}")
            values = found.setdefault(key, {}).setdefault(setting, [])
            values.clear()
        elif values is None:
            raise ValueError(f"{word} stands before any flag")
        else:
            values.append(word)
    for key, settings in found.items():
        if len(settings.get(NAME, [])) != 1:
            raise ValueError(f"one name is expected after --{key}.{NAME}")
        settings[NAME] = [id_text(settings[NAME][0])]
    return found


def is_of(stage: str, name: str) -> bool:
    """Whether a setting, `name` or `<block>.<setting>`, is meant for a stage."""
    return not {name, name.partition(".")[0]}.isdisjoint(STAGES[stage])


def told(stage: str, settings: Values) -> dict[str, Sequence[str]]:
    """What a stage is told of a category's settings: values by flag."""
    return {name.rpartition(".")[2]: values for name, values in settings.items() if is_of(stage, name)}


class Row(NamedTuple):
    """A row of a file of settings: the value of a setting with this number, from 1; None where it has none."""

    setting: str
    number: int
    value: str | None


def rows_of(flags: Values) -> list[Row]:
    """Values by flag as the rows of a table: one per value, or one without a value."""
    return [
        Row(flag, number, value)
        for flag, values in sorted(flags.items())
        for number, value in enumerate(values or [None], start=1)
    ]


def settings_table(flags: Values) -> pa.Table:
    """Values by flag as a table."""
    rows = rows_of(flags)
    numbers = column_of(np.array([row.number for row in rows], np.int64))
    texts = {"setting": texts_of([row.setting for row in rows]), "value": texts_of([row.value for row in rows])}
    return pa.table(texts | {"number": numbers}).select(Row._fields)


def rows_in(content: bytes) -> list[Row] | None:
    """The rows of a file of settings; None where it is none."""
    try:
        table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
        return [Row(**row) for row in table.to_pylist()]
    except (pa.ArrowException, TypeError):
        return None


def parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """The flags of a stage of one category, whose own settings count instead of those of the command.

    Raises DataError where there is no such file.
    """
    parser.add_argument("--settings", type=Path, help="this category's own settings, which count instead")
    words = list(sys.argv[1:] if argv is None else argv)
    if "--settings" in words[:-1]:
        # The last of two counts.
        words += flags_in(Path(words[words.index("--settings") + 1]))
    return parser.parse_args(words)


def flags_in(path: Path) -> list[str]:
    """The flags of a file of settings."""
    words = []
    for row in read_table(path).to_pylist():
        words += [f"--{row['setting']}"] if row["number"] == 1 else []
        words += [] if row["value"] is None else [row["value"]]
    return words
