"""Secrets at rest: AES-256-GCM under a ring of keys, and keyed hashes to look secrets up by.

Layout of a sealed value: version byte 1, length of the key id, the key id, 12-byte nonce,
ciphertext with tag. The context ("<app>|<field>") is associated data, so a sealed value that is
copied into another app's document does not open there.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.settings import CommonSettings, decode_key, decode_keys

_VERSION = 1
_NONCE_BYTES = 12


class CannotOpen(Exception):
    """A sealed value does not open: wrong context, unknown key or damaged bytes."""


class Keyring:
    """Seals with its first key and opens with any."""

    def __init__(self, keys: Mapping[str, bytes], hash_key: bytes) -> None:
        if not keys:
            raise ValueError("a key ring needs a key")
        self._ciphers = {name.encode(): AESGCM(key) for name, key in keys.items()}
        self._primary = next(iter(self._ciphers))
        self._hash_key = hash_key

    @classmethod
    def from_settings(cls, settings: CommonSettings) -> "Keyring":
        """The ring that the settings hold; its first key seals."""
        return cls(decode_keys(settings.encryption_keys), decode_key(settings.hash_key))

    def seal(self, plaintext: bytes, context: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = self._ciphers[self._primary].encrypt(nonce, plaintext, context.encode())
        return bytes([_VERSION, len(self._primary)]) + self._primary + nonce + ciphertext

    def open(self, sealed: bytes, context: str) -> bytes:
        """The plaintext of `seal`.

        Raises:
            CannotOpen: it was not sealed with this context by a key of this ring.
        """
        if len(sealed) < 2 or sealed[0] != _VERSION:  # noqa: PLR2004 version and length
            raise CannotOpen("not a sealed value")
        end = 2 + sealed[1]
        cipher = self._ciphers.get(sealed[2:end])
        if cipher is None:
            raise CannotOpen("sealed with a key that is not in the ring")
        nonce, ciphertext = sealed[end : end + _NONCE_BYTES], sealed[end + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, ciphertext, context.encode())
        except (InvalidTag, ValueError):
            raise CannotOpen("wrong context or damaged") from None

    def lookup_hash(self, value: bytes, context: str) -> bytes:
        """32 bytes that identify a secret within a context without revealing it (HMAC-SHA256)."""
        message = context.encode() + b"\0" + value
        return hmac.digest(self._hash_key, message, hashlib.sha256)
