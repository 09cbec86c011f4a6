"""A master key in a variable of the environment."""

from pathlib import Path

from enfilade.sealing.local_key import LocalMasterKey, decode_master_key
from enfilade.sealing.master_key import MasterKey, Needs


class Environment:
    """See `Adapter`."""

    kind = "environment"

    def make(self, declared: str | Path, needs: Needs) -> MasterKey:
        """See `Adapter.make`."""
        del needs
        return LocalMasterKey(decode_master_key(str(declared)))


ADAPTER = Environment()
