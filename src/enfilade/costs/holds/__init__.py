"""Limits and budgets as one hold: rules, meters, windows, and starting them from the ledger."""
