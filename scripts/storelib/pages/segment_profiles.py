"""What the segments of one category are like, by what sells and by place: in figures, sentences and rows of heat maps."""

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

import pandas as pd

from storelib.method.profiles import profile_by
from storelib.pages import report, words


class View:
    """One view of the stores. table: features by store, maybe none; exclusion: why a store did not train, by store."""

    def __init__(self, table: pd.DataFrame, exclusion: pd.Series) -> None:
        self.table = table
        self.exclusion = exclusion

    @cached_property
    def spread(self) -> pd.Series:
        """Standard deviation of each feature over the chain's stores that train."""
        spread: pd.Series = self.table[self.exclusion.reindex(self.table.index) == ""].std(ddof=0)
        return spread


class SegmentProfiles(NamedTuple):
    """Profiles of segments by both views, their traits by segment, and by segment and feature. Empty by a view without features."""

    by_mix: pd.DataFrame
    by_place: pd.DataFrame
    mixes: dict[int, list[words.Trait]]
    places: dict[int, list[words.Trait]]
    mix_cells: dict[tuple[int, str], words.Trait]
    place_cells: dict[tuple[int, str], words.Trait]
    spread: pd.Series

    def groups(self, borders: Mapping[int, float], notes: Mapping[int, str], *, told: bool) -> list[report.Group]:
        """Each segment with its figures. borders, notes: by segment; told: whether its sentence says what it is like."""
        has_mix, has_places = not self.by_mix.empty, not self.by_place.empty
        # Without a view there is nothing to say of it.
        sides = self.mixes if told and has_mix else None, self.places if told and has_places else None
        return report.groups_of(self.by_mix if has_mix else self.by_place, "Segment", sides, borders, notes)

    def mix_rows(self, numbers: list[int]) -> list[report.Row]:
        """Heat map of what sells. numbers: of the segments, its columns."""
        return report.heat_rows(self.mix_cells, numbers, report.ranked_mix(self.by_mix), "mix")

    def place_rows(self, numbers: list[int]) -> list[report.Row]:
        """Heat map of external features."""
        features = report.ranked_places(self.by_place, self.spread)
        return report.heat_rows(self.place_cells, numbers, features, "place")


def segment_profiles(segments: pd.Series, sales: pd.Series, sold: View, placed: View) -> SegmentProfiles:
    """Of one category. segments: by store; sales: net sales by store; sold: shares of need states; placed: external features."""
    by_mix, _ = profile_by(sold.table, sold.exclusion, segments, sales)
    by_place, _ = profile_by(placed.table, placed.exclusion, segments, sales)
    states = {state: words.state_label(state) for state in sold.table.columns}
    mixes, mix_cells = report.traits_of(by_mix, pd.Series(dtype="float64"), states)
    places, place_cells = report.traits_of(by_place, placed.spread, words.labels_of(placed.table.columns))
    return SegmentProfiles(by_mix, by_place, mixes, places, mix_cells, place_cells, placed.spread)
