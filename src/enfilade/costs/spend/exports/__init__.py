"""Spend as files: what the ledger says of a period, in the forms that other programs read."""
