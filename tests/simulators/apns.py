"""APNs: `POST /3/device/<token>` with Apple's documented answers (Apple's documentation)."""

from __future__ import annotations

import re
import time
import uuid
from collections import Counter
from typing import Any, ClassVar

import msgspec

from tests.simulators.apns_certificates import ApnsCertificate, ApnsCertificates
from tests.simulators.apns_tokens import ApnsKey, ApnsSettings, ProviderTokens, TokenUse
from tests.simulators.devices import Device, State
from tests.simulators.exchange import Exchange, Http2Policy, SimRequest, SimResponse
from tests.simulators.simulator import Call, Simulator, Verdict

PREFIX = "/3/device/"
TOKEN = re.compile(r"(?:[0-9a-fA-F]{2}){32,100}")
APNS_ID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
COLLAPSE_ID_BYTES_MAX = 64
PAYLOAD_BYTES_MAX = 4096
VOIP_PAYLOAD_BYTES_MAX = 5120

# push type -> what the topic adds to the bundle id (Apple: Sending notification requests to APNs)
TOPIC_SUFFIX = {
    "alert": "",
    "background": "",
    "voip": ".voip",
    "pushtotalk": ".voip-ptt",
    "complication": ".complication",
    "fileprovider": ".pushkit.fileprovider",
    "location": ".location-query",
    "liveactivity": ".push-type.liveactivity",
    "controls": ".push-type.controls",
    "widgets": ".push-type.widgets",
    "mdm": "",
}

# reason -> status (Apple: Handling notification responses from APNs); what is not here is 400
STATUS = {
    "BadCertificate": 403,
    "BadCertificateEnvironment": 403,
    "BadEnvironmentKeyIdInToken": 403,
    "BadEnvironmentKeyInToken": 403,
    "ExpiredProviderToken": 403,
    "Forbidden": 403,
    "InvalidProviderToken": 403,
    "MissingProviderToken": 403,
    "UnrelatedKeyIdInToken": 403,
    "BadPath": 404,
    "MethodNotAllowed": 405,
    "ExpiredToken": 410,
    "Unregistered": 410,
    "PayloadTooLarge": 413,
    "TooManyProviderTokenUpdates": 429,
    "TooManyRequests": 429,
    "InternalServerError": 500,
    "ServiceUnavailable": 503,
    "Shutdown": 503,
}

# device state -> reason; other_environment depends on the listener
STATE_REASON: dict[State, str] = {
    "unregistered": "Unregistered",
    "expired": "ExpiredToken",
    "bad": "BadDeviceToken",
    "other_topic": "DeviceTokenNotForTopic",
    "mismatch": "DeviceTokenNotForTopic",
    "apns_missing": "Forbidden",
}


