"""Key sets: fetched once for all, kept ten minutes, served stale, never asked for too often."""

import asyncio
import json
from typing import Any

import jwt
import pytest

from api.auth.jwks import FetchFailed, JwksCache
from api.auth.keys import keys_from_jwks, public_jwk
from api.auth.tokens import Issuer
from api.errors import UnavailableError
from tests.unit.api.doubles import (
    EDDSA,
    ES256,
    RS256,
    MovableClock,
    mint,
    trust,
    user_claims,
    verifier,
)


def row(key: Any, kid: str, **changes: Any) -> dict[str, Any]:
    jwk = public_jwk(key.public_key())
    return {**jwk.Algorithm.to_jwk(jwk.key, as_dict=True), "kid": kid, **changes}


class Endpoint:
    """A JWKS endpoint that counts and can fail."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = list(rows)
        self.calls = 0
        self.fails = False
        self.opened = asyncio.Event()
        self.opened.set()

    async def fetch(self, url: str) -> bytes:
        assert url == "https://id.example.com/jwks"
        self.calls += 1
        await self.opened.wait()
        if self.fails:
            raise FetchFailed("down")
        return json.dumps({"keys": self.rows}).encode()


def cache(endpoint: Endpoint, clock: MovableClock) -> JwksCache:
    return JwksCache(
        "https://id.example.com/jwks",
        endpoint.fetch,
        algorithms=("RS256", "ES256", "EdDSA"),
        clock=clock,
    )


async def test_keys_are_fetched_once_for_everyone_who_waits() -> None:
    endpoint = Endpoint(row(ES256, "a"))
    endpoint.opened.clear()
    subject = cache(endpoint, MovableClock())
    waiting = [asyncio.create_task(subject.candidates("a")) for _ in range(100)]
    await asyncio.sleep(0)
    endpoint.opened.set()
    found = await asyncio.gather(*waiting)
    assert endpoint.calls == 1
    assert all(len(keys) == 1 for keys in found)


async def test_a_cancelled_waiter_does_not_cancel_the_fetch() -> None:
    endpoint = Endpoint(row(ES256, "a"))
    endpoint.opened.clear()
    subject = cache(endpoint, MovableClock())
    first = asyncio.create_task(subject.candidates("a"))
    second = asyncio.create_task(subject.candidates("a"))
    await asyncio.sleep(0)
    first.cancel()
    endpoint.opened.set()
    assert len(await second) == 1


async def test_keys_are_fresh_for_ten_minutes() -> None:
    endpoint, clock = Endpoint(row(ES256, "a")), MovableClock()
    subject = cache(endpoint, clock)
    await subject.candidates("a")
    clock.forward(599)
    await subject.candidates("a")
    assert endpoint.calls == 1
    clock.forward(1)
    await subject.candidates("a")
    assert endpoint.calls == 2


async def test_an_unknown_kid_asks_again_at_most_every_thirty_seconds() -> None:
    endpoint, clock = Endpoint(row(ES256, "a")), MovableClock()
    subject = cache(endpoint, clock)
    await subject.candidates("a")
    endpoint.rows.append(row(RS256, "b"))
    for _ in range(20):
        assert await subject.candidates("b") == []
    assert endpoint.calls == 1
    clock.forward(30)
    assert len(await subject.candidates("b")) == 1
    assert endpoint.calls == 2


async def test_stale_keys_serve_through_an_outage() -> None:
    endpoint, clock = Endpoint(row(ES256, "a")), MovableClock()
    subject = cache(endpoint, clock)
    await subject.candidates("a")
    endpoint.fails = True
    clock.forward(86_400)
    assert len(await subject.candidates("a")) == 1
    assert len(await subject.candidates("a")) == 1
    assert endpoint.calls == 2


async def test_keys_that_were_never_reached_are_unavailable() -> None:
    endpoint = Endpoint()
    endpoint.fails = True
    with pytest.raises(UnavailableError):
        await cache(endpoint, MovableClock()).candidates("a")


async def test_a_removed_key_is_gone_after_the_next_fetch() -> None:
    endpoint, clock = Endpoint(row(ES256, "a"), row(RS256, "b")), MovableClock()
    subject = cache(endpoint, clock)
    await subject.candidates("a")
    endpoint.rows = [row(RS256, "b")]
    clock.forward(600)
    assert await subject.candidates("a") == []


async def test_without_kid_only_a_single_key_is_meant() -> None:
    clock = MovableClock()
    assert len(await cache(Endpoint(row(ES256, "a")), clock).candidates(None)) == 1
    two = Endpoint(row(ES256, "a"), row(RS256, "b"))
    assert await cache(two, clock).candidates(None) == []


@pytest.mark.parametrize("kid", ["../a", "a\0", "A", ""])
async def test_a_kid_is_an_exact_lookup(kid: str) -> None:
    assert await cache(Endpoint(row(ES256, "a")), MovableClock()).candidates(kid) == []


async def test_tokens_verify_against_a_key_set() -> None:
    keys = cache(Endpoint(row(ES256, "a"), row(EDDSA, "e", alg="Ed25519")), MovableClock())
    subject = verifier(Issuer(trust(), keys))
    assert await subject.verify(mint(user_claims(), headers={"kid": "a"})) is not None
    assert await subject.verify(mint(user_claims(), EDDSA, "EdDSA", {"kid": "e"})) is not None
    assert await subject.verify(mint(user_claims(), EDDSA, "EdDSA", {"kid": "a"})) is None


@pytest.mark.parametrize(
    "bad",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "x"},
        {"kid": "x"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "x"},
        {"kty": ["EC"], "kid": "x"},
        row(ES256, "x", use="enc"),
        row(ES256, "x", key_ops=["sign"]),
        row(ES256, "x", key_ops=5),
        row(ES256, "x", alg="ES384"),
        row(ES256, "x", alg=["ES256"]),
        row(RS256, "x", alg="PS256"),
        row(ES256, "x", d="AA"),
        {k: v for k, v in row(ES256, "x").items() if k != "kid"},
        "text",
        None,
    ],
)
def test_keys_that_cannot_be_used_are_passed_over(bad: Any) -> None:
    found = keys_from_jwks({"keys": [bad, row(RS256, "good")]}, ("RS256", "ES256"))
    assert list(found) == ["good"]


def test_keys_of_other_algorithms_are_passed_over() -> None:
    assert keys_from_jwks({"keys": [row(ES256, "a")]}, ("RS256",)) == {}


@pytest.mark.parametrize("document", [[], {}, {"keys": {}}, "x", None])
def test_what_is_no_key_set_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match="not a JWK set"):
        keys_from_jwks(document, ("RS256",))


def test_keys_are_bound_to_one_algorithm() -> None:
    key = keys_from_jwks({"keys": [row(RS256, "r")]}, ("RS256",))["r"]
    assert isinstance(key, jwt.PyJWK)
    assert key.algorithm_name == "RS256"
