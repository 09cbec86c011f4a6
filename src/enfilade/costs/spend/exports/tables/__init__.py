"""What can be exported: one file for each table, found by discovery. Each offers `TABLE`."""
