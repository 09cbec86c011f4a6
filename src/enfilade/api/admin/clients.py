"""From where somebody signs in."""

from typing import Any

from enfilade.api.admin.context import AdminContext
from enfilade.api.headers import client_address, collect
from enfilade.identity.sign_in.types import ClientFacts


def client_facts(context: AdminContext, scope: Any) -> ClientFacts:
    """What a request says of who sent it."""
    found = collect(scope["headers"])
    agent = found.get(b"user-agent", b"").decode("latin-1")
    return ClientFacts(client_address(scope.get("client"), found, context.trusted_proxies), agent or None)
