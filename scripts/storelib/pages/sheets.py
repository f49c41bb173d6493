"""What a category's workbook holds, as plain values."""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

import pandas as pd

from storelib.pages.words import flag_words, labels_of, printable

# Excel's limit is 32,767 characters in a cell.
LONGEST = 32_000
CENT = Decimal("0.01")


class Assignment(NamedTuple):
    """One store."""

    store_id: str
    name: str
    segment: int
    internal_cluster: int
    external_cluster: int
    remarks: str
    sales: Decimal


class Profile(NamedTuple):
    """Stores and net sales of each segment; rows of name, chain's value and each segment's index."""

    segments: list[int]
    stores: list[int]
    sales: list[Decimal]
    need_states: list[tuple[str, float, list[float]]]
    features: list[tuple[str, float, list[float]]]


class SalesTable(NamedTuple):
    """Rows of need state and its sales in each segment."""

    segments: list[int]
    rows: list[tuple[str, list[Decimal]]]


def cell_text(text: str) -> str:
    """A text that Excel can hold."""
    shown = printable(text)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def remarks(flags: str) -> str:
    """Flags such as `internal:thin external:outlier` in words."""
    return "; ".join(map(flag_words, flags.split()))


def names_of(stores: pd.DataFrame) -> dict[str, str]:
    """Names by store, empty where the store table has no column `name`."""
    if "name" not in stores.columns:
        return {}
    known = stores.dropna(subset="name")
    return dict(zip(known["store_id"].astype("str"), known["name"].astype("str"), strict=True))


def assignments(segments: pd.DataFrame, sales: pd.Series, names: Mapping[str, str]) -> list[Assignment]:
    """One row per store. segments: labels and flags by store; sales: exact net sales by store."""
    rows = segments.reset_index().to_dict("records")
    return [
        Assignment(
            str(row["store_id"]), names.get(str(row["store_id"]), ""), int(row["segment"]), int(row["internal_cluster"]),
            int(row["external_cluster"]), remarks(str(row["flags"])), Decimal(amount),
        )
        for row, amount in zip(rows, sales, strict=True)
    ]  # fmt: skip


def sales_by_segment(stores: Sequence[Assignment]) -> dict[int, Decimal]:
    """Net sales of each segment, to the cent."""
    totals: dict[int, Decimal] = {}
    for store in sorted(stores, key=lambda store: store.segment):
        totals[store.segment] = totals.get(store.segment, Decimal(0)) + store.sales
    return totals


def need_state_table(sales: pd.DataFrame, segments: pd.Series, totals: Mapping[int, Decimal]) -> SalesTable:
    """Sales by need state (rows, by name) and segment (columns), in cents that add up to each segment's total.

    sales: store_id, need_state, sales in fractions of a cent, since a SKU's sales are split over its need states. The cells
    are rounded to cents; what is missing to a segment's total goes, a cent each, to the cells that rounding took most from.
    """
    grouped = sales.groupby([sales["store_id"].map(segments).rename("segment"), "need_state"])["sales"].sum()
    rounded: dict[tuple[str, int], Decimal] = {}
    for number, total in totals.items():
        part = grouped.loc[number] if number in grouped.index.get_level_values(0) else grouped.iloc[:0]
        exact = {str(state): Decimal(amount) for state, amount in part.items()}
        cells = {state: amount.quantize(CENT, ROUND_HALF_EVEN) for state, amount in exact.items()}
        missing = int((total - sum(cells.values(), Decimal(0))) / CENT)
        if abs(missing) > len(cells):
            raise ValueError(f"sales by need state of segment {number} are {missing} cents from its total {total}")
        step = CENT if missing > 0 else -CENT
        most = sorted(exact, key=lambda state: (-(exact[state] - cells[state]) * int(step / CENT), state))
        for state in most[: abs(missing)]:
            cells[state] += step
        rounded |= {(state, number): amount for state, amount in cells.items()}
    numbers = sorted(totals)
    states = sorted({state for state, _ in rounded})
    return SalesTable(
        numbers, [(state, [rounded.get((state, number), Decimal(0)) for number in numbers]) for state in states]
    )


def profile_of(by_mix: pd.DataFrame, by_place: pd.DataFrame, stores: Sequence[Assignment]) -> Profile:
    """Sizes and indices by segment; need states and features by name."""
    totals = sales_by_segment(stores)
    numbers = sorted(totals)

    def rows(profile: pd.DataFrame, labels: Mapping[str, str]) -> list[tuple[str, float, list[float]]]:
        indices = profile.pivot_table(index="feature", columns="cluster", values="index", dropna=False)
        indices = indices.reindex(columns=numbers)
        chain = profile.groupby("feature")["chain_mean"].first()
        return [
            (labels.get(str(name), str(name)), float(chain[name]), [float(value) for value in values])
            for name, values in zip(indices.index, indices.to_numpy(), strict=True)
        ]

    return Profile(
        numbers,
        [sum(store.segment == number for store in stores) for number in numbers],
        [totals[number] for number in numbers],
        rows(by_mix, {}),
        rows(by_place, labels_of(map(str, by_place["feature"].unique()))),
    )
