"""Google's credential documents and what its token services answer, as tests write them."""

import base64
import json
from functools import cache
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from enfilade.providers.authorities import google
from tests.support.outbound import Outbound
from tests.support.token_needs import needs_of
from tests.support.upstream import Seen, Upstream, reply

EMAIL = "gateway@project-1.iam.gserviceaccount.com"
FORMAT = "application/x-www-form-urlencoded"


@cache
def private_key() -> rsa.RSAPrivateKey:
    """One key serves all tests: making one takes long."""
    return rsa.generate_private_key(65537, 2048)


def pem(key: Any) -> str:
    """A private key as documents hold it."""
    return str(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
    )


def service_account(upstream: Upstream, **changes: Any) -> str:
    """A service account's document, whose token service is the upstream."""
    document = {
        "type": "service_account",
        "project_id": "project-1",
        "private_key_id": "key-7",
        "private_key": pem(private_key()),
        "client_email": EMAIL,
        "token_uri": f"http://127.0.0.1:{upstream.port}/token",
    }
    return json.dumps(document | changes)


def external_account(upstream: Upstream, source: dict[str, Any], **changes: Any) -> str:
    """An external account's document, whose token exchange is the upstream."""
    document = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"http://127.0.0.1:{upstream.port}/sts",
        "credential_source": source,
    }
    return json.dumps(document | changes)


def token(name: str = "ya29.first", seconds: int | None = 3599) -> Any:
    """The answer of a token service."""
    answer: dict[str, Any] = {"access_token": name, "token_type": "Bearer"}
    return reply(answer | ({} if seconds is None else {"expires_in": seconds}))


def vertex(outbound: Outbound, key: str | None, **more: Any) -> Any:
    """What proves to Vertex AI who asks."""
    return google.authority(needs_of(outbound, "vertex", key, **{"project": "project-1"} | more))


def form(seen: Seen) -> dict[str, str]:
    """The fields of a form that was sent."""
    assert seen.header("content-type") == FORMAT
    return {name: values[0] for name, values in parse_qs(seen.body.decode(), strict_parsing=True).items()}


def part(text: str) -> Any:
    """What a part of a JWT says."""
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
