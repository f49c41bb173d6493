"""A small table about stores and segments that somebody may give, or leave out: read as text, checked, and written."""

import argparse
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pandera.pandas as pandera

from storelib.configuration.place import LabelSource, NameSource, OverrideSource, load_place
from storelib.contracts.contract import Contract, check_table, outputs
from storelib.contracts.raw_files import RAW_FILES
from storelib.errors import DataError
from storelib.raw.delivery import Delivery, write_nothing
from storelib.raw.sources import by_their_names, read_texts, where_is
from storelib.raw.spellings import refuse_capitals
from storelib.runtime import LOGGER

TEXT = pandera.Column(str, nullable=False)
IS_LABEL = pandera.Check.str_matches(r"^[1-9][0-9]{0,8}$", error="is no whole number from 1")
LABEL = pandera.Column(str, IS_LABEL, nullable=False)
OPTIONAL_LABEL = pandera.Column(str, IS_LABEL, nullable=True)


def ingest_given(
    args: argparse.Namespace,
    name: str,
    output: Path,
    contract: Contract,
    schema: pandera.DataFrameSchema,
    finish: Callable[[pd.DataFrame, str], pd.DataFrame],
    *,
    needs_rows: bool = False,
) -> pd.DataFrame | None:
    """Write a table as it is given, or a header only and None where its source is not configured.

    args: those of `raw_parser`; name: of the source; contract: of the table that is written to `output`; schema: of the texts
    that are read; finish: makes the table of texts that keep it, and is told the file. needs_rows: else a file may hold a header
    only, which is how such a table begins, and how its last row is taken back.
    """
    place = load_place(args.config)
    source: LabelSource | NameSource | OverrideSource | None = getattr(place.sources, name)
    if source is None:
        write_nothing(contract, output, args)
        return None
    where = str(args.raw / source.path)
    columns = source.columns.model_dump()
    delivery = Delivery(args.config, place, args.raw, {name: source})
    lines: dict[str, int] = {}
    names = [column for column in columns if column != "store_id"]
    optional = source.optional_columns
    texts = read_texts(source, args.raw, place.compute, columns, names=names, lines=lines, optional=optional)
    if needs_rows and texts.empty:
        raise DataError(f"{where} holds no row", solution=f"put the file there, or take `{name}` out of the config")
    delivery.count(name, lines)
    # An optional column may not be there.
    schema = schema.remove_columns([column for column in schema.columns if column not in texts])
    rows = texts[list(schema.columns)]
    check_table(rows, schema, where, lambda row: where_is(source, args.raw, by_their_names(row, columns)))
    if "store_id" in rows and source.id_case == "fail":
        refuse_capitals(rows["store_id"], "store", where)
    table = finish(texts, where)
    read = delivery.table()
    with outputs() as write:
        write(table, contract, output)
        write(read, RAW_FILES, args.files)
    delivery.tell(LOGGER, read)
    return table
