"""Contracts of the tables between raw sales and the shares of need states."""

import numpy as np
import pandas as pd

from storelib.contracts.contract import (
    KEY,
    NAMED,
    TRUTH,
    Contract,
    between,
    check,
    count,
    like,
    money,
    number,
    rule,
    text,
)

# How far a row of shares may be from 1, by rounding.
SUM_TOLERANCE = 1e-9


def sums_to_one(shares: pd.DataFrame) -> pd.Series:
    """Whether the shares add up to 1, by row."""
    total = SHARES.others_of(shares).to_numpy(dtype="float64", na_value=np.nan).sum(axis=1)
    return pd.Series(np.abs(total - 1) <= SUM_TOLERANCE, index=shares.index)


SALES = Contract(
    {
        "category": text(nullable=True),
        "store_id": text(),
        "sku": text(),
        "period": text(like(r"(-?\d+-W?\d{2})?", "a month such as 2025-01, a week such as 2025-W06, or empty")),
        "sales": money(),
        "lines": count(1),
        "negative_lines": count(),
        "negative_sales": money(check("at most 0", lambda amounts: amounts <= 0)),
        "zero_lines": count(),
    },
    ["category", "store_id", "sku", "period"],
    rule(
        "negative_lines and zero_lines are among the lines",
        lambda table: table["negative_lines"] + table["zero_lines"] <= table["lines"],
    ),
)
PRODUCT_MAP = Contract(
    {"sku": text(), "category": text(nullable=True), "need_state": text(nullable=True)},
    ["sku", "category", "need_state"],
    nulls_last=True,
)
CATEGORIES = Contract({"key": text(KEY), "name": text(NAMED)}, ["key"])
CATEGORY_SALES = Contract(
    {"category": text(), "store_id": text(), "sku": text(), "sales": money(), "lines": count(1)},
    ["category", "store_id", "sku"],
)
SELLING_STORES = Contract({"store_id": text(), "sales": money(), "lines": count(1)}, ["store_id"])
NEED_STATE_SALES = Contract({"store_id": text(), "need_state": text(), "sales": number()}, ["store_id", "need_state"])
SHARES = Contract(
    {"store_id": text()},
    ["store_id"],
    rule("each row of shares sums to 1", sums_to_one),
    others=number(between(0, 1)),
)
STORE_SALES = Contract({"store_id": text(), "lines": count(1), "sales": money(), "has_net_sales": TRUTH}, ["store_id"])
