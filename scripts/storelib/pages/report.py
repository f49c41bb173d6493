"""What the report says of each view, as plain values for its template."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from storelib.method.agreement import crossed
from storelib.method.k_rules import STABLE, choices_of
from storelib.method.one_cluster import NO_STRUCTURE, WEAK_STRUCTURE, alternative
from storelib.pages.language import number, say
from storelib.pages.palette import CLUSTER_COLOURS
from storelib.pages.words import (
    Trait,
    choice_words,
    figure,
    labels_of,
    mix_words,
    percent,
    place_words,
    printable,
    sentence,
    state_label,
)

ROWS_SHOWN = 24
# Hennig 2007: from 0.6 a cluster indicates a pattern in the data, though which stores are in it is in doubt.
PATTERN = 0.6
BLUE, WHITE, ORANGE = (33, 102, 172), (247, 247, 247), (217, 95, 2)
RULE_WORDS = {
    "silhouette": "silhouette",
    "calinski_harabasz": "Calinski-Harabasz",
    "davies_bouldin": "Davies-Bouldin",
    "consensus": "consensus of the three",
    "bic": "BIC, spheres",
    "bic_tied": "BIC, one shape",
    "gap": "gap statistic",
    "prediction_strength": "prediction strength",
    "stability": "bootstrap stability",
}


class Cell(NamedTuple):
    """One cell of a heat map: colours as CSS; strength: as `shade` takes it, for pages with colours of their own."""

    text: str
    background: str
    ink: str
    title: str
    strength: float = math.nan


class Row(NamedTuple):
    """One feature of a heat map."""

    name: str
    full: str
    chain: str
    cells: list[Cell]


class Group(NamedTuple):
    """One cluster or segment in words and figures."""

    number: int
    stores: int
    share_of_stores: float
    sales: float
    share_of_sales: float
    borderline: float
    sentence: str
    note: str


class Panel(NamedTuple):
    """One rule's score for each k, as an SVG line in a box of 150 x 56, and the k that it chooses."""

    rule: str
    choice: str
    agrees: bool
    line: str
    dots: list[tuple[float, float, int, str, str]]
    ticks: list[tuple[float, int]]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows by column name, as plain Python values."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def borderline_shares(stores: pd.DataFrame, label: str) -> dict[int, float]:
    """Share of each group's stores that are on a border. stores: `is_borderline`, and the group under `label`."""
    shares = stores["is_borderline"].groupby(stores[label]).mean()
    return dict(zip(map(int, shares.index), map(float, shares), strict=True))


def traits_of(
    profile: pd.DataFrame, spread: pd.Series, labels: Mapping[str, str]
) -> tuple[dict[int, list[Trait]], dict[tuple[int, str], Trait]]:
    """Each group's traits, and each trait by group and feature.

    profile: as `profile_table` makes it; spread: standard deviation of each feature over the chain's stores.
    """
    by_group: dict[int, list[Trait]] = {}
    by_cell: dict[tuple[int, str], Trait] = {}
    for row in records(profile):
        deviation = float(spread.get(row["feature"], math.nan))
        distance = (row["mean"] - row["chain_mean"]) / deviation if deviation > 0 else math.nan
        trait = Trait(labels[row["feature"]], row["mean"], row["chain_mean"], row["index"], distance)
        by_group.setdefault(row["cluster"], []).append(trait)
        by_cell[row["cluster"], row["feature"]] = trait
    return by_group, by_cell


def shade(strength: float) -> tuple[str, str]:
    """Background and ink for a strength from -1 (orange) by 0 (white) to 1 (blue)."""
    if math.isnan(strength):
        return "#ffffff", "#767676"
    part = min(abs(strength), 1.0)
    end = BLUE if strength > 0 else ORANGE
    mixed = [round(w + (e - w) * part) for w, e in zip(WHITE, end, strict=True)]
    colour = "#" + "".join(f"{v:02x}" for v in mixed)
    return colour, ink_on(colour)


