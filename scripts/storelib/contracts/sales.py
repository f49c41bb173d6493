"""Contracts of the tables between raw sales and the shares of need states."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storelib.arrow import value_of
from storelib.contracts.contract import (
    KEY,
    NAMED,
    TRUTH,
    Column,
    Contract,
    at_least,
    between,
    check,
    count,
    like,
    money,
    number,
    rule,
    text,
)
from storelib.names import MONTHS
from storelib.tables import MONEY

if TYPE_CHECKING:
    import pandas as pd

# How far a row of shares may be from 1, by rounding.
SUM_TOLERANCE = 1e-9


def sums_to_one(shares: "pd.DataFrame") -> "pd.Series":
    """Whether the shares add up to 1, by row."""
    import pandas as pd

    others = SHARES.others_of(shares)
    total = others.to_numpy(dtype="float64", na_value=np.nan).sum(axis=1)
    return pd.Series((np.abs(total - 1) <= SUM_TOLERANCE) | (others.shape[1] == 0), index=shares.index)


def counted(lines: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whether there are sales lines, by row; where no row has any, there are no sales at all, and that is right too."""
    return pc.greater_equal(lines, value_of(1 if (pc.max(lines).as_py() or 0) > 0 else 0))


LINES = Column(pa.int64(), (check("at least 1, nor 0 in every row, as where there are no sales", counted),))
ENTRY = Column(pa.int32(), (at_least(0),))
# There where it is asked for: units, to two places; the amount of the largest line; sales, of which lines above a cap count as much
# as it; and sales by month of the year.
MORE = {"units": money(), "largest": money(at_least(0)), "capped": money(), **dict.fromkeys(MONTHS, money())}
PERIOD = text(like(r"(-?\d+-W?\d{2})?", "a month such as 2025-01, a week such as 2025-W06, or empty"))
# What may be empty here is so where there are no sales, and stores are segmented by external data alone.
# Category as the sale spells it, or none; entry of the product map, 0 where it does not have the SKU.
SALES = Contract(
    {
        "category": text(nullable=True),
        "store_id": text(),
        "entry": ENTRY,
        "sales": money(),
        "lines": count(1),
        **MORE,
    },
    ["category", "store_id", "entry"],
    optional=MORE,
    nulls_last=True,
    may_be_empty=True,
)
SKU_SALES = Contract(
    {"category": text(nullable=True), "sku": text(), "entry": ENTRY, "sales": money(), "lines": count(1)},
    ["category", "sku"],
    nulls_last=True,
    may_be_empty=True,
)
PERIOD_SALES = Contract(
    {"category": text(nullable=True), "period": PERIOD, "sales": money(), "lines": count(1)},
    ["category", "period"],
    nulls_last=True,
    may_be_empty=True,
)
PRODUCT_MAP = Contract(
    {
        "sku": text(),
        "category": text(nullable=True),
        "need_state": text(nullable=True),
        "entry": Column(pa.int32(), (at_least(1),)),
    },
    ["sku", "category", "need_state"],
    nulls_last=True,
    may_be_empty=True,
)
CATEGORIES = Contract({"key": text(KEY), "name": text(NAMED)}, ["key"])
# Flags of one stage and category, of a list one row per value; a setting that is on has no value.
SETTINGS = Contract(
    {"setting": text(), "number": count(1), "value": Column(pa.string(), (NAMED,), nullable=True)},
    ["setting", "number"],
    may_be_empty=True,
)
# What the map says, by entry; categories have one spelling.
MAP_ENTRIES = Contract(
    {"entry": Column(pa.int32(), (at_least(1),)), "category": text(nullable=True), "need_state": text(nullable=True)},
    ["entry", "category", "need_state"],
    nulls_last=True,
    may_be_empty=True,
)
CATEGORY_TOTALS = Contract(
    {"category": text(), "stores": count(1), "sales": money(), "lines": LINES, "takes_other_spellings": TRUTH},
    ["category"],
)
CATEGORY_SALES = Contract(
    {"category": text(), "store_id": text(), "entry": ENTRY, "sales": money(), "lines": LINES, **MORE},
    ["category", "store_id", "entry"],
    optional=MORE,
)
CATEGORY_SKUS = Contract(
    {"category": text(), "sku": text(), "entry": ENTRY, "sales": money(), "lines": count(1)},
    ["category", "sku"],
    may_be_empty=True,
)
SELLING_STORES = Contract({"store_id": text(), "sales": money(), "lines": LINES}, ["store_id"])
NEED_STATE_SALES = Contract(
    {"store_id": text(), "need_state": text(), "sales": number()}, ["store_id", "need_state"], may_be_empty=True
)
SHARES = Contract(
    {"store_id": text()},
    ["store_id"],
    rule("each row of shares sums to 1", sums_to_one),
    others=number(between(0, 1)),
    others_required=False,
)
STORE_SALES = Contract(
    {
        "store_id": text(),
        "lines": LINES,
        "sales": money(),
        "has_net_sales": TRUTH,
        "large_lines": number(between(0, 1)),
        "largest_line": number(between(0, 1), nullable=True),
        "units": Column(MONEY, (), nullable=True),
        **dict.fromkeys(MONTHS, Column(MONEY, (), nullable=True)),
    },
    ["store_id"],
)
