"""A PostgreSQL server of our own: binaries from a package, processes under our supervision."""
