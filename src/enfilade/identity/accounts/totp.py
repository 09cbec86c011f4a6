"""Codes that change every half minute (RFC 6238)."""

import hmac

import pyotp

STEP_S = 30
DIGITS = 6
ISSUER = "Enfilade"


def new_secret() -> str:
    """160 bits in base32."""
    return pyotp.random_base32()


def uri_of(secret: str, email: str, tenant: str) -> str:
    """What an authenticator app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=f"{tenant}:{email}" if tenant else email, issuer_name=ISSUER)


def code_at(secret: str, step: int) -> str:
    """The code of one time step."""
    return pyotp.HOTP(secret).at(step)


def find_step(secret: str, code: str, now_ns: int, last_step: int) -> int | None:
    """The time step that a code is of: this one or a neighbour, later than the last that was taken."""
    digits = "".join(code.split())
    if len(digits) != DIGITS or not digits.isascii() or not digits.isdigit():
        return None
    now = now_ns // 1_000_000_000 // STEP_S
    found = None
    for step in (now - 1, now, now + 1):
        # All three are compared: how long this takes says nothing.
        if hmac.compare_digest(code_at(secret, step), digits) and step > last_step:
            found = step
    return found
