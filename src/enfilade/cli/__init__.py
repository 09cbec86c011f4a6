"""The command line: `enfilade …`."""

from enfilade.cli.root import main

__all__ = ["main"]
