"""Entries of the product map: all that it says about a SKU, its pairs of category and need state.

SKUs of which the map says the same share an entry, and whatever is decided about a sale by way of the map (its category,
its need states) is the same for all SKUs of one entry. So sales are summed by entry, of which there are few.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pyarrow as pa

Pair = tuple[str | None, str | None]


class Entries(NamedTuple):
    """of_sku: the number of each SKU's entry, from 1; pairs: by number, the entry's (category, need state)."""

    of_sku: Mapping[str, int]
    pairs: Mapping[int, tuple[Pair, ...]]

    @property
    def largest(self) -> int:
        """The largest number of an entry, 0 where there is none."""
        return max(self.pairs, default=0)

    def category(self, entry: int) -> str | None:
        """The category of products of an entry; None where there is none, or several."""
        found = {category for category, _ in self.pairs.get(entry, ())} - {None}
        return found.pop() if len(found) == 1 else None

    def needs(self, category: str | None, entry: int) -> tuple[set[str], bool]:
        """The need states of an entry in a category, and whether the map has it in other categories only.

        Where it has it in this category, those there; else all of its need states. None: those of rows without a category.
        """
        pairs = self.pairs.get(entry, ())
        categories = {found for found, _ in pairs} - {None}
        is_known = category is None or category in categories
        needs = {need for found, need in pairs if need is not None and (not is_known or found == category)}
        return needs, bool(categories) and not is_known

    def places(self, category: str | None, entry: int) -> bool:
        """Whether sales of an entry, in a category as the sale spells it, have a category and need states of their own in it."""
        category = self.category(entry) if category is None else category
        if category is None:
            return False
        needs, is_foreign = self.needs(category, entry)
        return bool(needs) and not is_foreign


def numbered(rows: Iterable[tuple[str, str | None, str | None]]) -> dict[str, int]:
    """The entry of each SKU. rows: (sku, category, need state). Entries are numbered from 1 in the order of what they say."""
    said: dict[str, set[Pair]] = {}
    for sku, category, need in rows:
        said.setdefault(sku, set()).add((category, need))
    entries = {sku: tuple(sorted(pairs, key=by_text)) for sku, pairs in said.items()}
    order = {entry: number for number, entry in enumerate(sorted(set(entries.values()), key=by_texts), start=1)}
    return {sku: order[entry] for sku, entry in entries.items()}


def by_text(pair: Pair) -> tuple[tuple[bool, str], ...]:
    """Order by code point, what is missing last."""
    return tuple((text is None, text or "") for text in pair)


def by_texts(pairs: tuple[Pair, ...]) -> tuple[tuple[tuple[bool, str], ...], ...]:
    """The same for whole entries."""
    return tuple(by_text(pair) for pair in pairs)


def entries_of(product_map: pa.Table) -> Entries:
    """The entries of `product_map.parquet`; or of `map_entries.parquet`, which tells of no SKU."""
    skus = product_map["sku"].to_pylist() if "sku" in product_map.column_names else []
    entries = product_map["entry"].to_pylist()
    of_sku: dict[str, int] = dict(zip(skus, entries, strict=False))
    pairs: dict[int, set[Pair]] = {}
    names = ("category", "need_state")
    for entry, category, need in zip(entries, *(product_map[name].to_pylist() for name in names), strict=True):
        pairs.setdefault(entry, set()).add((category, need))
    return Entries(of_sku, {entry: tuple(sorted(found, key=by_text)) for entry, found in pairs.items()})
