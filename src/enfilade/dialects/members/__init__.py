"""The dialects, one file each; each offers itself as `DIALECT`."""
