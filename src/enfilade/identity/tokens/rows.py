"""From rows to the nouns of tokens."""

from typing import Any

import msgspec

from enfilade.identity.tokens.types import Issuer, IssuerSettings, IssuerSpec


def issuer_of(row: Any) -> Issuer:
    """An issuer from its row."""
    settings = msgspec.json.decode(row["settings"], type=IssuerSettings)
    spec = IssuerSpec(row["name"], row["url"], settings)
    return Issuer(str(row["id"]), str(row["tenant_id"]), spec, row["version"], row["created_at"])
