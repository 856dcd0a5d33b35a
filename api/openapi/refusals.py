"""Refusals as OpenAPI responses: problems, or in the Pushy API its envelope."""

from collections import defaultdict
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from api.envelope import PREFIX
from api.errors import ServiceError
from api.messages_zh import CHINESE
from api.openapi.fields import header_references
from api.openapi.shapes import reference
from api.problems import members_of

_TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
Refusals = list[ServiceError]


def refused_answers(path: str, refused: Iterable[ServiceError]) -> dict[str, Any]:
    """One response for each status; a detail is shown once."""
    by_status: dict[int, dict[str, ServiceError]] = defaultdict(dict)
    for error in refused:
        by_status[error.status].setdefault(error.detail, error)
    content = _envelope if path.startswith(PREFIX) else _problem
    return {
        str(status): {
            "description": HTTPStatus(status).phrase,
            "headers": header_references(name for e in found.values() for name in e.headers),
            "content": content(status, list(found.values())),
        }
        for status, found in by_status.items()
    }


def _problem(status: int, refused: Refusals) -> dict[str, Any]:
    members = {
        "status": {"const": status},
        "detail": {"enum": [error.detail for error in refused]},
    }
    examples = {
        _name(error): {"value": members_of(status, error.detail, error.members, _TRACE_ID)}
        for error in refused
    }
    schema = reference("Problem") | {"properties": members}
    return {"application/problem+json": {"schema": schema, "examples": examples}}


def _envelope(status: int, refused: Refusals) -> dict[str, Any]:
    texts = [text for e in refused for text in (e.detail, CHINESE.get(e.detail, e.detail))]
    members = {
        "status_code": {"const": status},
        "message": {"enum": list(dict.fromkeys(texts))},
    }
    examples = {_name(error): {"value": _enveloped(error)} for error in refused}
    schema = reference("EnvelopeFault") | {"properties": members}
    return {"application/json": {"schema": schema, "examples": examples}}


def _enveloped(error: ServiceError) -> dict[str, Any]:
    return {
        "status_code": error.status,
        "message": error.detail,
        "data": None,
        "trace_id": _TRACE_ID,
        **error.members,
    }


def _name(error: ServiceError) -> str:
    return "_".join(error.detail.lower().replace("-", " ").replace("/", " ").split())
