"""What a process keeps in memory beyond a request, and what keeps tenants apart in it.

A test compares this list with the code: a container that outlives a request and is not named here fails it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

TenantsOf = Callable[[Any, Any], Iterable[str]]
"""The tenant, by its id, of each entry of a container, which an object owns."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A cache or a queue."""

    name: str
    """Module, class and attribute; of a cached function, module and name."""
    guard: str
    kind: str = "cache"
    tenants: TenantsOf | None = None
    """None where no entry can say whose it is; the guard is then the reason."""


def _keys(container: Any, _owner: Any) -> Iterable[str]:
    return (str(key) for key in container)


def _by_tenant(container: Any, _owner: Any) -> Iterable[str]:
    return (entry.tenant for entry in container.values())


def _by_principal(container: Any, _owner: Any) -> Iterable[str]:
    return (principal.tenant.id for principal in container.values())


def _principals(container: Any, _owner: Any) -> Iterable[str]:
    return (principal.tenant.id for principal in container)


def _issuers(container: Any, _owner: Any) -> Iterable[str]:
    return (issuer.tenant for group in container.values() for issuer in group)


def _first_parts(container: Any, _owner: Any) -> Iterable[str]:
    return (key[0] for key in container)


def _values(container: Any, _owner: Any) -> Iterable[str]:
    return (tenant for tenants in container.values() for tenant in tenants)


def _ids(container: Any, _owner: Any) -> Iterable[str]:
    return [str(identifier) for identifier in container.values()]


def _holders(container: Any, _owner: Any) -> Iterable[str]:
    return (hold.scope.tenant for hold in container.values())


def _of_owner(container: Any, owner: Any) -> Iterable[str]:
    return (owner.tenant.id for _ in container)


def _by_issuer(container: Any, owner: Any) -> Iterable[str]:
    known = {issuer.id: issuer.tenant for group in owner._by_url.values() for issuer in group}  # noqa: SLF001
    return (known.get(identifier, f"the issuer {identifier}") for identifier in container)


OF_ONE = "of one tenant's part alone"
NO_TENANT = "of the platform: it holds nothing of a tenant"
OF_A_RULE = "of one limit or budget, which is one tenant's"
BY_TENANT = "by the tenant's id"
BY_CELL = "by cell: numbers, and nothing of anybody's"
BY_DIGEST = "by the SHA-256 of a secret of 256 bits; the entry names its tenant"
BY_OUR_ID = "by an id that only we make"
TENANT_FIRST = "the tenant is the first part of the key"
CONNECTION = "of one connection, which carries one caller's requests"
COMPUTED = "computed from the argument alone: the same for everybody"
PASSING = "empty again after each commit: each entry names its tenant, and `settle` checks it"

