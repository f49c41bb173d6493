"""Figures and profiles as plain English."""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from storelib.names import OVERRIDE

LONGEST_NAME = 60
# Characters that change the direction of the text around them.
DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
# An index from here on (or to there) is worth a word.
OVER, UNDER = 120, 80
# Standard deviations between a segment's mean and the chain's that are worth a word, and a strong one.
NOTABLE, STRONG = 0.4, 1.0

# What a flag says of a store: in which view, and why it trained nothing there.
SIDES = {"internal": "what sells", "external": "place"}
REASONS = {
    "outlier": "unlike all others",
    "thin": "too little sold",
    "no_net_sales": "no net sales",
    "no_data": "no data",
}


class Trait(NamedTuple):
    """One feature of one group of stores.

    level: mean against the chain's, chain = 100; not a number where that has no meaning. distance: in standard deviations
    of the chain's stores.
    """

    name: str
    mean: float
    chain: float
    level: float
    distance: float


def printable(text: str) -> str:
    """A text from data on one line, without characters that do not show, apart from the rest in its direction."""
    shown = "".join("\ufffd" if unicodedata.category(c) in {"Cc", "Cs"} else c for c in " ".join(text.split()))
    plain = DIRECTION.sub("", shown)
    is_rtl = any(unicodedata.bidirectional(c) in {"R", "AL"} for c in plain)
    return f"\u2068{plain}\u2069" if is_rtl else plain


def flag_words(flag: str) -> str:
    """A flag such as `internal:thin` in words."""
    if flag == OVERRIDE:
        return "placed by hand"
    side, _, reason = flag.partition(":")
    return f"{SIDES.get(side, side)}: {REASONS.get(reason, reason.replace('_', ' '))}"


def short(text: str, longest: int = LONGEST_NAME) -> str:
    """A printable text of at most `longest` characters (and two that isolate it)."""
    shown = printable(text)
    if len(shown) <= longest:
        return shown
    cut = shown[: longest - 1].rstrip() + "…"
    return cut + "\u2069" if cut.startswith("\u2068") else cut


def labels_of(features: Iterable[str]) -> dict[str, str]:
    """External features as words: `county.MEDIAN_INCOME` is "median income", with its source where two have one name."""
    words: dict[str, str] = {}
    for feature in features:
        source, dot, name = feature.partition(".")
        spoken = (name if dot else source).replace("_", " ")
        words[feature] = spoken.lower() if spoken.isupper() else spoken
    spoken_by: dict[str, int] = {}
    for spoken in words.values():
        spoken_by[spoken] = spoken_by.get(spoken, 0) + 1
    return {
        feature: short(f"{spoken} ({feature.partition('.')[0]})" if spoken_by[spoken] > 1 else spoken)
        for feature, spoken in words.items()
    }


