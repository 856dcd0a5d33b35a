"""Which example an answer of the OpenAPI document shows."""

from collections.abc import Mapping
from typing import Any

from api.openapi.answers import ANSWERS, ENVELOPED, VAPID
from api.openapi.requests import REQUESTS

# Handler and status -> what differs there from the shape's usual example.
_DIFFERENCES: Mapping[str, Any] = {
    "put_app 201": {"client_secret": "shown-only-once"},
    "get_config 200": {"device_count": 1_024, "notifications_today": 17},
    "cancel_notification 200": {
        "status": "cancelled",
        "send_at": "2026-03-21T08:00:00Z",
        "expires_at": "2026-03-22T08:00:00Z",
        "devices": [],
    },
    "readyz 503": {"status": "unavailable", "mongo": False},
}
_FAULTS = {
    "400": ("invalid_request", "grant_type is missing or a parameter is repeated"),
    "401": ("invalid_client", "unknown client or wrong secret"),
    "429": ("invalid_client", "too many failed tries"),
}
_DETAILS: Mapping[str, Any] = {
    "apns": {
        key: REQUESTS["ApnsBody"][key] for key in ("team_id", "key_id", "topic", "environment")
    },
    "fcm": {
        key: REQUESTS["FcmBody"]["service_account"][key]
        for key in ("project_id", "client_email", "private_key_id")
    },
    "webpush": {**REQUESTS["WebPushBody"], "vapid_public_key": VAPID},
    "pushy": {},
}


def answer_example(handler: str, status: str, path: str, schema: Mapping[str, Any]) -> Any:
    """An answer of that shape, as it is on that path with that status."""
    if handler in ENVELOPED:
        said = {"status_code": int(status), "message": "Success", "data": ENVELOPED[handler]}
        return said | {"trace_id": "0af7651916cd43dd8448eb211c80319c"}
    name = _name(schema)
    if name == "TokenFault":
        return dict(zip(("error", "error_description"), _FAULTS[status], strict=True))
    example = ANSWERS.get(name)
    if name in {"CredentialAnswer", "VerifyAnswer"}:
        (provider,) = _DETAILS.keys() & set(path.split("/"))
        shown = {"details": _DETAILS[provider]} if name == "CredentialAnswer" else {}
        example = {**ANSWERS[name], "provider": provider, **shown}
    differences = _DIFFERENCES.get(f"{handler} {status}")
    return {**example, **differences} if example and differences else example


def _name(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]
