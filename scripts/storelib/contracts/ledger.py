"""The contract of every ledger."""

import pandas as pd
import pyarrow as pa

from storelib.accounts.ledger import FLOWS
from storelib.contracts.contract import FILLED, Column, Contract, count, money, one_of, rule, text


def has_a_reason(table: pd.DataFrame) -> pd.Series:
    """What comes in or goes on has none; what is set aside or noted has one."""
    return (table["reason"] != "") == table["flow"].isin(["set_aside", "noted"])


LEDGER = Contract(
    {
        "stage": text(FILLED),
        "category": Column(pa.string()),
        "flow": text(one_of(FLOWS)),
        "reason": Column(pa.string()),
        "stores": count(),
        "lines": count(),
        "sales": money(),
    },
    ["stage", "category", "flow", "reason"],
    rule("there is a reason where something is set aside or noted, and nowhere else", has_a_reason),
    ranks={"flow": FLOWS},
)
