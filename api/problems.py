"""The one error handler: whatever went wrong becomes `application/problem+json` (RFC 9457)."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException, ValidationException

from api.envelope import failed, speaks_envelope
from api.errors import FieldError, ServiceError, UnavailableError, ValidationFailedError, invalid
from api.pointers import point, without_echo
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


class Fault(msgspec.Struct, frozen=True):
    """What a caller is told of an error."""

    status: int
    detail: str
    members: Mapping[str, Any] = {}
    headers: Mapping[str, str] = {}


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A problem, or in the Pushy API its envelope."""
    fault = fault_of(error)
    if speaks_envelope(request.scope["path"]):
        return failed(request, fault.status, fault.detail, fault.members, fault.headers)
    return problem(fault.status, fault.detail, fault.members, fault.headers)


def fault_of(error: Exception) -> Fault:
    """Translate any exception; only what we did not foresee is a 500, and only that is logged."""
    match error:
        case ServiceError():
            return Fault(error.status, error.detail, error.members, error.headers)
        case StorageUnavailable():
            return fault_of(UnavailableError())
        case ValidationException():
            return fault_of(ValidationFailedError(_fields(error.extra)))
        case InternalServerException() if error.detail == _HUNG_UP:
            return Fault(400, "Incomplete request")  # nobody is there to read it
        case RecursionError() | UnicodeDecodeError():
            return fault_of(invalid("#", "not valid JSON"))
        case HTTPException() if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            detail = _DETAILS.get(error.status_code, HTTPStatus(error.status_code).phrase)
            return Fault(error.status_code, detail, {}, _allow(error.headers))
    _log.error("request.failed", exc_info=error)
    return Fault(500, "Internal error")


def problem(
    status: int, detail: str, members: Mapping[str, Any], headers: Mapping[str, str]
) -> Response[bytes]:
    body = members_of(status, detail, members, current_trace_id())
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type="application/problem+json",
        headers=dict(headers),
    )


def members_of(
    status: int, detail: str, members: Mapping[str, Any], trace_id: str
) -> dict[str, Any]:
    """The members of a problem's body."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "trace_id": trace_id,
        **members,
    }


def _allow(headers: Mapping[str, str] | None) -> dict[str, str]:
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    return {"Allow": lower["allow"]} if "allow" in lower else {}


def _fields(extra: Any) -> Iterable[FieldError]:
    """Litestar's own findings: query parameters and bodies that are missing altogether."""
    for row in extra if isinstance(extra, list) else []:
        key = str(row.get("key", ""))
        if key in ("", "data"):
            yield FieldError("#", "a JSON body is required")
        else:
            yield FieldError(point("#", key), without_echo(str(row.get("message", "invalid"))))
