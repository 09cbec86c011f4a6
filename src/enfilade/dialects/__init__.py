"""How bytes look: one file for each dialect, none knowing another."""