def ink_on(colour: str) -> str:
    """White or dark ink, whichever has more contrast on a colour (WCAG 2's formula; the ink's own luminance is 0.016)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [((part + 0.055) / 1.055) ** 2.4 if part > 0.04 else part / 12.92 for part in parts]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#ffffff" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.066 else "#222222"


def mark(number: int) -> tuple[str, str]:
    """Colour and shape of a cluster or segment: disc, square or ring, so that more of them than colours differ."""
    shape = ("disc", "square", "ring")[(number - 1) // len(CLUSTER_COLOURS) % 3]
    return CLUSTER_COLOURS[(number - 1) % len(CLUSTER_COLOURS)], shape


def crossed_words(segments: pd.DataFrame) -> dict[int, str]:
    """Which crossed cluster each segment's stores are of: `2 × 1`, or `mostly 2 × 1` where others were dissolved into it.

    segments: `segment` and `merged_cluster` by store.
    """
    notes = {}
    for segment, merged in segments.groupby("segment")["merged_cluster"]:
        sizes = merged.value_counts().sort_index().sort_values(ascending=False, kind="stable")
        own = str(sizes.index[0]).replace("x", " × ")
        notes[int(str(segment))] = say("mostly %(crossing)s", crossing=own) if len(sizes) > 1 else own
    return notes


def stability_words(stability: pd.DataFrame) -> dict[int, str]:
    """How often each cluster comes back from resampled stores, by the limits of Hennig 2007; nothing of one cluster alone."""
    if len(stability) == 1:
        return {}
    found = {}
    for row in records(stability[stability["jaccard"].notna()]):
        kind = (
            "stable"
            if row["jaccard"] >= STABLE
            else "a pattern, not stable"
            if row["jaccard"] >= PATTERN
            else "not stable"
        )
        jaccard = number(row["jaccard"], ".2f")
        found[int(row["cluster"])] = say("%(kind)s: bootstrap Jaccard %(jaccard)s", kind=say(kind), jaccard=jaccard)
    return found


def heat_rows(
    cells: Mapping[tuple[int, str], Trait], groups: Sequence[int], features: Sequence[str], kind: str
) -> list[Row]:
    """A heat map's rows. kind `mix`: index of shares, shaded by ratio. kind `place`: means, shaded by distance."""
    rows = []
    labels = labels_of(features) if kind == "place" else {feature: state_label(feature) for feature in features}
    for feature in features:
        shown = []
        chain = math.nan
        for group in groups:
            trait = cells.get((group, feature))
            if trait is None:
                shown.append(Cell("", "#ffffff", "#222222", say("no store that trained")))
                continue
            chain = trait.chain
            if kind == "mix":
                index = trait.level
                # Twice the chain's share is as strong as half of it.
                strength = math.nan if math.isnan(index) else math.log2(max(index, 1) / 100) / 1.3
                text = "–" if math.isnan(index) else number(index, ",.0f")
                title = say(
                    "%(share)s of sales; chain %(chain)s", share=percent(trait.mean), chain=percent(trait.chain)
                )
            else:
                strength = trait.distance / 1.5
                text = figure(trait.mean)
                away = number(trait.distance, "+.1f")
                title = say("chain %(chain)s; %(away)s standard deviations", chain=figure(trait.chain), away=away)
            background, ink = shade(strength)
            shown.append(Cell(text, background, ink, title, strength))
        rows.append(Row(labels[feature], printable(feature), percent(chain) if kind == "mix" else figure(chain), shown))
    return rows


def ranked_mix(profile: pd.DataFrame) -> list[str]:
    """Need states that differ most between groups, in share points."""
    means = profile.groupby("feature")["mean"].agg(lambda s: s.max() - s.min())
    return [str(name) for name in means.sort_values(ascending=False, kind="stable").index[:ROWS_SHOWN]]


def ranked_places(profile: pd.DataFrame, spread: pd.Series) -> list[str]:
    """External features that differ most between groups, in standard deviations; those without a spread are left out."""
    reach = profile.groupby("feature")["mean"].agg(lambda s: s.max() - s.min())
    known = (reach / spread.where(spread > 0)).dropna()
    return [str(name) for name in known.sort_values(ascending=False, kind="stable").index[:ROWS_SHOWN]]


