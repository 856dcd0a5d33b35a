"""`POST /auth/token`: RFC 6749 in forms, errors and headers."""

import base64
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

import httpx
import pytest

from api.app import assemble
from api.auth.issuer import BuiltInIssuer, trust_in_ourselves
from api.auth.principals import Admin, Service
from api.auth.tokens import Issuer
from api.routes.tokens import token_routes
from api.services.client_tokens import (
    LIFETIME,
    Blocked,
    ClientTokenService,
    Denied,
    Granted,
)
from tests.unit.api.doubles import APP, USER, client_of, still, verifier

FORM = {"grant_type": "client_credentials", "client_id": str(APP), "client_secret": "a b+c%"}


class Tokens:
    """Knows one secret; says `Blocked` when it is told to."""

    blocked = False
    scopes: Sequence[str] = ()

    async def grant(
        self, client_id: UUID | None, secret: str, scopes: Sequence[str], *, address: str
    ) -> Granted | Denied | Blocked:
        assert address == "127.0.0.1"
        self.scopes = scopes
        if (client_id, secret) == (APP, "a b+c%"):
            return Granted("the-token", scopes or ("push:send",))
        return Blocked(42) if self.blocked else Denied()


class Keys:
    """A KeyRepository in memory."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}

    async def get_or_create(self, name: str, make: Any) -> bytes:
        return self.stored.setdefault(name, make())


KEYS = cast("Any", Keys())
TOKENS = Tokens()
ISSUER = BuiltInIssuer("https://fanfare.example", KEYS, still)
APPLICATION = assemble([token_routes(cast("ClientTokenService", TOKENS), ISSUER)])


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    TOKENS.blocked = False
    async with client_of(APPLICATION) as client:
        yield client


def basic(client_id: str, secret: str) -> dict[str, str]:
    pair = urlencode({client_id: secret}).replace("=", ":", 1)
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


async def test_form_credentials_get_a_token(http: httpx.AsyncClient) -> None:
    answer = await http.post("/auth/token", data=FORM)
    assert answer.status_code == 200
    assert answer.json() == {
        "access_token": "the-token",
        "token_type": "bearer",
        "expires_in": 900,
        "scope": "push:send",
    }
    assert answer.headers["cache-control"] == "no-store"


async def test_basic_credentials_get_a_token(http: httpx.AsyncClient) -> None:
    form = {"grant_type": "client_credentials", "scope": "push:enroll push:send push:enroll"}
    answer = await http.post("/auth/token", data=form, headers=basic(str(APP), "a b+c%"))
    assert answer.json()["scope"] == "push:enroll push:send"


async def test_a_wrong_secret_is_invalid_client(http: httpx.AsyncClient) -> None:
    answer = await http.post("/auth/token", data=FORM | {"client_secret": "wrong"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_wrong_secret_by_basic_is_challenged(http: httpx.AsyncClient) -> None:
    form = {"grant_type": "client_credentials"}
    answer = await http.post("/auth/token", data=form, headers=basic(str(APP), "wrong"))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_too_many_wrong_secrets_are_a_429(http: httpx.AsyncClient) -> None:
    TOKENS.blocked = True
    answer = await http.post("/auth/token", data=FORM | {"client_secret": "wrong"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "42")
    assert (await http.post("/auth/token", data=FORM)).status_code == 200


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "invalid_request"),
        (b"\xff=1", "invalid_request"),
        (b"grant_type=%FF", "invalid_request"),
        (urlencode(FORM).encode() + b"&client_id=x", "invalid_request"),
        (b"client_id=x&client_secret=y", "invalid_request"),
        (b"grant_type=password&username=a&password=b", "unsupported_grant_type"),
        (b"grant_type=", "unsupported_grant_type"),
        (urlencode(FORM | {"scope": "admin"}).encode(), "invalid_scope"),
        (urlencode(FORM | {"scope": "push:send admin"}).encode(), "invalid_scope"),
        (b"grant_type=client_credentials", "invalid_client"),
        (b"grant_type=client_credentials&client_id=x", "invalid_client"),
        (urlencode(FORM | {"client_id": "nobody"}).encode(), "invalid_client"),
        (urlencode(FORM | {"client_secret": "\0"}).encode(), "invalid_client"),
    ],
)
async def test_a_bad_form_has_an_error_of_the_rfc(
    http: httpx.AsyncClient, content: bytes, error: str
) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await http.post("/auth/token", content=content, headers=headers)
    assert answer.json()["error"] == error
    assert answer.status_code == (401 if error == "invalid_client" else 400)


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !", "Basic /////w==", "Bearer x", "Basic bm9jb2xvbg==", "Basic é"]
)
async def test_a_bad_basic_header_is_invalid_client(http: httpx.AsyncClient, header: str) -> None:
    headers = {"Authorization": header.encode("latin-1")}
    form = {"grant_type": "client_credentials"}
    answer = await http.post("/auth/token", data=form, headers=cast("Any", headers))
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_a_client_authenticates_once(http: httpx.AsyncClient) -> None:
    answer = await http.post("/auth/token", data=FORM, headers=basic(str(APP), "a b+c%"))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_json_is_no_token_request(http: httpx.AsyncClient) -> None:
    answer = await http.post("/auth/token", json=FORM)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_minted_tokens_verify_and_the_key_set_is_public(http: httpx.AsyncClient) -> None:
    await ISSUER.load()
    trusted = trust_in_ourselves("https://fanfare.example", is_local=True)
    subject = verifier(Issuer(trusted, ISSUER))
    service = await subject.verify(ISSUER.mint_service(APP, ["push:send"], LIFETIME))
    admin = await subject.verify(ISSUER.mint_user(USER, APP, ["platform_admin"], LIFETIME))
    assert isinstance(service, Service)
    assert isinstance(admin, Admin)
    (row,) = (await http.get("/.well-known/jwks.json")).json()["keys"]
    assert row.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}


async def test_every_process_has_the_same_key() -> None:
    other = BuiltInIssuer("https://fanfare.example", KEYS, still)
    await ISSUER.load()
    await other.load()
    assert other.jwks() == ISSUER.jwks()


async def test_outside_local_mode_our_own_issuer_grants_no_roles() -> None:
    await ISSUER.load()
    trusted = trust_in_ourselves("https://fanfare.example", is_local=False)
    token = ISSUER.mint_user(USER, APP, ["admin"], LIFETIME)
    assert await verifier(Issuer(trusted, ISSUER)).verify(token) is None
