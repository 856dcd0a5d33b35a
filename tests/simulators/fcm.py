"""FCM HTTP v1: `messages:send`, and Google's OAuth at `/token`."""

from __future__ import annotations

import re
import secrets
import time
from collections import Counter
from typing import Any

import msgspec

from tests.simulators.devices import State
from tests.simulators.exchange import Http2Policy, SimRequest, SimResponse
from tests.simulators.fcm_errors import fcm_error
from tests.simulators.fcm_message import parse_request
from tests.simulators.fcm_oauth import OauthServer
from tests.simulators.simulator import HTML, Call, Simulator, Verdict

SEND = re.compile(r"/v1/projects/([^/]+)/messages:send")
TOKEN_PATH = "/token"

STATE_REASON: dict[State, str] = {
    "unregistered": "UNREGISTERED",
    "expired": "UNREGISTERED",
    "bad": "INVALID_ARGUMENT",
    "mismatch": "SENDER_ID_MISMATCH",
    "other_topic": "SENDER_ID_MISMATCH",
    "other_environment": "SENDER_ID_MISMATCH",
    "apns_missing": "THIRD_PARTY_AUTH_ERROR",
}


# Google's own limits; off unless set, so that a test may send as it likes.
GOOGLE_LIMITS = {
    "project_per_minute": 600_000,
    "device_per_minute": 240,
    "device_per_hour": 5_000,
    "topic_fanouts_per_minute": 1_000,
    "collapsible_burst": 20,
}
COLLAPSIBLE_REFILL_SECONDS = 180


class FcmSettings(msgspec.Struct, forbid_unknown_fields=True):
    """Knobs; null = no limit. Buckets refill in full each minute, or hour.

    A collapsible message beyond its burst is accepted and delivered late, as Google does: the log
    says `delayed`.
    """

    streams: int = 100
    project_per_minute: int | None = None
    device_per_minute: int | None = None
    device_per_hour: int | None = None
    topic_fanouts_per_minute: int | None = None
    collapsible_burst: int | None = None