def panels_of(scores: pd.DataFrame) -> list[Panel]:
    """One small chart per rule that was computed."""
    chosen = int(scores.loc[scores["chosen"], "k"].iloc[0])
    ks = scores["k"].tolist()
    span = max(len(ks) - 1, 1)
    panels = []
    for rule, choice in choices_of(scores).items():
        known = scores[np.isfinite(scores[rule])]
        values = known[rule]
        reach = float(values.max() - values.min()) or 1.0
        dots = []
        for row in records(known):
            value, k = float(row[rule]), int(row["k"])
            x = 8 + 134 * ks.index(k) / span
            y = 48 - 40 * (value - float(values.min())) / reach
            kind = "own" if k == choice else ("" if row["eligible"] else "vetoed")
            dots.append((round(x, 1), round(y, 1), k, kind, figure(value)))
        ticks = [(round(8 + 134 * at / span, 1), int(k)) for at, k in enumerate(ks)]
        line = " ".join(f"{x:g},{y:g}" for x, y, *_ in dots)
        words = say("finds none") if choice is None else f"k = {choice}"
        panels.append(Panel(say(RULE_WORDS.get(rule, rule)), words, choice == chosen, line, dots, ticks))
    return panels


def k_words(scores: pd.DataFrame) -> str:
    """Which k was chosen, by how many rules, and which k could not be."""
    chosen = int(scores.loc[scores["chosen"], "k"].iloc[0])
    least, most = scores["k"].iloc[0], scores["k"].iloc[-1]
    tried = (
        say("Tried %(least)s to %(most)s", least=least, most=most)
        if len(scores) > 1
        else say("Tried only %(k)s", k=chosen)
    )
    vetoed = scores.loc[~scores["eligible"], "k"].tolist()
    words = f"{tried}: {choice_words(choices_of(scores), chosen)}."
    if vetoed:
        words += " " + say("Not eligible, since a cluster would be too small: %(ks)s.", ks=", ".join(map(str, vetoed)))
    if chosen == 1:
        choices = choices_of(scores)
        k = alternative(choices)
        rules = ", ".join(rule for rule, choice in choices.items() if choice == k)
        told = say(NO_STRUCTURE) if k is None else say(WEAK_STRUCTURE, k=k, rules=rules)
        words += f" {told[0].upper()}{told[1:]}."
    return words


def groups_of(
    profile: pd.DataFrame,
    word: str,
    sides: Sequence[Mapping[int, list[Trait]] | None],
    borders: Mapping[int, float],
    notes: Mapping[int, str],
) -> list[Group]:
    """Each cluster or segment with its sentence. sides: traits of what sells, and of where stores lie; None is silent."""
    mixes, places = sides
    groups = []
    for row in records(profile.drop_duplicates("cluster")):
        group, stores, share = int(row["cluster"]), int(row["stores"]), float(row["share_of_sales"])
        parts = [] if mixes is None else [mix_words(mixes.get(group, []))]
        parts += [] if places is None else [place_words(places.get(group, []))]
        groups.append(
            Group(
                number=group,
                stores=stores,
                share_of_stores=float(row["share_of_stores"]),
                sales=float(row["sales"]),
                share_of_sales=share,
                borderline=borders.get(group, 0.0),
                sentence=sentence(f"{say(word)} {group}", stores, share, *parts),
                note=notes.get(group, ""),
            )
        )
    return groups


def crossing(planted: pd.Series, found: pd.Series) -> dict[str, Any]:
    """Stores of each known label (rows) in each found one (columns), so ordered that agreement is a diagonal."""
    table = crossed(planted, found)
    counts = table.to_numpy()
    shares = table.div(table.sum(axis="columns"), axis="index").to_numpy()
    rows = []
    for row, label in enumerate(table.index):
        cells = []
        for column in range(len(table.columns)):
            stores, share = int(counts[row, column]), float(shares[row, column])
            background, ink = shade(share)
            cells.append(
                Cell(
                    number(stores) if stores else "",
                    background,
                    ink,
                    say("%(share)s of known %(label)s", share=percent(share), label=label),
                )
            )
        rows.append((int(label), cells))
    return {"columns": [int(name) for name in table.columns], "rows": rows}
