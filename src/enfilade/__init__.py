"""Enfilade: one address between a company's applications and every model they use."""

from importlib.metadata import version

__version__ = version("enfilade")
