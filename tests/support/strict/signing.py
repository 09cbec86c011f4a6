"""Signatures of a service over what it said, which it knows again."""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

_SECRET = b"only the service knows this"


def _code(content: bytes) -> bytes:
    return hmac.new(_SECRET, content, hashlib.sha256).digest()[:18]


def signature(text: str) -> str:
    """Over a text that stands beside it."""
    return base64.b64encode(_code(text.encode())).decode()


def sealed(content: Any) -> str:
    """Something only the service can read. Its bytes make both signs of base64 that addresses write otherwise."""
    text = b"\xfb\xff\xbe" + json.dumps(content, sort_keys=True).encode()
    return base64.b64encode(_code(text) + text).decode()


def unsealed(value: object) -> Any:
    """What was sealed; None for what the service has not made."""
    try:
        raw = base64.b64decode(value if isinstance(value, str | bytes) else b"", validate=True)
    except (binascii.Error, ValueError):
        return None
    code, text = raw[:18], raw[18:]
    if not hmac.compare_digest(code, _code(text)):
        return None
    return json.loads(text[3:])
