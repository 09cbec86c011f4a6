"""Statements and invoices, and what they are made from."""
