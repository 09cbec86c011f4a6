"""How it is written: one file for each format, found by discovery. Each offers `FORMAT`."""
