"""What an authority is made of, without a gateway."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from enfilade.providers.authority import AuthorityNeeds, Signable
from enfilade.providers.credentials import Credential, SecretSources
from enfilade.providers.types import ProviderSpec, SecretReference
from tests.support.outbound import Outbound

REQUEST = Signable(b"POST", b"provider.example", "/v1/x", (), b"{}")


def needs_of(
    outbound: Outbound,
    kind: str,
    key: str | None = None,
    *,
    secrets: Mapping[str, str] | None = None,
    directory: Path | None = None,
    inside: bool = True,
    environment: Mapping[str, str] | None = None,
    **options: Any,
) -> AuthorityNeeds:
    """The needs of a provider whose `api_key` is `key`; files may be read below `directory`."""
    sources = SecretSources(environment or {}, (), () if directory is None else (directory,))
    reference = None if key is None else SecretReference(sealed="provider:up")

    def held(value: str) -> Credential:
        return Credential(SecretReference(sealed="x"), sources, outbound.clock, value)

    spec = ProviderSpec("up", kind, api_key=reference, allow_private_network=inside, options=options)
    return AuthorityNeeds(
        spec,
        Credential(reference, sources, outbound.clock, key),
        outbound.client,
        outbound.clock,
        {name: held(value) for name, value in (secrets or {}).items()},
    )


async def shown(authority: Any) -> dict[str, str]:
    """The headers by which an authority proves who asks."""
    return {name.decode(): value.decode() for name, value in await authority.headers(REQUEST)}
