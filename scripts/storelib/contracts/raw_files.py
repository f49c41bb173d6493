"""The contract of the lists of raw files that were read."""

from storelib.contracts.contract import Column, Contract, count, like, text
from storelib.tables import MONEY

# Of sales files the sum too.
RAW_FILES = Contract(
    {
        "source": text(),
        "file": text(),
        "bytes": count(),
        "sha256": text(like(r"[0-9a-f]{64}", "a SHA-256")),
        "lines": count(),
        "sales": Column(MONEY, (), nullable=True),
    },
    ["source", "file"],
    may_be_empty=True,
)
