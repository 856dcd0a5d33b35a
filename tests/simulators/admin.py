"""The admin API: plain HTTP and JSON to script, inspect and reset the simulators."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import msgspec

from tests.simulators.apns import ApnsSimulator
from tests.simulators.apns_certificates import ApnsCertificate
from tests.simulators.apns_tokens import ApnsKey
from tests.simulators.devices import Device
from tests.simulators.exchange import (
    Connection,
    Exchange,
    Http2Policy,
    Leaving,
    Link,
    SimRequest,
    SimResponse,
)
from tests.simulators.fcm import FcmSimulator
from tests.simulators.fcm_oauth import OauthKnobs, ServiceAccount
from tests.simulators.pushy import PushyApp, PushySimulator
from tests.simulators.receiver import Endpoint, ReceiverSimulator
from tests.simulators.server import Listener, Mode
from tests.simulators.simulator import Simulator, SimulatorError
from tests.simulators.webpush import NewSubscription, WebPushSimulator

PAGE_MAX = 10_000
WAIT_SECONDS_MAX = 600.0
Reply = tuple[int, Any]
NO_CONTENT: Reply = (204, None)
NOT_FOUND: Reply = (404, {"error": "not found"})


class _Wait(msgspec.Struct, forbid_unknown_fields=True):
    count: int | None = None
    receipts: int | None = None
    timeout: float = 10.0
    notification_id: str | None = None


class _Latency(msgspec.Struct, forbid_unknown_fields=True):
    """The same for all, or the median of a log-normal distribution with that 99th percentile."""

    seconds: float
    p99: float | None = None


class _Leave(msgspec.Struct, forbid_unknown_fields=True):
    how: Leaving = "goaway"


class _Listening(msgspec.Struct, forbid_unknown_fields=True):
    mode: Mode


class Simulators:
    """The five, by name."""

    def __init__(self) -> None:
        self.apns = ApnsSimulator()
        self.fcm = FcmSimulator()
        self.webpush = WebPushSimulator()
        self.pushy = PushySimulator()
        self.receiver = ReceiverSimulator()
        self.by_name: dict[str, Simulator] = {
            "apns": self.apns,
            "fcm": self.fcm,
            "webpush": self.webpush,
            "pushy": self.pushy,
            "receiver": self.receiver,
        }


class Admin:
    """A Service like the simulators, but its answers may have to wait."""

    def __init__(self, simulators: Simulators, urls: dict[str, str]) -> None:
        self.policy = Http2Policy()
        self._simulators = simulators
        self._urls = urls
        self.listeners: dict[str, list[Listener]] = {}  # by simulator
        self._tasks: set[asyncio.Task[None]] = set()

    # -- Service

    def open_connection(self, label: str) -> Connection:
        return Connection(0, label)

    def close_connection(self, connection: Connection) -> None:
        pass

    def attach(self, link: Link) -> None:
        pass

    def detach(self, link: Link) -> None:
        pass

    def note_streams(self, count: int) -> None:
        pass

    def serve(self, request: SimRequest, exchange: Exchange) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(request, exchange))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- routes

    async def _answer(self, request: SimRequest, exchange: Exchange) -> None:
        try:
            status, content = await self._route(request)
        except (msgspec.DecodeError, SimulatorError, ValueError) as error:
            status, content = 400, {"error": str(error)}
        body = b"" if content is None else msgspec.json.encode(content)
        exchange.answer(SimResponse(status, body, [("content-type", "application/json")]))

    async def _route(self, request: SimRequest) -> Reply:
        parts = [unquote(part) for part in request.path.split("/") if part]
        if not parts:
            return 200, {"simulators": list(self._simulators.by_name), "urls": self._urls}
        if parts == ["reset"] and request.method == "POST":
            for simulator in self._simulators.by_name.values():
                simulator.reset()
            return NO_CONTENT
        chosen = self._simulators.by_name.get(parts[0])
        if chosen is None:
            return NOT_FOUND
        rest = [request.method, *parts[1:]]
        return (
            self._own_route(parts[0], rest, request.body)
            or self._inspect(chosen, rest, request)
            or self._script(chosen, rest, request.body)
            or await self._network(parts[0], rest, request.body)
            or (await self._wait(chosen, request.body) if rest == ["POST", "wait"] else NOT_FOUND)
        )

    def _inspect(self, simulator: Simulator, rest: list[str], request: SimRequest) -> Reply | None:
        match rest:
            case ["GET", "log"]:
                after, limit = (
                    int(request.query.get("after", "0")),
                    int(request.query.get("limit", "1000")),
                )
                entries = simulator.journal.page(after, min(limit, PAGE_MAX))
                shown = [entry.shown() for entry in entries]
                return 200, {"entries": shown, "next": entries[-1].n if entries else after}
            case ["GET", "stats"]:
                return 200, simulator.stats()
            case ["GET", "seen"]:
                entries = simulator.seen(request.query.get("notification_id", ""))
                return 200, {"entries": [entry.shown() for entry in entries]}
            case ["GET", "receipts"] if isinstance(simulator, ReceiverSimulator):
                query = request.query
                return 200, {
                    "receipts": simulator.receipts.list(
                        query.get("name"), query.get("notification_id")
                    )
                }
            case ["GET", "settings"]:
                return 200, simulator.configure({})
            case _:
                return None

    def _script(self, simulator: Simulator, rest: list[str], body: bytes) -> Reply | None:
        match rest:
            case ["POST", "rules"]:
                return 201, {
                    "id": simulator.rules.add(msgspec.json.decode(body, type=dict[str, Any]))
                }
            case ["GET", "rules"]:
                return 200, {"rules": simulator.rules.list()}
            case ["DELETE", "rules"]:
                simulator.rules.clear()
                return NO_CONTENT
            case ["DELETE", "rules", rule_id]:
                return NO_CONTENT if simulator.rules.remove(rule_id) else NOT_FOUND
            case ["POST", "reset"]:
                simulator.reset()
                return NO_CONTENT
            case ["PUT", "settings"]:
                return 200, simulator.configure(msgspec.json.decode(body, type=dict[str, Any]))
            case ["PUT", "devices", token]:
                return 200, simulator.put_device(token, msgspec.json.decode(body, type=Device))
            case ["GET", "devices", token]:
                return 200, simulator.devices.get(token)
            case _:
                return None

    async def _network(self, name: str, rest: list[str], body: bytes) -> Reply | None:
        """What becomes of connections, whatever the requests on them are."""
        simulator = self._simulators.by_name[name]
        match rest:
            case ["PUT", "latency"]:
                latency = msgspec.json.decode(body, type=_Latency)
                simulator.latency_seconds = latency.seconds
                simulator.latency_p99_seconds = latency.p99
                return 200, latency
            case ["POST", "leave"]:
                return 200, {"ended": simulator.leave(msgspec.json.decode(body, type=_Leave).how)}
            case ["PUT", "listening"]:
                mode = msgspec.json.decode(body, type=_Listening).mode
                simulator.leave("reset")
                for listener in self.listeners.get(name, []):
                    await listener.switch(mode)
                return 200, {"mode": mode}
            case _:
                return None

    async def _wait(self, simulator: Simulator, body: bytes) -> Reply:
        wanted = msgspec.json.decode(body, type=_Wait)
        seconds = min(wanted.timeout, WAIT_SECONDS_MAX)
        if wanted.receipts is not None and isinstance(simulator, ReceiverSimulator):
            is_there = await simulator.receipts.wait(
                wanted.receipts, wanted.notification_id, seconds
            )
            count = simulator.receipts.count(wanted.notification_id)
            return (200 if is_there else 408), {"receipts": count}
        if wanted.count is None:
            raise SimulatorError("count is missing")
        is_there = await simulator.journal.wait(wanted.count, wanted.notification_id, seconds)
        return (200 if is_there else 408), {
            "count": simulator.journal.accepted_of(wanted.notification_id)
        }

    # -- set-up that only one simulator has

    def _own_route(self, name: str, rest: list[str], body: bytes) -> Reply | None:
        routes: dict[str, Callable[[list[str], bytes], Reply | None]] = {
            "apns": self._apns,
            "fcm": self._fcm,
            "webpush": self._webpush,
            "pushy": self._pushy,
            "receiver": self._receiver,
        }
        return routes[name](rest, body)

    def _apns(self, rest: list[str], body: bytes) -> Reply | None:
        tokens = self._simulators.apns.tokens
        match rest:
            case ["PUT", "certificates"]:
                certificate = msgspec.json.decode(body, type=ApnsCertificate)
                self._simulators.apns.certificates.put(certificate)
                return NO_CONTENT
            case ["PUT", "keys"]:
                tokens.put_key(msgspec.json.decode(body, type=ApnsKey))
                return NO_CONTENT
            case ["DELETE", "keys", key_id]:
                return NO_CONTENT if tokens.remove_key(key_id) else NOT_FOUND
            case _:
                return None

    def _fcm(self, rest: list[str], body: bytes) -> Reply | None:
        oauth = self._simulators.fcm.oauth
        match rest:
            case ["PUT", "projects", project_id]:
                oauth.put_account(project_id, msgspec.json.decode(body, type=ServiceAccount))
                return NO_CONTENT
            case ["DELETE", "projects", project_id]:
                return NO_CONTENT if oauth.remove_project(project_id) else NOT_FOUND
            case ["PUT", "oauth"]:
                oauth.knobs = msgspec.json.decode(body, type=OauthKnobs)
                return 200, oauth.knobs
            case ["DELETE", "bearers"]:
                return 200, {"revoked": oauth.revoke_all()}
            case _:
                return None

    def _webpush(self, rest: list[str], body: bytes) -> Reply | None:
        if rest != ["POST", "subscriptions"]:
            return None
        return 201, self._simulators.webpush.subscribe(
            msgspec.json.decode(body or b"{}", type=NewSubscription)
        )

    def _pushy(self, rest: list[str], body: bytes) -> Reply | None:
        match rest:
            case ["PUT", "apps"]:
                self._simulators.pushy.put_app(msgspec.json.decode(body, type=PushyApp))
                return NO_CONTENT
            case ["DELETE", "apps", api_key]:
                return NO_CONTENT if self._simulators.pushy.remove_app(api_key) else NOT_FOUND
            case ["GET", "apps", api_key, "topics"]:
                topics = self._simulators.pushy.topics_of(api_key)
                return 200, {
                    str(row["name"]): topics.subscribers(str(row["name"]))
                    for row in topics.counts()
                }
            case _:
                return None

    def _receiver(self, rest: list[str], body: bytes) -> Reply | None:
        match rest:
            case ["PUT", "endpoints", name]:
                self._simulators.receiver.put_endpoint(
                    name, msgspec.json.decode(body, type=Endpoint)
                )
                return NO_CONTENT
            case ["DELETE", "endpoints", name]:
                return NO_CONTENT if self._simulators.receiver.remove_endpoint(name) else NOT_FOUND
            case _:
                return None
