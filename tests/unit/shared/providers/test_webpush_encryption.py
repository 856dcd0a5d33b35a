"""Web Push encryption against the RFC's vector, two libraries, and a program in Node."""

import json
import os
import random
import subprocess
from pathlib import Path

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from pywebpush import WebPusher

from shared.crypto.vapid import b64url_decode, b64url_encode, load_private_key
from shared.providers.webpush_encryption import PLAINTEXT_BYTES_MAX, encrypt, read_receiver
from tests.node import node
from tests.unit.shared.providers.builders import (
    AUTH_SECRET,
    RECEIVER_KEY,
    random_subscription_keys,
)

RFC_8291_SCALAR = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
RFC_8291_TEXT = b"When I grow up, I want to be a watermelon"
RFC_8291_BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6T"
    "lzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4"
    "a-fN"
)
RECEIVER = read_receiver(b64url_decode(RECEIVER_KEY), b64url_decode(AUTH_SECRET))
DECRYPT = Path(__file__).with_name("decrypt.mjs")
MESSAGES = 300
NODE_SECONDS_MAX = 60


def test_encrypt_is_the_rfcs_example() -> None:
    body = encrypt(
        RFC_8291_TEXT,
        RECEIVER,
        sender=load_private_key("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
        salt=b64url_decode("DGv6ra1nlYgDCS1FRnbzlw"),
    )

    assert b64url_encode(body) == RFC_8291_BODY


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=1, max_size=PLAINTEXT_BYTES_MAX), st.binary(min_size=16, max_size=16))
def test_encrypt_is_read_by_http_ece(plaintext: bytes, auth: bytes) -> None:
    key, point = random_subscription_keys()

    body = encrypt(plaintext, read_receiver(b64url_decode(point), auth))

    assert http_ece.decrypt(body, private_key=key, auth_secret=auth) == plaintext


def decrypted_by_node(lines: list[str]) -> list[bytes]:
    """Each line's plaintext."""
    done = subprocess.run(
        [node(), str(DECRYPT)],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=NODE_SECONDS_MAX,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [b64url_decode(line) for line in done.stdout.splitlines()]


def case(key: ec.EllipticCurvePrivateKey, point: str, auth: bytes, body: bytes) -> str:
    scalar = key.private_numbers().private_value.to_bytes(32, "big")
    fields = {"scalar": scalar, "auth": auth, "body": body}
    return json.dumps({name: b64url_encode(raw) for name, raw in fields.items()} | {"point": point})


def test_the_decryptor_in_node_reads_the_rfcs_example() -> None:
    key = load_private_key(RFC_8291_SCALAR)
    line = case(key, RECEIVER_KEY, b64url_decode(AUTH_SECRET), b64url_decode(RFC_8291_BODY))

    assert decrypted_by_node([line]) == [RFC_8291_TEXT]


def test_encrypt_is_read_by_node() -> None:
    lengths = [1, 2, PLAINTEXT_BYTES_MAX - 1, PLAINTEXT_BYTES_MAX]
    lengths += [random.randint(1, PLAINTEXT_BYTES_MAX) for _ in range(MESSAGES)]
    plaintexts = [os.urandom(length) for length in lengths]
    plaintexts += [b"\0", b"\2", b"x\0\0", b"\0" * PLAINTEXT_BYTES_MAX]  # like padding, delimiter
    lines = []
    for plaintext in plaintexts:
        (key, point), auth = random_subscription_keys(), os.urandom(16)
        body = encrypt(plaintext, read_receiver(b64url_decode(point), auth))
        lines.append(case(key, point, auth, body))

    assert decrypted_by_node(lines) == plaintexts


def test_encrypt_has_the_shape_that_pywebpush_gives() -> None:
    keys = {"p256dh": RECEIVER_KEY, "auth": AUTH_SECRET}
    theirs = WebPusher({"endpoint": "https://x", "keys": keys}).encode(b"hello")["body"]
    ours = encrypt(b"hello", RECEIVER)

    assert len(ours) == len(theirs)
    assert ours[16:22] == theirs[16:22]  # record size, key length, point format


def test_encrypt_uses_a_fresh_key_and_salt_each_time() -> None:
    bodies = [encrypt(b"x", RECEIVER) for _ in range(20)]

    assert len({body[:16] for body in bodies}) == len({body[21:86] for body in bodies}) == 20


def test_encrypt_takes_the_largest_plaintext_and_no_more() -> None:
    assert len(encrypt(b"x" * PLAINTEXT_BYTES_MAX, RECEIVER)) == 4_096
    with pytest.raises(ValueError, match="more than one record"):
        encrypt(b"x" * (PLAINTEXT_BYTES_MAX + 1), RECEIVER)


def test_encrypt_takes_no_empty_plaintext() -> None:
    with pytest.raises(ValueError, match="is empty"):
        encrypt(b"", RECEIVER)


@pytest.mark.parametrize(
    ("point", "auth"),
    [
        (b"", b"a" * 16),
        (b"\x04" + b"\x01" * 64, b"a" * 16),  # not on the curve
        (b"\x00" * 65, b"a" * 16),  # the point at infinity has no such form
        (b64url_decode(RECEIVER_KEY)[:33], b"a" * 16),
        (b64url_decode(RECEIVER_KEY), b"a" * 15),
    ],
)
def test_read_receiver_takes_a_point_of_the_curve_and_a_secret(point: bytes, auth: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_receiver(point, auth)
