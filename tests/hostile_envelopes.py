"""Envelopes that must not open, each with one fault; most hold a request that would be good."""

import json
import zlib
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from tests.sealing import Json, Sealer, b64, jwk_of, unb64

Row = tuple[str, str]  # what is wrong, the envelope
_P256 = 2**256 - 2**224 + 2**192 + 2**96 - 1
_ALGORITHMS = ("none", "dir", "RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "A256KW", "ECDH-ES",
    "ECDH-ES+A128KW", "ecdh-es+a256kw", "ECDH-ES+A256KW ", "", "HS256")  # fmt: skip
_ENCRYPTIONS = ("A128GCM", "A192GCM", "A128CBC-HS256", "A256CBC-HS512", "a256gcm", "none", "")
_NOT_TEXT: tuple[Any, ...] = (None, 1, True, ["ECDH-ES+A256KW"], {})
_OTHER_DAYS = ("00010101", "19700101", "20260230", "99991231", "00000000", "٢٠٢٦٠١٠١")


def hostile_envelopes(sealer: Sealer, good: bytes) -> Iterator[Row]:
    """All of them, for the key that the sealer encrypts to."""
    yield from _algorithms(sealer, good)
    yield from _members(sealer, good)
    yield from _names_of_keys(sealer, good)
    yield from _ephemeral_keys(sealer, good)
    yield from _headers(sealer, good)
    yield from _duplicates(sealer, good)
    yield from _parts(sealer, good)
    yield from _texts(sealer, good)
    yield from _insides(sealer, good)


def _algorithms(sealer: Sealer, good: bytes) -> Iterator[Row]:
    for algorithm in (*_ALGORITHMS, *_NOT_TEXT):
        yield f"alg {algorithm!r}", _sealed(sealer, good, alg=algorithm)
    for encryption in (*_ENCRYPTIONS, *_NOT_TEXT):
        yield f"enc {encryption!r}", _sealed(sealer, good, enc=encryption)
    for name in ("alg", "enc"):
        header = {key: value for key, value in sealer.header.items() if key != name}
        yield f"no {name}", str(sealer.seal(good, header))
    slow = {"alg": "PBES2-HS512+A256KW", "p2s": b64(b"s" * 16), "p2c": 2_000_000_000}
    yield "PBES2 with a huge count", _sealed(sealer, good, **slow)
    direct = sealer.seal(good, sealer.header | {"alg": "dir"})
    yield "dir without a key", direct.but(key=b"")


def _members(sealer: Sealer, good: bytes) -> Iterator[Row]:
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated = bomb.compress(b" " * 1_000_000) + bomb.flush()
    yield "zip", _sealed(sealer, deflated, zip="DEF")
    yield "zip of nothing", _sealed(sealer, good, zip="")
    for name, value in {
        "crit": ["exp"],
        "b64": False,
        "jku": "https://attacker.test/keys",
        "x5u": "https://attacker.test/chain",
        "x5c": ["MA=="],
        "jwk": sealer.epk,
        "apu": b64(b"alice"),
        "apv": b64(b"bob"),
        "iv": b64(bytes(12)),
        "tag": b64(bytes(16)),
        "exp": 4_102_444_800,
        "__proto__": {},
    }.items():
        yield f"member {name}", _sealed(sealer, good, **{name: value})
    yield "empty crit", _sealed(sealer, good, crit=[])
    yield "crit of a member that is there", _sealed(sealer, good, crit=["kid"])
    for name in ("typ", "cty"):
        yield f"{name} is no text", _sealed(sealer, good, **{name: {"a": [1]}})
    for cty in ("JWT", "JOSE", "application/jose", "text/plain", ""):
        yield f"cty {cty!r}", _sealed(sealer, good, cty=cty)


