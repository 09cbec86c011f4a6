"""A master key in AWS KMS: KMS wraps and unwraps, and never gives the key away.

Sources: https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html, API_Decrypt.html.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from enfilade.core.errors import EnfiladeError
from enfilade.core.fetching import Fetcher, FetchFailed, WebRequest
from enfilade.core.unreadable import UNREADABLE
from enfilade.sealing.errors import InvalidMasterKeyService, MasterKeyFault, MasterKeyRefused, MasterKeyUnavailable
from enfilade.sealing.master_key import Context, MasterKey, Needs, Signer, persistently

REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
KEY = re.compile(r"[A-Za-z0-9:/_-]{1,2048}")
CONTENT_TYPE = "application/x-amz-json-1.1"
REFUSALS = frozenset(
    {
        "AccessDeniedException",
        "DisabledException",
        "IncorrectKeyException",
        "InvalidCiphertextException",
        "InvalidGrantTokenException",
        "InvalidKeyUsageException",
        "KMSInvalidStateException",
        "NotFoundException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
    }
)
"""What asking again does not mend. KMS says the rest of its failures of itself, not of the key."""


Reply = TypeVar("Reply")


class _Encrypted(msgspec.Struct, rename="pascal"):
    ciphertext_blob: str


class _Decrypted(msgspec.Struct, rename="pascal"):
    plaintext: str


class _Failure(msgspec.Struct):
    kind: str = msgspec.field(name="__type", default="")


class KmsMasterKey:
    """See `MasterKey`. The context is the encryption context, which CloudTrail shows with each use."""

    direct: bytes | None = None

    def __init__(self, region: str, key: str, fetcher: Fetcher, signer: Signer, needs: Needs) -> None:
        """Use that key of that region."""
        self.name = f"aws-kms:{region}/{key}"
        self._key = key
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        self._url = (needs.kms_url or f"https://kms.{region}.{suffix}").rstrip("/") + "/"
        self._is_private = needs.kms_url is not None
        self._fetcher = fetcher
        self._signer = signer
        self._clock = needs.clock

    async def wrap(self, key: bytes, context: Context) -> bytes:
        """See `MasterKey.wrap`."""
        body = {"KeyId": self._key, "Plaintext": _text(key), "EncryptionContext": dict(context)}
        reply = await persistently(self._clock, lambda: self._ask("Encrypt", body))
        return self._bytes(self._read(reply, _Encrypted).ciphertext_blob)

    async def unwrap(self, wrapped: bytes, context: Context) -> bytes:
        """See `MasterKey.unwrap`."""
        body = {"KeyId": self._key, "CiphertextBlob": _text(wrapped), "EncryptionContext": dict(context)}
        reply = await persistently(self._clock, lambda: self._ask("Decrypt", body))
        return self._bytes(self._read(reply, _Decrypted).plaintext)

    def version(self, wrapped: bytes) -> str:
        """See `MasterKey.version`: KMS keeps track of its key material itself."""
        del wrapped
        return "managed"

    async def _ask(self, action: str, body: Mapping[str, object]) -> bytes:
        content = msgspec.json.encode(body)
        try:
            proof = await self._signer.headers("POST", self._url, content)
        except EnfiladeError as error:
            message = f"There are no AWS credentials to use {self.name} with: {error.message}"
            raise MasterKeyUnavailable(message, retry_after=1) from error
        request = WebRequest(
            self._url,
            "POST",
            (("content-type", CONTENT_TYPE), ("x-amz-target", f"TrentService.{action}"), *proof),
            content,
            allow_private_network=self._is_private,
        )
        try:
            reply = await self._fetcher.fetch(request)
        except FetchFailed as error:
            message = f"The master key {self.name} cannot be reached: {error.message}"
            raise MasterKeyUnavailable(message, retry_after=1) from error
        if reply.status == 200:
            return reply.body
        failure = _failure(reply.body)
        if failure in REFUSALS:
            message = f"AWS KMS does not {action.lower()} with {self.name}: {failure}."
            raise MasterKeyRefused(message)
        message = f"AWS KMS answered {reply.status} {failure} for {self.name}."
        raise MasterKeyUnavailable(message, retry_after=1)

    def _read(self, body: bytes, form: type[Reply]) -> Reply:
        try:
            return msgspec.json.decode(body, type=form)
        except UNREADABLE:
            raise self._unreadable() from None

    def _bytes(self, text: str) -> bytes:
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise self._unreadable() from None

    def _unreadable(self) -> MasterKeyUnavailable:
        message = f"AWS KMS answered for {self.name} with something that cannot be read."
        return MasterKeyUnavailable(message)


class AwsKms:
    """See `Adapter`."""

    kind = "aws-kms"

    def make(self, declared: str | Path, needs: Needs) -> MasterKey:
        """See `Adapter.make`."""
        region, _, key = str(declared).partition("/")
        if not REGION.fullmatch(region) or not KEY.fullmatch(key):
            message = f"{str(declared)[:100]!r} names no key of AWS KMS: write aws-kms:REGION/KEY-ID."
            raise InvalidMasterKeyService(message)
        if needs.fetcher is None or needs.signer is None:
            message = (
                "A master key is in AWS KMS, and there are no AWS credentials: set AWS_ACCESS_KEY_ID or AWS_ROLE_ARN."
            )
            raise MasterKeyFault(message)
        return KmsMasterKey(region, key, needs.fetcher, needs.signer("kms", region), needs)


def _failure(body: bytes) -> str:
    """The name of KMS's error; of the answer nothing else is shown."""
    try:
        name = msgspec.json.decode(body, type=_Failure).kind
    except UNREADABLE:
        return ""
    return "".join(mark for mark in name.rpartition("#")[2] if mark.isalnum())[:80]


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


ADAPTER = AwsKms()
