"""What Vault can answer instead of what was asked, in our words. None of these shows a token, a secret or Vault's own text."""

from enfilade.core.errors import InvalidRequest, UpstreamFailed


class VaultError(UpstreamFailed):
    """Vault did not do what it was asked."""

    code = "vault_failed"
    remedy = "Look at Vault's health and its audit log; the message says what was asked."


class VaultUnreachable(VaultError):
    """Vault could not be asked at all."""

    code = "vault_unreachable"
    remedy = "Check ENFILADE_VAULT_ADDR, ENFILADE_VAULT_CA_FILE and the network between Enfilade and Vault."


class VaultSealed(VaultError):
    """Vault is sealed, or not initialised, and can answer nothing."""

    code = "vault_sealed"
    remedy = "Unseal Vault."


class VaultStandby(VaultError):
    """The node that was asked is not the active one and does not pass requests on."""

    code = "vault_standby"
    remedy = "Set ENFILADE_VAULT_ADDR to the address of the cluster or of its active node."


class VaultBusy(VaultError):
    """Vault limits how often it may be asked."""

    code = "vault_busy"
    remedy = "Raise Vault's rate limit quota for Enfilade, or wait."


class VaultDenied(VaultError):
    """The token is good, but its policies do not allow what was asked."""

    code = "vault_denied"
    remedy = "Add the path that the message names to a policy of the role or token that Enfilade uses."


class VaultLoginRefused(VaultError):
    """Vault does not accept who Enfilade says it is."""

    code = "vault_login_refused"
    remedy = "Check the token, the role and its secret, or the service account that Enfilade logs in to Vault with."


class VaultMissing(VaultError):
    """There is nothing at the path, or it was deleted."""

    code = "vault_missing"
    remedy = "Check the path; for a key-value store it is written as for `vault kv get`."


class VaultRefused(VaultError):
    """Vault finds the request wrong."""

    code = "vault_refused"
    remedy = "Check the path and the namespace; Vault's audit log has the details."


class VaultUnreadable(VaultError):
    """The answer is not what Vault's API promises."""

    code = "vault_unreadable"
    remedy = "Check that ENFILADE_VAULT_ADDR is the address of a Vault and not of something in front of it."


class InvalidVault(InvalidRequest):
    """A setting or a path for Vault does not fit."""

    code = "invalid_vault"
    status = 422
