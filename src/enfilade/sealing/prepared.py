"""Keys at hand for one piece of work."""

from dataclasses import dataclass, field

from enfilade.sealing.errors import ContentErased
from enfilade.sealing.forms import altered, is_old, reference_of
from enfilade.sealing.keyring import Key
from enfilade.sealing.old_form import OldForm


@dataclass(frozen=True, slots=True)
class Prepared:
    """Keys at hand for one piece of work. They stay usable until it is done, whatever changes meanwhile."""

    tenant: str
    sealing: Key
    """The subject's key, or the tenant's where there is no subject."""
    opening: dict[str, Key] = field(repr=False)
    erased: frozenset[str]
    old: OldForm = field(repr=False)

    def seal(self, purpose: str, plaintext: bytes) -> bytes:
        """The sealed form."""
        return self.sealing.seal(purpose, plaintext)

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """The plaintext. Raises CannotOpen, and ContentErased when its subject's key was destroyed."""
        if not sealed:
            raise ContentErased("This was erased with the person whose it was.")
        if is_old(sealed):
            return self.old.open(sealed, purpose)
        identifier = reference_of(sealed, purpose).key
        key = self.opening.get(identifier)
        if key is not None:
            return key.open(purpose, sealed)
        if identifier in self.erased:
            raise ContentErased("This was erased with the key of the person whose it was.")
        raise altered(purpose)
