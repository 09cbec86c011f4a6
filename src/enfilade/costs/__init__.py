"""Money: prices, limits and budgets as one hold, the ledger, and who spent what."""
