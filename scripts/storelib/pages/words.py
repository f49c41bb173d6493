"""Figures and profiles in plain words."""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from storelib.names import OVERRIDE, UNMAPPED
from storelib.pages.language import number, say, say_number, with_currency

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
# Units as columns end with them, and as people write them.
UNITS = {
    "sqm": "m²", "m2": "m²", "sqft": "sq ft", "km": "km", "km2": "km²", "m": "m", "pct": "%", "percent": "%",
    "minutes": "minutes", "years": "years", "eur": "EUR", "usd": "USD",
}  # fmt: skip
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
    if text.isascii() and text.isprintable():
        # Most texts, at a fraction of the time.
        return " ".join(text.split())
    shown = "".join("\ufffd" if unicodedata.category(c) in {"Cc", "Cs"} else c for c in " ".join(text.split()))
    plain = DIRECTION.sub("", shown)
    is_rtl = any(unicodedata.bidirectional(c) in {"R", "AL"} for c in plain)
    return f"\u2068{plain}\u2069" if is_rtl else plain


def flag_words(flag: str) -> str:
    """A flag such as `internal:thin` in words."""
    if flag == OVERRIDE:
        return say("placed by hand")
    side, _, reason = flag.partition(":")
    return f"{said(SIDES, side)}: {said(REASONS, reason)}"


def said(words: Mapping[str, str], key: str) -> str:
    """What a word of ours is called; one that is not known stays recognisable."""
    return say(words[key]) if key in words else key.replace("_", " ")


def short(text: str, longest: int = LONGEST_NAME) -> str:
    """A printable text of at most `longest` characters (and two that isolate it)."""
    shown = printable(text)
    if len(shown) <= longest:
        return shown
    cut = shown[: longest - 1].rstrip() + "…"
    return cut + "\u2069" if cut.startswith("\u2068") else cut


def state_label(state: str, longest: int = LONGEST_NAME) -> str:
    """A need state as it is spelt; the bucket of SKUs that have none in words."""
    return say("products without a need state") if state == UNMAPPED else short(state, longest)


def labels_of(features: Iterable[str]) -> dict[str, str]:
    """External features as words: `store.SALES_AREA_SQM` is "sales area, m²", with its source where two have one name."""
    words: dict[str, str] = {}
    for feature in features:
        source, dot, name = feature.partition(".")
        column, is_word, word = (name if dot else source).partition("=")
        spoken, unit = unit_apart(column.replace("_", " ").strip())
        spoken = spoken.lower() if spoken.isupper() else spoken
        words[feature] = f"{spoken}{is_word}{word}" if is_word else f"{spoken}, {unit}" if unit else spoken
    spoken_by: dict[str, int] = {}
    for spoken in words.values():
        spoken_by[spoken] = spoken_by.get(spoken, 0) + 1
    return {
        feature: short(f"{spoken} ({feature.partition('.')[0]})" if spoken_by[spoken] > 1 else spoken)
        for feature, spoken in words.items()
    }


def unit_apart(words: str) -> tuple[str, str]:
    """A column's words without the unit that they end with, and the unit: `SALES AREA SQM` is `SALES AREA` in `m²`."""
    name, _, last = words.rpartition(" ")
    unit = UNITS.get(last.lower(), "") if name else ""
    return (name, unit) if unit else (words, "")


def with_unit(label: str, *amounts: str) -> tuple[str, list[str]]:
    """A label such as "sales area, m²" without its unit, and the amounts with it."""
    name, comma, unit = label.rpartition(", ")
    if comma and unit in UNITS.values():
        return name, [amount if amount == "–" else f"{amount}\u00a0{unit}" for amount in amounts]
    return label, list(amounts)


def count(amount: int, noun: str) -> str:
    """`1 store`, `1,234 stores`."""
    plural = noun[:-1] + "ies" if noun.endswith("y") and noun[-2] not in "aeiou" else noun + "s"
    return f"{number(amount)} {say_number(noun, plural, amount)}"


def percent(share: float) -> str:
    """A share in whole per cent, with a decimal where that would hide it."""
    if math.isnan(share):
        return "–"
    points = 100 * share
    if 0 < abs(points) < 0.1:
        return say("under %(limit)s", limit=number(0.1, ".1f") + " %")
    if 99.9 < points < 100:
        return say("over %(limit)s", limit=number(99.9, ".1f") + " %")
    if abs(points) < 0.95 or 99.05 <= points < 100:
        return "0 %" if f"{points:.1f}" in {"0.0", "-0.0"} else f"{number(points, '.1f')} %"
    return f"{number(points, '.0f')} %"


def money(amount: Decimal | float) -> str:
    """Whole units of currency, or millions with three figures."""
    size = abs(float(amount))
    for limit, word in ((10**9, "%(amount)s billion"), (10**6, "%(amount)s million")):
        if size >= limit:
            scaled = float(amount) / limit
            digits = max(0, 2 - int(math.log10(abs(scaled))))
            return with_currency(say(word, amount=number(scaled, f",.{digits}f")))
    return with_currency(number(amount, ",.0f" if size >= 100 or size == 0 else ",.2f"))


def exact(amount: Decimal) -> str:
    """An amount to the cent."""
    return number(amount, ",.2f")


