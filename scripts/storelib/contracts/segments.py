"""Contracts of segments, found and known."""

import pandas as pd
import pyarrow as pa

from storelib.contracts.contract import KEY, TRUTH, Contract, between, count, label, like, number, one_of, rule, text
from storelib.names import LABELS, OVERRIDE

# Shares may leave their range by rounding.
SLACK = 1e-9
FLAGS = rf"(internal:[a-z_]+)?( ?external:[a-z_]+)?( ?{OVERRIDE})?"
TEXT = pd.ArrowDtype(pa.string())


def crosses(table: pd.DataFrame) -> pd.Series:
    """Whether the merged cluster names the two that it is of."""
    merged = table["internal_cluster"].astype(TEXT) + "x" + table["external_cluster"].astype(TEXT)
    return merged == table["merged_cluster"]


SEGMENTS = Contract(
    {
        "category": text(KEY),
        "store_id": text(),
        "internal_cluster": label(),
        "external_cluster": label(),
        "merged_cluster": text(like(r"[1-9]\d*x[1-9]\d*", "of the form 2x1")),
        "segment": label(),
        "is_outlier": TRUTH,
        "flags": text(like(FLAGS, "of the form internal:thin external:outlier override")),
        "confidence": number(between(0, 1, SLACK), nullable=True),
        "runner_up_segment": label(nullable=True),
        "is_borderline": TRUTH,
    },
    ["category", "store_id"],
    rule("a merged cluster is internal_cluster x external_cluster", crosses),
    rule("an outlier is flagged as one", lambda table: table["is_outlier"] == table["flags"].str.contains(":outlier")),
    rule(
        "a runner-up is another segment",
        lambda table: (table["runner_up_segment"] != table["segment"]).fillna(value=True),
    ),
)
EXPLAINED = Contract(
    {
        "category": text(KEY),
        "segments": count(1),
        "explained": number(between(0, 1, SLACK)),
        "step": text(one_of(("views", "dissolved", "merged"))),
        "chosen": TRUTH,
    },
    ["category", "segments"],
    rule("one number of segments is chosen", lambda table: int(table["chosen"].sum()) == 1),
)
# Of all categories, with the names.
COLLECTED = Contract({**SEGMENTS.columns, "segment_name": text()}, SEGMENTS.key, *SEGMENTS.rules[1:])
CHAIN_SEGMENTS = Contract(
    {
        "store_id": text(),
        "segment": label(),
        "categories": count(1),
        "agreement": number(between(0, 1, SLACK), nullable=True),
    },
    ["store_id"],
    others=number(between(0, 1, SLACK), nullable=True),
)
# Empty where no such source is configured.
KNOWN_LABELS = Contract(
    {
        "category": text(),
        "store_id": text(),
        **{name: label() for name in LABELS},
        "segment_name": text(nullable=True),
        "chain_segment": label(nullable=True),
    },
    ["category", "store_id"],
    may_be_empty=True,
)
OVERRIDES = Contract(
    {"category": text(), "store_id": text(), "segment": label(), "who": text(), "why": text()},
    ["category", "store_id"],
    may_be_empty=True,
)
# No row without a baseline. `before` is missing for new stores, `after` for stores that are gone.
MIGRATIONS = Contract(
    {
        "category": text(KEY),
        "before": label(nullable=True),
        "after": label(nullable=True),
        "stores": count(1),
        "share": number(between(0, 1, SLACK), nullable=True),
    },
    ["category", "before", "after"],
    nulls_last=True,
    may_be_empty=True,
)
RECOVERY = Contract(
    {
        "view": text(),
        "label": text(one_of(LABELS)),
        "planted_k": count(1),
        "found_k": count(1),
        "stores": count(1),
        "ari": number(between(-1, 1)),
    },
    ["view", "label"],
    is_sorted=False,
    may_be_empty=True,
)
