"""Words that every room shares: no I/O, no knowledge of any capability."""
