"""Whether an archive comes from whom it should come from."""

import base64
import binascii
from dataclasses import dataclass

from enfilade.identity.errors import InvalidSpecification, UntrustedArchive
from enfilade.sealing.signing import KEY_BYTES, Signatures, key_name, signer_of
from enfilade.storage.moving.unpacking import Archive


@dataclass(frozen=True, slots=True)
class Trust:
    """What is asked of an archive's signature."""

    key: str | None = None
    """The public key, in base64, of the installation that it must come from."""
    takes_unsigned: bool = False


@dataclass(frozen=True, slots=True)
class Vouched:
    """Who signed an archive."""

    key: str | None
    """The name of the key; None where nobody signed."""
    public_key: str | None
    is_known: bool
    """Whether the key is the one that was named, or this installation's own."""


async def vouched_for(archive: Archive, trust: Trust, signatures: Signatures) -> Vouched:
    """Who signed the manifest. Raises UntrustedArchive, InvalidSpecification."""
    wanted = None if trust.key is None else public_key_of(trust.key)
    if archive.signature is None:
        if wanted is not None or not trust.takes_unsigned:
            message = "The archive is not signed: whoever had it may have changed it."
            raise UntrustedArchive(message)
        return Vouched(None, None, is_known=False)
    signer = signer_of(archive.said, archive.signature)
    if signer is None:
        message = "The archive was altered: its signature is not one of its manifest."
        raise UntrustedArchive(message)
    if wanted is not None and signer != wanted:
        message = f"The archive was signed by the key {key_name(signer)}, not by {key_name(wanted)}."
        raise UntrustedArchive(message)
    known = wanted is not None or signer == await signatures.public_key()
    return Vouched(key_name(signer), base64.b64encode(signer).decode(), known)


def public_key_of(text: str) -> bytes:
    """A public key in base64. Raises InvalidSpecification."""
    try:
        found = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != KEY_BYTES:
        message = (
            f"{text.strip()[:60]!r} is no public key: 32 bytes in base64, as `enfilade tenant signing-key` shows them"
        )
        raise InvalidSpecification(message, param="trusted_key")
    return found
