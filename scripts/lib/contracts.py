"""Contracts of small tables, checked by pandera and told in one line."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pandera.pandas as pandera

from lib.errors import DataError, shown


def check_table(
    frame: pd.DataFrame,
    schema: pandera.DataFrameSchema,
    where: str,
    locate: Callable[[dict[str, Any]], str] | None = None,
) -> None:
    """Raise DataError for the first broken rule: which column, how many rows, one example.

    where: the file; locate: the file and line of a row.
    """
    try:
        schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        failures = error.failure_cases
        first = failures.iloc[0]
        same = failures[(failures["check"] == first["check"]) & (failures["column"] == first["column"])]
        rows = same["index"].nunique()
        # Rows come in no promised order: the same mistake gives the same example.
        broken = frame[frame.index.isin(same["index"])].sort_values(list(frame.columns), ignore_index=True)
        example: dict[str, Any] = {}
        if not broken.empty:
            example = {str(k): v if pd.notna(v) else None for k, v in broken.iloc[0].items()}
        rule = RULES.get(str(first["check"]), str(first["check"]))
        place = locate(example) if locate and example else where
        raise DataError(
            f"{place}: column {first['column']!r} {rule} on {rows} rows, such as "
            + (", ".join(f"{name} {shown(value)}" for name, value in example.items()) or shown(first["failure_case"])),
            solution="mend or remove those rows, or name the values that mean 'not known' under `missing`",
        ) from None


RULES = {
    "not_nullable": "is empty",
    "multiple_fields_uniqueness": "is part of a key that occurs more than once",
    "field_uniqueness": "holds a key more than once",
}
