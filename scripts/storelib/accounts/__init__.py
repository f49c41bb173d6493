"""The ledger of stores, lines and sales, and what is expected of a result."""
