"""Tenants' keys on their way to another installation: sealed under a passphrase, which travels by itself."""

import asyncio
import base64
import binascii
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from enfilade.sealing import store
from enfilade.sealing.errors import KeyWithdrawn, NoMasterKey, WrongPassphrase
from enfilade.sealing.parts import KeyParts
from enfilade.sealing.tenant_keys import USABLE, context_of

COST = {"n": 1 << 16, "r": 8, "p": 1}
NONCE_BYTES, SALT_BYTES = 12, 16


@dataclass(frozen=True, slots=True)
class CarriedKey:
    """A version of a tenant's key, sealed for its way."""

    id: str
    version: int
    sealed: str
    """Base64 of a nonce and what AES-256-GCM made of the key under it."""


def _cipher(passphrase: str, salt: bytes) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, **COST).derive(passphrase.encode()))


def _bound(tenant: str, identifier: str, version: int) -> bytes:
    return f"enfilade tenant key {tenant} {identifier} {version}".encode()


async def seal_keys(parts: KeyParts, tenant: str, passphrase: str) -> tuple[str, list[CarriedKey]]:
    """The salt, and the tenant's keys under the passphrase; none where nothing was sealed. Raises KeyWithdrawn."""
    salt = os.urandom(SALT_BYTES)
    carried = []
    async with parts.home.owner() as connection:
        rows = await connection.fetch(store.LOAD_KEYS_OF, [tenant])
    if rows and not any(row["state"] in USABLE for row in rows):
        message = "The tenant's encryption key is withdrawn or destroyed, so its contents cannot be given away."
        raise KeyWithdrawn(message)
    cipher = await asyncio.to_thread(_cipher, passphrase, salt) if rows else None
    for row in rows:
        if cipher is not None and row["state"] in USABLE:
            nonce = os.urandom(NONCE_BYTES)
            secret = await parts.tenant_keys.unwrap(row)
            sealed = nonce + cipher.encrypt(nonce, secret, _bound(tenant, str(row["id"]), row["version"]))
            carried.append(CarriedKey(str(row["id"]), row["version"], base64.b64encode(sealed).decode()))
    return base64.b64encode(salt).decode(), carried


def open_keys(tenant: str, salt: str, carried: Sequence[CarriedKey], passphrase: str) -> dict[str, bytes]:
    """The keys by their ids. Raises WrongPassphrase."""
    if not carried:
        return {}
    opened = {}
    try:
        cipher = _cipher(passphrase, base64.b64decode(salt))
        listed = [(key, base64.b64decode(key.sealed)) for key in carried]
    except (binascii.Error, ValueError) as error:
        message = f"The archive was altered: its keys cannot be read: {error}"
        raise WrongPassphrase(message) from None
    for key, sealed in listed:
        try:
            secret = cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound(tenant, key.id, key.version))
        except (InvalidTag, ValueError):
            message = "The passphrase is not the one that the archive was written with, or the archive was altered."
            raise WrongPassphrase(message) from None
        opened[key.id] = secret
    return opened


async def put_keys(
    parts: KeyParts, connection: Any, tenant: str, carried: Sequence[CarriedKey], secrets: dict[str, bytes]
) -> None:
    """Keep a tenant's keys here, wrapped under this installation's master key; the newest one seals. Raises NoMasterKey."""
    if carried and parts.keepers.current is None:
        message = "The archive holds sealed contents, and this installation has no master key."
        raise NoMasterKey(message)
    newest = max((key.version for key in carried), default=0)
    for key in carried:
        master, master_id = await parts.tenant_keys.master_of(connection, tenant)
        wrapped = await master.wrap(secrets[key.id], context_of(tenant, key.id, key.version))
        state = "active" if key.version == newest else "retired"
        await connection.execute(store.PUT_CARRIED_KEY, tenant, key.version, key.id, master_id, wrapped, state)
