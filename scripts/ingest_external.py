"""Read every external source: features of stores or of places that stores lie in.

Writes one row per source, key and feature: `column` is the column of the store table that `key` is matched with (`city | state`
where several make the key), `value` is null where it is missing. A categorical column becomes features of 0 and 1, such as
`FORMAT=Hyper`, one for each of its words. A key that occurs twice in a source is refused, because joining on it would multiply
stores.
"""

import storelib.runtime  # isort: skip (pins threads before numpy is loaded)

import argparse
from collections.abc import Sequence
from logging import Logger
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pandera

from storelib.configuration.place import Compute, ExternalSource, load_place
from storelib.contracts.contract import check_table, outputs
from storelib.contracts.places import SOURCES
from storelib.contracts.raw_files import RAW_FILES
from storelib.errors import DataError, shown
from storelib.raw.delivery import Delivery, raw_parser
from storelib.raw.sources import by_their_names, column_types, read_numbers, require_columns, where_is
from storelib.raw.spellings import JOINT, parts_of, refuse_capitals

CONTRACT = pandera.DataFrameSchema({"key": pandera.Column(str, nullable=False)}, unique=["key"])


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Flags of this stage."""
    parser = raw_parser(__doc__)
    parser.add_argument("--sources", type=Path, required=True, help="output: one row per source, key and feature")
    return parser.parse_args(argv)


def looks_numeric(texts: pd.Series, values: pd.Series) -> bool:
    """Whether at least half of what is known in a column are numbers: it is then meant to be one."""
    known = texts.notna()
    return bool(known.any()) and bool(values[known].notna().mean() >= 0.5)


def refuse_texts(
    texts: pd.Series, values: pd.Series, feature: str, keys: pd.Series, source: ExternalSource, raw: Path
) -> None:
    """Raise DataError where a text of a numeric column is no finite number."""
    wrong = np.flatnonzero(texts.notna() & ~np.isfinite(values))
    if not len(wrong):
        return
    first = wrong[0]
    row = key_row(keys.iloc[first], source) | {feature: texts.iloc[first]}
    example = shown(texts.iloc[first])
    raise DataError(
        f"{where_is(source, raw, row)}: column {feature!r} holds {example} where a number is expected "
        f"({len(wrong)} rows of {int(texts.notna().sum())})",
        solution=f"add {example} to `missing` of this source, say how it writes numbers (`decimal`, `thousands`, `currency`), "
        "or name the columns to use under `features`",
    )


def levels_of(words: pd.Series, column: str, source: ExternalSource, where: str) -> dict[str, pd.Series]:
    """A column of words as features of 0 and 1, by name: one for each word, null where there is none.

    Of two words one says all: the later by code point. Raises DataError where there are more than the source allows.
    """
    levels = sorted(words.dropna().unique())
    if len(levels) > source.max_levels:
        raise DataError(
            f"{where}: categorical column {column!r} holds {len(levels)} words, such as {shown(levels[0])} and {shown(levels[1])}; "
            f"at most {source.max_levels} are expected",
            solution=f"take it out of `categorical`, unite words in the file, or set `max_levels: {len(levels)}` of this source",
        )
    wanted = levels[1:] if len(levels) == 2 else levels
    return {f"{column}={level}": (words == level).astype("float64").where(words.notna()) for level in wanted}


def key_row(key: str | None, source: ExternalSource) -> dict[str, str | None]:
    """A key under the names of the columns that make it."""
    several = len(source.key) > 1 and key is not None
    texts = parts_of(key) if several and key is not None else [key] * len(source.key)
    return by_their_names(dict(zip(source.key, texts, strict=True)), source.key)


def read_source(name: str, source: ExternalSource, limits: Compute, log: Logger, delivery: Delivery) -> pd.DataFrame:
    """One source in long form."""
    raw = delivery.folder
    where = str(raw / source.path)
    types = column_types(source, raw, limits)
    categorical = source.categorical or []
    features = source.features or [theirs for theirs in types if theirs not in [*source.key_columns, *categorical]]
    require_columns(types, [*source.key_columns, *features, *categorical], source, raw)
    lines: dict[str, int] = {}
    keys, texts, values, words = read_numbers(
        source, raw, limits, list(source.key.values()), features, categorical, lines=lines
    )
    if keys.empty:
        raise DataError(
            f"{where} holds no row", solution=f"put the file there, or take external.{name} out of the config"
        )
    delivery.count(f"external.{name}", lines)
    if source.rows_without_key == "drop":
        named = keys.notna()
        if not named.all():
            columns = ", ".join(source.key_columns)
            log.info("%s: %d of %d rows are left out: no %s", name, int((~named).sum()), len(keys), columns)
        keys = keys[named].reset_index(drop=True)
        texts, values, words = (part[named].reset_index(drop=True) for part in (texts, values, words))
    check_table(keys.to_frame(), CONTRACT, where, lambda row: where_is(source, raw, key_row(row["key"], source)))
    if source.id_case == "fail":
        refuse_capitals(keys, "key", where)
    found: dict[str, pd.Series] = {}
    for position, feature in enumerate(features):
        if source.features is None and not looks_numeric(texts[position], values[position]):
            known = texts[position].dropna()
            why = (
                f"no number, but words such as {shown(min(known))}; `categorical` takes it"
                if len(known)
                else "no value"
            )
            log.warning("%s: column %r is left out: %s", name, feature, why)
            continue
        refuse_texts(texts[position], values[position], feature, keys, source, raw)
        found[feature] = values[position]
    for position, column in enumerate(categorical):
        found |= levels_of(words[position], column, source, where)
    if not found:
        raise DataError(
            f"{where} has no numeric column",
            solution="name the columns under `features`, columns of words under `categorical`",
        )
    common = {"source": name, "column": JOINT.join(source.key), "key": keys}
    return pd.concat(pd.DataFrame({**common, "feature": feature, "value": column}) for feature, column in found.items())


def main(argv: Sequence[str] | None = None) -> None:
    """Read each source, write all in one table."""
    args = parse_args(argv)
    log = storelib.runtime.start_log(args.log)
    place = load_place(args.config)
    external = sorted(place.sources.external.items())
    delivery = Delivery(args.config, place, args.raw, {f"external.{name}": source for name, source in external})
    parts = [read_source(name, source, place.compute, log, delivery) for name, source in external]
    table = pd.concat(parts) if parts else SOURCES.schema().empty_table().to_pandas()
    table = table.sort_values(["source", "key", "feature"], ignore_index=True)
    read = delivery.table()
    with outputs() as write:
        write(table, SOURCES, args.sources)
        write(read, RAW_FILES, args.files)
    delivery.tell(log, read)
    for name, part in table.groupby("source"):
        missing = int(part["value"].isna().sum())
        log.info(
            "%s: %d keys, %d features, %d of %d values missing",
            name, part["key"].nunique(), part["feature"].nunique(), missing, len(part),
        )  # fmt: skip


if __name__ == "__main__":
    storelib.runtime.run_stage(main)
