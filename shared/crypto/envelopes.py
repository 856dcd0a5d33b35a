"""Encrypted bodies: JWE compact (RFC 7516) with one algorithm, one encryption and nothing optional.

The header is looked at before any key is: what it may say is an allow-list, and there is no `zip`.
Whatever is wrong with an envelope, the answer is the same None.
"""

import base64
import binascii
import json
from typing import Any

import msgspec
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

ALGORITHM = "ECDH-ES+A256KW"
ENCRYPTION = "A256GCM"
CURVE = "P-256"
_PARTS = 5
_HEADER_CHARACTERS_MAX = 1_024
_WRAPPED_KEY_BYTES = 40  # RFC 3394: a 256-bit key
_IV_BYTES = 12
_TAG_BYTES = 16
_COORDINATE_BYTES = 32
_NAMES = frozenset({"alg", "enc", "kid", "epk", "typ", "cty"})
_EPHEMERAL = frozenset({"kty", "crv", "x", "y"})
_JSON = ("json", "application/json")  # what `cty` may say: another envelope inside is none


class _Registry(jwe.JWERegistry):
    max_ciphertext_length = 33_554_432  # of its own it takes 64 KiB; `parse` is told the limit


_REGISTRY = _Registry(algorithms=[ALGORITHM, ENCRYPTION])


class Sealed(msgspec.Struct, frozen=True):
    """An envelope whose form is right; `kid` names the key that it was made for."""

    compact: str
    kid: str


def generate_key() -> bytes:
    """A private key as JWK text."""
    key = ECKey.generate_key(CURVE, private=True)
    return msgspec.json.encode(key.as_dict(private=True))


def thumbprint(private: bytes) -> str:
    """What names a key (RFC 7638)."""
    return str(_key(private).thumbprint())


def public_jwk(private: bytes, kid: str) -> dict[str, str]:
    """What callers encrypt with."""
    public = _key(private).as_dict(private=False)
    members = {name: str(public[name]) for name in ("kty", "crv", "x", "y")}
    return members | {"kid": kid, "alg": ALGORITHM, "use": "enc"}


def parse(compact: str, *, plaintext_bytes_max: int) -> Sealed | None:
    """The envelope, if it is one of ours by its form and holds no more than is allowed."""
    parts = compact.split(".")
    if len(parts) != _PARTS or len(parts[0]) > _HEADER_CHARACTERS_MAX:
        return None
    decoded = [_decoded(part) for part in parts]
    if any(part is None for part in decoded):
        return None
    header, key, iv, ciphertext, tag = (part or b"" for part in decoded)
    lengths = (len(key), len(iv), len(tag))
    if lengths != (_WRAPPED_KEY_BYTES, _IV_BYTES, _TAG_BYTES):
        return None
    if not 0 < len(ciphertext) <= plaintext_bytes_max:  # GCM: as long as the plaintext
        return None
    kid = _kid(header)
    return None if kid is None else Sealed(compact, kid)


def open_sealed(sealed: Sealed, private: bytes) -> bytes | None:
    """The plaintext, or None when this key does not open it."""
    try:
        opened = jwe.decrypt_compact(sealed.compact, _key(private), registry=_REGISTRY)
    except (JoseError, ValueError, TypeError, KeyError, binascii.Error):
        return None
    return opened.plaintext


def _kid(raw: bytes) -> str | None:
    """The key's name from a header that says nothing that it must not."""
    try:
        header = json.loads(raw.decode(), object_pairs_hook=_distinct)
    except (ValueError, RecursionError):
        return None
    return header["kid"] if isinstance(header, dict) and _is_ours(header) else None


def _is_ours(header: dict[str, Any]) -> bool:
    texts = {name: value for name, value in header.items() if name != "epk"}
    return (
        header.keys() <= _NAMES
        and all(isinstance(text, str) for text in texts.values())
        and (texts.get("alg"), texts.get("enc")) == (ALGORITHM, ENCRYPTION)
        and "kid" in texts
        and texts.get("cty", _JSON[0]).lower() in _JSON
        and _is_ephemeral(header.get("epk"))
    )


def _is_ephemeral(key: Any) -> bool:
    """Whether it has the form of a public key; whether it is one shows when it is used."""
    return (
        isinstance(key, dict)
        and key.keys() == _EPHEMERAL
        and all(isinstance(text, str) for text in key.values())
        and (key["kty"], key["crv"]) == ("EC", CURVE)
        and all(len(_decoded(key[name]) or b"") == _COORDINATE_BYTES for name in ("x", "y"))
    )


def _distinct(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object that names each member once (RFC 7516 §4): parsers differ on which one counts."""
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("duplicate member")
    return found


def _key(private: bytes) -> ECKey:
    return ECKey.import_key(msgspec.json.decode(private))


def _decoded(part: str) -> bytes | None:
    """Base64url without padding, in its one canonical form."""
    try:
        raw = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    is_canonical = base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == part
    return raw if is_canonical else None
