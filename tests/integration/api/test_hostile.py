"""Hostile requests through the front door: a clear refusal in problem+json, and no effect."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest

from shared.storage.dead_letters import DeadLetterRepository
from shared.storage.schema import INDEXES
from tests.builders import a_dead_letter
from tests.front_door import Api, Caller, served
from tests.integration.api.hostile import BATCH, ENROL, FAILED, REGISTER, ROUTES, SEND, Hostile
from tests.integration.api.hostile_bodies import broken, mislabelled
from tests.integration.api.hostile_calls import queries, tokens
from tests.integration.api.hostile_members import entries
from tests.integration.api.hostile_sends import members
from tests.servers import Servers

MEMBERS = {"type", "title", "status", "detail", "trace_id"}
WITH_ERRORS = {FAILED, "User not enrolled", "Data payload too large"}
RECORDS = sorted({*INDEXES, "apps", "credentials"})
ROWS = [
    *(row for route in ROUTES for row in (*broken(route), *mislabelled(route))),
    *members(),
    *entries(),
    *queries(),
    *tokens(),
]


@dataclass(frozen=True)
class Target:
    """An app with one enrolled user, and everyone who calls it."""

    api: Api
    app_id: UUID
    user_id: UUID
    callers: dict[str, Caller]
    seen: dict[str, Any] = field(default_factory=dict)  # all records, when last looked at

    async def sent(self, row: Hostile) -> httpx.Response:
        return await self.api.http.request(
            row.method,
            self._filled(row.path.encode()).decode(),
            content=None if row.content is None else self._filled(row.content),
            headers=[
                (_encoded(name), _encoded(value))
                for name, value in (*row.headers, *self.callers[row.who].headers.items())
            ],
        )

    def _filled(self, text: bytes) -> bytes:
        ids = {b"$APP": str(self.app_id), b"$USER": str(self.user_id), b"$HEX": self.user_id.hex}
        for name, value in ids.items():
            text = text.replace(name, value.encode())
        return text.replace(b"$UPPER", str(self.user_id).upper().encode())

    async def records(self) -> dict[str, Any]:
        """Everything that is recorded about anyone."""
        database = self.api.database
        return {name: await database[name].find({}, sort=[("_id", 1)]) for name in RECORDS}


def _encoded(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


async def a_target(api: Api) -> Target:
    app_id = await api.new_app(daily_quota=1_000)
    user_id = await api.new_user(app_id)
    letter = a_dead_letter(dead_letter_id=user_id, app_id=app_id)  # what a request would discard
    await DeadLetterRepository(api.database).put([letter])
    callers = {
        "service": api.service(app_id),
        "user": api.user(app_id, user_id),
        "admin": api.platform(),
        "nobody": Caller(api.http, None),
    }
    return Target(api, app_id, user_id, callers)


@pytest.fixture(scope="module")
async def target(servers: Servers) -> AsyncIterator[Target]:
    """In a database of its own: each row looks at all that is recorded in it."""
    async with served(servers, "hostile") as api:
        yield await a_target(api)


def test_the_corpus_is_large() -> None:
    names = [row.name for row in ROWS]
    assert len(set(names)) == len(names) > 80


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_hostile_request_is_refused_without_effect(target: Target, row: Hostile) -> None:
    before = dict(target.seen) or await target.records()
    answer = await target.sent(row)
    assert answer.headers["content-type"] == "application/problem+json", answer.text[:300]
    problem = answer.json()
    assert (answer.status_code, problem["detail"]) == (row.status, row.detail), answer.text[:300]
    check_problem(answer, problem)
    pointers = [error["pointer"] for error in problem.get("errors", [])]
    assert row.pointer in {None, *pointers, "" if not pointers else None}, pointers
    assert set(answer.headers.get("allow", "").split(", ")) - {""} == row.allow
    assert (answer.headers.get("www-authenticate") == "Bearer") is (row.status == 401)
    after = await target.records()
    target.seen.update(after)  # the next row's start, whatever this one did
    assert after == before


def check_problem(answer: httpx.Response, problem: dict[str, Any]) -> None:
    errors = {"errors"} if problem["detail"] in WITH_ERRORS else set()
    assert problem.keys() == MEMBERS | errors
    assert problem["status"] == answer.status_code
    assert re.fullmatch(r"[0-9a-f]{32}", problem["trace_id"])
    assert problem["trace_id"] == answer.headers["x-request-id"]
    assert len(answer.content) < 1_000
    for error in problem.get("errors", []):
        assert error.keys() == {"pointer", "detail"}
        assert re.fullmatch(r"#(/[A-Za-z0-9_.-]{1,64})*", error["pointer"])


@pytest.mark.parametrize(
    "row",
    [
        SEND.hostile("upper case", SEND.valid.replace("$USER", "$UPPER")),
        SEND.hostile("no dashes", SEND.valid.replace("$USER", "$HEX")),
        SEND.hostile("zero", SEND.valid[:-1] + ',"ttl":-0}'),
        SEND.hostile("n", SEND.valid[:-1].replace("Hi", "x" * 256) + ',"ttl":2419200}'),
        SEND.hostile("n-1", SEND.valid[:-1].replace("There", "x" * 4_095) + ',"ttl":2419199}'),
        SEND.hostile(
            "any number", SEND.valid[:-1] + ',"data":{"a":1e999,"b":' + "9" * 3_000 + "}}"
        ),
        SEND.hostile("any key", SEND.valid[:-1] + ',"data":{"":1,"~/ \\u00e9":{"$ref":"#"}}}'),
        SEND.hostile(
            "as deep as may be", SEND.valid[:-1] + ',"data":' + '{"a":' * 16 + "1" + "}" * 17
        ),
        BATCH.hostile("large and blank", BATCH.valid + " " * 2_000_000),
        REGISTER.hostile("n", REGISTER.valid.replace('token"}', "t" * 4_096 + '"}')),
        ENROL.hostile("spaces", "\r\n\t " + ENROL.valid + "\r\n\t "),
    ],
    ids=lambda row: row.name,
)
async def test_what_only_looks_hostile_is_taken(api: Api, row: Hostile) -> None:
    answer = await (await a_target(api)).sent(row)
    assert answer.status_code in {200, 201}, answer.text[:300]
