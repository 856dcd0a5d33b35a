"""The one error handler: whatever went wrong becomes `application/problem+json` (RFC 9457)."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException, ValidationException

from api.errors import FieldError, ServiceError, UnavailableError, ValidationFailedError, invalid
from api.tracing import current_trace_id
from shared.logs import get_logger
from shared.storage.mongo import StorageUnavailable

_log = get_logger("api")
_DETAILS = {
    404: "Not found",
    405: "Method not allowed",
    413: "Request body too large",
}
_HUNG_UP = "client disconnected prematurely"  # Litestar's words
_UNSAFE = re.compile(r"[^A-Za-z0-9_./-]")


def answer_error(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Translate any exception; only what we did not foresee is a 500, and only that is logged."""
    match error:
        case ServiceError():
            return problem(error.status, error.detail, error.members, error.headers)
        case StorageUnavailable():
            return answer_error(_request, UnavailableError())
        case ValidationException():
            return answer_error(_request, ValidationFailedError(_fields(error.extra)))
        case InternalServerException() if error.detail == _HUNG_UP:
            return problem(400, "Incomplete request", {}, {})  # nobody is there to read it
        case RecursionError() | UnicodeDecodeError():
            return answer_error(_request, invalid("#", "not valid JSON"))
        case HTTPException() if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            detail = _DETAILS.get(error.status_code, HTTPStatus(error.status_code).phrase)
            return problem(error.status_code, detail, {}, _allow(error.headers))
    _log.error("request.failed", exc_info=error)
    return problem(500, "Internal error", {}, {})


def problem(
    status: int, detail: str, members: Mapping[str, Any], headers: Mapping[str, str]
) -> Response[bytes]:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "trace_id": current_trace_id(),
        **members,
    }
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type="application/problem+json",
        headers=dict(headers),
    )


def _allow(headers: Mapping[str, str] | None) -> dict[str, str]:
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    return {"Allow": lower["allow"]} if "allow" in lower else {}


def _fields(extra: Any) -> Iterable[FieldError]:
    """Litestar's own findings: query parameters and bodies that are missing altogether."""
    for row in extra if isinstance(extra, list) else []:
        key = _UNSAFE.sub("_", str(row.get("key", "")))
        if key in ("", "data"):
            yield FieldError("#", "a JSON body is required")
        else:
            yield FieldError(f"#/{key}", str(row.get("message", "invalid")))
