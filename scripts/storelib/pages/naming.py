"""Short names of segments, from what sets them apart."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from storelib.names import UNMAPPED
from storelib.pages.language import say
from storelib.pages.words import labels_of, short, state_label, with_unit

LONGEST_PART = 32
# Parts of a name: at first, and where others have the same.
PARTS, MOST_PARTS = 2, 4
NOTHING = "like the chain"


class Difference(NamedTuple):
    """One feature in which a segment differs. kind: `mix` of a need state, `place` of an external feature."""

    kind: str
    feature: str
    effect: float


def phrase(difference: Difference, labels: Mapping[str, str]) -> str:
    """A difference in two or three words: `Nail Care`, `little Nail Care`, `high income`, `City format`."""
    name = labels[difference.feature]
    over = difference.effect > 0
    if difference.kind == "mix":
        return name if over else say("little %(name)s", name=name)
    column, is_word, word = name.partition("=")
    if is_word:
        spoken = f"{word} {column.replace('_', ' ').lower()}"
        return spoken if over else say("seldom %(name)s", name=spoken)
    return say("high %(name)s" if over else "low %(name)s", name=with_unit(name)[0])


def part_labels(need_states: Iterable[str], features: Iterable[str]) -> dict[str, dict[str, str]]:
    """Need states and external features as words, by kind."""
    spoken = labels_of(features)
    return {
        "mix": {state: state_label(state, LONGEST_PART) for state in need_states},
        "place": {feature: short(words, LONGEST_PART) for feature, words in spoken.items()},
    }


def in_order(differences: Iterable[Difference]) -> list[Difference]:
    """As a name takes them: the need state that is sold most above the chain, the external feature that differs most, the rest.

    Where none is above, the one that is most below; the rest by how far they are from the chain. SKUs without a need state say
    least of what sells, and come last.
    """

    def size(difference: Difference) -> tuple[float, str]:
        return -abs(difference.effect), difference.feature

    mix = sorted(
        (d for d in differences if d.kind == "mix"), key=lambda d: (d.feature == UNMAPPED, d.effect < 0, *size(d))
    )
    place = sorted((d for d in differences if d.kind == "place"), key=size)
    first = [*mix[:1], *place[:1]]
    return first + sorted((d for d in [*mix, *place] if d not in first), key=size)


def names_of(
    differences: Mapping[int, Sequence[Difference]], labels: Mapping[str, Mapping[str, str]], kept: Mapping[int, str]
) -> dict[int, str]:
    """A name for each segment that has none, each once, whatever the capitals.

    differences: those worth a word, by segment; labels: by kind and feature; kept: names that stay as they are. Where two have
    the same two parts, each gets a third and, if need be, a fourth; where that does not help, its number.
    """
    parts = {
        segment: [phrase(difference, labels[difference.kind]) for difference in in_order(found)]
        for segment, found in differences.items()
        if segment not in kept
    }
    lengths = dict.fromkeys(parts, PARTS)

    def name(segment: int) -> str:
        return ", ".join(parts[segment][: lengths[segment]]) or say(NOTHING)

    def repeated() -> list[int]:
        taken = [words.casefold() for words in kept.values()]
        taken += [name(segment).casefold() for segment in parts]
        return [segment for segment in parts if taken.count(name(segment).casefold()) > 1]

    while longer := [s for s in repeated() if lengths[s] < min(len(parts[s]), MOST_PARTS)]:
        for segment in longer:
            lengths[segment] += 1
    numbered = set(repeated())
    made = {segment: f"{name(segment)} ({segment})" if segment in numbered else name(segment) for segment in parts}
    return {segment: kept.get(segment) or made[segment] for segment in differences}