def _names_of_keys(sealer: Sealer, good: bytes) -> Iterator[Row]:
    day, dot, thumb = sealer.kid.partition(".")
    for kid in (
        "",
        "unknown",
        thumb,
        f"{day}{dot}",
        f"{day}.{'A' * 16}",
        f"{day}.{thumb}x",
        f"{day}.{thumb}\n",
        f" {day}.{thumb}",
        f"{day}..{thumb}",
        *(f"{other}.{thumb}" for other in _OTHER_DAYS),
        "../../etc/passwd",
        "envelope:2026-01-01",
        "signing",
        "\0",
        "\ud800",
        "k" * 900,
        *_NOT_TEXT,
    ):
        yield f"kid {str(kid).replace(thumb, 'T')[:30]!r}", _sealed(sealer, good, kid=kid)
    header = {key: value for key, value in sealer.header.items() if key != "kid"}
    yield "no kid", str(sealer.seal(good, header))
    other = Sealer(jwk_of(ec.generate_private_key(ec.SECP256R1()).public_key()), sealer.kid)
    yield "made for another key under our name", str(other.seal(good))


def _ephemeral_keys(sealer: Sealer, good: bytes) -> Iterator[Row]:
    epk = sealer.epk
    x, y = (int.from_bytes(unb64(epk[name])) for name in ("x", "y"))
    wider = jwk_of(ec.generate_private_key(ec.SECP384R1()).public_key())
    for fault, key in {
        "is missing": None,
        "is text": "x",
        "is a list": [epk],
        "is empty": {},
        "without y": {name: epk[name] for name in ("kty", "crv", "x")},
        "with a private part": epk | {"d": b64(bytes(32))},
        "with a kid": epk | {"kid": "x"},
        "is of P-384": wider,
        "is of P-384 called P-256": wider | {"crv": "P-256"},
        "is of secp256k1": epk | {"crv": "secp256k1"},
        "is of X25519": {"kty": "OKP", "crv": "X25519", "x": b64(bytes(32))},
        "is symmetric": {"kty": "oct", "k": b64(bytes(32))},
        "is RSA": {"kty": "RSA", "n": b64(bytes(256)), "e": "AQAB"},
        "is off the curve": epk | {"y": b64(((y + 1) % _P256).to_bytes(32))},
        "is the origin": epk | {"x": b64(bytes(32)), "y": b64(bytes(32))},
        "is beyond the field": epk | {"x": b64(b"\xff" * 32)},
        "has a long x": epk | {"x": b64(x.to_bytes(33))},
        "has a short x": epk | {"x": b64(unb64(epk["x"])[1:])},
        "has an empty x": epk | {"x": ""},
        "has a padded x": epk | {"x": epk["x"] + "="},
        "has an x in plain base64": epk | {"x": "+/" + epk["x"][2:]},
        "has a stray bit in x": epk | {"x": _with_stray_bits(epk["x"])},
        "has a number as x": epk | {"x": 1},
        "has a list as crv": epk | {"crv": ["P-256"]},
    }.items():  # fmt: skip
        header = {name: value for name, value in sealer.header.items() if name != "epk"}
        yield f"epk {fault}", str(sealer.seal(good, header | ({} if key is None else {"epk": key})))


def _headers(sealer: Sealer, good: bytes) -> Iterator[Row]:
    text = json.dumps(sealer.header)
    for fault, raw in {
        "is empty": b"",
        "is no JSON": b"{",
        "is a list": f"[{text}]".encode(),
        "is text": b'"x"',
        "is null": b"null",
        "is a number": b"1",
        "has something behind it": f"{text}x".encode(),
        "is UTF-16": text.encode("utf-16"),
        "is UTF-32": text.encode("utf-32-le"),
        "begins with a byte order mark": text.encode("utf-8-sig"),
        "is no UTF-8": text.encode()[:-1] + b',"typ":"\xff"}',
        "has a control character": text.replace("alg", "al\ng").encode(),
        "is deep": b"[" * 700 + b"]" * 700,
        "is deep inside": text.encode()[:-1] + b',"typ":' + b"[" * 300 + b"]" * 300 + b"}",
        "is long": text.encode()[:-1] + b" " * 1_000 + b"}",
    }.items():
        yield f"header {fault}", str(sealer.seal(good, raw))
    yield "header is another than was sealed", sealer.seal(good).but(header=f"{text} ".encode())
    renamed = json.dumps(sealer.header | {"typ": "JWE"}).encode()
    yield "header got a member", sealer.seal(good).but(header=renamed)


