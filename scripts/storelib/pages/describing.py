"""What the report, the workbook and the command say of each segment, and of what external data tell, as plain values."""

from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from storelib.pages.language import number, say
from storelib.pages.naming import part_labels
from storelib.pages.words import count, figure, labels_of, listed, percent, printable, short, with_unit

# Of each kind: need states and external features.
DIFFERENCES_SHOWN = 4
CARRIERS_SHOWN = 3
NAMED_BY = {"made": "", "baseline": "name kept from the baseline", "given": "named by a person"}


class Apart(NamedTuple):
    """One feature in which a segment differs: its name, the effect such as `+2.1`, and both means."""

    name: str
    effect: str
    is_over: bool
    means: str


class Described(NamedTuple):
    """One segment. typical, odd: stores, the most so first."""

    name: str
    named_by: str
    apart: list[Apart]
    rules: str
    rule_words: str
    typical: list[str]
    odd: list[str]


def described(
    descriptions: pd.DataFrame, traits: pd.DataFrame, fit: pd.DataFrame, names: Mapping[str, str]
) -> dict[int, Described]:
    """Each segment by its number. names: of stores, where they are known."""
    kinds = {kind: traits.loc[traits["kind"] == kind, "feature"].unique() for kind in ("mix", "place")}
    labels = part_labels(map(str, kinds["mix"]), map(str, kinds["place"]))
    apart = differences(traits, labels)
    stores = {rank: ranked(fit, rank, names) for rank in ("typical_rank", "odd_rank")}
    return {
        (number := int(row["segment"])): Described(
            short(str(row["name"]), 100),
            say(NAMED_BY[str(row["name_from"])]),
            [part for kind in ("mix", "place") for part in apart.get((number, kind), [])],
            str(row["rules"]),
            right_words(int(row["rule_stores"]), int(row["rule_right"]), int(row["stores"])),
            stores["typical_rank"].get(number, []),
            stores["odd_rank"].get(number, []),
        )
        for row in descriptions.to_dict("records")
    }


def differences(traits: pd.DataFrame, labels: Mapping[str, Mapping[str, str]]) -> dict[tuple[int, str], list[Apart]]:
    """The largest differences of each segment and kind, those above the rest first. labels: of features, by kind."""
    notable = traits[traits["is_notable"]]
    in_order = notable.assign(size=-notable["effect"].abs()).sort_values(["size", "feature"])
    first: dict[tuple[int, str], list[dict[Hashable, Any]]] = {}
    for row in in_order.to_dict("records"):
        found = first.setdefault((int(row["segment"]), str(row["kind"])), [])
        if len(found) < DIFFERENCES_SHOWN:
            found.append(row)
    return {
        (segment, kind): [
            apart_of(row, labels[kind], kind) for row in sorted(rows, key=lambda row: -float(row["effect"]))
        ]
        for (segment, kind), rows in first.items()
    }


def apart_of(row: Mapping[Hashable, Any], labels: Mapping[str, str], kind: str) -> Apart:
    """One difference in words."""
    told = percent if kind == "mix" else figure
    effect = number(row["effect"], "+.1f").replace("-", "\N{MINUS SIGN}")
    label, means = labels[str(row["feature"])], [told(row["mean"]), told(row["rest_mean"])]
    name, (own, rest) = (label, means) if kind == "mix" else with_unit(label, *means)
    against = say("%(own)s against %(rest)s in all other stores", own=own, rest=rest)
    return Apart(name, effect, row["effect"] > 0, against)


def ranked(fit: pd.DataFrame, rank: str, names: Mapping[str, str]) -> dict[int, list[str]]:
    """The stores of each segment that have a rank, the first of them first. names: of stores, where they are known."""
    found: dict[int, list[str]] = {}
    rows = fit.dropna(subset=rank).sort_values(rank)
    for segment, store in zip(rows["segment"].tolist(), rows["store_id"].tolist(), strict=True):
        found.setdefault(int(segment), []).append(told_store(str(store), names))
    return found


def told_store(store: str, names: Mapping[str, str]) -> str:
    """A store's id, with its name where that is known."""
    return f"{printable(store)} {short(names[store], 40)}" if names.get(store) else printable(store)


def right_words(stores: int, right: int, size: int) -> str:
    """How well a segment's rules hold."""
    if not stores:
        return say("no rule of so few conditions finds it")
    return say(
        "holds for %(stores)s, %(right)s of them among the segment’s %(size)s",
        stores=count(stores, "store"), right=number(right), size=number(size),
    )  # fmt: skip


def fidelity_words(descriptions: pd.DataFrame, depth: str) -> str:
    """How far the rules of a category can be trusted."""
    first = descriptions.iloc[0]
    if len(descriptions) == 1 or pd.isna(first["fidelity"]):
        return ""
    return say(
        "Rules of at most %(depth)s conditions tell the segment of %(share)s of the stores right, tried on stores that they were "
        "not learned from; to name the largest segment every time is right for %(chance)s.",
        depth=depth, share=percent(first["fidelity"]), chance=percent(first["chance"]),
    )  # fmt: skip


VERDICT_WORDS = {
    "much": "External data help: where a store is tells much of what sells there.",
    "some": "External data help: where a store is tells something of what sells there.",
    "little": "External data hardly help: where a store is tells little of what sells there, so that crossing the two adds "
    "segments and little knowledge.",
    "nothing": "External data do not help: where a store is tells nothing of what sells there. Crossing the two adds segments "
    "without adding knowledge of what sells.",
    "one cluster": "All stores are one cluster by what sells: there is nothing that external data could tell.",
    "no data": "There are no external data that could tell what sells.",
    "too few stores": "There are too few stores in the clusters by what sells to say whether external data tell them.",
}


def prediction_words(prediction: pd.DataFrame, importance: pd.DataFrame) -> list[str]:
    """Whether external data help, in two or three sentences."""
    row = prediction.iloc[0]
    sentences = [say(VERDICT_WORDS[row["verdict"]])]
    if pd.isna(row["accuracy"]):
        return sentences
    stores = count(int(row["sampled"]), "store")
    if row["sampled"] < row["stores"]:
        stores = say("a sample of %(sampled)s of %(all)s", sampled=stores, all=number(int(row["stores"])))
    sentences.append(
        say(
            "From %(features)s alone, the cluster by what sells is told right for %(share)s of the stores (all clusters counting "
            "alike; %(stores)s); by chance it would be %(chance)s, and with clusters shuffled among the stores it was %(shuffled)s.",
            features=count(int(row["features"]), "external feature"), share=percent(row["accuracy"]), stores=stores,
            chance=percent(row["chance"]), shuffled=percent(row["shuffled"]),
        )
    )  # fmt: skip
    if row["left_out"]:
        clusters = count(int(row["left_out"]), "cluster")
        sentences.append(say("%(clusters)s of fewer than five stores left out.", clusters=clusters))
    carriers = importance.sort_values(["importance", "feature"], ascending=[False, True])
    carriers = carriers[carriers["importance"] > carriers["deviation"]].head(CARRIERS_SHOWN)
    if row["verdict"] != "nothing" and len(carriers):
        labels = labels_of(map(str, importance["feature"]))
        told = [
            say("%(name)s (%(points)s points)", name=with_unit(labels[str(c["feature"])])[0], points=f"{100 * c['importance']:.0f}")
            for c in carriers.to_dict("records")
        ]  # fmt: skip
        sentences.append(
            say(
                "Most of that is carried by %(features)s: so much is lost where that feature is shuffled.",
                features=listed(told),
            )
        )
    return sentences
