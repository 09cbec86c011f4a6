"""What `enfilade doctor` asks of Vault and of whoever keeps master keys. Nothing is changed, and no secret is shown."""

import os
from collections.abc import AsyncIterator

from enfilade.core.errors import EnfiladeError
from enfilade.sealing import store
from enfilade.sealing.keepers import Keepers
from enfilade.sealing.master_key import MasterKey
from enfilade.sealing.registry import check_value
from enfilade.sealing.vault.client import VaultClient
from enfilade.sealing.vault.errors import VaultDenied, VaultMissing
from enfilade.storage.database import Database
from enfilade.storage.diagnosis import Row

TRANSIT = "vault-transit:"
AEAD_TYPES = frozenset({"aes128-gcm96", "aes256-gcm96", "chacha20-poly1305", "xchacha20-poly1305"})
SHORT_S = 24 * 3600
"""A token that nobody renews is told of as long as it ends within this time."""


async def examine_vault(client: VaultClient, *, logs_in_again: bool) -> Row:
    """Whether Vault lets us in, and for how long."""
    subject, where = "vault", client.place.host
    try:
        found = (await client.request("GET", "auth/token/lookup-self")).data or {}
    except VaultDenied:
        text = f"{where} lets us in; it does not tell for how long"
        return "warning", subject, text, "Let the token read auth/token/lookup-self, as Vault's default policy does."
    except EnfiladeError as error:
        return "fault", subject, error.message, error.remedy
    left = found.get("ttl")
    if not isinstance(left, int) or left <= 0:
        return "ok", subject, f"{where} lets us in; the token does not end", None
    text = f"{where} lets us in; the token lives for {_duration(left)}"
    if logs_in_again or found.get("renewable") is True:
        return "ok", subject, f"{text}, and is renewed", None
    remedy = (
        "Give a periodic token, an AppRole or a Kubernetes role; or have whoever makes the token put a new one into "
        "ENFILADE_VAULT_TOKEN_FILE before that."
    )
    return "warning" if left > SHORT_S else "fault", subject, f"{text}, and cannot be renewed", remedy


async def examine_key(key: MasterKey, vault: VaultClient | None) -> Row:
    """Whether a master key is there, and wraps and unwraps for us."""
    subject = "master key"
    if key.name.startswith(TRANSIT) and vault is not None and (fault := await _transit_fault(key.name, vault)):
        return fault
    secret, context = os.urandom(32), {"enfilade": "doctor"}
    try:
        unwrapped = await key.unwrap(await key.wrap(secret, context), context)
    except EnfiladeError as error:
        return "fault", subject, error.message, error.remedy
    if unwrapped != secret:
        text = f"{key.name} unwraps to something else than it wrapped"
        return "fault", subject, text, "Look at what stands between Enfilade and the service that keeps the key."
    what = "is read" if key.direct is not None else "encrypts and decrypts"
    return "ok", subject, f"{key.name} {what}", None


async def _transit_fault(name: str, vault: VaultClient) -> Row | None:
    """What is wrong with a transit key before it is used: where it is missing, using it might make it."""
    mount, _, key = name.removeprefix(TRANSIT).rpartition("/")
    make = f"vault write -f {mount}/keys/{key} type=aes256-gcm96"
    try:
        found = (await vault.request("GET", f"{mount}/keys/{key}")).data or {}
    except VaultMissing:
        return (
            "fault",
            "master key",
            f"{name} is not there",
            f"Give the name of the key that was used, or make one: {make}",
        )
    except EnfiladeError:
        return None  # To read about a key is a right of its own, which nobody needs.
    kind = found.get("type")
    if isinstance(kind, str) and kind not in AEAD_TYPES:
        return "fault", "master key", f"{name} is of the type {kind}, which binds no context", f"Make another: {make}"
    return None


async def examine_registry(home: Database, keepers: Keepers) -> AsyncIterator[Row]:
    """Whether the master keys under which tenants' keys are wrapped open what they wrapped; tenants' own ones too."""
    async with home.owner() as connection:
        known = {str(row["id"]): row["check_value"] for row in await connection.fetch(store.LIST_MASTER_KEYS)}
        used = await connection.fetch(store.MASTER_KEYS_IN_USE)
    for row in used:
        name, own = row["name"], row["for_tenant"] is not None
        whose = f"tenant {row['for_tenant']}" if own else f"{row['tenants']} tenants"
        try:
            await check_value(keepers.named(name), known[str(row["id"])])
        except EnfiladeError as error:
            # Without a tenant's own key that tenant is closed; without the installation's nothing starts.
            yield "warning" if own else "fault", "tenants' keys", f"{whose}: {error.message}", error.remedy
        else:
            yield "ok", "tenants' keys", f"{whose}: {name} opens them", None


def _duration(seconds: int) -> str:
    for name, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {name}"
    return f"{seconds} seconds"
