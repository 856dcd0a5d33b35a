"""Messages: pointers survive the trip, and what we cannot read is a value, not a crash."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import ids
from shared.queue.messages import (
    POINTERS_PER_MESSAGE_MAX,
    HookMessage,
    Pointer,
    PushMessage,
    decode_hook,
    decode_push,
    encode,
    lists_of,
)
from shared.queue.pointers import Routed, publications
from shared.queue.topology import retry_exchange, topology
from tests.builders import APP_ID, SEND_ID


def a_pointer(number: int = 0, **changes: object) -> Pointer:
    pointer = Pointer(chunk_id=ids.chunk_id(SEND_ID, number))
    return msgspec.structs.replace(pointer, **changes)


@given(
    attempt=st.integers(1, 9),
    indexes=st.none() | st.lists(st.integers(0, 99), min_size=1).map(tuple),
)
def test_pointers_survive_the_trip(attempt: int, indexes: tuple[int, ...] | None) -> None:
    message = PushMessage((a_pointer(attempt=attempt, indexes=indexes),))

    assert decode_push(encode(message)) == message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"v":"push.9","pointers":[]}',
        b'{"v":"push.1"}',
    ],
)
def test_an_unreadable_message_is_none(body: bytes) -> None:
    assert decode_push(body) is None
    assert decode_hook(body) is None


def test_hook_messages_are_not_push_messages() -> None:
    body = encode(HookMessage(app_id=APP_ID, first_seq=1))

    assert decode_push(body) is None
    assert decode_hook(body) == HookMessage(app_id=APP_ID, first_seq=1)


@given(count=st.integers(0, 201))
def test_lists_hold_every_pointer_once_in_as_few_messages_as_may_be(count: int) -> None:
    pointers = [a_pointer(i) for i in range(count)]

    messages = lists_of(pointers)

    assert [p for m in messages for p in m.pointers] == pointers
    assert len(messages) == -(-count // POINTERS_PER_MESSAGE_MAX)


def test_a_message_holds_one_provider_and_lane() -> None:
    routed = [
        Routed(a_pointer(0), "apns", "hi"),
        Routed(a_pointer(1), "fcm", "lo"),
        Routed(a_pointer(2), "apns", "hi"),
    ]

    found = {p.routing_key: decode_push(p.body) for p in publications(routed)}

    assert set(found) == {"apns.hi", "fcm.lo"}
    assert found["apns.hi"] == PushMessage((a_pointer(0), a_pointer(2)))


def test_every_queue_that_could_drop_refuses_instead() -> None:
    wanted = topology((5, 600), (5,))

    dead_lettering = [q for q in wanted.queues if "x-dead-letter-exchange" in q.arguments]
    assert all(q.arguments["x-queue-type"] == "quorum" for q in wanted.queues)
    assert all(q.arguments["x-overflow"] == "reject-publish" for q in dead_lettering)
    assert all(q.arguments["x-dead-letter-strategy"] == "at-least-once" for q in dead_lettering)
    assert len({q.name for q in wanted.queues}) == len(wanted.queues) == 8 + 3 + 3
    assert {retry_exchange(5), retry_exchange(600)} == {"push.v1.retry.5s", "push.v1.retry.10m"}
