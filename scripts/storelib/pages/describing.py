"""What the report, the workbook and the command say of each segment, and of what external data tell, as plain values."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from storelib.pages.naming import part_labels
from storelib.pages.words import count, figure, labels_of, listed, percent, printable, short

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
    result = {}
    for row in descriptions.to_dict("records"):
        number = int(row["segment"])
        own = traits[(traits["segment"] == number) & traits["is_notable"]]
        apart = [part for kind in ("mix", "place") for part in largest(own[own["kind"] == kind], labels[kind], kind)]
        members = fit[fit["segment"] == number]
        stores = {
            rank: [told_store(str(store), names) for store in members.dropna(subset=rank).sort_values(rank)["store_id"]]
            for rank in ("typical_rank", "odd_rank")
        }
        result[number] = Described(
            short(str(row["name"]), 100),
            NAMED_BY[str(row["name_from"])],
            apart,
            str(row["rules"]),
            right_words(int(row["rule_stores"]), int(row["rule_right"]), int(row["stores"])),
            stores["typical_rank"],
            stores["odd_rank"],
        )
    return result


def largest(traits: pd.DataFrame, labels: Mapping[str, str], kind: str) -> list[Apart]:
    """The largest differences, those above the rest first."""
    first = traits.assign(size=-traits["effect"].abs()).sort_values(["size", "feature"]).head(DIFFERENCES_SHOWN)
    told = percent if kind == "mix" else figure
    return [
        Apart(
            labels[str(row["feature"])],
            f"{row['effect']:+.1f}".replace("-", "\N{MINUS SIGN}"),
            row["effect"] > 0,
            f"{told(row['mean'])} against {told(row['rest_mean'])} in all other stores",
        )
        for row in first.sort_values("effect", ascending=False).to_dict("records")
    ]


def told_store(store: str, names: Mapping[str, str]) -> str:
    """A store's id, with its name where that is known."""
    return f"{printable(store)} {short(names[store], 40)}" if names.get(store) else printable(store)


def right_words(stores: int, right: int, size: int) -> str:
    """How well a segment's rules hold."""
    if not stores:
        return "no rule of so few conditions finds it"
    return f"holds for {count(stores, 'store')}, {right:,} of them among the segment’s {size:,}"


def fidelity_words(descriptions: pd.DataFrame, depth: str) -> str:
    """How far the rules of a category can be trusted."""
    first = descriptions.iloc[0]
    if len(descriptions) == 1 or pd.isna(first["fidelity"]):
        return ""
    return (
        f"Rules of at most {depth} conditions tell the segment of {percent(first['fidelity'])} of the stores right, tried on "
        f"stores that they were not learned from; to name the largest segment every time is right for {percent(first['chance'])}."
    )


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
    sentences = [VERDICT_WORDS[row["verdict"]]]
    if pd.isna(row["accuracy"]):
        return sentences
    stores = count(int(row["sampled"]), "store")
    if row["sampled"] < row["stores"]:
        stores = f"a sample of {stores} of {int(row['stores']):,}"
    sentences.append(
        f"From {count(int(row['features']), 'external feature')} alone, the cluster by what sells is told right for "
        f"{percent(row['accuracy'])} of the stores (all clusters counting alike; {stores}); by chance it would be "
        f"{percent(row['chance'])}, and with clusters shuffled among the stores it was {percent(row['shuffled'])}."
    )
    if row["left_out"]:
        sentences.append(f"{count(int(row['left_out']), 'cluster')} of fewer than five stores left out.")
    carriers = importance.sort_values(["importance", "feature"], ascending=[False, True])
    carriers = carriers[carriers["importance"] > carriers["deviation"]].head(CARRIERS_SHOWN)
    if row["verdict"] != "nothing" and len(carriers):
        labels = labels_of(map(str, importance["feature"]))
        told = [
            f"{labels[str(c['feature'])]} ({100 * c['importance']:.0f} points)" for c in carriers.to_dict("records")
        ]
        sentences.append(f"Most of that is carried by {listed(told)}: so much is lost where that feature is shuffled.")
    return sentences
