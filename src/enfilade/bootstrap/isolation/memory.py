"""What a process keeps in memory beyond a request, and what keeps tenants apart in it.

A test compares this list with the code: a cache or a queue that is not named here fails it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from enfilade.bootstrap.compose import Parts
from enfilade.core.ids import PLATFORM_ID
from enfilade.storage.isolation.types import Guarded

TenantsOf = Callable[[Any], Iterable[str]]
"""The tenant, by its id, of each entry of a container."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A cache or a queue."""

    name: str
    """Module, class and attribute."""
    guard: str
    kind: str = "cache"
    path: str | None = None
    """Where a process has it; None where an entry is of no tenant, or each object has its own."""
    tenants: TenantsOf = iter


def _by_tenant(container: Any) -> Iterable[str]:
    return (entry.tenant for entry in container.values())


def _by_principal(container: Any) -> Iterable[str]:
    return (principal.tenant.id for principal in container.values())


def _principals(container: Any) -> Iterable[str]:
    return (principal.tenant.id for principal in container)


def _issuers(container: Any) -> Iterable[str]:
    return (issuer.tenant for group in container.values() for issuer in group)


def _first_parts(container: Any) -> Iterable[str]:
    return (tenant for tenant, _ in container)


OF_ONE = "of one tenant's part alone"
NO_TENANT = "of the platform: it holds nothing of a tenant"
BY_TENANT = "by the tenant's id"
BY_DIGEST = "by the SHA-256 of a secret of 256 bits; the entry names its tenant"

KEPT = (
    Kept("access.approvals.book.ApprovalBook._tenants", BY_TENANT, path="approvals.service.book._tenants"),
    Kept("access.decisions.TenantAccess._answers", OF_ONE),
    Kept("access.service.Access._tenants", BY_TENANT, path="access.service._tenants"),
    Kept("api.calls.DataPlane._running", "tasks, each of one call", "queue"),
    Kept("api.protocol.HttpProtocol._waiting", "of one connection", "queue"),
    Kept("api.shares.Shares._running", BY_TENANT, path="data_plane._shares._running"),
    Kept("api.shares.Shares._waiting", BY_TENANT, "queue", path="data_plane._shares._waiting"),
    Kept("costs.holds.budget_meter.BudgetMeter._told", "of one budget"),
    Kept("costs.holds.meter_book.MeterBook.holds", "by an id that only we make; a hold names its tenant"),
    Kept("costs.ledger.oddities.Oddities._told", "the tenant is the first part of the key"),
    Kept("costs.prices.source.PriceSource._answered", NO_TENANT),
    Kept("costs.prices.source.PriceSource.tenants", "by what a tenant pays, and for what: prices, of nobody's use"),
    Kept("gateway.cache.ReplyCache._answers", "tenant and application are part of the key; an answer names its tenant",
         path="cache._answers", tenants=_by_tenant),
    Kept("gateway.cache.ReplyCache._tenant_bytes", BY_TENANT, path="cache._tenant_bytes"),
    Kept("gateway.repeats.Repeats._recent", "digests of a tenant's requests, which lead to nothing"),
    Kept("identity.directory.Directory._owed", "tenants' ids by cell", "queue"),
    Kept("identity.moves.MoveRunner._running", "tenants' ids"),
    Kept("identity.principals.Principals._tenants", BY_TENANT, path="principals._tenants"),
    Kept("identity.principals.Principals._by_digest", BY_DIGEST,
         path="principals._by_digest", tenants=_by_principal),
    Kept("identity.principals.Principals.used", "by the principal, which names its tenant",
         path="principals.used", tenants=_principals),
    Kept("identity.sign_in.relayed.RelayedDevices._waiting", BY_DIGEST, "queue"),
    Kept("identity.tokens.book.IssuerBook._by_tenant", BY_TENANT, path="sign_in.book._by_tenant"),
    Kept("identity.tokens.book.IssuerBook._by_url", "an issuer names its tenant; a token must be for its audience",
         path="sign_in.book._by_url", tenants=_issuers),
    Kept("identity.tokens.book.IssuerBook._secrets", "by an issuer's id, which only we make"),
    Kept("identity.tokens.service.Tokens._remembered", "by the SHA-256 of the whole token; the principal names its tenant",
         path="sign_in.tokens._remembered", tenants=_by_principal),
    Kept("identity.tokens.service.Tokens._by_tenant", BY_TENANT, path="sign_in.tokens._by_tenant"),
    Kept("providers.key_rotation.KeyRotation._told", NO_TENANT),
    Kept("providers.transport.client.Pool.idle", "connections to providers, of nobody: one carries one call at a time",
         "queue"),
    Kept("sealing.keyring.Keyring._tenants", BY_TENANT, path="envelope._ring._tenants"),
    Kept("sealing.keyring.Keyring._subjects", "the tenant is the first part of the key",
         path="envelope._ring._subjects", tenants=_first_parts),
    Kept("sealing.vault.secrets.VaultSecrets._secrets", NO_TENANT),
    Kept("storage.cells.CellDirectory._by_tenant", BY_TENANT, path="cells._by_tenant"),
    Kept("storage.database.Database._pools", "by role; a transaction sets its tenant, and ends it with itself"),
    Kept("storage.group_commit.GroupCommit._settlements", "each names its tenant; `settle` checks it", "queue"),
    Kept("storage.group_commit.GroupCommit._facts", "each names its tenant; `settle` checks it", "queue"),
    Kept("storage.group_commit.GroupCommit._intents", "each names its tenant", "queue"),
    Kept("storage.shares.ConnectionShares._used", BY_TENANT, path="storage._shares._used"),
    Kept("storage.turns.Turns._seen", "numbers by cell"),
    Kept("storage.writers.Writers._known", BY_TENANT, path="writers._known"),
    Kept("storage.writers.Writers._jobs", "each of one record, which names its tenant", "queue"),
    Kept("telemetry.logs.LineWriter._lines", "lines for the operator", "queue"),
)  # fmt: skip
IN_TABLES = {
    "idempotency keys": "tenant first in the primary key, row-level security",
    "sessions": "row-level security; a token leads to its tenant and is compared by its digest",
    "prepared statements": "of one connection and role; the tenant is a setting of the transaction, not part of a plan",
}
"""What is remembered elsewhere than in the program, for completeness."""


def probe_memory(parts: Parts) -> Iterator[Guarded]:
    """Each of them, with the entries that a process has there: every one is of a tenant that there is."""
    known = {tenant.id for tenant in parts.principals.tenants()} | {PLATFORM_ID}
    for kept in KEPT:
        faults: tuple[str, ...] = ()
        probe = "of no tenant, or empty between requests"
        if kept.path is not None:
            found = list(kept.tenants(attrgetter(kept.path)(parts)))
            strangers = sorted({entry for entry in found if entry not in known})
            probe = f"{len(found)} entries, of {len(set(found))} tenants"
            if strangers:
                faults = (f"entries are not by tenant: {', '.join(strangers)[:100]}",)
        yield Guarded(kept.kind, "process", kept.name, kept.guard, probe, faults)
    for name, guard in IN_TABLES.items():
        yield Guarded("cache", "database", name, guard, "with their tables")
