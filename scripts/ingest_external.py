"""Read every external source: features of stores or of places that stores lie in.

Writes one row per source, key and feature: `column` is the column of the store table that `key` is matched with,
`value` is null where it is missing. A key that occurs twice in a source is refused, because joining on it would multiply
stores.
"""

import lib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa

from lib.config import ExternalSource, load_place
from lib.contracts import check_table
from lib.errors import DataError
from lib.sources import column_types, read_texts, require_columns
from lib.tables import write_frame

SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("column", pa.string()),
        ("key", pa.string()),
        ("feature", pa.string()),
        ("value", pa.float64()),
    ]
)
CONTRACT = pandera.DataFrameSchema({"key": pandera.Column(str, nullable=False)}, unique=["key"])


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = lib.runtime.stage_parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="configs/<env>.yml")
    parser.add_argument("--raw", type=Path, required=True, help="folder of raw files")
    parser.add_argument("--sources", type=Path, required=True, help="output: one row per source, key and feature")
    return parser.parse_args(argv)


def numbers(texts: pd.Series, source: ExternalSource, where: str) -> pd.Series:
    """Texts as float64, missing values as NaN. Raises DataError where a text is no finite number.

    Missing values are compared as numbers too, so that `-1` also means `-1.0`.
    """
    values = pd.to_numeric(texts, errors="coerce").astype("float64")
    wrong = texts.notna() & ~np.isfinite(values)
    if wrong.any():
        example = texts[wrong].iloc[0]
        raise DataError(
            f"{where}: column {texts.name!r} holds {example!r} where a number is expected ({int(wrong.sum())} rows)",
            solution=f"add {example!r} to `missing` of this source, or leave the column out of `features`",
        )
    unknown = [float(v) for v in source.missing if not isinstance(v, str)]
    return values.mask(values.isin(unknown))


def is_numeric(texts: pd.Series) -> bool:
    """Whether a column has a value, and every value is a number."""
    known = texts.dropna()
    return len(known) > 0 and bool(pd.to_numeric(known, errors="coerce").notna().all())


def read_source(name: str, source: ExternalSource, raw: Path) -> pd.DataFrame:
    """One source in long form."""
    where = str(raw / source.path)
    ((column, key_column),) = source.key.items()
    types = column_types(source, raw)
    features = source.features or [theirs for theirs in types if theirs != key_column]
    require_columns(types, [key_column, *features], source, raw)
    # Positions, not names, until the table is long: a feature may be called `key` or `value`.
    texts = read_texts(source, raw, {"key": key_column} | {str(i): f for i, f in enumerate(features)})
    if texts.empty:
        raise DataError(
            f"{where} holds no row", solution=f"put the file there, or take external.{name} out of the config"
        )
    check_table(texts, CONTRACT, where)
    columns = {f: texts[str(i)].rename(f) for i, f in enumerate(features)}
    if source.features is None:
        columns = {f: values for f, values in columns.items() if is_numeric(values)}
        if not columns:
            raise DataError(f"{where} has no numeric column", solution="name the columns under `features`")
    parts = [
        pd.DataFrame(
            {
                "source": name,
                "column": column,
                "key": texts["key"],
                "feature": f,
                "value": numbers(values, source, where),
            }
        )
        for f, values in columns.items()
    ]
    return pd.concat(parts)


def main(argv: Sequence[str] | None = None) -> None:
    """Read each source, write all in one table."""
    args = parse_args(argv)
    log = lib.runtime.start_log(args.log)
    external = load_place(args.config).sources.external
    parts = [read_source(name, source, args.raw) for name, source in sorted(external.items())]
    table = pd.concat(parts) if parts else SCHEMA.empty_table().to_pandas()
    table = table.sort_values(["source", "key", "feature"], ignore_index=True)
    write_frame(table, SCHEMA, args.sources)
    for name, part in table.groupby("source"):
        missing = int(part["value"].isna().sum())
        log.info(
            "%s: %d keys, %d features, %d of %d values missing",
            name, part["key"].nunique(), part["feature"].nunique(), missing, len(part),
        )  # fmt: skip


if __name__ == "__main__":
    lib.runtime.run_stage(main)
