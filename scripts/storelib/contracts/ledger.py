"""The contract of every ledger."""

import pyarrow as pa
import pyarrow.compute as pc

from storelib.accounts.ledger import FLOWS, SCHEMA
from storelib.arrow import texts_of, value_of
from storelib.contracts.contract import FILLED, Check, Column, Contract, at_least, one_of


def has_a_reason(table: pa.Table) -> pa.ChunkedArray:
    """What comes in or goes on has none; what does not go on, or is noted, has one."""
    return pc.xor(pc.not_equal(table["reason"], value_of("")), pc.is_in(table["flow"], texts_of(["in", "out"])))


CHECKS = {
    "stage": (FILLED,),
    "flow": (one_of(FLOWS),),
    "stores": (at_least(0),),
    "lines": (at_least(0),),
}
LEDGER = Contract(
    {field.name: Column(field.type, CHECKS.get(field.name, ())) for field in SCHEMA},
    ["stage", "category", "flow", "reason"],
    Check("there is a reason but for what comes in or goes on, which has none", has_a_reason),
    ranks={"flow": FLOWS},
)
