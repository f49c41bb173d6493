"""Names and texts as SQL.

SQL in this project is built from column names through `identifier` and from file names through `literal`; values are
bound.
"""


def identifier(name: str) -> str:
    """A column name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL."""
    return "'" + text.replace("'", "''") + "'"
