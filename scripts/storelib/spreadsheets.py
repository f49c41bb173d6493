"""Texts of CSV files that people open in a spreadsheet, which would compute what looks like a formula.

CSV has no types, so such a text is marked with a `'` before it, which shows in the cell. A text that begins with `'` is marked
too: whoever reads the file by a program takes one `'` off where there is one, and has every value as it was.
"""

import pandas as pd

# As OWASP lists them, the wide forms of East Asian keyboards among them.
FORMULA = "^[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
MARK = "'"


def for_spreadsheets(table: pd.DataFrame) -> pd.DataFrame:
    """The same table with its texts marked where they need it."""
    marked = table.copy(deep=False)
    for name in table.columns:
        texts = table[name]
        if pd.api.types.is_string_dtype(texts) or pd.api.types.is_object_dtype(texts):
            found = texts.str.match(f"{FORMULA}|^{MARK}").fillna(value=False).astype(bool)
            marked[name] = texts.mask(found, MARK + texts[found])
    return marked
