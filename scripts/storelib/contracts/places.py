"""Contracts of the tables of stores and of external sources."""

from storelib.contracts.contract import NAMED, Contract, number, text

# Empty where no store table, or no external source, is configured.
STORES = Contract(
    {"store_id": text()}, ["store_id"], others=text(nullable=True), others_required=False, may_be_empty=True
)
SOURCES = Contract(
    {
        "source": text(),
        "column": text(),
        "key": text(),
        "feature": text(NAMED),
        "value": number(nullable=True),
    },
    ["source", "key", "feature"],
    may_be_empty=True,
)
STORE_FEATURES = Contract({"store_id": text()}, ["store_id"], others=number(nullable=True), others_required=False)