def figure(value: float) -> str:
    """A number with three figures that count, without an exponent in the everyday range."""
    if math.isnan(value):
        return "–"
    size = abs(value)
    if size >= 1e12 or 0 < size < 1e-4:
        return number(value, ".2e")
    if size >= 100:
        return number(value, ",.0f")
    digits = 2 if size < 1e-300 else max(0, 2 - math.floor(math.log10(size)))
    return number(value, ".0f" if value == round(value) else f".{digits}f")


def period(first: str, last: str) -> str:
    """Dates covered, from the first and the last period: `2025-01`, `2025-W06` or empty."""
    if not first or not last:
        return say("not recorded")
    words = [date_words(first), date_words(last)]
    return words[0] if first == last else say("%(first)s to %(last)s", first=words[0], last=words[1])


def date_words(text: str) -> str:
    """`2025-01` is January 2025, `2025-W06` is week 6 of 2025; anything else stays as it is."""
    found = re.fullmatch(r"(\d{4})-(W?)(\d{2})", text)
    if found and found[2]:
        return say("week %(week)s of %(year)s", week=int(found[3]), year=found[1])
    return f"{say(MONTHS[int(found[3]) - 1])} {found[1]}" if found and 1 <= int(found[3]) <= 12 else text


def first_upper(text: str) -> str:
    """A text as a sentence begins."""
    return text[:1].upper() + text[1:]


def ratio(index: float) -> str:
    """How an index reads before "the chain's share": 180 is `1.8 times`, 50 is `half`."""
    if 195 <= index < 205:
        return say("twice")
    if index >= 105:
        return say("%(number)s times", number=number(index / 100, ".1f" if index < 1000 else ".0f"))
    if index < 1:
        return say("%(share)s of", share=say("under %(limit)s", limit="1 %"))
    for low, high, word in ((22, 28, "a quarter of"), (31, 36, "a third of"), (46, 55, "half")):
        if low <= index < high:
            return say(word)
    return say("%(share)s of", share=f"{number(index, '.0f')} %")


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(parts) == 1:
        return parts[0]
    return say("%(first)s and %(last)s", first=", ".join(parts[:-1]), last=parts[-1])


def mix_words(traits: Iterable[Trait], most: int = 2) -> str:
    """What sells, from need states: the largest differences in share, over then under the chain's.

    A need state counts by how far its share differs, not by its index: those that hardly sell have the wildest indices.
    """
    known = [t for t in traits if not math.isnan(t.level)]
    if not known:
        return say("has no store with sales enough to tell what sells")
    over = sorted((t for t in known if t.level >= OVER), key=lambda t: (t.chain - t.mean, t.name))[:most]
    under = sorted((t for t in known if t.level <= UNDER), key=lambda t: (t.mean - t.chain, t.name))[:most]
    if not over and not under:
        return say("sells much the same mix as the chain")

    def phrase(group: Sequence[Trait]) -> str:
        first, *others = [{"ratio": ratio(t.level), "name": t.name} for t in group]
        words = [say("%(ratio)s the chain’s share of %(name)s", **first)]
        return listed(words + [say("%(ratio)s that of %(name)s", **other) for other in others])

    if not under:
        return say("sells %(over)s", over=phrase(over))
    if not over:
        return say("sells only %(under)s", under=phrase(under))
    return say("sells %(over)s, but only %(under)s", over=phrase(over), under=phrase(under))


def place_words(traits: Iterable[Trait], most: int = 3) -> str:
    """Where stores lie, from external features: those furthest from the chain's mean in standard deviations."""
    traits = [t for t in traits if not math.isnan(t.mean)]
    if not traits:
        return say("has no store with external data to tell where it lies")
    notable = [t for t in traits if not math.isnan(t.distance) and abs(t.distance) >= NOTABLE]
    notable = sorted(notable, key=lambda t: (-abs(t.distance), t.name))[:most]
    if not notable:
        return say("lies in places much like the chain’s")
    words = []
    for trait in notable:
        high = trait.distance > 0
        much, some = ("much higher %(name)s", "higher %(name)s") if high else ("much lower %(name)s", "lower %(name)s")
        name, (mean, chain) = with_unit(trait.name, figure(trait.mean), figure(trait.chain))
        means = say("%(mean)s against %(chain)s", mean=mean, chain=chain)
        words.append(f"{say(much if abs(trait.distance) >= STRONG else some, name=name)} ({means})")
    return say("lies in places with %(traits)s", traits=listed(words))


def size_words(stores: int, share_of_sales: float) -> str:
    """`214 stores, 12 % of sales`; the stores alone where there are no sales."""
    sold = "" if math.isnan(share_of_sales) else ", " + say("%(share)s of sales", share=percent(share_of_sales))
    return f"{count(stores, 'store')}{sold}"


def sentence(name: str, stores: int, share_of_sales: float, *parts: str) -> str:
    """`Segment 3: 214 stores, 12 % of sales; sells ...; lies where ....`"""
    return "; ".join([f"{name}: {size_words(stores, share_of_sales)}", *parts]) + "."


def choice_words(choices: Mapping[str, int | None], chosen: int) -> str:
    """How many of the computed rules agree with the k that was chosen."""
    agree = sum(choice == chosen for choice in choices.values())
    rules = count(len(choices), "rule")
    return say_number(
        "%(agree)s of %(rules)s chooses %(chosen)s", "%(agree)s of %(rules)s choose %(chosen)s", agree,
        agree=agree, rules=rules, chosen=chosen,
    )  # fmt: skip
