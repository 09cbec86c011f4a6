"""Secrets in Vault that a command needs, read from where the command runs."""

from importlib import import_module

import uvloop

from enfilade.settings import Settings


def read_from_vault(settings: Settings, where: str) -> str:
    """What `PATH#FIELD` leads to, by the settings for Vault of this machine. Raises EnfiladeError."""
    # Most commands need none of it, and it brings the HTTP client.
    found: str = uvloop.run(import_module("enfilade.bootstrap.vault").read_secret(settings, where))
    return found
