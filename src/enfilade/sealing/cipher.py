"""XAES-256-GCM (C2SP): AES-256-GCM under a key of its own for each message, derived from a long random nonce.

With AES-256-GCM alone a key is good for 2^32 messages with random nonces. Here every message has 192 random bits, and
a key may seal 2^80 of them, so that no count has to be kept and no rotation is forced by use.
Source: https://c2sp.org/XAES-256-GCM.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB

KEY_BYTES = 32
NONCE_BYTES = 24
TAG_BYTES = 16
_HALF = NONCE_BYTES // 2
_FIRST = b"\x00\x01X\x00"
_SECOND = b"\x00\x02X\x00"
_REDUCTION = 0x87
_WIDTH = (1 << 128) - 1


class MessageCipher:
    """Encrypts messages under one key of 32 bytes. May be used by several threads."""

    __slots__ = ("_cipher", "_mask")

    def __init__(self, key: bytes) -> None:
        """Prepare what all messages share: the first subkey of CMAC."""
        self._cipher = Cipher(AES256(key), ECB())  # noqa: S305 - single blocks, as CMAC does: the mode of no message
        zeros = int.from_bytes(self._blocks(bytes(16)))
        doubled = (zeros << 1) & _WIDTH
        self._mask = (doubled ^ _REDUCTION if zeros >> 127 else doubled).to_bytes(16)

    def encrypt(self, plaintext: bytes, associated: bytes) -> bytes:
        """A fresh nonce, and what is sealed with it."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self.encrypt_with(nonce, plaintext, associated)

    def encrypt_with(self, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """What is sealed with that nonce, which must never have been used before."""
        return self._of(nonce).encrypt(nonce[_HALF:], plaintext, associated)

    def decrypt(self, sealed: bytes, associated: bytes) -> bytes | None:
        """The plaintext; None when anything was altered, or belongs to another key or context."""
        if len(sealed) < NONCE_BYTES + TAG_BYTES:
            return None
        nonce = sealed[:NONCE_BYTES]
        try:
            return self._of(nonce).decrypt(nonce[_HALF:], sealed[NONCE_BYTES:], associated)
        except InvalidTag:
            return None

    def _of(self, nonce: bytes) -> AESGCM:
        """The cipher of the message with that nonce."""
        mask, half = self._mask, nonce[:_HALF]
        blocks = int.from_bytes(_FIRST + half + _SECOND + half) ^ int.from_bytes(mask + mask)
        return AESGCM(self._blocks(blocks.to_bytes(32)))

    def _blocks(self, blocks: bytes) -> bytes:
        return self._cipher.encryptor().update(blocks)
