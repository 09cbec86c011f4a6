"""A master key in HashiCorp Vault's transit engine: Vault wraps and unwraps, and never gives the key away.

Source: https://developer.hashicorp.com/vault/api-docs/secret/transit.
"""

import base64
import binascii
import re
from pathlib import Path
from typing import Any

from enfilade.core.canonical import canonical_text
from enfilade.sealing.errors import InvalidMasterKeyService, MasterKeyFault, MasterKeyRefused, MasterKeyUnavailable
from enfilade.sealing.master_key import Context, MasterKey, Needs, persistently
from enfilade.sealing.vault.client import VaultClient
from enfilade.sealing.vault.errors import VaultDenied, VaultError, VaultMissing, VaultRefused

PLACE = re.compile(r"((?:[A-Za-z0-9][A-Za-z0-9_.-]*/)+)([A-Za-z0-9][A-Za-z0-9_.-]*)")
WRAPPED = re.compile(r"vault:v(\d+):[A-Za-z0-9+/=]+")


class TransitMasterKey:
    """See `MasterKey`. The context goes along as associated data: the key must be of an AEAD type."""

    direct: bytes | None = None

    def __init__(self, mount: str, key: str, vault: VaultClient, needs: Needs) -> None:
        """Use that key of that mount."""
        self.name = f"vault-transit:{mount}/{key}"
        self._mount, self._key = mount, key
        self._vault = vault
        self._clock = needs.clock

    async def wrap(self, key: bytes, context: Context) -> bytes:
        """See `MasterKey.wrap`."""
        body = {"plaintext": _text(key), "associated_data": _text(canonical_text(dict(context)).encode())}
        wrapped = await self._ask("encrypt", body, "ciphertext")
        if not WRAPPED.fullmatch(wrapped):
            raise self._unreadable()
        return wrapped.encode()

    async def unwrap(self, wrapped: bytes, context: Context) -> bytes:
        """See `MasterKey.unwrap`."""
        text = wrapped.decode("ascii", "replace")
        if not WRAPPED.fullmatch(text):
            message = f"A wrapped key is not one of {self.name}: it is another's, or was altered."
            raise MasterKeyRefused(message)
        body = {"ciphertext": text, "associated_data": _text(canonical_text(dict(context)).encode())}
        try:
            return base64.b64decode(await self._ask("decrypt", body, "plaintext"), validate=True)
        except (binascii.Error, ValueError):
            raise self._unreadable() from None

    def version(self, wrapped: bytes) -> str:
        """See `MasterKey.version`."""
        found = WRAPPED.fullmatch(wrapped.decode("ascii", "replace"))
        return found[1] if found else "?"

    async def _ask(self, verb: str, body: dict[str, str], field: str) -> str:
        async def once() -> bytes:
            try:
                reply: Any = await self._vault.request("POST", f"{self._mount}/{verb}/{self._key}", body)
            except (VaultDenied, VaultMissing, VaultRefused) as error:
                message = f"Vault does not {verb} with {self.name}: {error.message}"
                raise MasterKeyRefused(message) from error
            except VaultError as error:
                message = f"The master key {self.name} cannot be reached: {error.message}"
                raise MasterKeyUnavailable(message, retry_after=1) from error
            value = (reply.data or {}).get(field)
            if not isinstance(value, str):
                raise self._unreadable()
            return value.encode()

        return (await persistently(self._clock, once)).decode()

    def _unreadable(self) -> MasterKeyUnavailable:
        message = f"Vault answered for {self.name} with something that cannot be read."
        return MasterKeyUnavailable(message)


class VaultTransit:
    """See `Adapter`."""

    kind = "vault-transit"

    def make(self, declared: str | Path, needs: Needs) -> MasterKey:
        """See `Adapter.make`."""
        place = PLACE.fullmatch(str(declared))
        if place is None:
            message = f"{str(declared)[:100]!r} names no transit key: write vault-transit:MOUNT/KEY."
            raise InvalidMasterKeyService(message)
        if needs.vault is None:
            message = "A master key is in Vault's transit engine, and no Vault is declared: set ENFILADE_VAULT_ADDR."
            raise MasterKeyFault(message)
        return TransitMasterKey(place[1].rstrip("/"), place[2], needs.vault, needs)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


ADAPTER = VaultTransit()
