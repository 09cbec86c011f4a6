"""All issuers in memory: whose a token is, and by what names people are known."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from enfilade.core.clock import Clock
from enfilade.core.fetching import Fetcher
from enfilade.identity.directory import Install
from enfilade.identity.tokens import store
from enfilade.identity.tokens.discovery import Publications
from enfilade.identity.tokens.errors import AmbiguousIssuer
from enfilade.identity.tokens.jws import audiences_of, claim_at, refused
from enfilade.identity.tokens.rows import issuer_of
from enfilade.identity.tokens.types import Issuer, IssuerSpec
from enfilade.storage.unit_of_work import UnitOfWork


class IssuerBook:
    """The section of the directory that knows issuers."""

    def __init__(self, fetcher: Fetcher, clock: Clock) -> None:
        """Ask issuers through `fetcher`."""
        self._fetcher = fetcher
        self._clock = clock
        self._by_tenant: dict[str, list[Issuer]] = {}
        self._identities: dict[str, dict[tuple[str, str], str]] = {}
        self._withheld: dict[str, dict[tuple[str, str], frozenset[str]]] = {}
        self._secrets: dict[str, bytes] = {}
        self._by_url: dict[str, list[Issuer]] = {}
        self._publications: dict[str, tuple[tuple[Any, ...], Publications]] = {}
        self.on_change: Callable[[Collection[str] | None], None] = lambda _tenants: None
        """Called with the tenants whose issuers, people or rights may have changed; None for all."""

    def of_tenant(self, tenant: str) -> list[Issuer]:
        """A tenant's issuers."""
        return self._by_tenant.get(tenant, [])

    def issuer(self, tenant: str, name: str) -> Issuer | None:
        """A tenant's issuer by name or id."""
        return next((issuer for issuer in self.of_tenant(tenant) if name in {issuer.name, issuer.id}), None)

    def all(self) -> Iterable[Issuer]:
        """Everybody's issuers."""
        return (issuer for issuers in self._by_tenant.values() for issuer in issuers)

    def of_token(self, claims: dict[str, Any]) -> Issuer | None:
        """The declaration that an access token falls under; of a tenant's own, the one that was there first.

        Raises InvalidToken for a token that falls under declarations of several tenants: with several audiences, one of
        them could be declared by somebody else, who would be sent what is not theirs.
        """
        audiences = audiences_of(claims)
        found = [
            issuer
            for issuer in self._by_url.get(str(claims.get("iss")), ())
            if not audiences.isdisjoint(issuer.settings.audiences) and has_claims(issuer, claims)
        ]
        if len({issuer.tenant for issuer in found}) > 1:
            raise refused("several_tenants")
        return found[0] if found else None

    def sealed_secret(self, issuer: Issuer) -> bytes | None:
        """The client secret as it is stored."""
        return self._secrets.get(issuer.id)

    def user_of(self, issuer: Issuer, subject: str) -> str | None:
        """The id of the user whom the issuer knows as `subject`."""
        return self._identities.get(issuer.tenant, {}).get((issuer.id, subject))

    def withheld(self, issuer: Issuer, user: str) -> frozenset[str]:
        """The roles that somebody took back from a user, although the issuer goes on vouching for them."""
        return self._withheld.get(issuer.tenant, {}).get((issuer.id, user), frozenset())

    def publications(self, issuer: Issuer) -> Publications:
        """What the issuer publishes. It is kept when other things about the issuer change."""
        place = (issuer.spec.url, issuer.settings.jwks_url, issuer.settings.allow_private_network)
        known = self._publications.get(issuer.id)
        if known is None or known[0] != place:
            # What a key vouched for that is there no more is verified anew.
            published = Publications(
                issuer, self._fetcher, self._clock, withdrawn=lambda: self.on_change([issuer.tenant])
            )
            known = self._publications[issuer.id] = (place, published)
        return known[1]

    def unhurried(self, issuer: Issuer) -> Publications:
        """What the issuer publishes right now, whatever is known of it."""
        return Publications(issuer, self._fetcher, self._clock)

    def require_distinct(self, tenant: str, spec: IssuerSpec, near: Iterable[Issuer] = ()) -> None:
        """Raise AmbiguousIssuer when a token could fall under this declaration and under another's."""
        wanted = spec.settings
        for other in (*self._by_url.get(spec.url, ()), *near):
            if other.tenant == tenant and other.name == spec.name:
                continue
            theirs = other.settings
            shared = not set(wanted.audiences).isdisjoint(theirs.audiences)
            told_apart = any(
                theirs.required_claims.get(name, value) != value for name, value in wanted.required_claims.items()
            )
            if shared and not told_apart:
                message = "Tokens of this issuer for one of these audiences are spoken for on this installation."
                raise AmbiguousIssuer(message, param="audiences")

    async def load(self, unit: UnitOfWork, tenants: Collection[str] | None) -> Install:
        """See `Section.load`."""
        wanted = None if tenants is None else list(tenants)
        issuers: dict[str, list[Issuer]] = {}
        secrets: dict[str, bytes] = {}
        for row in await unit.fetch(store.LOAD_ISSUERS, wanted):
            issuer = issuer_of(row)
            issuers.setdefault(issuer.tenant, []).append(issuer)
            if row["client_secret"] is not None:
                secrets[issuer.id] = bytes(row["client_secret"])
        identities: dict[str, dict[tuple[str, str], str]] = {}
        withheld: dict[str, dict[tuple[str, str], frozenset[str]]] = {}
        for row in await unit.fetch(store.LOAD_IDENTITIES, wanted):
            known = identities.setdefault(str(row["tenant_id"]), {})
            known[str(row["issuer_id"]), row["subject"]] = str(row["user_id"])
            if row["withheld"]:
                place = str(row["issuer_id"]), str(row["user_id"])
                withheld.setdefault(str(row["tenant_id"]), {})[place] = frozenset(row["withheld"])
        return lambda: self.install(issuers, identities, secrets, tenants, withheld)

    def install(
        self,
        issuers: dict[str, list[Issuer]],
        identities: dict[str, dict[tuple[str, str], str]],
        secrets: dict[str, bytes],
        tenants: Collection[str] | None,
        withheld: dict[str, dict[tuple[str, str], frozenset[str]]] | None = None,
    ) -> None:
        """Know these from now on, of these tenants or of all."""
        for tenant in list(self._by_tenant | self._identities) if tenants is None else tenants:
            for known in (self._by_tenant, self._identities, self._withheld):
                known.pop(tenant, None)
        self._withheld |= withheld or {}
        self._by_tenant |= issuers
        self._identities |= identities
        by_url: dict[str, list[Issuer]] = {}
        for issuer in sorted(self.all(), key=lambda issuer: (issuer.created_at, issuer.id)):
            by_url.setdefault(issuer.spec.url, []).append(issuer)
        self._by_url = by_url
        live = {issuer.id for issuer in self.all()}
        kept = {name: secret for name, secret in self._secrets.items() if name in live}
        for issuer in (issuer for tenant in issuers for issuer in issuers[tenant]):
            kept.pop(issuer.id, None)
        self._secrets = kept | secrets
        self._publications = {name: known for name, known in self._publications.items() if name in live}
        self.on_change(tenants)


def has_claims(issuer: Issuer, claims: dict[str, Any]) -> bool:
    """Whether the claims say what this declaration requires."""
    return all(claim_at(claims, name) == value for name, value in issuer.settings.required_claims.items())
