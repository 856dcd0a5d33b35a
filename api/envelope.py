"""The envelope of the Pushy API: `{status_code, message, data, trace_id}`, for errors too."""

import re
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import msgspec
from litestar import Request, Response

from api.messages_zh import CHINESE
from api.tracing import current_trace_id

PREFIX = "/api/v1"
SUCCESS = "Success"
DataT = TypeVar("DataT")
_RANGE = re.compile(
    r"(\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}){0,8})(?:[ \t]*;[ \t]*q=([01](?:\.[0-9]{0,3})?))?"
)
_FIELD_CHARACTERS_MAX = 1_000


class Envelope(msgspec.Struct, Generic[DataT], frozen=True, kw_only=True):
    """`status_code` is that of the answer."""

    status_code: int
    message: str
    data: DataT
    trace_id: str


def enveloped(
    request: Request[Any, Any, Any], data: DataT, status_code: int = 200
) -> Response[Envelope[DataT]]:
    """A good answer."""
    envelope = Envelope(
        status_code=status_code,
        message=translated(request, SUCCESS),
        data=data,
        trace_id=current_trace_id(),
    )
    return Response(envelope, status_code=status_code)


def failed(
    request: Request[Any, Any, Any],
    status: int,
    detail: str,
    members: Mapping[str, Any],
    headers: Mapping[str, str],
) -> Response[bytes]:
    """An error: no data, and what else there is to say beside it."""
    body = {
        "status_code": status,
        "message": translated(request, detail),
        "data": None,
        "trace_id": current_trace_id(),
        **members,
    }
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type="application/json",
        headers=dict(headers),
    )


def speaks_envelope(path: str) -> bool:
    """Whether answers on this path come in the envelope."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def translated(request: Request[Any, Any, Any], text: str) -> str:
    """The text in the language that the caller would rather read: Chinese, or else English."""
    wants_chinese = prefers_chinese(",".join(request.headers.getall("accept-language", [])))
    return CHINESE.get(text, text) if wants_chinese else text


def prefers_chinese(accept_language: str) -> bool:
    """Whether an Accept-Language field (RFC 9110 §12.5.4) weighs Chinese above English."""
    weights = {"zh": 0.0, "en": 0.0}
    for part in accept_language[:_FIELD_CHARACTERS_MAX].split(","):
        match = _RANGE.fullmatch(part.strip(" \t"))
        language = match[1].partition("-")[0].lower() if match else ""
        if match and language in weights:
            weights[language] = max(weights[language], float(match[2] or 1))
    return weights["zh"] > weights["en"]