class FcmSimulator(Simulator):
    """Projects share one device registry; a bearer opens only its own project."""

    def __init__(self) -> None:
        super().__init__(Http2Policy(streams=100, on_excess="goaway"))
        self.settings: FcmSettings = FcmSettings()
        self.oauth = OauthServer()
        self._used: Counter[tuple[str, str, int]] = Counter()  # kind, name, number of the window
        self._collapsible: dict[str, tuple[float, float]] = {}  # what is left, and when

    # -- Simulator

    def read(self, request: SimRequest) -> Call:
        if request.path == TOKEN_PATH:
            return Call(is_send=False)
        parsed = parse_request(request.body)
        call = Call(payload=request.body, content=parsed)
        message = (
            parsed.get("message") if isinstance(parsed, dict) else _loose_message(request.body)
        )
        if isinstance(message, dict):
            call.devices = tuple(
                str(message[name])
                for name in ("token", "topic", "condition", "fid")
                if message.get(name)
            )[:1]
            notification_id = _dig(message, "data", "notification_id")
            call.notification_ids = (notification_id,) if notification_id else ()
            call.title = _dig(message, "notification", "title")
        return call

    def judge(self, request: SimRequest, call: Call) -> Verdict:
        if request.path == TOKEN_PATH:
            return Verdict(self.oauth.exchange(request), accepted=False)
        fault = self._fault(request, call)
        if isinstance(fault, str):
            return Verdict(fcm_error(fault), accepted=False, reason=fault)
        if fault is not None:
            return Verdict(
                fault, accepted=False, reason="BAD_REQUEST" if fault.status == 400 else None
            )
        project_id = request.path.split("/")[3]
        is_dry_run = bool(call.content.get("validate_only"))
        name = f"projects/{project_id}/messages/" + (
            "fake_message_id" if is_dry_run else f"0:{secrets.token_hex(16)}"
        )
        response = SimResponse(
            200,
            msgspec.json.encode({"name": name}),
            [("content-type", "application/json; charset=UTF-8")],
        )
        return Verdict(
            response,
            accepted=not is_dry_run,
            id=name,
            note={"validate_only": True} if is_dry_run else self._delay(call),
        )

    def refusal(
        self,
        request: SimRequest,
        call: Call,  # noqa: ARG002 - other providers look at it
        status: int,
        reason: str | None,
    ) -> SimResponse:
        if request.path == TOKEN_PATH:
            content = {
                "error": reason or "temporarily_unavailable",
                "error_description": "scripted failure",
            }
            return SimResponse(
                status,
                msgspec.json.encode(content),
                [("content-type", "application/json; charset=utf-8")],
            )
        return fcm_error(reason, status)

    def extra_stats(self) -> dict[str, Any]:
        return {
            "token_requests": self.oauth.token_requests,
            "tokens_issued": self.oauth.tokens_issued,
        }

    def forget(self) -> None:
        self.oauth.token_requests = self.oauth.tokens_issued = 0
        self._used.clear()
        self._collapsible.clear()

    def configure(self, changes: dict[str, Any]) -> dict[str, Any]:
        shown = super().configure(changes)
        self.policy.streams = self.settings.streams
        return shown

    # -- checks

    def _fault(self, request: SimRequest, call: Call) -> str | SimResponse | None:
        found = SEND.fullmatch(request.path)
        if found is None or request.method != "POST":
            return SimResponse(
                404,
                HTML.replace(b"502 Bad Gateway", b"404 Not Found"),
                [("content-type", "text/html; charset=UTF-8")],
            )
        header = request.headers.get("authorization")
        project_id = self.oauth.project_of(header)
        if project_id is None:
            return "UNAUTHENTICATED" if header else "MISSING_CREDENTIAL"
        if project_id != found[1]:
            return "PERMISSION_DENIED" if self.oauth.knows_project(found[1]) else "NOT_FOUND"
        if isinstance(call.content, SimResponse):
            return call.content
        return self._quota_fault(project_id, call) or self._device_fault(call)

    def _quota_fault(self, project_id: str, call: Call) -> str | None:
        knobs, target = self.settings, call.devices[0]
        is_device = "token" in call.content["message"]
        limits = (
            ("project", project_id, 60, knobs.project_per_minute),
            ("device", target, 60, knobs.device_per_minute if is_device else None),
            ("device", target, 3_600, knobs.device_per_hour if is_device else None),
            ("topic", target, 60, None if is_device else knobs.topic_fanouts_per_minute),
        )
        for kind, name, window_seconds, limit in limits:
            if limit is None:
                continue
            window = (f"{kind} {window_seconds}", name, int(time.time() // window_seconds))
            self._used[window] += 1
            if self._used[window] > limit:
                return "RATE_LIMIT_EXCEEDED" if kind == "project" else "QUOTA_EXCEEDED"
        return None

    def _delay(self, call: Call) -> dict[str, Any] | None:
        """What becomes of a collapsible message: a bucket per device, one more in three minutes."""
        burst = self.settings.collapsible_burst
        android = call.content["message"].get("android")
        if burst is None or not isinstance(android, dict) or not android.get("collapse_key"):
            return None
        now = time.time()
        left, since = self._collapsible.get(call.devices[0], (float(burst), now))
        left = min(float(burst), left + (now - since) / COLLAPSIBLE_REFILL_SECONDS)
        self._collapsible[call.devices[0]] = (max(0.0, left - 1), now)
        return None if left >= 1 else {"delayed": True}

    def _device_fault(self, call: Call) -> str | None:
        target = call.devices[0]
        if "token" not in call.content["message"]:
            return None
        if not re.fullmatch(r"[\x21-\x7e]{1,4096}", target):
            return "INVALID_ARGUMENT"
        if reason := STATE_REASON.get(self.devices.get(target).state):
            return reason
        return "UNAVAILABLE" if self.devices.fails_once(target) else None


def _loose_message(body: bytes) -> object:
    """The message of a request that is wrong elsewhere: rules and the log name its device."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return content.get("message") if isinstance(content, dict) else None


def _dig(content: dict[str, Any], *names: str) -> str | None:
    value: Any = content
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None
