"""The kinds of provider, one file each; each offers itself as `ADAPTER`."""
