"""AWS signatures: the same as botocore's, whatever is signed."""

import hashlib
from datetime import UTC, datetime
from unittest.mock import patch

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.clock import ManualClock, to_ns
from enfilade.providers.authorities.aws_sigv4 import (
    LARGE_BODY,
    AwsKeys,
    Signature,
    SigV4Authority,
    canonical_request,
)
from enfilade.providers.authority import Signable
from enfilade.providers.errors import CredentialMissing
from tests.support.properties import examples

KEYS = AwsKeys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
MOMENT = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
HOST = b"bedrock-runtime.us-east-1.amazonaws.com"

SEGMENT = st.text("abcXYZ019-_.~%:@$&'()*+,;=", min_size=0, max_size=12)
PATH = st.lists(SEGMENT, max_size=5).map(lambda parts: "/" + "/".join(parts))
QUERY = st.lists(
    st.tuples(st.text("abAB01-._~%2", min_size=1, max_size=5), st.text("abAB01-._~%2=", max_size=5)), max_size=4
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))
VALUE = st.text("abc 019:/;=,\"'", min_size=1, max_size=15).map(str.strip).filter(bool)
HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "x-amz-target", "X-Amzn-Bedrock-Trace", "accept", "user-agent", "a-b"]), VALUE
)
TOKENS = st.none() | st.text("abcXYZ019/+=", min_size=1, max_size=30)


def by_botocore(request: Signable, keys: AwsKeys, service: str, region: str) -> dict[str, str]:
    """The headers that botocore adds to the same request."""
    url = f"https://{request.host.decode()}{request.path}"
    headers = {name.decode(): value.decode() for name, value in request.headers}
    asked = AWSRequest(request.method.decode(), url, headers, request.body)
    signer = SigV4Auth(Credentials(keys.access_key_id, keys.secret_access_key, keys.session_token), service, region)
    with patch.object(botocore.auth, "get_current_datetime", lambda: MOMENT):
        signer.add_auth(asked)
    return {name.lower(): value for name, value in asked.headers.items()}


@given(PATH, QUERY, HEADERS, st.binary(max_size=50), TOKENS, st.sampled_from(["GET", "POST"]))
@examples(400)
def test_any_request_is_signed_as_botocore_does(
    path: str, query: str, headers: dict[str, str], body: bytes, token: str | None, method: str
) -> None:
    """Dots and empty segments in paths, encoded ones, queries in any order, spaces in headers, session tokens."""
    written = tuple((name.encode(), value.encode()) for name, value in headers.items())
    request = Signable(method.encode(), HOST, path + (f"?{query}" if query else ""), written, body)
    keys = AwsKeys(KEYS.access_key_id, KEYS.secret_access_key, token)
    expected = by_botocore(request, keys, "bedrock", "us-east-1")
    signed = dict(Signature("bedrock", "us-east-1").headers(request, keys, to_ns(MOMENT)))
    assert signed[b"x-amz-date"].decode() == expected["x-amz-date"]
    assert signed.get(b"x-amz-security-token", b"").decode() == expected.get("x-amz-security-token", "")
    assert signed[b"authorization"].decode() == expected["authorization"]


def test_the_vanilla_example_of_aws() -> None:
    """`get-vanilla` of AWS's published test suite, with the signature that it prints."""
    request = Signable(b"GET", b"example.amazonaws.com", "/", (), b"")
    signed = dict(Signature("service", "us-east-1").headers(request, KEYS, to_ns(MOMENT)))
    assert signed[b"authorization"] == (
        b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        b"SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


def test_the_documented_example_of_iam() -> None:
    """The request of AWS's own description of the process, `GET /?Action=ListUsers&Version=2010-05-08`."""
    headers = ((b"content-type", b"application/x-www-form-urlencoded; charset=utf-8"),)
    request = Signable(b"GET", b"iam.amazonaws.com", "/?Action=ListUsers&Version=2010-05-08", headers, b"")
    signed = dict(Signature("iam", "us-east-1").headers(request, KEYS, to_ns(MOMENT)))
    expected = b"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    assert signed[b"authorization"].endswith(expected)


def test_a_model_id_is_encoded_twice_in_what_is_signed() -> None:
    """Once on the wire, once more in the canonical request: colons of versions and slashes of ARNs."""
    path = "/model/arn%3Aaws%3Abedrock%3A%3A1%3Ainference-profile%2Fx/converse"
    canonical, _ = canonical_request(Signable(b"POST", HOST, path, (), b""), (), hashlib.sha256().hexdigest())
    assert b"/model/arn%253Aaws%253Abedrock%253A%253A1%253Ainference-profile%252Fx/converse" in canonical


class _Given:
    """Always the same keys; see `KeySource`."""

    def __init__(self, keys: AwsKeys) -> None:
        self._keys = keys
        self.refusals = 0

    async def keys(self) -> AwsKeys:
        return self._keys

    def refused(self) -> None:
        self.refusals += 1


@pytest.mark.parametrize("size", [0, LARGE_BODY + 1])
async def test_a_call_is_signed_by_host_date_and_token_only(size: int) -> None:
    """What the caller sent beside them may change on the way; a large body is hashed elsewhere, to the same effect."""
    clock = ManualClock(MOMENT)
    authority = SigV4Authority(_Given(AwsKeys("AKID", "secret", "token")), "bedrock", "us-east-1", clock)
    request = Signable(b"POST", HOST, "/model/m/converse", ((b"x-caller", b"1"),), b"x" * size)
    signed = dict(await authority.headers(request))
    bare = Signable(b"POST", HOST, "/model/m/converse", (), b"x" * size)
    assert b"SignedHeaders=host;x-amz-date;x-amz-security-token," in signed[b"authorization"]
    expected = by_botocore(bare, AwsKeys("AKID", "secret", "token"), "bedrock", "us-east-1")
    assert signed[b"authorization"].decode() == expected["authorization"]


async def test_the_key_follows_the_day() -> None:
    """The derived key is kept for a day, and no longer."""
    clock = ManualClock(datetime(2026, 11, 2, 23, 59, 59, tzinfo=UTC))
    authority = SigV4Authority(_Given(KEYS), "bedrock", "eu-west-1", clock)
    request = Signable(b"POST", HOST, "/", (), b"")
    before = dict(await authority.headers(request))
    clock.advance(1)
    after = dict(await authority.headers(request))
    fresh = dict(Signature("bedrock", "eu-west-1").headers(request, KEYS, clock.now_ns()))
    assert b"/20261102/" in before[b"authorization"]
    assert b"/20261103/" in after[b"authorization"]
    assert after == fresh


@pytest.mark.parametrize(
    "keys", [AwsKeys("AK\nID", "s"), AwsKeys("AKID", "s\u00e9"), AwsKeys("AKID", "s", "t\r\nx: y")]
)
async def test_keys_that_no_header_can_carry_are_refused(keys: AwsKeys) -> None:
    """Before they could write headers of their own."""
    authority = SigV4Authority(_Given(keys), "bedrock", "us-east-1", ManualClock())
    with pytest.raises(CredentialMissing):
        await authority.headers(Signable(b"POST", HOST, "/", (), b""))


def test_refusals_are_passed_on_to_the_source_and_secrets_are_not_shown() -> None:
    source = _Given(KEYS)
    SigV4Authority(source, "bedrock", "us-east-1", ManualClock()).refused()
    assert source.refusals == 1
    assert KEYS.secret_access_key not in repr(KEYS)
