"""Web Push: subscriptions with their own browser keys, and `POST /push/<id>`."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.simulators.devices import Device, State
from tests.simulators.exchange import Http2Policy, SimRequest, SimResponse
from tests.simulators.journal import readable
from tests.simulators.simulator import Call, Simulator, SimulatorError, Verdict
from tests.simulators.webpush_crypto import (
    BadBodyError,
    BadVapidError,
    VapidVerifier,
    decode_base64url,
    decrypt,
    encode_base64url,
    load_point,
)
from tests.simulators.webpush_personalities import (
    Personality,
    Trouble,
    accepted_response,
    scripted_response,
    trouble_response,
)
from tests.simulators.webpush_seen import Seen
from tests.simulators.webpush_store import Message, MessageStore

BODY_BYTES_MAX = 4096
TTL_SECONDS_MAX = 2_592_000
MESSAGE_HEADERS = ("ttl", "topic", "urgency", "content-encoding", "content-type")
PUSH = "/push/"
MESSAGE = "/message/"
URGENCIES = ("very-low", "low", "normal", "high")
TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
APPLE_SUB = re.compile(r"mailto:[^\s<>@]+@[^\s<>@]+\.[^\s<>@]+|https://[^\s/]+\.[^\s]+")

STATE_TROUBLE: dict[State, Trouble] = {
    "unregistered": "gone",
    "expired": "gone",
    "bad": "unknown",
    "mismatch": "vapid_key",
    "other_topic": "vapid_key",
    "other_environment": "unknown",
}


class NewSubscription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a new subscription is to be; `origin` when clients reach us under another name."""

    application_server_key: str | None = None
    personality: Personality = "rfc"
    id: str | None = None
    origin: str | None = None


class WebPushSettings(msgspec.Struct, forbid_unknown_fields=True):
    """Knobs."""

    streams: int = 100
    requires_vapid: bool = True  # also for subscriptions without an applicationServerKey
    ttl_seconds_max: int = TTL_SECONDS_MAX
    time_scale: float = 1.0  # TTLs, and Apple's hour, end so many times sooner


@dataclass(frozen=True, slots=True)
class _Subscription:
    private: ec.EllipticCurvePrivateKey
    public: bytes
    auth: bytes
    origin: str
    personality: Personality
    server_key: bytes | None


@dataclass(frozen=True, slots=True)
class _Content:
    subscription: _Subscription | None
    is_decrypted: bool


