"""VAPID headers: what they say, how long one is used, and when it may be signed anew."""

from datetime import datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from shared.crypto import vapid
from shared.crypto.vapid import (
    VapidHeaders,
    b64url_decode,
    generate_keys,
    load_private_key,
    origin_of,
    public_key_of,
)
from tests.unit.shared.providers.builders import NOW

KEYS = generate_keys()
NAME = (KEYS.private_key, "mailto:a@b.example", "https://x")


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


def claims_of(header: str) -> dict[str, Any]:
    token, key = header.removeprefix("vapid t=").split(", k=")
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b64url_decode(key))
    options: Any = {"verify_exp": False, "verify_aud": False}
    claims: dict[str, Any] = jwt.decode(token, point, algorithms=["ES256"], options=options)
    return claims


def test_vapid_header_is_signed_for_one_origin() -> None:
    keys = generate_keys()

    header = VapidHeaders(lambda: NOW).authorization(
        keys.private_key, "mailto:a@example.com", "https://push.example"
    )

    assert claims_of(header) == {
        "aud": "https://push.example",
        "exp": int((NOW + timedelta(hours=12)).timestamp()),
        "sub": "mailto:a@example.com",
    }
    assert header.endswith(f"k={keys.public_key}")


@pytest.mark.parametrize(
    ("hours", "is_kept"),
    [(1, True), (7.9, True), (8, False), (13, False), (-0.1, False), (-13, False)],
)
def test_vapid_header_is_kept_for_its_slot(hours: float, *, is_kept: bool) -> None:
    clock = Clock()
    headers = VapidHeaders(clock)
    first = headers.authorization(*NAME)
    clock.now = NOW + timedelta(hours=hours)

    assert (headers.authorization(*NAME) == first) is is_kept


@pytest.mark.parametrize("minutes", [0, 1, 7 * 60 + 59])
def test_vapid_header_is_the_same_in_every_process(minutes: int) -> None:
    first = VapidHeaders(lambda: NOW).authorization(*NAME)
    clock = Clock()
    clock.now = NOW + timedelta(minutes=minutes)

    other = VapidHeaders(clock).authorization(*NAME)

    assert other == first
    assert claims_of(other)["exp"] - clock.now.timestamp() > 4 * 3_600


@pytest.mark.parametrize("change", [0, 1, 2])
def test_vapid_header_is_of_one_key_subject_and_origin(change: int) -> None:
    headers = VapidHeaders(lambda: NOW)
    others = (generate_keys().private_key, "mailto:c@d.example", "https://y")
    changed = tuple(others[i] if i == change else NAME[i] for i in range(3))

    assert headers.authorization(*changed) != headers.authorization(*NAME)


@pytest.mark.parametrize(
    ("minutes", "is_renewed"),
    [(0, False), (59, False), (60, True), (300, True), (-60, True)],
)
def test_a_refused_header_is_signed_anew_once_an_hour_old(
    minutes: int, *, is_renewed: bool
) -> None:
    clock = Clock()
    headers = VapidHeaders(clock)
    refused = headers.authorization(*NAME)
    clock.now = NOW + timedelta(minutes=minutes)

    renewed = headers.renewed(*NAME, refused=refused)

    assert (renewed is not None) is is_renewed
    assert renewed != refused
    assert headers.authorization(*NAME) == (renewed or refused)


def test_a_refused_header_is_signed_anew_as_in_every_process() -> None:
    renewed = set()
    for minutes in (125, 179):
        clock = Clock()
        headers = VapidHeaders(clock)
        refused = headers.authorization(*NAME)
        clock.now = NOW + timedelta(minutes=minutes)
        renewed.add(headers.renewed(*NAME, refused=refused))

    assert len(renewed - {None, refused}) == len(renewed) == 1


def test_fifty_refusals_at_once_make_one_new_header() -> None:
    clock = Clock()
    headers = VapidHeaders(clock)
    refused = headers.authorization(*NAME)
    clock.now = NOW + timedelta(hours=2)

    renewed = {headers.renewed(*NAME, refused=refused) for _ in range(50)}

    assert len(renewed - {None, refused}) == len(renewed) == 1
    assert headers.renewed(*NAME, refused=renewed.pop() or "") is None  # nor another soon


def test_the_headers_used_last_are_those_that_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vapid, "_KEPT_MAX", 2)
    headers = VapidHeaders(lambda: NOW)
    kept = headers.authorization(*NAME)
    for origin in ("https://a", "https://b", "https://c"):
        headers.authorization(*NAME[:2], origin)
        assert headers.authorization(*NAME) == kept


def test_generated_keys_belong_together() -> None:
    keys = generate_keys()

    assert public_key_of(load_private_key(keys.private_key)) == keys.public_key
    assert len(b64url_decode(keys.private_key)) == 32
    assert len(b64url_decode(keys.public_key)) == 65


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("https://push.example/x?y", "https://push.example"),
        ("https://push.example:443/x", "https://push.example"),
        ("https://push.example:8443/x", "https://push.example:8443"),
        ("https://PUSH.example/x", "https://push.example"),
        ("http://[::1]:80/x", "http://[::1]"),
    ],
)
def test_origin_of(endpoint: str, origin: str) -> None:
    assert origin_of(endpoint) == origin
