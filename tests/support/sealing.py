"""The room `sealing` on the database of some parts: another process, with master keys of its own."""

from collections.abc import Mapping
from typing import Any

from enfilade.bootstrap.aws import AwsSigners
from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.sealing import MasterKeyChoice, Reach, Sealing
from enfilade.core.fetching import Fetcher, FetchFailed, WebReply, WebRequest
from enfilade.sealing.vault.client import VaultClient

FIRST_KEY, SECOND_KEY = bytes(32), b"\x02" * 32
"""The first is that of `open_parts`."""


class NoNetwork:
    """A fetcher that reaches nothing."""

    async def fetch(self, request: WebRequest) -> WebReply:
        """See `Fetcher.fetch`."""
        message = f"{request.url} is away."
        raise FetchFailed(message)


def another_process(
    parts: Parts,
    current: Any = FIRST_KEY,
    previous: Any = None,
    *,
    fetcher: Fetcher | None = None,
    vault: VaultClient | None = None,
    environment: Mapping[str, str] | None = None,
    own_services: tuple[str, ...] = (),
) -> Sealing:
    """The room, as a process with these master keys has it; it is not started. It works on the cells of `parts`."""
    reach = Reach(fetcher or NoNetwork(), vault, AwsSigners(environment or {}, parts.client, parts.clock))
    choice = MasterKeyChoice(current, previous, own_services)
    sealing = Sealing(choice, reach, parts.storage, parts.ids, parts.clock)
    sealing.renew_in(parts.sealing.renewal.places)
    return sealing