class WebPushSimulator(Simulator):
    """Plays the push service and, holding the keys, the browser behind it."""

    def __init__(self) -> None:
        super().__init__(Http2Policy(streams=100))
        self.settings: WebPushSettings = WebPushSettings()
        self.origin = "https://localhost"  # set once the port is known
        self._store = MessageStore()
        self._subscriptions: dict[str, _Subscription] = {}
        self._vapid = VapidVerifier()
        self.forget()

    # -- set-up

    def subscribe(self, wanted: NewSubscription) -> dict[str, Any]:
        """A new subscription as a browser would hand it out."""
        try:
            server_key = (
                decode_base64url(wanted.application_server_key.rstrip("="))
                if wanted.application_server_key
                else None
            )
            if server_key is not None:
                load_point(server_key)
        except ValueError as error:
            raise SimulatorError(f"application_server_key: {error}") from error
        subscription_id = wanted.id or secrets.token_urlsafe(24)
        if not re.fullmatch(r"[A-Za-z0-9_.~-]{1,1000}", subscription_id):
            raise SimulatorError("id must be URL-safe")
        private = ec.generate_private_key(ec.SECP256R1())
        point = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        made = _Subscription(
            private,
            private.public_key().public_bytes(*point),
            secrets.token_bytes(16),
            wanted.origin or self.origin,
            wanted.personality,
            server_key,
        )
        self._subscriptions[subscription_id] = made
        keys = {"p256dh": encode_base64url(made.public), "auth": encode_base64url(made.auth)}
        endpoint = f"{made.origin}{PUSH}{subscription_id}"
        return {
            "id": subscription_id,
            "subscription": {"endpoint": endpoint, "expirationTime": None, "keys": keys},
        }

    # -- Simulator

    def read(self, request: SimRequest) -> Call:
        if not request.path.startswith(PUSH):
            return Call(is_send=False)
        subscription_id = request.path[len(PUSH) :]
        subscription = self._subscriptions.get(subscription_id)
        call = Call(
            devices=(subscription_id,),
            content=_Content(subscription, is_decrypted=not request.body),
        )
        if subscription is None or not request.body:
            return call
        try:
            call.payload = decrypt(
                request.body, subscription.private, subscription.public, subscription.auth
            )
        except BadBodyError:
            return call
        call.content = _Content(subscription, is_decrypted=True)
        _describe(call)
        return call

    def judge(self, request: SimRequest, call: Call) -> Verdict:
        if not call.is_send:
            return Verdict(self._manage_message(request), accepted=False)
        content: _Content = call.content
        personality: Personality = (
            content.subscription.personality if content.subscription else "rfc"
        )
        trouble = self._trouble(request, call, content)
        if trouble is not None:
            return Verdict(trouble_response(personality, trouble), accepted=False, reason=trouble)
        assert content.subscription is not None
        message_id = secrets.token_urlsafe(18)
        ttl = min(int(request.headers["ttl"]), self.settings.ttl_seconds_max)
        response, shown_id = accepted_response(
            personality, f"{content.subscription.origin}{MESSAGE}{message_id}", ttl
        )
        fate = self._hand_over(request, call.devices[0], message_id, ttl)
        self._seen.count(request, content.subscription.origin)
        return Verdict(response, accepted=True, id=shown_id, note={"fate": fate})

    def put_device(self, token: str, device: Device) -> Device:
        """Set a subscription's state; a browser that is online again gets what waits for it."""
        if device.presence == "online":
            self._store.deliver(token)
        return super().put_device(token, device)

    def refusal(
        self,
        request: SimRequest,  # noqa: ARG002 - other providers look at it
        call: Call,
        status: int,
        reason: str | None,
    ) -> SimResponse:
        content = call.content
        personality: Personality = "rfc"
        if isinstance(content, _Content) and content.subscription is not None:
            personality = content.subscription.personality
        return scripted_response(personality, status, reason)

    def extra_stats(self) -> dict[str, Any]:
        return {
            "subscriptions": len(self._subscriptions),
            **self._seen.stats(),
            "messages": self._store.stats(),
        }

    def forget(self) -> None:
        self._seen = Seen(self.settings.time_scale)
        self._store.clear()

    def configure(self, changes: dict[str, Any]) -> dict[str, Any]:
        shown = super().configure(changes)
        self.policy.streams = self.settings.streams
        self._store.time_scale = self._seen.time_scale = self.settings.time_scale
        return shown

    # -- checks

    def _trouble(self, request: SimRequest, call: Call, content: _Content) -> Trouble | None:
        subscription = content.subscription
        if request.method != "POST":
            return "method"
        device = self.devices.get(call.devices[0])
        if subscription is None and device.state == "active":
            return "unknown"
        if trouble := _header_trouble(request, subscription.personality if subscription else "rfc"):
            return trouble
        if subscription is not None and (trouble := self._vapid_trouble(request, subscription)):
            return trouble
        if trouble := STATE_TROUBLE.get(device.state):
            return trouble
        if subscription is None:
            return "unknown"
        if not content.is_decrypted:
            return "undecryptable"
        return "unavailable" if self.devices.fails_once(call.devices[0]) else None

    def _vapid_trouble(self, request: SimRequest, subscription: _Subscription) -> Trouble | None:
        header = request.headers.get("authorization")
        if not header:
            is_needed = subscription.server_key is not None or self.settings.requires_vapid
            return "vapid_missing" if is_needed else None
        try:
            claims = self._vapid.check(header, subscription.origin, subscription.server_key)
        except BadVapidError as error:
            return {"scheme": "vapid_missing", "key": "vapid_key"}.get(error.kind, "vapid_bad")  # type: ignore[return-value]
        if request.body and request.body[21:86] == self._vapid.key_of(header):
            return "same_keys"
        contact = claims.get("sub")
        is_contact = isinstance(contact, str) and contact.startswith(("mailto:", "https:"))
        if subscription.personality == "apple":
            is_contact = isinstance(contact, str) and APPLE_SUB.fullmatch(contact) is not None
        return None if is_contact else "vapid_sub"

    def _hand_over(self, request: SimRequest, device: str, message_id: str, ttl: int) -> str:
        if self.devices.get(device).presence == "online":
            self._store.pass_on(message_id, device)
            return "delivered"
        shown = [pair for pair in request.header_list if pair[0] in MESSAGE_HEADERS]
        topic = request.headers.get("topic")
        message = Message(device, topic, body=request.body, headers=shown)
        return self._store.keep(message_id, message, ttl)

    def _manage_message(self, request: SimRequest) -> SimResponse:
        """The message resource of RFC 8030: GET as in §6.1 while it waits, DELETE as in §7.2."""
        message_id = request.path.removeprefix(MESSAGE)
        if not request.path.startswith(MESSAGE):
            return SimResponse(404)
        match request.method:
            case "GET":
                waiting = self._store.get(message_id)
                if waiting is None:
                    return SimResponse(404)
                return SimResponse(200, waiting.body or b"", list(waiting.headers))
            case "DELETE":
                return SimResponse(204 if self._store.remove(message_id) else 404)
            case _:
                return SimResponse(405, b"", [("allow", "GET, DELETE")])


def _header_trouble(request: SimRequest, personality: Personality) -> Trouble | None:
    headers = request.headers
    ttl = headers.get("ttl")
    if ttl is None:
        return "missing_ttl"
    if not re.fullmatch(r"[0-9]+", ttl):
        return "bad_ttl"
    if personality == "wns" and int(ttl) == 0 and headers.get("x-wns-cache-policy") != "no-cache":
        return "ttl_conflict"
    if headers.get("urgency", "normal") not in URGENCIES:
        return "bad_urgency"
    topic = headers.get("topic")
    if topic is not None and not _is_topic(topic, personality):
        return "bad_topic"
    if request.body and headers.get("content-encoding") != "aes128gcm":
        return "bad_encoding"
    return "too_large" if len(request.body) > BODY_BYTES_MAX else None


def _is_topic(topic: str, personality: Personality) -> bool:
    is_decodable = personality != "apple" or len(topic) % 4 != 1
    return TOPIC.fullmatch(topic) is not None and is_decodable


def _describe(call: Call) -> None:
    content = readable(call.payload)
    if not isinstance(content, dict):
        return
    notification_id = content.get("notification_id")
    if isinstance(notification_id, str):
        call.notification_ids = (notification_id,)
    shown = content.get("notification")
    title = shown.get("title") if isinstance(shown, dict) else content.get("title")
    call.title = title if isinstance(title, str) else None
