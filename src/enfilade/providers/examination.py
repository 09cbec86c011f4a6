"""What `enfilade doctor` finds behind providers' references to secrets. No secret is shown."""

from collections import Counter
from collections.abc import AsyncIterator

import msgspec

from enfilade.core.clock import Clock
from enfilade.core.errors import EnfiladeError
from enfilade.providers import store
from enfilade.providers.credentials import SecretSources
from enfilade.providers.types import ProviderSpec, SecretReference
from enfilade.sealing.vault.client import VaultClient
from enfilade.sealing.vault.secrets import read_once
from enfilade.sealing.vault.types import SecretPath
from enfilade.storage.database import Database
from enfilade.storage.diagnosis import Row
from enfilade.storage.migrations import PLATFORM_SCHEMA

SUBJECT = "secrets"


async def examine_references(
    home: Database, sources: SecretSources, vault: VaultClient | None, clock: Clock
) -> AsyncIterator[Row]:
    """What is wrong with each reference, and how many there are with which nothing is."""
    async with home.owner() as connection, connection.transaction():
        await connection.execute(f"SET LOCAL search_path TO {PLATFORM_SCHEMA}")
        rows = await connection.fetch(store.LOAD_PROVIDERS)
    good: Counter[str] = Counter()
    for row in rows:
        spec = msgspec.json.decode(row["spec"], type=ProviderSpec)
        for name, reference in spec.references().items():
            kind = next(iter(reference.shown()))
            fault = await _fault(reference, name, sources, vault, clock)
            if fault is None:
                good[kind] += 1
            else:
                level, text, remedy = fault
                yield level, SUBJECT, f"provider {spec.name}, {name}: {text}", remedy
    if good:
        told = ", ".join(f"{count} by {kind}" for kind, count in sorted(good.items()))
        yield "ok", SUBJECT, f"of providers: {told}", None


async def _fault(
    reference: SecretReference, name: str, sources: SecretSources, vault: VaultClient | None, clock: Clock
) -> tuple[str, str, str] | None:
    try:
        sources.check(reference, name)
        if reference.vault is not None and vault is not None:
            await read_once(vault, clock, SecretPath.parse(reference.vault))
    except EnfiladeError as error:
        return "fault", error.message, error.remedy
    if reference.env is not None and sources.read(reference) is None:
        remedy = "Set it where the server runs; this command looked into its own environment."
        return "warning", f"the variable {reference.env} is not set", remedy
    if reference.file is not None and sources.read(reference) is None:
        return (
            "fault",
            f"the file {reference.file} is empty, or cannot be read",
            "Put the secret there, readable by Enfilade.",
        )
    return None
