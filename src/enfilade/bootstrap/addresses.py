"""Addresses of cells: references that are followed like those to providers' keys, and bounded like them."""

from collections.abc import Callable, Mapping

import msgspec

from enfilade.bootstrap.vault import FollowedSecrets
from enfilade.core.clock import Clock
from enfilade.core.errors import EnfiladeError
from enfilade.identity.errors import InvalidSpecification
from enfilade.providers.types import SecretReference
from enfilade.sealing.vault.secrets import read_once
from enfilade.sealing.vault.types import SecretPath


class CellAddresses:
    """See `AddressSource`."""

    def __init__(self, followed: Callable[[], FollowedSecrets], clock: Clock) -> None:
        """Follow references as `followed` does, which is built later than this."""
        self._followed = followed
        self._clock = clock

    def check(self, reference: Mapping[str, str], param: str) -> None:
        """See `AddressSource.check`."""
        try:
            self._followed().sources.check(_reference(reference), param)
        except EnfiladeError as error:
            raise InvalidSpecification(error.message, param=error.param or param) from None

    async def read(self, reference: Mapping[str, str]) -> str | None:
        """See `AddressSource.read`. Raises what Vault raises."""
        found, followed = _reference(reference), self._followed()
        if found.vault is None:
            return followed.sources.read(found)
        if followed.client is None:
            return None
        return await read_once(followed.client, self._clock, SecretPath.parse(found.vault))


def _reference(reference: Mapping[str, str]) -> SecretReference:
    try:
        found = msgspec.convert(dict(reference), SecretReference)
    except msgspec.ValidationError:
        found = SecretReference()
    if len(reference) != 1 or found.sealed is not None or not any(reference.values()) or found == SecretReference():
        message = "an address is given as one of {env: NAME}, {file: PATH} and {vault: PATH#FIELD}"
        raise InvalidSpecification(message, param="address")
    return found
