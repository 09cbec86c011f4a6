"""What can go wrong with keys, and with what is sealed under them."""

from enfilade.core.errors import Conflict, EnfiladeError, Forbidden, InvalidRequest, Unavailable
from enfilade.storage.errors import StorageFault


class MasterKeyFault(EnfiladeError):
    """The master key is missing, another one than the installation's, or cannot be used: nothing is started."""

    code = "master_key_fault"
    remedy = "Give the installation's master key; see docs/how-to/encryption.md. Nothing was changed."


class MasterKeyUnavailable(Unavailable):
    """The service that keeps a master key cannot be reached."""

    code = "master_key_unavailable"
    remedy = "Try again; what was opened before is served on. Operators: look at the vault's or key service's health."


class MasterKeyRefused(Forbidden):
    """The service that keeps a master key does not let us use it, or what was wrapped is not its own."""

    code = "master_key_refused"
    remedy = "Allow Enfilade to encrypt and decrypt with the key, or enable it again, where the key is kept."


class CannotOpen(StorageFault):
    """What is sealed cannot be opened: it was altered, or belongs to another tenant, purpose or key."""

    code = "cannot_open"
    remedy = "Restore what was altered from a backup. `enfilade encryption status` shows which keys there are."


class NoMasterKey(StorageFault):
    """Something is to be sealed, and there is no master key."""

    code = "no_master_key"
    remedy = "Set ENFILADE_MASTER_KEY_FILE, or refer to the secret with {env: …} or {file: …}."


class KeyWithdrawn(Forbidden):
    """The tenant's encryption key is withdrawn: nothing of the tenant is read, and no call of its is served."""

    code = "encryption_key_withdrawn"
    remedy = "`enfilade encryption restore` gives the key back; for a key of your own, enable it where it is kept."


class WithdrawnByPlatform(Forbidden):
    """The platform withdrew the tenant's key: the tenant cannot give it back, nor destroy what it seals."""

    code = "withdrawn_by_platform"
    remedy = "Ask the platform's operator, who withdrew it and may restore it."


class KeyDestroyed(Forbidden):
    """The tenant's encryption key was destroyed: what was sealed under it is gone for good."""

    code = "encryption_key_destroyed"
    remedy = "Nobody can undo this. Make a new tenant."


class ContentErased(InvalidRequest):
    """What was sealed under an erased person's key is gone for good."""

    code = "content_erased"
    status = 410
    remedy = "Nobody can undo this; leave out what refers to it."


class InvalidMasterKeyService(InvalidRequest):
    """A name of a master key that cannot be understood, or that may not be used."""

    code = "invalid_master_key_service"
    status = 422
    remedy = "Write vault-transit:MOUNT/KEY or aws-kms:REGION/KEY-ID."


class KeyStateConflict(Conflict):
    """The tenant's key is not in a state in which this can be done."""

    code = "key_state_conflict"
    remedy = "`enfilade encryption status` shows the state of each key."


class WrongPassphrase(InvalidRequest):
    """Keys that travelled cannot be opened."""

    code = "wrong_passphrase"
    remedy = "Give the passphrase that the archive was written with. Nothing was changed."
