"""An identity provider of the customer's own: its key set fetched over the real transport."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from api.settings import TrustedIssuer
from shared.clock import utc_now
from shared.storage.mongo import connect
from tests.integration.api.conftest import Api, Caller, running, settings_for
from tests.servers import Servers

NAME = "https://id.customer.example"
KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


class KeySetServer:
    """One HTTP/1.1 answer per connection."""

    def __init__(self) -> None:
        self.calls = 0
        self.status = "200 OK"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.calls += 1
        row = RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"kid": "k1", "use": "sig"}
        body = json.dumps({"keys": [row]})
        head = f"HTTP/1.1 {self.status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write((head + body).encode())
        await writer.drain()
        writer.close()


@pytest.fixture
async def key_set() -> AsyncIterator[tuple[KeySetServer, str]]:
    server = KeySetServer()
    listening = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    yield server, f"http://127.0.0.1:{port}/jwks"
    listening.close()
    await listening.wait_closed()


def token(claims: dict[str, Any], kid: str = "k1") -> str:
    now = utc_now()
    times = {"iss": NAME, "iat": now, "exp": now + timedelta(minutes=5)}
    return jwt.encode(times | claims, KEY, algorithm="RS256", headers={"kid": kid})


async def ask(api: Api, bearer: str) -> int:
    return (await Caller(api.http, bearer).get(f"/push/config/{uuid4()}")).status_code


async def test_tokens_of_a_trusted_issuer_are_accepted(
    servers: Servers, key_set: tuple[KeySetServer, str]
) -> None:
    server, url = key_set
    issuer = TrustedIssuer(issuer=NAME, jwks_url=url, max_role="admin")
    settings = settings_for(servers, api_issuers=(issuer,))
    claims = {"sub": str(uuid4()), "aud": str(uuid4())}
    async with connect(settings) as database, running(settings, database) as api:
        server.status = "500 Internal Server Error"
        assert await ask(api, token(claims | {"roles": ["user"]})) == 503
        assert await ask(api, token(claims | {"roles": ["user"]})) == 503
        assert server.calls == 1
        await database.drop()
    async with connect(settings) as database, running(settings, database) as api:
        server.status = "200 OK"
        callers = [token(claims | {"roles": ["user"], "n": n}) for n in range(20)]
        assert set(await asyncio.gather(*(ask(api, caller) for caller in callers))) == {403}
        assert await ask(api, token(claims | {"roles": ["platform_admin"]})) == 401
        assert await ask(api, token(claims | {"roles": ["user"]}, kid="k2")) == 401
        assert server.calls == 2
        await database.drop()
