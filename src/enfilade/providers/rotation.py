"""A provider whose key was replaced, or may be: where the new key is refused, the old one serves for a while."""

from collections.abc import Callable, Sequence

from enfilade.dialects.types import Dialect, Request
from enfilade.providers.credentials import Credential
from enfilade.providers.errors import CredentialMissing, CredentialsRefused, ProviderError
from enfilade.providers.types import Incoming, Outgoing, Provider


class RotatingProvider:
    """See `Provider`. Two of them: one with the new credentials, one with those of before."""

    def __init__(
        self, new: Provider, old: Provider, credentials: Sequence[Credential], fell_back: Callable[[str], None]
    ) -> None:
        """Call `new`; and `old` where that is refused. `fell_back` is told the provider's name when it helped."""
        self._new = new
        self._old = old
        self._credentials = credentials
        self._fell_back = fell_back
        self._warm = False
        self.spec = new.spec
        self.base_url = new.base_url
        self.dialects = new.dialects
        self.traits = new.traits

    def dialects_of(self, model: str) -> tuple[str, ...]:
        """See `Provider.dialects_of`."""
        return self._new.dialects_of(model)

    async def send(self, outgoing: Outgoing) -> Incoming:
        """See `Provider.send`."""
        if not self._warm:
            await self._warm_up()
        body = outgoing.body
        try:
            return await self._new.send(outgoing)
        except (CredentialsRefused, CredentialMissing) as refusal:
            if not any(credential.former() for credential in self._credentials):
                raise
            return await self._again(outgoing, body, refusal)

    async def _again(self, outgoing: Outgoing, body: bytes, refusal: ProviderError) -> Incoming:
        outgoing.body = body
        outgoing.sent = False  # A refusal for the credentials says that nothing was spent.
        try:
            incoming = await self._old.send(outgoing)
        except (CredentialsRefused, CredentialMissing):
            raise refusal from None  # It is the new key that an administrator should look at.
        self._fell_back(self.spec.name)
        return incoming

    async def _warm_up(self) -> None:
        for credential in self._credentials:
            if credential.is_cold:
                await credential.warm()
        self._warm = not any(credential.is_cold for credential in self._credentials)

    def reported_failure(self, body: bytes) -> ProviderError | None:
        """See `Provider.reported_failure`."""
        return self._new.reported_failure(body)

    def exact_input(self, dialect: Dialect, request: Request) -> int | None:
        """See `Provider.exact_input`."""
        return self._new.exact_input(dialect, request)

    def close(self) -> None:
        """See `Provider.close`."""
        self._new.close()
        self._old.close()
