"""Shapes of the OpenAPI document that no route of ours can tell by itself."""

from collections.abc import Mapping
from typing import Any

from api.openapi.requests import REQUESTS
from api.schemas.enrolment_lines import NDJSON


def reference(name: str) -> dict[str, Any]:
    """To a shape by name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _lines(example: str, *shapes: dict[str, Any]) -> dict[str, Any]:
    """NDJSON, whose lines have one of these shapes."""
    schema = {
        "type": "string",
        "description": "one JSON value a line",
        "contentMediaType": NDJSON,
        "contentSchema": {"type": "array", "items": {"anyOf": shapes}},
    }
    return {NDJSON: {"schema": schema, "example": example}}


_USER_ID = {"type": "string", "format": "uuid"}
_USER_LINES = """\
{"user_id": "0195a000-0000-7000-8000-00000000000b"}
"0195a000-0000-7000-8000-00000000000c"
"""
_ANSWER_LINES = """\
{"line": 17, "error": {"pointer": "#/user_id", "detail": "Invalid UUID"}}
{"line": 1000, "enrolled": 999, "failed": 1}
{"line": 1002, "enrolled": 1001, "failed": 1}
{"done": true, "lines": 1002, "enrolled": 1001, "failed": 1}
"""
_TRACE_ID = {
    "type": "string",
    "pattern": "^[0-9a-f]{32}$",
    "description": "the request in our logs (W3C Trace Context)",
}
_ERRORS = {
    "type": "array",
    "minItems": 1,
    "description": "the faulty entries of the request; `pointer` is a JSON pointer",
    "items": {
        "type": "object",
        "required": ["pointer", "detail"],
        "properties": {
            "pointer": {"type": "string", "pattern": "^#(/[A-Za-z0-9_.-]+)*$"},
            "detail": {"type": "string"},
        },
    },
}
_PROBLEM = {
    "title": "Problem",
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail", "trace_id"],
    "properties": {
        "type": {"const": "about:blank"},
        "title": {"type": "string", "description": "the HTTP status in words"},
        "status": {"type": "integer", "description": "the HTTP status"},
        "detail": {"type": "string", "description": "what is wrong; the same text each time"},
        "trace_id": _TRACE_ID,
        "remaining": {
            "type": "integer",
            "minimum": 0,
            "description": "what is left of the daily quota, with `Daily quota exceeded`",
        },
        "errors": _ERRORS,
    },
}
_ENVELOPE_FAULT = {
    "title": "EnvelopeFault",
    "type": "object",
    "description": "an error in the Pushy API's envelope",
    "required": ["status_code", "message", "data", "trace_id"],
    "properties": {
        "status_code": {"type": "integer", "description": "the HTTP status"},
        "message": {"type": "string", "description": "what is wrong, in English or Chinese"},
        "data": {"type": "null"},
        "trace_id": _TRACE_ID,
        "code": {"type": "string", "description": "Pushy's own name for it"},
        "errors": _ERRORS,
    },
}
_JWE = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*){4}$",
    "description": "the plain request as a compact JWE (RFC 7516)",
}
_SEALED_BODY = {
    "title": "SealedBody",
    "type": "object",
    "description": "the plain request, encrypted under the key of `POST /api/v1/sys/key-pair`",
    "required": ["payload"],
    "properties": {"payload": _JWE},
    "additionalProperties": False,
}
_TOKEN_REQUEST = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"const": "client_credentials"},
        "client_id": {"type": "string", "format": "uuid", "description": "the app's id"},
        "client_secret": {"type": "string", "description": "unless it comes by HTTP Basic"},
        "scope": {
            "type": "string",
            "pattern": r"^ *((push:send|push:enroll)( +(push:send|push:enroll))* *)?$",
            "default": "push:send",
            "description": "`push:send`, `push:enroll`, or both",
        },
    },
}
OWN_SHAPES = {
    "Problem": _PROBLEM,
    "EnvelopeFault": _ENVELOPE_FAULT,
    "SealedBody": _SEALED_BODY,
    "TokenRequest": _TOKEN_REQUEST,
}
SEALED = ("register_token", "send_dev")
_JOSE = {
    "application/jose": {
        "schema": _JWE,
        "example": "eyJhbGciOiJFQ0RILUVTK0EyNTZLVyJ9.a2V5.aXY.Y2lwaGVydGV4dA.dGFn",
    }
}
# Handler -> what its body may be beside JSON.
BODIES: Mapping[str, Any] = {
    "issue_token": {
        "application/x-www-form-urlencoded": {
            "schema": reference("TokenRequest"),
            "example": REQUESTS["TokenRequest"],
        }
    },
    "enroll_users": _lines(
        _USER_LINES, reference("UserLine"), {"type": "string", "format": "uuid"}
    ),
    "register_token": _JOSE,
    "send_dev": _JOSE,
}
# Handler and status -> what its answer may be beside JSON.
ANSWER_BODIES: Mapping[str, Any] = {
    "enroll_users 200": _lines(_ANSWER_LINES, *map(reference, ("Tally", "Fault", "Total", "Cut")))
}
