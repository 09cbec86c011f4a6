"""A master key in a file of this machine."""

from pathlib import Path

from enfilade.sealing.key_file import make_key_file, read_key_file
from enfilade.sealing.local_key import LocalMasterKey
from enfilade.sealing.master_key import MasterKey, Needs


class File:
    """See `Adapter`."""

    kind = "file"

    def make(self, declared: str | Path, needs: Needs) -> MasterKey:
        """See `Adapter.make`."""
        path = Path(declared)
        if needs.makes_file and not path.exists():
            make_key_file(path)
        return LocalMasterKey(read_key_file(path))


ADAPTER = File()
