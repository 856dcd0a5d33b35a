"""What answers are compared with: examples of the seed, and refusals to the last member."""

from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

import httpx

PLACEHOLDER = "uuid"
_INSTANT = "2026-03-19T08:00:00Z"


def is_like(value: Any, example: Any) -> bool:
    """Whether a value has the example's members and types; it may have more members.

    An example's `uuid`s stand for UUIDs, its instant for RFC 3339 in UTC, one row for any rows.
    """
    match example:
        case dict():
            return isinstance(value, dict) and all(
                name in value and is_like(value[name], member) for name, member in example.items()
            )
        case list():
            return isinstance(value, list) and all(is_like(row, example[0]) for row in value)
        case str() if example.startswith(PLACEHOLDER):
            return isinstance(value, str) and str(UUID(value)) == value
        case str() if example == _INSTANT:
            return isinstance(value, str) and value[-1] == "Z" and bool(instant(value).tzinfo)
        case _:
            return type(value) is type(example)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def assert_refused(answer: httpx.Response, status: int, detail: str, **members: Any) -> None:
    """This is the refusal, with these members beside the usual and no others."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    trace_id = answer.headers["x-request-id"]
    assert len(bytes.fromhex(trace_id)) == 16
    assert answer.json() == {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "trace_id": trace_id,
        **members,
    }
    assert (answer.headers.get("www-authenticate") == "Bearer") is (status == 401)


def assert_invalid(answer: httpx.Response, pointer: str) -> None:
    """Validation failed at this place of the body and no other."""
    assert_refused_at(answer, "Validation failed", pointer)


def assert_refused_at(answer: httpx.Response, detail: str, *pointers: str) -> None:
    """A 400 that names these places of the body, in words of its own."""
    errors = answer.json().get("errors", [])
    assert [error["pointer"] for error in errors] == list(pointers), answer.text
    assert all(error.keys() == {"pointer", "detail"} and error["detail"] for error in errors)
    assert_refused(answer, 400, detail, errors=errors)


def assert_alike(*answers: httpx.Response) -> None:
    """Nobody can tell these answers apart: status, headers and bytes."""
    told = [(a.status_code, sorted(a.headers.items()), a.content) for a in answers]
    assert all(one == told[0] for one in told), told
