"""What the report says of merging, as plain values: what fewer segments would lose, and what was placed by hand."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from storelib.method.migrations import moved
from storelib.pages.language import number, say, say_number
from storelib.pages.report import Panel
from storelib.pages.words import percent, printable

# More numbers of segments than this are thinned out.
NUMBERS_SHOWN = 16


class Explained(NamedTuple):
    """The share of variance explained at each number of segments: a sentence, (number, share, chosen) and a small chart."""

    sentence: str
    rows: list[tuple[int, str, bool]]
    panel: Panel


def whose_variance(*, has_mix: bool, has_places: bool) -> str:
    """What segments explain, in words: both views, or the one that there is."""
    if not has_mix:
        return "external data"
    return "both views" if has_places else "what sells"


def explained_view(table: pd.DataFrame, views: str) -> Explained:
    """Of one category's numbers of segments, as `merge_segments` writes them. views: whose variance that is, in words."""
    chosen = int(table.loc[table["chosen"], "segments"].iloc[0])
    numbers, shares = table["segments"].tolist(), dict(zip(table["segments"], table["explained"], strict=True))
    kept = {numbers[0], chosen, numbers[-1], *numbers[:: -(-len(numbers) // NUMBERS_SHOWN)]}
    sentence = say_number(
        "%(segments)s explains %(share)s of the variance of %(views)s",
        "%(segments)s explain %(share)s of the variance of %(views)s", chosen, segments=chosen,
        share=percent(shares[chosen]), views=say(views),
    )  # fmt: skip
    before = table[(table["segments"] > chosen) & (table["step"] != "merged")]
    if len(before):
        first = before.iloc[-1]
        sentence += say(
            "; %(segments)s, before small ones were dissolved and near ones merged, %(share)s",
            segments=int(first["segments"]), share=percent(first["explained"]),
        )  # fmt: skip
    span = max(numbers[-1] - numbers[0], 1)
    dots = []
    for n in numbers:
        x, y = round(8 + 134 * (n - numbers[0]) / span, 1), round(48 - 40 * shares[n], 1)
        dots.append((x, y, int(n), "own" if n == chosen else "", percent(shares[n])))
    line = " ".join(f"{x:g},{y:g}" for x, y, *_ in dots)
    panel = Panel(
        say("variance explained"),
        str(chosen),
        agrees=True,
        line=line,
        dots=dots,
        ticks=[(x, n) for x, _, n, *_ in dots],
    )
    return Explained(f"{sentence}.", [(int(n), percent(shares[n]), n == chosen) for n in sorted(kept)], panel)


def override_rows(overrides: pd.DataFrame, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every store that a person has placed: its category by name, store, segment, who and why."""
    return [
        {"category": names.get(row["category"], row["category"]), "segment": int(row["segment"])}
        | {name: printable(row[name]) for name in ("store_id", "who", "why")}
        for row in overrides.to_dict("records")
    ]


class Migration(NamedTuple):
    """One category: its name, a sentence, and rows of (segment before, segment now, stores, share of the former, moved)."""

    name: str
    sentence: str
    rows: list[tuple[str, str, int, str, bool]]


def migration_views(table: pd.DataFrame, names: Mapping[str, str]) -> list[Migration]:
    """Who went where since the baseline, by category. table: as `migrations` has it."""
    found = []
    for key, own in table.groupby("category"):
        gone, both = moved(table, str(key))
        found.append(Migration(names.get(str(key), str(key)), changed_words(gone, both), rows_of(own)))
    return found


def changed_words(gone: int, both: int) -> str:
    """How many stores changed their segment. both: stores in both runs; gone: those of them that changed it."""
    return say(
        "%(moved)s of %(both)s stores that are in both (%(share)s) changed their segment",
        moved=number(gone), both=number(both), share=percent(gone / both) if both else "–",
    )  # fmt: skip


def rows_of(own: pd.DataFrame) -> list[tuple[str, str, int, str, bool]]:
    """One category's migrations: segment before, segment now, stores, share of the former, and whether that is a move."""
    rows = []
    for row in own.to_dict("records"):
        before, after = (None if pd.isna(row[side]) else int(row[side]) for side in ("before", "after"))
        share = "" if before is None else percent(float(row["share"]))
        texts = (say("new store") if before is None else str(before), say("gone") if after is None else str(after))
        rows.append((*texts, int(row["stores"]), share, before != after))
    return rows


def chain_view(table: pd.DataFrame, names: Mapping[str, str]) -> dict[str, Any]:
    """The segments of the chain: names of the categories, and of each segment its stores and its agreement with each of them."""
    keys = [str(name) for name in table.columns[4:]]
    rows = [
        (
            int(str(segment)),
            len(own),
            percent(float(own["agreement"].mean())),
            [percent(float(own[key].mean())) for key in keys],
        )
        for segment, own in table.groupby("segment")
    ]
    return {"categories": [names.get(key, key) for key in keys], "rows": rows}