def count(number: int, noun: str) -> str:
    """`1 store`, `1,234 stores`."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"


def percent(share: float) -> str:
    """A share in whole per cent, with a decimal where that would hide it."""
    if math.isnan(share):
        return "–"
    points = 100 * share
    if 0 < abs(points) < 0.1:
        return "under 0.1 %"
    if 99.9 < points < 100:
        return "over 99.9 %"
    if abs(points) < 0.95 or 99.05 <= points < 100:
        return f"{points:.1f} %".replace("0.0 %", "0 %")
    return f"{points:.0f} %"


def money(amount: Decimal | float) -> str:
    """Whole units of currency, or millions with three figures."""
    size = abs(float(amount))
    for limit, word in ((10**9, "billion"), (10**6, "million")):
        if size >= limit:
            scaled = float(amount) / limit
            return f"{scaled:,.{max(0, 2 - int(math.log10(abs(scaled))))}f} {word}"
    return f"{amount:,.0f}" if size >= 100 or size == 0 else f"{amount:,.2f}"


def figure(value: float) -> str:
    """A number with three figures that count, without an exponent in the everyday range."""
    if math.isnan(value):
        return "–"
    size = abs(value)
    if size >= 1e12 or 0 < size < 1e-4:
        return f"{value:.2e}"
    if size >= 100:
        return f"{value:,.0f}"
    digits = 2 if size < 1e-300 else max(0, 2 - math.floor(math.log10(size)))
    return f"{value:.0f}" if value == round(value) else f"{value:.{digits}f}"


def period(first: str, last: str) -> str:
    """Dates covered, from the first and the last period: `2025-01`, `2025-W06` or empty."""
    if not first or not last:
        return "not recorded"
    words = [date_words(first), date_words(last)]
    return words[0] if first == last else f"{words[0]} to {words[1]}"


def date_words(text: str) -> str:
    """`2025-01` is January 2025, `2025-W06` is week 6 of 2025; anything else stays as it is."""
    found = re.fullmatch(r"(\d{4})-(W?)(\d{2})", text)
    if found and found[2]:
        return f"week {int(found[3])} of {found[1]}"
    return f"{MONTHS[int(found[3]) - 1]} {found[1]}" if found and 1 <= int(found[3]) <= 12 else text


def ratio(index: float) -> str:
    """How an index reads before "the chain's share": 180 is `1.8 times`, 50 is `half`."""
    if 195 <= index < 205:
        return "twice"
    if index >= 105:
        return f"{index / 100:.1f} times" if index < 1000 else f"{index / 100:.0f} times"
    if index < 1:
        return "under 1 % of"
    for low, high, word in ((22, 28, "a quarter of"), (31, 36, "a third of"), (46, 55, "half")):
        if low <= index < high:
            return word
    return f"{index:.0f} % of"


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def mix_words(traits: Iterable[Trait], most: int = 2) -> str:
    """What sells, from need states: the largest differences in share, over then under the chain's.

    A need state counts by how far its share differs, not by its index: those that hardly sell have the wildest indices.
    """
    known = [t for t in traits if not math.isnan(t.level)]
    if not known:
        return "has no store with sales enough to tell what sells"
    over = sorted((t for t in known if t.level >= OVER), key=lambda t: (t.chain - t.mean, t.name))[:most]
    under = sorted((t for t in known if t.level <= UNDER), key=lambda t: (t.mean - t.chain, t.name))[:most]
    if not over and not under:
        return "sells much the same mix as the chain"
    phrases = []
    for group in (over, under):
        words = [
            f"{ratio(t.level)} {'the chain’s share of' if at == 0 else 'that of'} {t.name}"
            for at, t in enumerate(group)
        ]
        if words:
            phrases.append(listed(words))
    return "sells " + (", but only " if over and under else "").join(phrases if over else ["only " + phrases[0]])


def place_words(traits: Iterable[Trait], most: int = 3) -> str:
    """Where stores lie, from external features: those furthest from the chain's mean in standard deviations."""
    traits = [t for t in traits if not math.isnan(t.mean)]
    if not traits:
        return "has no store with external data to tell where it lies"
    notable = [t for t in traits if not math.isnan(t.distance) and abs(t.distance) >= NOTABLE]
    notable = sorted(notable, key=lambda t: (-abs(t.distance), t.name))[:most]
    if not notable:
        return "lies in places much like the chain’s"
    words = []
    for trait in notable:
        more = "higher" if trait.distance > 0 else "lower"
        strength = f"much {more}" if abs(trait.distance) >= STRONG else more
        words.append(f"{strength} {trait.name} ({figure(trait.mean)} against {figure(trait.chain)})")
    return "lies in places with " + listed(words)


def size_words(stores: int, share_of_sales: float) -> str:
    """`214 stores, 12 % of sales`; the stores alone where there are no sales."""
    sold = "" if math.isnan(share_of_sales) else f", {percent(share_of_sales)} of sales"
    return f"{count(stores, 'store')}{sold}"


def sentence(name: str, stores: int, share_of_sales: float, *parts: str) -> str:
    """`Segment 3: 214 stores, 12 % of sales; sells ...; lies where ....`"""
    return "; ".join([f"{name}: {size_words(stores, share_of_sales)}", *parts]) + "."


def choice_words(choices: Mapping[str, int | None], chosen: int) -> str:
    """How many of the computed rules agree with the k that was chosen."""
    agree = sum(choice == chosen for choice in choices.values())
    return f"{agree} of {count(len(choices), 'rule')} choose{'s' if agree == 1 else ''} {chosen}"
