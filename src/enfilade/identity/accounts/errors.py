"""What can go wrong with a local account. What a stranger is told is the same whoever they ask about."""

from enfilade.core.errors import Conflict, Forbidden, InvalidRequest, NotFound, Unauthenticated, Unavailable


class WrongCredentials(Unauthenticated):
    """The address or the password is wrong, or there is no such account."""

    code = "wrong_credentials"
    remedy = "Check both; an administrator can issue a link for a new password."


class WrongCode(Unauthenticated):
    """The second factor was not shown."""

    code = "wrong_code"
    remedy = "Take the code that the device shows now, a security key, or a recovery code that was not used before."


class InvalidChallenge(Unauthenticated):
    """What a sign-in was to be continued with is unknown, was used, or is too old."""

    code = "challenge_invalid"
    remedy = "Sign in again with your password."


class SignInBusy(Unavailable):
    """So many people sign in at once that another password is not looked at now."""

    code = "sign_in_busy"


class InvalidLink(InvalidRequest):
    """The link for a new password is unknown, was used, or is too old."""

    code = "link_invalid"
    remedy = "Ask your administrator for a new one."


class WeakPassword(InvalidRequest):
    """The password is easy to guess."""

    code = "weak_password"
    status = 422
    remedy = "Take another: several words that belong together for you alone are easy to remember and hard to guess."


class SessionNeeded(Forbidden):
    """What concerns one's own account is done in a session, not by a key."""

    code = "session_needed"
    remedy = "Sign in: in a browser, or with `enfilade login`."


class FreshSignInNeeded(Forbidden):
    """The session is too old for what decides who may sign in."""

    code = "fresh_sign_in_needed"
    remedy = "Sign in again, and do this within a quarter of an hour."


class UnknownFactor(NotFound):
    """There is no such second factor of this person."""

    code = "second_factor_not_found"


class SecondFactorNeeded(Conflict):
    """The last second factor cannot go where one is demanded."""

    code = "second_factor_needed"
    remedy = "Add another one first."


class TooManyFactors(Conflict):
    """Somebody has as many second factors as anybody needs."""

    code = "too_many_second_factors"
    remedy = "Remove one that you do not use any more."


class AuthenticatorRefused(InvalidRequest):
    """What a security key said does not fit what it was asked."""

    code = "authenticator_refused"
    status = 422
    remedy = "Try again from the address that people reach this installation at; see ENFILADE_PUBLIC_URL."
