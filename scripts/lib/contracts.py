"""Contracts of small tables, checked by pandera and told in one line."""

import pandas as pd
import pandera.pandas as pandera

from lib.errors import DataError


def check_table(frame: pd.DataFrame, schema: pandera.DataFrameSchema, where: str) -> None:
    """Raise DataError for the first broken rule: which column, how many rows, one example."""
    try:
        schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        failures = error.failure_cases
        first = failures.iloc[0]
        same = failures[(failures["check"] == first["check"]) & (failures["column"] == first["column"])]
        rows = same["index"].nunique()
        example = (
            frame.loc[[first["index"]]].iloc[0].to_dict() if first["index"] in frame.index else first["failure_case"]
        )
        rule = RULES.get(str(first["check"]), str(first["check"]))
        raise DataError(
            f"{where}: column {first['column']!r} {rule} on {rows} rows, such as {example}",
            solution="mend or remove those rows, or name the values that mean 'not known' under `missing`",
        ) from None


RULES = {
    "not_nullable": "is empty",
    "multiple_fields_uniqueness": "is part of a key that occurs more than once",
    "field_uniqueness": "holds a key more than once",
}
