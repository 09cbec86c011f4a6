"""Groups, and people who are looked after by a directory elsewhere (SCIM)."""
