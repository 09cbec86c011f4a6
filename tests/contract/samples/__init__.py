"""Bodies for the contract, one file for each dialect; each offers itself as `SAMPLE`."""
