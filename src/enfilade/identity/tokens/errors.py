"""What can be wrong with tokens and with those who sign them."""

from enfilade.core.errors import Conflict, NotFound, Unauthenticated, UpstreamFailed


class InvalidToken(Unauthenticated):
    """The token is not one that is accepted here. Callers are not told more: the log is."""

    code = "invalid_token"
    remedy = "Get a new access token for this service from an issuer that your organisation declared."
    reason: str = ""
    """For the log."""


class UnknownIssuer(NotFound):
    """There is no such issuer in the tenant."""

    code = "issuer_not_found"


class AmbiguousIssuer(Conflict):
    """A token could be this declaration's or another's: whose it is could not be told."""

    code = "issuer_ambiguous"
    remedy = "Use an audience of your own, or `required_claims` that your tokens alone have, e.g. Entra's `tid`."


class IssuerAway(UpstreamFailed):
    """The issuer cannot be asked, or answers what it should not."""

    code = "issuer_unavailable"
    status = 503
    remedy = "Try again in a moment; `enfilade issuer test NAME` tells administrators what is wrong."
