"""The contract of every ledger."""

import pandas as pd

from storelib.accounts.ledger import FLOWS, SCHEMA
from storelib.contracts.contract import FILLED, Column, Contract, at_least, one_of, rule


def has_a_reason(table: pd.DataFrame) -> pd.Series:
    """What comes in or goes on has none; what does not go on, or is noted, has one."""
    return (table["reason"] != "") == ~table["flow"].isin(["in", "out"])


CHECKS = {
    "stage": (FILLED,),
    "flow": (one_of(FLOWS),),
    "stores": (at_least(0),),
    "lines": (at_least(0),),
}
LEDGER = Contract(
    {field.name: Column(field.type, CHECKS.get(field.name, ())) for field in SCHEMA},
    ["stage", "category", "flow", "reason"],
    rule("there is a reason but for what comes in or goes on, which has none", has_a_reason),
    ranks={"flow": FLOWS},
)
