"""Rules of a tree as plain text."""

import math
from collections.abc import Sequence
from decimal import Decimal

from storelib.method.tree_rules import Condition, Rule
from storelib.pages.language import number, say
from storelib.pages.words import printable, with_unit

# Rules of one segment that are told.
RULES_TOLD = 3


def amount(value: float, *, is_share: bool) -> str:
    """A threshold with as many digits as it has: `12.5 %`, `61,200`."""
    exact = Decimal(repr(value)) * (100 if is_share else 1)
    plain = number(exact.normalize(), ",f")
    return f"{plain} %" if is_share else plain


def condition_words(condition: Condition, label: str, *, is_share: bool) -> str:
    """`Nail Care above 12.5 %`, `income from 40,000 to 61,200`, `format is City`."""
    _, low, high = condition
    column, is_word, word = label.partition("=")
    if is_word and not is_share and {low, high} & {0.5}:
        spoken = column.replace("_", " ").lower()
        return say("%(name)s is %(word)s" if low == 0.5 else "%(name)s is not %(word)s", name=spoken, word=word)
    # A share's label has no unit, whatever it is called.
    bounds = ["" if math.isinf(bound) else amount(bound, is_share=is_share) for bound in (low, high)]
    name, (least, most) = (label, bounds) if is_share else with_unit(label, *bounds)
    if math.isinf(low):
        return say("%(name)s at most %(most)s", name=name, most=most)
    if math.isinf(high):
        return say("%(name)s above %(least)s", name=name, least=least)
    return say("%(name)s above %(least)s and at most %(most)s", name=name, least=least, most=most)


def rule_words(rules: Sequence[Rule], labels: Sequence[tuple[str, bool]]) -> str:
    """The rules of one segment as one sentence without an end; empty where there is none.

    labels: of each feature, with whether it is a share of sales.
    """
    told = []
    for rule in rules[:RULES_TOLD]:
        conditions = [condition_words(c, labels[c.feature][0], is_share=labels[c.feature][1]) for c in rule.conditions]
        told.append("; ".join(conditions) or say("every store"))
    if len(rules) > RULES_TOLD:
        told.append(say("%(cases)s rarer cases", cases=len(rules) - RULES_TOLD))
    return printable(say(" — or ").join(told))
