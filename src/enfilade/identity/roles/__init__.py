"""Roles of a tenant's own, who has which and where, and what they add up to."""
