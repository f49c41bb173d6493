"""What changed since the baseline: who moved, which segments grew or have another name."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from storelib.method.migrations import moved
from storelib.pages.merging import changed_words, rows_of
from storelib.pages.words import percent, short


class Change(NamedTuple):
    """One segment: its names and stores before and now, and how many came from other segments and went to others.

    A name or a number of stores is None where there was, or is, no such segment; before: "" where the baseline gave no name.
    """

    number: int
    before: str | None
    now: str | None
    stores_before: int | None
    stores_now: int | None
    came: int
    went: int

    @property
    def is_renamed(self) -> bool:
        """Whether the segment is in both with another name."""
        return bool(self.before and self.now) and self.before != self.now


class Changes(NamedTuple):
    """One category: stores in both, those of them that changed their segment, stores that are new and that are gone.

    moves: segment before, segment now, stores, and their share of the former; those that changed, most first.
    """

    name: str
    both: int
    moved: int
    share: str
    new: int
    gone: int
    changes: list[Change]
    moves: list[tuple[str, str, int, str]]

    @property
    def sentence(self) -> str:
        """How many changed their segment."""
        return changed_words(self.moved, self.both)

    @property
    def segments(self) -> tuple[int, int, int]:
        """How many segments are new, are gone, and have another name."""
        new = sum(change.before is None for change in self.changes)
        return new, sum(change.now is None for change in self.changes), sum(c.is_renamed for c in self.changes)


def change_views(
    migrations: pd.DataFrame, baseline: pd.DataFrame, names: Mapping[str, str], named: Mapping[str, Mapping[int, str]]
) -> list[Changes]:
    """Each category that the baseline has. names: of categories; named: names of today's segments, by category."""
    found = []
    for key, own in migrations.groupby("category"):
        went, both = moved(migrations, str(key))
        before = named_before(baseline[baseline["category"] == key])
        pairs = [
            (segment_or_none(row["before"]), segment_or_none(row["after"]), int(row["stores"]))
            for row in own.to_dict("records")
        ]
        numbers = sorted({segment for pair in pairs for segment in pair[:2] if segment is not None})
        found.append(
            Changes(
                names.get(str(key), str(key)), both, went, percent(went / both) if both else "–",
                sum(stores for old, _, stores in pairs if old is None),
                sum(stores for _, new, stores in pairs if new is None),
                [change_of(segment, pairs, before, named[str(key)]) for segment in numbers],
                moves_of(own),
            )
        )  # fmt: skip
    return found


def segment_or_none(number: Any) -> int | None:
    """A label, or none where it is missing."""
    return None if pd.isna(number) else int(number)


def named_before(baseline: pd.DataFrame) -> dict[int, str]:
    """Names of a category's segments in the baseline; those without one are left out."""
    rows = baseline.dropna(subset="segment_name").drop_duplicates("segment")
    return {int(row["segment"]): short(str(row["segment_name"]), 100) for row in rows.to_dict("records")}


def change_of(
    segment: int, pairs: Sequence[tuple[int | None, int | None, int]], before: Mapping[int, str], now: Mapping[int, str]
) -> Change:
    """One segment. pairs: segment before, segment now and stores; None for stores that are new or gone."""
    was = [stores for old, _, stores in pairs if old == segment]
    is_now = [stores for _, new, stores in pairs if new == segment]
    return Change(
        segment,
        before.get(segment, "") if was else None,
        now.get(segment, "") if is_now else None,
        sum(was) if was else None,
        sum(is_now) if is_now else None,
        sum(stores for old, new, stores in pairs if new == segment and old not in {None, segment}),
        sum(stores for old, new, stores in pairs if old == segment and new not in {None, segment}),
    )


def moves_of(own: pd.DataFrame) -> list[tuple[str, str, int, str]]:
    """From where to where, without those that stayed, the most stores first."""
    moves = [row[:4] for row in rows_of(own) if row[4]]
    return sorted(moves, key=lambda move: (-move[2], move[:2]))
