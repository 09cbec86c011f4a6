"""Secrets at rest, and where secrets come from."""
