"""The Pushy API in this process, Pushy's simulator behind it, and an app with everybody who calls.

Its fixtures are for the conftest of whoever needs them.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shared.clock import utc_now
from tests.front_door import Api, Caller, served
from tests.sealing import Sealer
from tests.servers import Servers
from tests.simulated import Running, running_simulators

Json = dict[str, Any]
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACE = {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
PREFIX = "/api/v1"


class MovedClock:
    """The time, and so much more."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


class PushyStage:
    """One app that has push enabled and a key of Pushy's."""

    def __init__(self, api: Api, simulators: Running, clock: MovedClock) -> None:
        self.api, self.simulators, self.clock = api, simulators, clock
        self.app_id = uuid4()
        self.user_id = uuid4()
        self.api_key = f"secret-{self.app_id}"

    async def set_up(self, **config: Any) -> None:
        await self.simulators.reset()
        await self.simulators.put("/pushy/settings", {"page_size": 1_000, "statuses": {}})
        self.app_id = await self.api.new_app(**config)
        await self.know(self.api_key)
        await self.put_key(self.api_key)

    async def know(self, api_key: str, **app: Any) -> None:
        """Make Pushy know an app."""
        await self.simulators.put("/pushy/apps", {"api_key": api_key} | app)

    async def put_key(self, api_key: str) -> None:
        """Tell us the app's key at Pushy."""
        path = f"/push/config/{self.app_id}/providers/pushy"
        answer = await self.api.platform().put(path, {"api_key": api_key})
        assert answer.status_code == 200, answer.text

    async def configure(self, **change: Any) -> None:
        answer = await self.api.platform().patch(f"/push/config/{self.app_id}", change)
        assert answer.status_code == 200, answer.text

    # -- who calls

    def user(self, user_id: UUID | None = None, *roles: str) -> Caller:
        """The stage's user, or another one."""
        return self.api.user(self.app_id, user_id or self.user_id, roles or ("user",))

    def service(self, *scopes: str) -> Caller:
        return self.api.service(self.app_id, *scopes)

    async def call(
        self,
        caller: Caller,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """With a trace id that is always the same: equal answers are equal to the byte."""
        fields = caller.headers | TRACE | dict(headers or {})
        content = {"content": body} if isinstance(body, bytes | str) else {"json": body}
        if body is None:
            content = {}
        return await self.api.http.request(method, PREFIX + path, headers=fields, **content)

    async def post(self, path: str, body: Any, caller: Caller | None = None) -> httpx.Response:
        return await self.call(caller or self.user(), "POST", path, body)

    async def get(self, path: str, caller: Caller | None = None) -> httpx.Response:
        return await self.call(caller or self.user(), "GET", path)

    # -- what they do

    async def begin(self, token: str, user_id: UUID | None = None, **changes: Any) -> None:
        """A session of the stage's user, or of another one."""
        body = {"token": token, "platform": "ANDROID", "language": "en"} | changes
        answer = await self.post("/device-info", body, self.user(user_id))
        assert answer.status_code == 201, answer.text

    async def subscribe(self, token: str, *topics: str, user_id: UUID | None = None) -> None:
        body = {"token": token, "topics": topics}
        answer = await self.post("/device-info/subscribe", body, self.user(user_id))
        assert answer.status_code == 200, answer.text

    async def send(
        self, to: Sequence[str], caller: Caller | None = None, **changes: Any
    ) -> httpx.Response:
        body = {"title": "Hi", "content": "There", "to": to} | changes
        return await self.post("/notifications/send-dev", body, caller or self.service())

    async def tokens(self, user_id: UUID | None = None) -> list[str]:
        """A user's registered tokens."""
        answer = await self.get("/device-info", self.user(user_id))
        return [row["token"] for row in answer.json()["data"]]

    async def sealer(self) -> Sealer:
        """For today's key."""
        data = (await self.post("/sys/key-pair", None)).json()["data"]
        return Sealer(data["key"], data["kid"])

    # -- what came of it

    async def row(self, token_user: UUID | None = None) -> Json:
        """The one device row of a user."""
        which = {"app_id": self.app_id, "user_id": token_user or self.user_id}
        (row,) = await self.api.database["devices"].find(which)
        return row

    async def pushes(self) -> list[Json]:
        """What Pushy was asked to push, once each."""
        entries = await self.simulators.entries("pushy")
        payloads = [entry["request"]["payload"] for entry in entries]
        return [one for n, one in enumerate(payloads) if one not in payloads[:n]]

    async def topics(self) -> dict[str, int]:
        """Pushy's topics with their numbers of subscribers."""
        told = await self.simulators.get(f"/pushy/apps/{self.api_key}/topics")
        return {name: len(tokens) for name, tokens in told.items()}

    async def script(self, action: Json, path: str | None = None, **rule: Any) -> None:
        """What Pushy does to the next calls of a path, or to the next pushes."""
        match = {} if path is None else {"path": path}
        rule = {"match": match, "times": 1, "action": action} | rule
        assert (await self.simulators.admin.post("/pushy/rules", json=rule)).status_code == 201


def assert_done(answer: httpx.Response, message: str) -> None:
    """The seed's answer to topics and pushes, to the last member."""
    assert_data(answer, {"success": True, "message": message})


def assert_data(answer: httpx.Response, data: Any, status: int = 200) -> None:
    assert answer.status_code == status, answer.text
    assert answer.json() == {
        "status_code": status,
        "message": "Success",
        "data": data,
        "trace_id": TRACE_ID,
    }


def assert_refused(answer: httpx.Response, status: int, message: str, **members: Any) -> None:
    """This is the refusal, in the envelope, with these members and no others."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"] == TRACE_ID
    expected = {"status_code": status, "message": message, "data": None, "trace_id": TRACE_ID}
    assert answer.json() == expected | members


def assert_invalid(answer: httpx.Response, *pointers: str) -> None:
    """Validation failed at these places and no other."""
    errors = answer.json().get("errors", [])
    assert [error["pointer"] for error in errors] == list(pointers), answer.text
    assert_refused(answer, 400, "Validation failed", errors=errors)


@pytest.fixture(scope="session")
async def pushy_simulators(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with running_simulators(tmp_path_factory.mktemp("pushy")) as running:
        yield running


@pytest.fixture(scope="session")
def pushy_clock() -> MovedClock:
    return MovedClock()


@pytest.fixture(scope="session")
def at_pushy(pushy_simulators: Running) -> Json:
    """The settings of a process whose Pushy is the simulator."""
    return {
        "pushy_url": pushy_simulators.urls["pushy_url"],
        "ca_file": str(pushy_simulators.certificates.ca_file),
    }


@pytest.fixture(scope="session")
async def pushy_api(
    servers: Servers, at_pushy: Json, pushy_clock: MovedClock
) -> AsyncIterator[Api]:
    async with served(servers, "pushy", pushy_clock, **at_pushy) as api:
        yield api


@pytest.fixture
async def pushy(pushy_api: Api, pushy_simulators: Running, pushy_clock: MovedClock) -> PushyStage:
    """A new app on an emptied simulator."""
    stage = PushyStage(pushy_api, pushy_simulators, pushy_clock)
    await stage.set_up()
    return stage
