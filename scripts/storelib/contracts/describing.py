"""Contracts of what is said about segments: names, rules, differences, typical stores; and whether place tells what sells."""

import pandas as pd
import pyarrow as pa

from storelib.contracts.contract import (
    KEY,
    NAMED,
    TRUTH,
    Column,
    Contract,
    at_least,
    between,
    count,
    label,
    number,
    one_of,
    rule,
    text,
)
from storelib.contracts.views import SLACK

NAME_SOURCES = ("made", "baseline", "given")
KINDS = ("mix", "place")
# How much external data tell of what sells; or why that cannot be said.
VERDICTS = ("much", "some", "little", "nothing", "one cluster", "no data", "too few stores")
FREE = Column(pa.string())


def names_differ(table: pd.DataFrame) -> bool:
    """Whether no two segments of a category have one name, whatever the capitals."""
    names = table["name"].str.lower()
    return not bool(pd.DataFrame({"category": table["category"], "name": names}).duplicated().any())


# Empty where no such source is configured.
SEGMENT_NAMES = Contract(
    {"category": text(), "segment": label(), "name": text()},
    ["category", "segment"],
    rule("segments of a category have different names", names_differ),
    may_be_empty=True,
)
DESCRIPTIONS = Contract(
    {
        "category": text(KEY),
        "segment": label(),
        "name": text(),
        "name_from": text(one_of(NAME_SOURCES)),
        "made_name": text(),
        "stores": count(1),
        "share_of_stores": number(between(0, 1, SLACK)),
        "sales": number(),
        "share_of_sales": number(nullable=True),
        "rules": FREE,
        "rule_stores": count(),
        "rule_right": count(),
        "fidelity": number(between(0, 1), nullable=True),
        "chance": number(between(0, 1)),
    },
    ["category", "segment"],
    rule("segments have different names", names_differ),
    rule("rules tell no more stores right than they are of", lambda t: t["rule_right"] <= t["rule_stores"]),
    rule("rules tell no more stores right than the segment has", lambda t: t["rule_right"] <= t["stores"]),
    rule("every store has a rule", lambda t: int(t["rule_stores"].sum()) == int(t["stores"].sum())),
)
TRAITS = Contract(
    {
        "category": text(KEY),
        "segment": label(),
        "kind": text(one_of(KINDS)),
        "feature": text(NAMED),
        "stores": count(),
        "mean": number(nullable=True),
        "rest_mean": number(nullable=True),
        "effect": number(nullable=True),
        "error": number(at_least(0), nullable=True),
        "is_notable": TRUTH,
    },
    ["category", "segment", "kind", "feature"],
)
STORE_FIT = Contract(
    {
        "store_id": text(),
        "segment": label(),
        "distance": number(at_least(0)),
        "nearest_other": label(nullable=True),
        "nearest_other_distance": number(at_least(0), nullable=True),
        "typical_rank": label(nullable=True),
        "odd_rank": label(nullable=True),
    },
    ["store_id"],
    rule("the nearest other segment is another one", lambda t: (t["nearest_other"] != t["segment"]).fillna(value=True)),
    rule("no store is typical and odd", lambda t: t["typical_rank"].isna() | t["odd_rank"].isna()),
)
PREDICTIONS = Contract(
    {
        "category": text(KEY),
        "verdict": text(one_of(VERDICTS)),
        "clusters": count(1),
        "left_out": count(),
        "features": count(),
        "stores": count(),
        "sampled": count(),
        "accuracy": number(between(0, 1), nullable=True),
        "chance": number(between(0, 1), nullable=True),
        "shuffled": number(between(0, 1), nullable=True),
        "p_value": number(between(0, 1), nullable=True),
    },
    ["category"],
    rule("no more stores are looked at than there are", lambda table: table["sampled"] <= table["stores"]),
)
# Empty where nothing could be predicted.
IMPORTANCE = Contract(
    {"category": text(KEY), "feature": text(NAMED), "importance": number(), "deviation": number(at_least(0))},
    ["category", "feature"],
    may_be_empty=True,
)