def _duplicates(sealer: Sealer, good: bytes) -> Iterator[Row]:
    text = json.dumps(sealer.header)
    for fault, member in {
        "alg": '"alg":"none"',
        "the same alg": '"alg":"ECDH-ES+A256KW"',
        "enc": '"enc":"A128GCM"',
        "kid": '"kid":"x"',
        "epk": '"epk":{}',
        "an escaped alg": '"\\u0061lg":"none"',
    }.items():
        yield f"twice {fault}", str(sealer.seal(good, ("{" + member + "," + text[1:]).encode()))
    inner = text.replace('"kty"', '"crv":"P-384","kty"', 1)
    yield "twice crv in epk", str(sealer.seal(good, inner.encode()))


def _parts(sealer: Sealer, good: bytes) -> Iterator[Row]:
    sealed = sealer.seal(good)
    for name in ("key", "iv", "ciphertext", "tag"):
        part = getattr(sealed, name)
        yield f"{name} is changed at its start", sealed.but(**{name: _flipped(part, 0)})
        yield f"{name} is changed at its end", sealed.but(**{name: _flipped(part, -1)})
        yield f"{name} is cut", sealed.but(**{name: part[:-1]})
        yield f"{name} is longer", sealed.but(**{name: part + b"\0"})
        yield f"{name} is empty", sealed.but(**{name: b""})
    yield "key of zeros", sealed.but(key=bytes(40))
    yield "key of another envelope", sealed.but(key=sealer.seal(good).key)
    yield "key of 16 bytes", sealed.but(key=sealed.key[:24])
    yield "iv of 16 bytes", sealed.but(iv=sealed.iv + bytes(4))
    yield "tag of 12 bytes", sealed.but(tag=sealed.tag[:12])
    yield "tag moved into the ciphertext", sealed.but(ciphertext=sealed.ciphertext + sealed.tag)
    yield "nothing sealed", str(sealer.seal(b""))


def _texts(sealer: Sealer, good: bytes) -> Iterator[Row]:
    text = str(sealer.seal(good))
    parts = text.split(".")
    yield "empty", ""
    yield "dots", "...."
    yield "no JWE", "hello"
    yield "signed", ".".join(parts[:3])
    for count in (1, 2, 3, 4):
        yield f"{count} parts", ".".join(parts[:count])
    yield "6 parts", f"{text}.{parts[4]}"
    yield "dot behind", f"{text}."
    yield "dot before", f".{text}"
    yield "space before", f" {text}"
    yield "line behind", f"{text}\n"
    yield "space inside", f"{text[:50]} {text[50:]}"
    yield "NUL inside", f"{text[:50]}\0{text[50:]}"
    yield "not ASCII", f"{text[:-1]}é"
    yield "full-width dots", text.replace(".", "\uff0e")
    yield "parts in another order", ".".join([*parts[:2], parts[3], parts[2], parts[4]])
    yield "reversed", text[::-1]
    yield "padded", ".".join(part + "=" * (-len(part) % 4) for part in parts)
    yield "plain base64", f"{'+/' * 8}{text}"
    yield "stray bits in the key", ".".join(_at(parts, 1, _with_stray_bits))
    yield "stray bits in the tag", ".".join(_at(parts, 4, _with_stray_bits))
    names = ("protected", "encrypted_key", "iv", "ciphertext", "tag")
    yield "JSON serialisation", json.dumps(dict(zip(names, parts, strict=True)))
    yield "quotes", f'"{text}"'


def _insides(sealer: Sealer, good: bytes) -> Iterator[Row]:
    nested = str(sealer.seal(good)).encode()
    yield "envelope in an envelope", _sealed(sealer, nested, cty="JWE")
    yield "token in an envelope", _sealed(sealer, nested, cty="JWT")
    yield "larger than allowed", str(sealer.seal(good + b" " * 8_192))


def _sealed(sealer: Sealer, good: bytes, **members: Any) -> str:
    header: Json = sealer.header | members
    return str(sealer.seal(good, header))


def _flipped(part: bytes, index: int) -> bytes:
    changed = bytearray(part)
    changed[index] ^= 1
    return bytes(changed)


def _with_stray_bits(text: str) -> str:
    """The same bytes in other characters: the last one holds bits that mean nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(text) % 4
    return text[:-1] + alphabet[alphabet.index(text[-1]) + 1]


def _at(parts: list[str], index: int, change: Any) -> list[str]:
    return [change(part) if n == index else part for n, part in enumerate(parts)]
