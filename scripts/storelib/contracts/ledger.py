"""The contract of every ledger."""

import pandas as pd

from storelib.accounts.ledger import FLOWS, SCHEMA
from storelib.contracts.contract import FILLED, Column, Contract, at_least, one_of, rule


def has_a_reason(table: pd.DataFrame) -> pd.Series:
    """What comes in or goes on has none; what is set aside or noted has one."""
    return (table["reason"] != "") == table["flow"].isin(["set_aside", "noted"])


CHECKS = {
    "stage": (FILLED,),
    "flow": (one_of(FLOWS),),
    "stores": (at_least(0),),
    "lines": (at_least(0),),
}
LEDGER = Contract(
    {field.name: Column(field.type, CHECKS.get(field.name, ())) for field in SCHEMA},
    ["stage", "category", "flow", "reason"],
    rule("there is a reason where something is set aside or noted, and nowhere else", has_a_reason),
    ranks={"flow": FLOWS},
)
