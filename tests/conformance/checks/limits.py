"""Checks of the limits on sends: the last that passes, and the first that does not."""

import json
from typing import Any

from tests.conformance.answers import assert_invalid, assert_refused_at
from tests.conformance.checks.registry import Checks
from tests.conformance.requests import field_of, made_by, sending
from tests.conformance.stage import Stage, texts
from tests.conformance.statements.sends import SENDS

CHECKS = Checks()
ALPHABETS = ("a", "\U0001f600")  # one byte and four; each one character
TITLE_MAX, BODY_MAX, DATA_BYTES_MAX, USERS_MAX = 256, 4_096, 4_096, 500


def data_of(count: int, character: str) -> dict[str, str]:
    """An object of exactly so many bytes as compact JSON in UTF-8."""
    left = count - len('{"a":""}')
    whole, rest = divmod(left, len(character.encode()))
    data = {"a": character * whole + "b" * rest}
    assert len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()) == count
    return data


@CHECKS.of_each({f"{send}.limit.title": (send, "title", TITLE_MAX) for send in SENDS})
@CHECKS.of_each({f"{send}.limit.body": (send, "body", BODY_MAX) for send in SENDS})
async def a_text_has_so_many_characters(stage: Stage, send: str, name: str, most: int) -> None:
    service = stage.caller("service")
    for character in ALPHABETS:
        for count in (most - 1, most):
            text: Any = {name: character * count}
            assert made_by(await sending(send, [stage.user_id], **text).by(service))
        text = {name: character * (most + 1)}
        refused = await sending(send, [stage.user_id], **text).by(service)
        assert_invalid(refused, field_of(send, name))
    assert await stage.used_today() == 4


@CHECKS.of_each({f"{send}.limit.data": (send,) for send in SENDS})
async def data_has_so_many_bytes(stage: Stage, send: str) -> None:
    service = stage.caller("service")
    for character in ALPHABETS:
        for count in (DATA_BYTES_MAX - 1, DATA_BYTES_MAX):
            data = data_of(count, character)
            (made,) = made_by(await sending(send, [stage.user_id], data=data).by(service))
            assert await stage.data(made, stage.user_id) == data
        too_much = data_of(DATA_BYTES_MAX + 1, character)
        refused = await sending(send, [stage.user_id], data=too_much).by(service)
        assert_refused_at(refused, "Data payload too large", field_of(send, "data"))
    assert await stage.used_today() == 4


@CHECKS.of_each({"bulk.limit": ("bulk", "user_ids"), "batch.limit": ("batch", "notifications")})
async def a_request_has_so_many_entries(stage: Stage, send: str, name: str) -> None:
    users = await stage.users(USERS_MAX + 1)
    service = stage.caller("service")

    for count in (USERS_MAX - 1, USERS_MAX):
        assert len(set(made_by(await sending(send, users[:count]).by(service)))) == count
    for beyond in (users, []):
        assert_invalid(await sending(send, beyond).by(service), f"#/{name}")
    assert await stage.used_today() == 2 * USERS_MAX - 1


def largest() -> dict[str, Any]:
    wide = ALPHABETS[1]
    data = data_of(DATA_BYTES_MAX, wide)
    return {"title": wide * TITLE_MAX, "body": wide * BODY_MAX, "data": data}


@CHECKS.of("bulk.limit.full")
async def the_largest_bulk_is_accepted(stage: Stage) -> None:
    users = await stage.users(USERS_MAX)
    caller = stage.caller("service")
    headers = caller.headers | {"content-type": "application/json"}
    text = json.dumps({"user_ids": texts(users)} | largest())  # each character in twelve

    answer = await stage.api.http.post("/push/send/bulk", content=text, headers=headers)

    assert len(made_by(answer)) == USERS_MAX


@CHECKS.of("batch.limit.full")
async def the_largest_batch_is_accepted(stage: Stage) -> None:
    request = sending("batch", await stage.users(USERS_MAX), **largest())

    assert len(made_by(await request.by(stage.caller("service")))) == USERS_MAX
