"""The API in this process, against a real MongoDB and a real RabbitMQ, and whoever calls it."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import msgspec
from litestar import Litestar

from api.app import create_app
from api.auth.issuer import BuiltInIssuer
from api.settings import ApiSettings
from shared.clock import Clock, utc_now
from shared.crypto.keyring import Keyring
from shared.queue.connection import migrate
from shared.queue.topology import topology
from shared.storage.keys import KeyRepository
from shared.storage.mongo import Database, connect
from shared.storage.schema import create_indexes
from tests.servers import Servers

HOUR = timedelta(hours=1)
KEY = base64.b64encode(b"k" * 32).decode()


class Caller:
    """The API as one caller sees it."""

    def __init__(self, http: httpx.AsyncClient, token: str | None) -> None:
        self._http = http
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        if body is None:
            return await self._http.request(method, path, headers=self.headers)
        return await self._http.request(method, path, headers=self.headers, json=body)

    async def get(self, path: str) -> httpx.Response:
        return await self.call("GET", path)

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        return await self.call("POST", path, body)

    async def put(self, path: str, body: Any = None) -> httpx.Response:
        return await self.call("PUT", path, body)

    async def patch(self, path: str, body: Any = None) -> httpx.Response:
        return await self.call("PATCH", path, body)

    async def delete(self, path: str) -> httpx.Response:
        return await self.call("DELETE", path)


class Api:
    """The running application, its database, and anyone's tokens."""

    def __init__(self, http: httpx.AsyncClient, issuer: BuiltInIssuer, database: Database) -> None:
        self.http = http
        self.database = database
        self._issuer = issuer

    def service(self, app_id: UUID, *scopes: str, lifetime: timedelta = HOUR) -> Caller:
        token = self._issuer.mint_service(app_id, scopes or ("push:send",), lifetime)
        return Caller(self.http, token)

    def user(
        self,
        app_id: UUID,
        user_id: UUID | None = None,
        roles: Sequence[str] = ("user",),
        tenant_id: str | None = None,
    ) -> Caller:
        token = self._issuer.mint_user(user_id or uuid4(), app_id, roles, HOUR, tenant_id=tenant_id)
        return Caller(self.http, token)

    def platform(self) -> Caller:
        return self.user(uuid4(), roles=["platform_admin"])

    async def new_app(self, **config: Any) -> UUID:
        """An app with push enabled."""
        app_id = uuid4()
        admin = self.platform()
        founded = await admin.put(f"/push/apps/{app_id}", {"name": "demo"})
        assert founded.status_code == 201, founded.text
        enabled = await admin.patch(f"/push/config/{app_id}", {"enabled": True} | config)
        assert enabled.status_code == 200, enabled.text
        return app_id

    async def new_user(self, app_id: UUID) -> UUID:
        """An enrolled user without devices."""
        user_id = uuid4()
        answer = await self.platform().put(f"/push/apps/{app_id}/users/{user_id}")
        assert answer.status_code == 200, answer.text
        return user_id


def settings_for(servers: Servers, **changes: Any) -> ApiSettings:
    settings = ApiSettings(
        mode="local",
        mongo_url=servers.mongod.url,
        mongo_database=f"api_{uuid4().hex}",
        amqp_url=servers.rabbitmq.url(),
        encryption_keys=(f"k1:{KEY}",),
        hash_key=KEY,
        issuer_enabled=True,
        issuer_url="http://api.test",
    )
    return msgspec.structs.replace(settings, **changes)


@asynccontextmanager
async def running(
    settings: ApiSettings, database: Database, clock: Clock = utc_now
) -> AsyncIterator[Api]:
    keys = KeyRepository(database, Keyring.from_settings(settings), clock)
    issuer = BuiltInIssuer(settings.issuer_url, keys, clock)
    await issuer.load()
    app = create_app(settings, clock)
    transport = httpx.ASGITransport(app=cast("Any", app), raise_app_exceptions=False)
    started, stopping = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(app, started, stopping))
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        waiting.cancel()
        await serving  # raises what kept it from starting
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as http:
        yield Api(http, issuer, database)
    stopping.set()
    await serving


async def serve(app: Litestar, started: asyncio.Event, stopping: asyncio.Event) -> None:
    """The lifespan must end in the task that it began in; fixtures do not promise that."""
    async with app.lifespan():
        started.set()
        await stopping.wait()


@asynccontextmanager
async def served(
    servers: Servers, vhost: str, clock: Clock = utc_now, **changes: Any
) -> AsyncIterator[Api]:
    """One application with a database and a virtual host of its own."""
    settings = settings_for(servers, amqp_url=servers.rabbitmq.create_vhost(vhost), **changes)
    wanted = topology(settings.retry_levels_seconds, settings.hook_levels_seconds)
    await migrate(settings.amqp_url, wanted)
    async with connect(settings) as database:
        await create_indexes(database)
        async with running(settings, database, clock) as api:
            yield api
        await database.drop()
