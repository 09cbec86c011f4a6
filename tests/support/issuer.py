"""A small OpenID provider, in this process: it publishes its keys, has people sign in, and misbehaves when told to."""

import asyncio
import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

LIFE_S = 600
Reply = tuple[int, dict[str, str], bytes]
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def b64(data: bytes) -> str:
    """Base64 for addresses, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@lru_cache
def key_of(kind: str, which: int = 0) -> Key:
    """A key pair: making one of RSA takes long, and tests do not care which it is."""
    del which
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    return ed25519.Ed25519PrivateKey.generate() if kind == "OKP" else ec.generate_private_key(ec.SECP256R1())


def jwk_of(key: Key, kid: str, **more: Any) -> dict[str, Any]:
    """The public half as a JWK."""
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        size = (numbers.n.bit_length() + 7) // 8
        fields = {"kty": "RSA", "n": b64(numbers.n.to_bytes(size)), "e": b64(numbers.e.to_bytes(3))}
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        fields = {"kty": "EC", "crv": "P-256", "x": b64(point.x.to_bytes(32)), "y": b64(point.y.to_bytes(32))}
    else:
        fields = {"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_key().public_bytes_raw())}
    return {**fields, "kid": kid, "use": "sig"} | more


def sign(key: Key, data: bytes, algorithm: str) -> bytes:
    """A signature in the form of RFC 7518."""
    if isinstance(key, rsa.RSAPrivateKey):
        scheme: padding.AsymmetricPadding = padding.PKCS1v15()
        if algorithm.startswith("PS"):
            scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        return key.sign(data, scheme, hashes.SHA256())
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)
    return key.sign(data)


def compact(header: dict[str, Any], claims: dict[str, Any], signer: Callable[[bytes], bytes]) -> str:
    """A token, whatever is in it."""
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}".encode()
    return f"{signed.decode()}.{b64(signer(signed))}"


@dataclass(slots=True)
class TestIssuer:
    """The provider. Tests change its fields to change what it does."""

    __test__ = False

    now_s: Callable[[], float]
    url: str = ""
    person: dict[str, Any] = field(
        default_factory=lambda: {
            "sub": "ana-1",
            "email": "ana@acme.example",
            "email_verified": True,
            "name": "Ana",
            "groups": ["staff"],
        }
    )
    client_id: str = "enfilade"
    secret: str | None = "a-client-secret"
    kid: str = "key-1"
    kind: str = "RSA"
    algorithm: str = "RS256"
    which: int = 0
    published: list[dict[str, Any]] | None = None
    """The key set, if not the key that signs."""
    id_claims: dict[str, Any] = field(default_factory=dict)
    """Put into ID tokens beside, or instead of, what belongs there; None takes a claim away."""
    metadata: dict[str, Any] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    """By path: what is answered instead."""
    gate: asyncio.Event | None = None
    """While it is not set, nothing is answered."""
    sends_iss: bool = True
    iss: str | None = None
    """What is sent along with a code, if not the issuer's own address."""
    asked: list[str] = field(default_factory=list)
    """The paths that were asked for, in order."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    devices: dict[str, str] = field(default_factory=dict)
    """What is answered for a device: `authorization_pending`, `access_denied` or `approved`."""

    @property
    def key(self) -> Key:
        """The key that signs."""
        return key_of(self.kind, self.which)

    def token(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A signed access token; claims that are None are left out."""
        now = int(self.now_s())
        said = {"iss": self.url, "aud": "enfilade-api", "iat": now, "exp": now + LIFE_S} | self.person | claims
        said = {name: value for name, value in said.items() if value is not None}
        head = {"alg": self.algorithm, "kid": self.kid, "typ": "at+jwt"} | (header or {})
        head = {name: value for name, value in head.items() if value is not None}
        return compact(head, said, lambda data: sign(self.key, data, self.algorithm))

    def publish(self, keys: list[dict[str, Any]]) -> None:
        """Publish these keys from now on, and sign with one that none knows."""
        self.published, self.which = keys, 6

    def count(self, path: str) -> int:
        """How often a path was asked for."""
        return self.asked.count(path)

    def reply(self, method: str, target: str, headers: dict[str, str], body: str) -> Reply:
        """Answer a request."""
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        form = {name: values[0] for name, values in parse_qs(body).items()}
        self.asked.append(parts.path)
        if (status := self.status.get(parts.path)) is not None:
            return status, {}, b"{}"
        answers: dict[tuple[str, str], Callable[[], Reply]] = {
            ("GET", "/.well-known/openid-configuration"): lambda: _json(200, self._metadata()),
            ("GET", "/keys"): self._keys,
            ("GET", "/authorize"): lambda: self._authorize(query),
            ("POST", "/token"): lambda: self._token(headers, form),
            ("POST", "/device"): self._device,
        }
        return answers.get((method, parts.path), lambda: _json(404, {}))()

    def _keys(self) -> Reply:
        return _json(200, {"keys": [jwk_of(self.key, self.kid)] if self.published is None else self.published})

    def _device(self) -> Reply:
        code = secrets.token_hex(8)
        self.devices[code] = "authorization_pending"
        told = {"device_code": code, "user_code": "WXYZ", "verification_uri": f"{self.url}/activate"}
        return _json(200, told | {"expires_in": 300, "interval": 1})

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "end_session_endpoint": f"{self.url}/logout",
            "device_authorization_endpoint": f"{self.url}/device",
            "authorization_response_iss_parameter_supported": self.sends_iss,
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        } | self.metadata

    def _authorize(self, query: dict[str, str]) -> Reply:
        code = secrets.token_hex(16)
        self.codes[code] = query
        back = {"code": code, "state": query["state"]}
        if self.sends_iss or self.iss is not None:
            back["iss"] = self.iss or self.url
        return 302, {"location": f"{query['redirect_uri']}?{urlencode(back)}"}, b""

    def _token(self, headers: dict[str, str], form: dict[str, str]) -> Reply:
        basic = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
        if self.secret is not None and headers.get("authorization") != f"Basic {basic}":
            return _json(401, {"error": "invalid_client"})
        if form["grant_type"].endswith(":device_code"):
            state = self.devices.get(form["device_code"], "expired_token")
            return _json(400, {"error": state}) if state != "approved" else _json(200, self._tokens(None))
        asked = self.codes.pop(form["code"], None)
        challenge = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            return _json(400, {"error": "invalid_grant"})
        return _json(200, self._tokens(asked["nonce"]))

    def _tokens(self, nonce: str | None) -> dict[str, Any]:
        access = secrets.token_hex(16)
        half = hashlib.sha256(access.encode()).digest()[:16]
        claims = {"aud": self.client_id, "nonce": nonce, "at_hash": b64(half)} | self.id_claims
        return {"access_token": access, "token_type": "Bearer", "id_token": self.token({"typ": "JWT"}, **claims)}


def _json(status: int, content: object) -> Reply:
    return status, {"content-type": "application/json"}, json.dumps(content).encode()


@asynccontextmanager
async def open_issuer(now_s: Callable[[], float]) -> AsyncIterator[TestIssuer]:
    """A provider that listens on a loopback port."""
    issuer = TestIssuer(now_s)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = (await reader.readexactly(int(headers.get("content-length", 0)))).decode()
            if issuer.gate is not None:
                await issuer.gate.wait()
            status, fields, content = issuer.reply(method, target, headers, body)
            lines = [f"HTTP/1.1 {status} X", f"content-length: {len(content)}", "connection: close"]
            lines += [f"{name}: {value}" for name, value in fields.items()]
            writer.write("\r\n".join([*lines, "", ""]).encode() + content)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield issuer
    finally:
        if issuer.gate is not None:
            issuer.gate.set()
        server.close()
        await server.wait_closed()
