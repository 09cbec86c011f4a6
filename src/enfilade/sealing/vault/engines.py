"""How a secret is read: by the engine that is mounted where it is."""

import msgspec
import structlog

from enfilade.core.clock import Clock
from enfilade.sealing.vault.client import VaultClient
from enfilade.sealing.vault.errors import VaultDenied, VaultMissing, VaultRefused, VaultUnreadable
from enfilade.sealing.vault.types import VaultReply

MOUNT_KNOWN_S = 3600.0

log = structlog.get_logger("enfilade.vault")


class _Mount(msgspec.Struct, frozen=True):
    path: str
    versioned: bool
    known_until: float


class Engines:
    """Reads secrets by paths as for `vault kv get`. A key-value store with versions has them below `data/`."""

    def __init__(self, client: VaultClient, clock: Clock) -> None:
        """Ask `client`."""
        self._client = client
        self._clock = clock
        self._mounts: dict[str, _Mount] = {}

    async def read(self, path: str) -> VaultReply:
        """The secret's fields as `data`, with its lease. Raises VaultError."""
        mount = await self._mount(path)
        if mount is None or not mount.versioned:
            return await self._client.request("GET", path)
        rest = path[len(mount.path) :]
        asked = f"{mount.path}{rest if rest.startswith('data/') else f'data/{rest}'}"
        try:
            reply = await self._client.request("GET", asked)
        except VaultMissing as error:
            self._mounts.pop(mount.path, None)  # The mount may have been replaced.
            message = f"{error.message.rstrip('.')}, or it was deleted."
            raise VaultMissing(message) from None
        fields = (reply.data or {}).get("data")
        if not isinstance(fields, dict):
            message = f"Vault answered to GET {asked} without the fields of a secret."
            raise VaultUnreadable(message)
        return msgspec.structs.replace(reply, data=fields)

    async def _mount(self, path: str) -> _Mount | None:
        """What is mounted where the path leads; None where Vault does not tell, and the path is asked as it is."""
        now = self._clock.monotonic()
        for mount in self._mounts.values():
            if path.startswith(mount.path) and mount.known_until > now:
                return mount
        try:
            data = (await self._client.request("GET", f"sys/internal/ui/mounts/{path}")).data or {}
        except (VaultDenied, VaultMissing, VaultRefused) as error:
            log.debug("vault_mount_unknown", path=path, error=error.message)
            return None
        where, options = data.get("path"), data.get("options")
        if not isinstance(where, str) or not where or not path.startswith(where):
            return None
        versioned = data.get("type") == "kv" and isinstance(options, dict) and options.get("version") == "2"
        mount = self._mounts[where] = _Mount(where, versioned, now + MOUNT_KNOWN_S)
        return mount
