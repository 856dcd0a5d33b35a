"""Stand-ins for what the API's units talk to: keys, tokens, apps, a clock."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from litestar import Litestar, Router

from api.app import assemble
from api.auth.guards import Gate
from api.auth.keys import StaticKeys, key_from_secret, public_jwk
from api.auth.tokens import Issuer, TokenVerifier
from api.directory import AppDirectory
from api.settings import TrustedIssuer
from shared.domain.apps import App
from shared.storage.apps import AppRepository

NOW = datetime(2026, 3, 19, 8, 0, tzinfo=UTC)
APP = UUID("0195a000-0000-7000-8000-00000000000a")
OTHER_APP = UUID("0195a000-0000-7000-8000-00000000000e")
ABSENT_APP = UUID("0195a000-0000-7000-8000-00000000000f")
USER = UUID("0195a000-0000-7000-8000-00000000000b")
OTHER_USER = UUID("0195a000-0000-7000-8000-00000000000c")
ISSUER = "https://id.example.com"
SECRET = "s" * 32

ES256 = ec.generate_private_key(ec.SECP256R1())
OTHER_ES256 = ec.generate_private_key(ec.SECP256R1())
RS256 = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
EDDSA = ed25519.Ed25519PrivateKey.generate()


def still() -> datetime:
    return NOW


class MovableClock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def trust(**changes: Any) -> TrustedIssuer:
    fields: dict[str, Any] = {
        "issuer": ISSUER,
        "public_keys": ("see StaticKeys",),
        "max_role": "platform_admin",
    }
    return TrustedIssuer(**fields | changes)


def asymmetric() -> StaticKeys:
    return StaticKeys([public_jwk(key.public_key()) for key in (ES256, RS256, EDDSA)])


def verifier(*issuers: Issuer, clock: Any = still) -> TokenVerifier:
    return TokenVerifier(issuers or [Issuer(trust(), asymmetric())], clock)


def symmetric_issuer() -> Issuer:
    trusted = trust(algorithms=("HS256",), public_keys=(), shared_secret=SECRET)
    return Issuer(trusted, StaticKeys([key_from_secret(SECRET)]))


def registered(**changes: Any) -> dict[str, Any]:
    now = int(NOW.timestamp())
    return {"iss": ISSUER, "iat": now, "exp": now + 900, **changes}


def user_claims(**changes: Any) -> dict[str, Any]:
    return registered(**{"sub": str(USER), "aud": str(APP), "roles": ["user"], **changes})


def service_claims(**changes: Any) -> dict[str, Any]:
    own = {"sub": str(APP), "token_type": "service", "scope": "push:send", **changes}
    return registered(**own)


def mint(
    claims: Mapping[str, Any],
    key: Any = ES256,
    algorithm: str = "ES256",
    headers: Mapping[str, Any] | None = None,
) -> str:
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(given, key, algorithm=algorithm, headers=dict(headers or {}))


def an_app(app_id: UUID = APP, **changes: Any) -> App:
    fields = {"name": "demo", "created_at": NOW, "enabled": True, **changes}
    return App(app_id=app_id, **fields)


class Apps:
    """The only call of AppRepository that guards make."""

    def __init__(self, *apps: App) -> None:
        self.by_id = {app.app_id: app for app in apps}

    async def get(self, app_id: UUID) -> App | None:
        return self.by_id.get(app_id)


def directory(*apps: App) -> AppDirectory:
    return AppDirectory(cast("AppRepository", Apps(*apps)))


def gate(*apps: App, issuers: Sequence[Issuer] = ()) -> Gate:
    return Gate(verifier(*issuers), directory(*(apps or (an_app(),))))


@asynccontextmanager
async def client(*routers: Router) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(assemble(routers)) as http:
        yield http


@asynccontextmanager
async def client_of(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=cast("Any", app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://t.local") as http:
        yield http


def bearer(claims: Mapping[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {mint(claims)}"}
