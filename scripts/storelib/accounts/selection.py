"""Which category of the data is meant by a name under `internal.categories`."""

import pyarrow as pa

from storelib.errors import DataError, nearest_name, shown
from storelib.raw.spellings import folded


def category_named(name: str, totals: pa.Table) -> str:
    """The category that is spelt like a name; else the one that other spellings of its name are taken for.

    totals: `category_totals.parquet`. Raises DataError where there is none, with the nearest.
    """
    known: list[str] = totals["category"].to_pylist()
    if name in known:
        return name
    for category, takes_others in zip(known, totals["takes_other_spellings"].to_pylist(), strict=True):
        if takes_others and folded(category) == folded(name):
            return category
    raise DataError(
        f"no sales in category {shown(name)}{nearest_name(name, known)}; "
        f"categories in the data: {', '.join(sorted(known)[:30])}",
        solution="mend the name under internal.categories in params.yaml, or take the category out",
    )
