"""JSON Web Tokens, signed with an RSA key (RFC 7515, RS256)."""

import base64
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def sign(head: Mapping[str, object], claims: Mapping[str, object], private_key: str) -> str | None:
    """The signed token; None when the key is no RSA key in PEM form."""
    try:
        key = serialization.load_pem_private_key(private_key.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, rsa.RSAPrivateKey):
        return None
    signed = f"{_base64(msgspec.json.encode(head))}.{_base64(msgspec.json.encode(claims))}"
    return f"{signed}.{_base64(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
