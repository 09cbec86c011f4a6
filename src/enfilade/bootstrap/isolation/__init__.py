"""The proof that tenants are kept apart: databases, routes, and what a process remembers."""
