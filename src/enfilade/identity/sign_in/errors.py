"""What can go wrong at the door."""

from enfilade.core.errors import Forbidden, InvalidRequest, LimitReached, NotFound, Unauthenticated


class InvalidSession(Unauthenticated):
    """The session is unknown, has ended, or was revoked."""

    code = "session_invalid"
    remedy = "Sign in again: open `/auth/sign-in` in a browser, or run `enfilade login`."


class CsrfRefused(Forbidden):
    """A change came with the browser's cookie alone, as a page of somebody else could have sent it."""

    code = "csrf_refused"
    remedy = "Send `x-csrf-token` with the value that `GET /api/v1/sessions/current` shows."


class UnknownSession(NotFound):
    """There is no such session that the caller may see."""

    code = "session_not_found"


class SignInRefused(Forbidden):
    """Somebody could not be signed in. The answer does not say why: the event and the log do."""

    code = "sign_in_refused"
    remedy = (
        "Start again at `/auth/sign-in`; if it persists, ask your administrator, who finds the cause in the events."
    )


class InvalidTarget(InvalidRequest):
    """Where somebody is to go after signing in is no place of ours."""

    code = "invalid_target"
    remedy = "Name a path of this server, such as `/`."


class DeviceAnswer(InvalidRequest):
    """What a waiting command line is told; the codes are RFC 8628's."""

    code = "invalid_grant"


class AuthorizationPending(DeviceAnswer):
    """Nobody has confirmed yet."""

    code = "authorization_pending"
    remedy = "Ask again after the interval."


class SlowDown(DeviceAnswer):
    """Asked too soon."""

    code = "slow_down"
    remedy = "Wait five seconds longer between questions."


class AccessDenied(DeviceAnswer):
    """Somebody said no."""

    code = "device_denied"
    remedy = "Start again if that was a mistake."


class ExpiredCode(DeviceAnswer):
    """The code is unknown, was used, or is too old."""

    code = "expired_token"
    remedy = "Start again."


class TooManyTries(LimitReached):
    """Too many codes were tried."""

    code = "too_many_tries"
    remedy = "Wait a few minutes."
