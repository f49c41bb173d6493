"""Rules of a tree as plain text."""

import math
from collections.abc import Sequence
from decimal import Decimal

from storelib.method.tree_rules import Condition, Rule
from storelib.pages.words import printable

# Rules of one segment that are told.
RULES_TOLD = 3


def amount(value: float, *, is_share: bool) -> str:
    """A threshold with as many digits as it has: `12.5 %`, `61,200`."""
    exact = Decimal(repr(value)) * (100 if is_share else 1)
    plain = f"{exact.normalize():,f}"
    return f"{plain} %" if is_share else plain


def condition_words(condition: Condition, label: str, *, is_share: bool) -> str:
    """`Nail Care above 12.5 %`, `income from 40,000 to 61,200`, `format is City`."""
    _, low, high = condition
    column, is_word, word = label.partition("=")
    if is_word and not is_share and {low, high} & {0.5}:
        return f"{column.replace('_', ' ').lower()} is {'' if low == 0.5 else 'not '}{word}"
    if math.isinf(low):
        return f"{label} at most {amount(high, is_share=is_share)}"
    if math.isinf(high):
        return f"{label} above {amount(low, is_share=is_share)}"
    return f"{label} above {amount(low, is_share=is_share)} and at most {amount(high, is_share=is_share)}"


def rule_words(rules: Sequence[Rule], labels: Sequence[tuple[str, bool]]) -> str:
    """The rules of one segment as one sentence without an end; empty where there is none.

    labels: of each feature, with whether it is a share of sales.
    """
    told = []
    for rule in rules[:RULES_TOLD]:
        conditions = [condition_words(c, labels[c.feature][0], is_share=labels[c.feature][1]) for c in rule.conditions]
        told.append("; ".join(conditions) or "every store")
    if len(rules) > RULES_TOLD:
        told.append(f"{len(rules) - RULES_TOLD} rarer cases")
    return printable(" — or ".join(told))
