"""Which category of the data is meant by a name under `internal.categories`."""

from collections.abc import Collection

import pyarrow as pa

from storelib.errors import ConfigError, DataError, nearest_name, shown
from storelib.raw.spellings import folded

# What stands for all categories where there are no sales: they cannot be told apart.
NO_SALES = "(no sales)"


def has_sales(totals: pa.Table) -> bool:
    """Whether anything is sold at all. totals: `category_totals.parquet`, whose every row has a sales line where that is so."""
    return bool(totals.num_rows) and totals["lines"][0].as_py() > 0


def refuse_several(keys: Collection[str]) -> None:
    """Raise ConfigError where there are several categories, and no sales that could tell them apart."""
    if len(keys) > 1:
        raise ConfigError(
            f"there are no sales (sources.sales is null), so that the {len(keys)} categories of params.yaml would all be the same",
            solution="leave one under internal.categories, such as `all_stores: {name: All stores}`: it stands for all of them",
        )


def category_named(name: str, totals: pa.Table) -> str:
    """The category that is spelt like a name; else the one that other spellings of its name are taken for.

    totals: `category_totals.parquet`. Without sales any name stands for all categories. Raises DataError where there is none,
    with the nearest.
    """
    known: list[str] = totals["category"].to_pylist()
    if not has_sales(totals):
        return NO_SALES
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
