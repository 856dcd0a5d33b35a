"""Webhook addresses as they are registered in production: the bad ones are all refused alike."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import httpx
import jwt
import pytest

from api.settings import TrustedIssuer
from shared.clock import utc_now
from tests.front_door import Caller, served
from tests.hostile_urls import GOOD, MALFORMED, RESOLVING
from tests.servers import Servers

ISSUER, SHARED = "https://id.customer.example", "s" * 64
REFUSAL = {
    "pointer": "#/webhook_url",
    "detail": "must be https with a public host name, on port 443 or 8443",
}
APP_ID = uuid4()


@pytest.fixture(scope="module")
async def admin(servers: Servers) -> AsyncIterator[Caller]:
    """An admin of the app, at an API in production mode: no loopback, no issuer of admins."""
    trusted = TrustedIssuer(
        issuer=ISSUER, algorithms=("HS256",), shared_secret=SHARED, max_role="platform_admin"
    )
    async with served(servers, "production", mode="production", api_issuers=(trusted,)) as api:
        admin = Caller(api.http, token())
        founded = await admin.put(f"/push/apps/{APP_ID}", {"name": "x"})
        assert founded.status_code == 201, founded.text
        yield admin


def token() -> str:
    now = utc_now()
    claims = {"iss": ISSUER, "sub": str(uuid4()), "aud": str(APP_ID), "roles": ["platform_admin"]}
    times = {"iat": now, "exp": now + timedelta(hours=1)}
    return jwt.encode(claims | times, SHARED, algorithm="HS256")


async def register(admin: Caller, url: str) -> httpx.Response:
    return await admin.patch(f"/push/config/{APP_ID}", {"webhook_url": url})


def test_the_corpus_is_large() -> None:
    assert len(set(MALFORMED)) == len(MALFORMED) >= 80
    assert len(set(GOOD)) == len(GOOD) >= 20
    assert len(RESOLVING) >= 20


@pytest.mark.parametrize("url", MALFORMED)
async def test_a_bad_address_is_refused(admin: Caller, url: str) -> None:
    answer = await register(admin, url)

    assert answer.status_code == 400
    assert [e["pointer"] for e in answer.json()["errors"]] == ["#/webhook_url"]
    if "\0" not in url:  # no body may have it
        assert answer.json()["errors"] == [REFUSAL]


@pytest.mark.parametrize("url", GOOD)
async def test_a_good_address_is_taken(admin: Caller, url: str) -> None:
    answer = await register(admin, url)

    assert answer.status_code == 200, answer.text
    assert answer.json()["webhook_url"] == url
