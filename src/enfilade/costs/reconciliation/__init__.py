"""The ledger against what providers charge."""
