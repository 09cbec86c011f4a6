"""The kinds of provider, a file for each or for those that are much alike: `KINDS`, by name. Adding one is adding one file."""

import sys

from enfilade.core.families import members
from enfilade.providers.registry import Adapters
from tests.contract.kind import Kind
from tests.support.outbound import REQUESTS

KINDS: dict[str, Kind] = {
    name: kind for found in members(sys.modules[__name__], "KINDS").values() for name, kind in found.items()
}
PAIRS = [(name, dialect) for name, kind in KINDS.items() for dialect in kind.paths if dialect in REQUESTS]
"""Each kind in each of its dialects; one that `REQUESTS` lacks has not come yet."""
WITHOUT_NETWORK = {"simulated"}

_READERS = {Adapters().adapter(name).read_error: name for name in reversed(KINDS)}
ERROR_PAIRS = [(name, dialect) for name, dialect in PAIRS if name in _READERS.values()]
"""One kind for each way of reading errors, in all of its dialects."""