KEPT = (
    Kept("access.approvals.book.ApprovalBook._tenants", BY_TENANT, tenants=_keys),
    Kept("access.approvals.patterns.matcher", COMPUTED),
    Kept("access.decisions.TenantAccess._answers", OF_ONE, tenants=_of_owner),
    Kept("access.decisions.TenantAccess._seats", OF_ONE, tenants=_of_owner),
    Kept("access.decisions.TenantAccess._places", OF_ONE, tenants=_of_owner),
    Kept("access.decisions.TenantAccess._parsed", OF_ONE, tenants=_of_owner),
    Kept("access.decisions.TenantAccess.helped", OF_ONE, tenants=_of_owner),
    Kept("access.overdue.ReviewWatch._looked_at", BY_TENANT, tenants=_keys),
    Kept("access.schema.schema_of", COMPUTED),
    Kept("access.service.Access._tenants", BY_TENANT, tenants=_keys),
    Kept("access.service.Access._published", BY_TENANT, tenants=_keys),
    Kept("access.table.PolicyTable._slices", OF_ONE),
    Kept("api.admin_app.application", "the routes: what belongs to an installation comes with each request"),
    Kept("api.app.Application._gets", NO_TENANT),
    Kept("api.app.Application._beneath", NO_TENANT),
    Kept("api.call_addresses.CallAddresses._fixed", NO_TENANT),
    Kept("api.call_addresses.CallAddresses._naming", NO_TENANT),
    Kept("api.calls.DataPlane._running", "tasks, each of one call", "queue"),
    Kept("api.protocol.HttpProtocol._headers", CONNECTION),
    Kept("api.protocol.HttpProtocol._waiting", CONNECTION, "queue"),
    Kept("api.server.HttpServer._connections", "connections, each of one caller"),
    Kept("api.server.HttpServer._tasks", "tasks, each of one request", "queue"),
    Kept("api.shares.Shares._running", BY_TENANT, tenants=_keys),
    Kept("api.shares.Shares._waiting", BY_TENANT, "queue", tenants=_keys),
    Kept("core.deadlines.DeadlineSweeper._watched", "deadlines, each of one request", "queue"),
    Kept("costs.holds.budget_meter.BudgetMeter._told", OF_A_RULE),
    Kept("costs.holds.budget_meter.BudgetMeter._fired", OF_A_RULE),
    Kept("costs.holds.budget_meter.BudgetMeter.ahead", OF_A_RULE),
    Kept("costs.holds.budget_meter._millionths", COMPUTED),
    Kept("costs.holds.meter_book.MeterBook.holds", f"{BY_OUR_ID}; a hold names its tenant", tenants=_holders),
    Kept("costs.holds.meter_book.MeterBook._expired", f"{BY_OUR_ID}; a hold names its tenant", tenants=_holders),
    Kept("costs.holds.meter_book.MeterBook._rules", BY_TENANT, tenants=_keys),
    Kept("costs.holds.meter_book.MeterBook._meters", "by a rule's id, which only we make; a rule is one tenant's"),
    Kept("costs.holds.meter_book.MeterBook._sets", "by ids that only we make: a key's, a user's and the tenant's"),
    Kept("costs.holds.meter_book.MeterBook._seeded", "rules' ids, which only we make"),
    Kept("costs.holds.meter_book.MeterBook._attached", "rules' ids, which only we make"),
    Kept("costs.holds.seeding.Seeder._locks", BY_TENANT, tenants=_keys),
    Kept("costs.holds.windows._midnight", COMPUTED),
    Kept("costs.holds.windows._zone", COMPUTED),
    Kept("costs.ledger.oddities.Oddities._told", TENANT_FIRST, tenants=_first_parts),
    Kept("costs.outlook.hours.zone_of", COMPUTED),
    Kept("costs.prices.source.PriceSource._answered", NO_TENANT),
    Kept("costs.prices.source.PriceSource.tenants", "by what a tenant pays, and for what: prices, of nobody's use"),
    Kept("costs.spend.rollups.RollUps._behind", BY_CELL),
    Kept("gateway.cache.ReplyCache._answers", "tenant and application are part of the key; an answer names its tenant",
         tenants=_by_tenant),
    Kept("gateway.cache.ReplyCache._tenant_bytes", BY_TENANT, tenants=_keys),
    Kept("gateway.capabilities.known.table", COMPUTED),
    Kept("gateway.catalogue.Catalogue._aliases", NO_TENANT),
    Kept("gateway.catalogue.Catalogue._breakers", NO_TENANT),
    Kept("gateway.catalogue.Catalogue._entries", NO_TENANT),
    Kept("gateway.catalogue.Catalogue._models", NO_TENANT),
    Kept("gateway.catalogue.Catalogue._patterns", NO_TENANT),
    Kept("gateway.catalogue.Catalogue._strategies", NO_TENANT),
    Kept("gateway.keeping.Keeper._keeping", NO_TENANT),
    Kept("gateway.repeats.Repeats._recent", "digests of a tenant's requests, which lead to nothing"),
    Kept("gateway.repeats.Repeats._earlier", "digests of a tenant's requests, which lead to nothing"),
    Kept("identity.accounts.rules.AccountRuleBook._rules", BY_TENANT, tenants=_keys),
    Kept("identity.directory.Directory._owed", "tenants' ids by cell", "queue", tenants=_values),
    Kept("identity.moves.MoveRunner._running", "moves' ids, which only we make"),
    Kept("identity.principals.Principals._tenants", BY_TENANT, tenants=_keys),
    Kept("identity.principals.Principals._closed", "tenants' ids", tenants=_keys),
    Kept("identity.principals.Principals._ids", "by a tenant's name, which is one tenant's: its id", tenants=_ids),
    Kept("identity.principals.Principals._by_digest", BY_DIGEST, tenants=_by_principal),
    Kept("identity.principals.Principals.used", "by the principal, which names its tenant", tenants=_principals),
    Kept("identity.sign_in.devices.Devices._tries", "by the person who tries: numbers"),
    Kept("identity.sign_in.relayed.RelayedDevices._waiting", BY_DIGEST, "queue"),
    Kept("identity.tokens.book.IssuerBook._by_tenant", BY_TENANT, tenants=_keys),
    Kept("identity.tokens.book.IssuerBook._by_url", "an issuer names its tenant; a token must be for its audience",
         tenants=_issuers),
    Kept("identity.tokens.book.IssuerBook._identities", BY_TENANT, tenants=_keys),
    Kept("identity.tokens.book.IssuerBook._publications", "by an issuer's id; what it publishes to everybody",
         tenants=_by_issuer),
    Kept("identity.tokens.book.IssuerBook._secrets", "by an issuer's id, which only we make", tenants=_by_issuer),
    Kept("identity.tokens.book.IssuerBook._withheld", BY_TENANT, tenants=_keys),
    Kept("identity.tokens.service.Tokens._remembered", "by the SHA-256 of the whole token; the principal names its tenant",
         tenants=_by_principal),
    Kept("identity.tokens.service.Tokens._by_tenant", BY_TENANT, tenants=_keys),
    Kept("providers.key_rotation.KeyRotation._told", NO_TENANT),
    Kept("providers.key_rotation.KeyRotation._to_tell", NO_TENANT),
    Kept("providers.service.Providers._ready", NO_TENANT),
    Kept("providers.transport.client.HttpClient._pools", "by the address of a provider"),
    Kept("providers.transport.client.Pool.connected", "connections to providers, each with one call at a time"),
    Kept("providers.transport.client.Pool.idle", "connections to providers, of nobody: one carries one call at a time",
         "queue"),
    Kept("providers.transport.tls.default_tls", NO_TENANT),
    Kept("sealing.envelope.Envelope._closed", BY_TENANT, tenants=_keys),
    Kept("sealing.envelope.Envelope._refused", BY_TENANT, tenants=_keys),
    Kept("sealing.envelope.Envelope._turns", "by what is to be done one after the other: locks, and nothing in them"),
    Kept("sealing.keepers.Keepers._adapters", "by a master key's id: who keeps it"),
    Kept("sealing.keepers.Keepers._by_name", "by a master key's name; a tenant's own is found by the tenant's key alone"),
    Kept("sealing.keyring.Keyring._pinned", BY_TENANT, tenants=_keys),
    Kept("sealing.keyring.Keyring._subjects", TENANT_FIRST, tenants=_first_parts),
    Kept("sealing.keyring.Keyring._tenants", BY_TENANT, tenants=_keys),
    Kept("sealing.vault.engines.Engines._mounts", NO_TENANT),
    Kept("sealing.vault.secrets.VaultSecret._fields", NO_TENANT),
    Kept("sealing.vault.secrets.VaultSecrets._secrets", NO_TENANT),
    Kept("storage.cells.CellDirectory._by_tenant", BY_TENANT, tenants=_keys),
    Kept("storage.cells.CellDirectory._cells", TENANT_FIRST, tenants=_first_parts),
    Kept("storage.cells.CellDirectory._placements", BY_TENANT, tenants=_keys),
    Kept("storage.cells.CellDirectory.unreached", BY_TENANT, tenants=_keys),
    Kept("storage.database.Database._pools", "by role; a transaction sets its tenant, and ends it with itself"),
    Kept("storage.database.Database._schemas", "names of schemas"),
    Kept("storage.group_commit.GroupCommit._schemas", "names of schemas"),
    Kept("storage.group_commit.GroupCommit._settlements", PASSING, "queue"),
    Kept("storage.group_commit.GroupCommit._facts", PASSING, "queue"),
    Kept("storage.group_commit.GroupCommit._intents", PASSING, "queue"),
    Kept("storage.migrations._files", COMPUTED),
    Kept("storage.shares.ConnectionShares._used", BY_TENANT, tenants=_keys),
    Kept("storage.turns.Turns._offered", BY_CELL),
    Kept("storage.turns.Turns._seen", BY_CELL),
    Kept("storage.writers.Writers._commits", "by database: who writes there"),
    Kept("storage.writers.Writers._known", BY_TENANT, tenants=_keys),
    Kept("storage.writers.Writers._jobs", "each of one record, which names its tenant", "queue"),
    Kept("storage.writers.Writers._lost", "counts by kind, for the operator"),
    Kept("storage.writers.Writers._on_the_way", "records, each of which names its tenant", "queue"),
    Kept("storage.writers.Writers.written", BY_CELL),
    Kept("telemetry.logs.LineWriter._lines", "lines for the operator", "queue"),
    Kept("telemetry.metrics.Metrics._calls", "counts by tenant, for the operator; a tenant's keys may not read them"),
    Kept("telemetry.metrics.Metrics._counters", "counts for the operator; a tenant's keys may not read them"),
    Kept("telemetry.metrics.Metrics._gauges", NO_TENANT),
)  # fmt: skip
IN_TABLES = {
    "idempotency keys": "tenant first in the primary key, row-level security",
    "sessions": "row-level security; a token leads to its tenant and is compared by its digest",
    "prepared statements": "of one connection and role; the tenant is a setting of the transaction, not part of a plan",
}
"""What is remembered elsewhere than in the program, for completeness."""
