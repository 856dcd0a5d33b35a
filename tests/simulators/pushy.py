"""Pushy.me: push, topics, presence, device info, deletion (pushy.me/docs/api)."""

from __future__ import annotations

import re
import secrets
import time
from collections import defaultdict, deque
from typing import Any

import msgspec

from tests.simulators.devices import Device, State
from tests.simulators.exchange import Http2Policy, SimRequest, SimResponse
from tests.simulators.pushy_pending import Pushes
from tests.simulators.pushy_push import (
    CODE_BY_STATUS,
    CODES,
    TOKEN,
    TOPICS_MAX,
    PushyFault,
    check_push,
)
from tests.simulators.pushy_topics import ALL, TOPIC_NAME, Topics
from tests.simulators.simulator import Call, Recipient, Simulator, Verdict

PRESENCE_MAX = 1000
MINUTE_SECONDS = 60.0
UNKNOWN_STATES: tuple[State, ...] = (
    "unregistered",
    "bad",
    "expired",
    "mismatch",
    "other_topic",
    "other_environment",
)


class PushyApp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One app, named by its secret key."""

    api_key: str
    apns_configured: bool = True


class PushySettings(msgspec.Struct, forbid_unknown_fields=True):
    """Knobs; `statuses` maps a code to the HTTP status to use."""

    statuses: dict[str, int] = {}
    page_size: int = 1000
    bad_keys_max: int = 100  # after so many, AUTH_LIMIT_EXCEEDED until a reset
    streams: int = 100
    time_scale: float = 1.0  # time_to_live and schedule end so many times sooner
    pushes_per_minute: int | None = None  # of one app; beyond, RATE_LIMIT_EXCEEDED
    retry_after: str | None = None  # said with RATE_LIMIT_EXCEEDED


class PushySimulator(Simulator):
    """Apps have own topics; devices are one open registry."""

    def __init__(self) -> None:
        super().__init__(Http2Policy(streams=100))
        self.settings: PushySettings = PushySettings()
        self._apps: dict[str, PushyApp] = {}
        self._topics: defaultdict[str, Topics] = defaultdict(Topics)
        self._pushes = Pushes(lambda token: self.devices.get(token).presence == "online")
        self._times: defaultdict[str, deque[float]] = defaultdict(deque)
        self._bad_keys = 0
        self.other_requests = 0

    def put_app(self, app: PushyApp) -> None:
        """Register or change an app."""
        self._apps[app.api_key] = app

    def remove_app(self, api_key: str) -> bool:
        """Make its key invalid; false when unknown."""
        return self._apps.pop(api_key, None) is not None

    def topics_of(self, api_key: str) -> Topics:
        """The topics of an app, for tests to look into."""
        return self._topics[api_key]

    # -- Simulator

    def read(self, request: SimRequest) -> Call:
        content = _json_object(request.body)
        is_push = _parts(request) == ["push"] and request.method == "POST"
        call = Call(payload=request.body, content=content, is_send=is_push)
        if content is None:
            return call
        if not is_push:
            token = content.get("token")
            call.devices = (token,) if isinstance(token, str) else ()
            return call
        to = content.get("to")
        call.devices = tuple(
            item for item in (to if isinstance(to, list) else [to]) if isinstance(item, str)
        )
        data = content.get("data")
        if isinstance(data, dict):
            notification_id, title = data.get("notification_id"), data.get("title")
            call.notification_ids = (notification_id,) if isinstance(notification_id, str) else ()
            call.title = title if isinstance(title, str) else None
        return call

    def judge(self, request: SimRequest, call: Call) -> Verdict:
        try:
            app = self._authenticate(request)
            if call.is_send:
                return self._push(app, call)
            self.other_requests += 1
            return Verdict(_json(200, self._manage(request, app, call.content)), accepted=False)
        except PushyFault as fault:
            return Verdict(
                self._error(fault.code, text=fault.text), accepted=False, reason=fault.code
            )

    def refusal(
        self,
        request: SimRequest,  # noqa: ARG002 - other providers look at it
        call: Call,  # noqa: ARG002 - other providers look at it
        status: int,
        reason: str | None,
    ) -> SimResponse:
        return self._error(reason or CODE_BY_STATUS.get(status, "INTERNAL_SERVER_ERROR"), status)

    def put_device(self, token: str, device: Device) -> Device:
        """Set a device's state; one that is online gets what waits for it."""
        put = super().put_device(token, device)
        if put.presence == "online":
            self._pushes.deliver(token)
        return put

    def configure(self, changes: dict[str, Any]) -> dict[str, Any]:
        shown = super().configure(changes)
        self._pushes.time_scale = self.settings.time_scale
        return shown

    def extra_stats(self) -> dict[str, Any]:
        return {"other_requests": self.other_requests}

    def forget(self) -> None:
        self._pushes.clear()
        self._times.clear()
        self._topics.clear()
        self._bad_keys = self.other_requests = 0

    # -- push

    def _push(self, app: PushyApp, call: Call) -> Verdict:
        self._limit(app)
        content = check_push(call.content)
        tokens = self._recipients(app, content["to"])
        devices = {token: self.devices.get(token) for token in tokens}
        failed = [
            token
            for token, device in devices.items()
            if device.state in UNKNOWN_STATES or not TOKEN.fullmatch(token)
        ]
        if len(failed) == len(devices):
            raise PushyFault("NO_RECIPIENTS")
        if any(
            device.state == "apns_missing" or (device.platform == "ios" and not app.apns_configured)
            for device in devices.values()
        ):
            raise PushyFault("NO_APNS_AUTH")
        if any(self.devices.fails_once(token) for token in tokens):
            return Verdict(
                self._error("INTERNAL_SERVER_ERROR", 503),
                accepted=False,
                reason="INTERNAL_SERVER_ERROR",
            )
        push_id = secrets.token_hex(12)
        missing = set(failed)
        reached = [token for token in devices if token not in missing]
        self._pushes.add(app.api_key, push_id, content, reached)
        info = {"devices": len(reached), "failed": failed}
        recipients = [
            Recipient(token, token not in missing, "failed" if token in missing else None)
            for token in devices
        ]
        if str(call.devices[0]).startswith("/topics/"):
            recipients = [Recipient(topic, accepted=True) for topic in call.devices]
        return Verdict(
            _json(200, {"success": True, "id": push_id, "info": info}),
            True,
            id=push_id,
            recipients=recipients,
        )

    def _recipients(self, app: PushyApp, to: str | list[str]) -> list[str]:
        """The tokens, each once; topics stand for their subscribers."""
        targets = [to] if isinstance(to, str) else to
        topics = [
            target.removeprefix("/topics/") for target in targets if target.startswith("/topics/")
        ]
        if not topics:
            return list(dict.fromkeys(targets))
        if len(topics) != len(targets) or len(topics) > TOPICS_MAX:
            raise PushyFault("INVALID_PARAM", "Specify tokens or at most 100 topics.")
        tokens = [
            token for topic in topics for token in self._topics[app.api_key].subscribers(topic)
        ]
        if not tokens:
            raise PushyFault("NO_RECIPIENTS")
        return list(dict.fromkeys(tokens))

    def _limit(self, app: PushyApp) -> None:
        most = self.settings.pushes_per_minute
        if most is None:
            return
        times, now = self._times[app.api_key], time.monotonic()
        while times and times[0] <= now - MINUTE_SECONDS / self.settings.time_scale:
            times.popleft()
        if len(times) >= most:
            raise PushyFault("RATE_LIMIT_EXCEEDED")
        times.append(now)

    # -- everything else

    def _manage(
        self, request: SimRequest, app: PushyApp, content: dict[str, Any] | None
    ) -> dict[str, Any]:
        match request.method, _parts(request):
            case "POST", ["topics" | "devices", "subscribe" | "unsubscribe" as verb]:
                return self._change_topics(app, verb, content or {})
            case "GET", ["topics"]:
                return {"topics": self._topics[app.api_key].counts()}
            case "GET", ["topics", topic]:
                return self._subscribers(app, topic, request.query.get("page", "1"))
            case "POST", ["devices", "presence"]:
                return self._presence(content or {})
            case "GET", ["devices", token]:
                return self._device_info(app, token)
            case ("GET" | "DELETE") as method, ["pushes" | "push", push_id]:
                return self._pushed(app, method, push_id)
            case _:
                raise PushyFault("INVALID_PARAM", "No such endpoint.")

    def _change_topics(self, app: PushyApp, verb: str, content: dict[str, Any]) -> dict[str, Any]:
        token, topics = content.get("token"), content.get("topics")
        names = [topics] if isinstance(topics, str) else topics
        if not isinstance(token, str) or not isinstance(names, list) or not names:
            raise PushyFault("INVALID_PARAM")
        is_name = [
            isinstance(name, str)
            and (TOPIC_NAME.fullmatch(name) or (verb == "unsubscribe" and name == ALL))
            for name in names
        ]
        if not all(is_name):
            raise PushyFault("INVALID_PARAM", "Topics must match [a-zA-Z0-9-_.]+")
        self._known(token)
        mine = self._topics[app.api_key]
        (mine.subscribe if verb == "subscribe" else mine.unsubscribe)(token, names)
        return {"success": True}

    def _subscribers(self, app: PushyApp, topic: str, page: str) -> dict[str, Any]:
        if not TOPIC_NAME.fullmatch(topic) or not re.fullmatch(r"[1-9][0-9]{0,6}", page):
            raise PushyFault("INVALID_PARAM")
        tokens = self._topics[app.api_key].subscribers(topic)
        end = int(page) * self.settings.page_size
        answer: dict[str, Any] = {"subscribers": tokens[end - self.settings.page_size : end]}
        if len(tokens) > end:
            # As documented: a path relative to the host, with the key in it.
            answer["pagination"] = f"/topics/{topic}?api_key={app.api_key}&page={int(page) + 1}"
        return answer

    def _presence(self, content: dict[str, Any]) -> dict[str, Any]:
        tokens = content.get("tokens")
        if not isinstance(tokens, list) or not 1 <= len(tokens) <= PRESENCE_MAX:
            raise PushyFault("INVALID_PARAM")
        known = [
            token
            for token in tokens
            if isinstance(token, str) and self.devices.get(token).state not in UNKNOWN_STATES
        ]
        if not known:
            raise PushyFault("NO_RESULTS")
        return {
            "presence": [
                {"id": token, "last_active": int(time.time()), **_seen(self.devices.get(token))}
                for token in known
            ]
        }

    def _device_info(self, app: PushyApp, token: str) -> dict[str, Any]:
        device = self._known(token)
        now = int(time.time())
        presence = {"last_active": {"date": now, "seconds_ago": 0}, **_seen(device)}
        return {
            "device": {"date": now - 86_400, "platform": device.platform},
            "presence": presence,
            "pending_notifications": self._pushes.waiting_for(app.api_key, token),
            "subscriptions": self._topics[app.api_key].of(token),
        }

    def _pushed(self, app: PushyApp, method: str, push_id: str) -> dict[str, Any]:
        push = self._pushes.of(app.api_key, push_id)
        if push is None:
            raise PushyFault("INVALID_PUSH_ID")
        if method == "GET":
            return {"push": push}
        self._pushes.remove(app.api_key, push_id)
        return {"success": True}

    # -- helpers

    def _authenticate(self, request: SimRequest) -> PushyApp:
        app = self._apps.get(request.query.get("api_key", ""))
        if app is None:
            self._bad_keys += 1
            raise PushyFault(
                "AUTH_LIMIT_EXCEEDED"
                if self._bad_keys > self.settings.bad_keys_max
                else "INVALID_API_KEY"
            )
        return app

    def _known(self, token: str) -> Device:
        device = self.devices.get(token)
        if device.state in UNKNOWN_STATES or not TOKEN.fullmatch(token):
            raise PushyFault("INVALID_DEVICE_TOKEN")
        return device

    def _error(self, code: str, status: int | None = None, text: str | None = None) -> SimResponse:
        usual, usual_text = CODES.get(code, (500, code))
        response = _json(
            status or self.settings.statuses.get(code, usual),
            {"code": code, "error": text or usual_text},
        )
        if code == "RATE_LIMIT_EXCEEDED" and self.settings.retry_after is not None:
            response.headers.append(("retry-after", self.settings.retry_after))
        return response


def _seen(device: Device) -> dict[str, bool]:
    seen = {"online": device.presence == "online"}
    return seen | (
        {device.presence: True} if device.presence in ("uninstalled", "unsubscribed") else {}
    )


def _parts(request: SimRequest) -> list[str]:
    return [part for part in request.path.split("/") if part]  # a trailing slash is tolerated


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return content if isinstance(content, dict) else None


def _json(status: int, content: object) -> SimResponse:
    return SimResponse(
        status, msgspec.json.encode(content), [("content-type", "application/json; charset=utf-8")]
    )
