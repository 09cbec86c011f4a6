"""Issuers, and the tokens that they sign."""