class ApnsSimulator(Simulator):
    """Two listeners, labelled `production` and `sandbox`, share one device registry."""

    magic_prefixes: ClassVar[dict[str, State]] = {"dead": "unregistered", "bad0": "bad"}
    once_mark = "503503"  # tokens are hex: `503once` cannot occur in one

    def __init__(self) -> None:
        super().__init__(Http2Policy(streams=1000, initial_streams=1))
        self.settings: ApnsSettings = ApnsSettings()
        self.tokens = ProviderTokens()
        self.certificates = ApnsCertificates()
        self._bad_tokens: Counter[int] = Counter()  # by connection

    # -- Simulator

    def read(self, request: SimRequest) -> Call:
        token = request.path[len(PREFIX) :].lower() if request.path.startswith(PREFIX) else ""
        call = Call(devices=(token,) if token else (), payload=request.body)
        try:
            content = msgspec.json.decode(request.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return call
        if isinstance(content, dict):
            call.content = content
            notification_id = content.get("notification_id")
            if isinstance(notification_id, str):
                call.notification_ids = (notification_id,)
            call.title = _title(content.get("aps"))
        return call

    def judge(self, request: SimRequest, call: Call) -> Verdict:
        apns_id = request.headers.get("apns-id")
        if apns_id is None or not APNS_ID.fullmatch(apns_id):
            apns_id_out = str(uuid.uuid4()).upper()  # upper case is what the field has seen
        else:
            apns_id_out = apns_id
        device = self.devices.get(call.devices[0]) if call.devices else Device()
        reason = self._fault(request, call, device)
        headers = [] if self.settings.omits_apns_id else [("apns-id", apns_id_out)]
        if reason is None:
            if request.connection.label == "sandbox":
                headers.append(("apns-unique-id", str(uuid.uuid4())))
            return Verdict(SimResponse(200, b"", headers), accepted=True, id=apns_id_out)
        if reason == "BadDeviceToken":
            self._bad_tokens[request.connection.number] += 1
        response = _error(STATUS.get(reason, 400), reason, device.timestamp_ms, headers)
        return Verdict(response, accepted=False, reason=reason, id=apns_id_out)

    def refusal(
        self, request: SimRequest, call: Call, status: int, reason: str | None
    ) -> SimResponse:
        headers = [("apns-id", request.headers.get("apns-id") or str(uuid.uuid4()).upper())]
        stamp = None
        if status == 410 and call.devices:
            stamp = self.devices.get(call.devices[0]).timestamp_ms or int(time.time() * 1000)
        return _error(status, reason or _default_reason(status), stamp, headers)

    def extra_stats(self) -> dict[str, Any]:
        return {
            "distinct_jwts": len(self.tokens.distinct),
            "jwts_per_connection": self.tokens.most_on_a_connection,
        }

    def forget(self) -> None:
        self.tokens.forget_uses()
        self._bad_tokens.clear()

    def serve(self, request: SimRequest, exchange: Exchange) -> None:
        super().serve(request, exchange)
        most = self.settings.bad_tokens_per_connection
        if most is not None and self._bad_tokens[request.connection.number] >= most:
            self._bad_tokens[request.connection.number] = 0
            exchange.goaway(is_processed=True)

    def put_device(self, token: str, device: Device) -> Device:
        return self.devices.put(token.lower(), device)

    def configure(self, changes: dict[str, Any]) -> dict[str, Any]:
        shown = super().configure(changes)
        knobs = self.settings
        self.policy.initial_streams, self.policy.streams = knobs.initial_streams, knobs.streams
        self.policy.shrinks_on_403, self.policy.on_excess = knobs.shrinks_on_403, knobs.on_excess
        self.policy.window_bytes = knobs.window_bytes
        return shown

    # -- checks: each returns a documented reason or None. Apple documents no order.

    def _fault(self, request: SimRequest, call: Call, device: Device) -> str | None:
        if reason := _shape_fault(request):
            return reason
        sender = self._authenticate(request)
        if isinstance(sender, str):
            return sender
        if (
            reason := _topic_fault(request, sender)
            or _header_fault(request)
            or _payload_fault(request, call)
        ):
            return reason
        return self._device_fault(request, call, device)

    def _authenticate(self, request: SimRequest) -> ApnsKey | ApnsCertificate | str:
        connection = request.connection
        if connection.certificate is not None:
            return self.certificates.check(connection.certificate, connection.label)
        if not isinstance(connection.session, TokenUse):
            connection.session = TokenUse()
        header = request.headers.get("authorization")
        return self.tokens.check(header, connection.session, connection.label, self.settings)

    def _device_fault(self, request: SimRequest, call: Call, device: Device) -> str | None:
        token = call.devices[0] if call.devices else ""
        if not TOKEN.fullmatch(token):
            return "BadDeviceToken"
        if device.state == "other_environment":
            return None if device.environment == request.connection.label else "BadDeviceToken"
        if reason := STATE_REASON.get(device.state):
            return reason
        return "ServiceUnavailable" if self.devices.fails_once(token) else None


def _shape_fault(request: SimRequest) -> str | None:
    apns_id = request.headers.get("apns-id")
    if apns_id is not None and not APNS_ID.fullmatch(apns_id):
        return "BadMessageId"
    if request.method != "POST":
        return "MethodNotAllowed"
    if not request.path.startswith(PREFIX) or "/" in request.path[len(PREFIX) :]:
        return "MissingDeviceToken" if request.path == PREFIX[:-1] else "BadPath"
    if request.path == PREFIX:
        return "MissingDeviceToken"
    return "DuplicateHeaders" if request.repeated_headers - {"cookie"} else None


def _topic_fault(request: SimRequest, sender: ApnsKey | ApnsCertificate) -> str | None:
    topic = request.headers.get("apns-topic")
    if not topic:
        return "MissingTopic"
    push_type = request.headers.get("apns-push-type", "alert")
    suffix = TOPIC_SUFFIX.get(push_type)
    if suffix is None:
        return "InvalidPushType"
    if not re.fullmatch(r"[A-Za-z0-9.-]+", topic):
        return "BadTopic"
    never = "location" if isinstance(sender, ApnsCertificate) else "mdm"
    if push_type == never or (suffix and not topic.endswith(suffix)):
        return "TopicDisallowed"
    bundle = topic.removesuffix(suffix)
    return "TopicDisallowed" if sender.topics and bundle not in sender.topics else None


def _header_fault(request: SimRequest) -> str | None:
    headers = request.headers
    if len(headers.get("apns-collapse-id", "").encode("latin-1")) > COLLAPSE_ID_BYTES_MAX:
        return "BadCollapseId"
    if not re.fullmatch(r"[0-9]{1,19}", headers.get("apns-expiration", "0")):
        return "BadExpirationDate"
    priority = headers.get("apns-priority", "10")
    if priority not in ("10", "5", "1"):
        return "BadPriority"
    is_background = headers.get("apns-push-type") == "background"
    return "BadPriority" if is_background and priority != "5" else None


def _payload_fault(request: SimRequest, call: Call) -> str | None:
    if not request.body:
        return "PayloadEmpty"
    is_voip = request.headers.get("apns-push-type") == "voip"
    if len(request.body) > (VOIP_PAYLOAD_BYTES_MAX if is_voip else PAYLOAD_BYTES_MAX):
        return "PayloadTooLarge"
    if call.content is None:
        return "PayloadEmpty"  # not a JSON object: no reason is documented, this one is the nearest
    aps = call.content.get("aps")
    is_silent = (
        isinstance(aps, dict)
        and aps.get("content-available") == 1
        and not aps.keys() & {"alert", "badge", "sound"}
    )
    return (
        "BadPriority" if is_silent and request.headers.get("apns-priority", "10") == "10" else None
    )


def _error(
    status: int, reason: str, timestamp_ms: int | None, headers: list[tuple[str, str]]
) -> SimResponse:
    content: dict[str, Any] = {"reason": reason}
    if status == 410 and timestamp_ms is not None:
        content["timestamp"] = timestamp_ms
    return SimResponse(
        status, msgspec.json.encode(content), [*headers, ("content-type", "application/json")]
    )


def _default_reason(status: int) -> str:
    usual = {
        400: "BadDeviceToken",
        403: "InvalidProviderToken",
        410: "Unregistered",
        429: "TooManyRequests",
        500: "InternalServerError",
    }
    return usual.get(status) or next(
        (reason for reason, code in STATUS.items() if code == status), "ServiceUnavailable"
    )


def _title(aps: object) -> str | None:
    alert = aps.get("alert") if isinstance(aps, dict) else None
    title = alert.get("title") if isinstance(alert, dict) else alert
    return title if isinstance(title, str) else None
