"""The contract of the lists of raw files that were read."""

import pyarrow as pa

from storelib.contracts.contract import Column, Contract, at_least, count, like, text
from storelib.tables import MONEY

# Of sales files the lines and the sum too.
RAW_FILES = Contract(
    {
        "source": text(),
        "file": text(),
        "bytes": count(),
        "sha256": text(like(r"[0-9a-f]{64}", "a SHA-256")),
        "lines": Column(pa.int64(), (at_least(0),), nullable=True),
        "sales": Column(MONEY, (), nullable=True),
    },
    ["source", "file"],
    may_be_empty=True,
)
