"""The commands, one file each; each offers itself as `APP`. Their names and help lines stand in `cli.root`."""
