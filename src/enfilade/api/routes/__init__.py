"""The admin API's routes, one file for each noun; each offers its router as `ROUTER`."""
