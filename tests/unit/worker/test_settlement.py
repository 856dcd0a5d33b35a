"""What follows from a chunk's progress."""

from datetime import timedelta

import msgspec

from shared.domain.deliveries import Progress, Target
from shared.ids import receipt_id
from tests.builders import APP_ID, DEVICE_ID, NOW, a_chunk, a_receipt, a_result, an_app
from worker.postponing import level_for
from worker.receipt_book import build_body, is_wanted
from worker.settlement import dead_letters_of, parked_of, receipts_of, retries_of

LEVELS = (5.0, 30.0)
SENT = Progress("sent", None, 1, "m1", NOW)


def waiting(attempts: int, seconds: float) -> Progress:
    return Progress("accepted", "503", attempts, None, NOW, NOW + timedelta(seconds=seconds))


def test_retries_that_wait_alike_share_a_pointer() -> None:
    chunk = a_chunk(targets=tuple(Target(0, DEVICE_ID) for _ in range(5)))
    progress = {0: SENT, 1: waiting(1, 5), 2: waiting(1, 4.98), 3: waiting(1, 20), 4: waiting(2, 5)}

    routed = retries_of(a_result(progress, chunk=chunk), NOW, lambda w: level_for(w, LEVELS))

    found = {(r.pointer.attempt, wait): r.pointer.indexes for r, wait in routed}
    assert found == {(2, 5.0): (1, 2), (2, 30.0): (3,), (3, 5.0): (4,)}


def test_what_is_parked_waits_apart_with_the_credential_that_did_not_do() -> None:
    chunk = a_chunk(targets=tuple(Target(0, DEVICE_ID) for _ in range(4)))
    parked = [
        msgspec.structs.replace(waiting(0, seconds), parked_under=credential)
        for seconds, credential in ((5, "f1"), (60.2, "f1"), (0, ""))
    ]
    result = a_result(dict(enumerate([*parked, waiting(1, 5)])), chunk=chunk)

    found = parked_of(result, NOW)

    assert {(p.parked.refused, p.wait_seconds): p.routed.pointer.indexes for p in found} == {
        ("f1", 61): (0, 1),
        ("", 1): (2,),
    }
    ((retried, _),) = retries_of(result, NOW, lambda wait: level_for(wait, LEVELS))
    assert retried.pointer.indexes == (3,)


def test_a_wait_beyond_the_levels_is_rounded_up_never_down() -> None:
    routed = retries_of(
        a_result({0: waiting(1, 3_600.2)}), NOW, lambda wait: level_for(wait, LEVELS)
    )

    assert [wait for _, wait in routed] == [3_601]


def test_a_level_is_never_shorter_than_the_wait() -> None:
    assert [level_for(wait, LEVELS) for wait in (0, 5, 5.001, 30, 30.001)] == [5, 5, 30, 30, None]


def test_receipts_tell_of_settled_deliveries_only() -> None:
    chunk = a_chunk(targets=(Target(0, DEVICE_ID), Target(0, DEVICE_ID)))

    receipts = receipts_of(a_result({0: SENT, 1: waiting(1, 5)}, chunk=chunk))

    assert [(r.id, r.state, r.provider_message_id) for r in receipts] == [
        (receipt_id(chunk.chunk_id, 0), "sent", "m1")
    ]


def test_dead_letters_are_those_that_operators_must_see() -> None:
    dead = Progress("rejected", "PayloadTooLarge", 1, None, NOW, is_dead_letter=True)
    suspect = Progress("rejected", "BadDeviceToken", 1, None, NOW)

    letters = dead_letters_of(a_result({0: dead})) + dead_letters_of(a_result({0: suspect}))

    assert [(letter.reason, letter.attempts) for letter in letters] == [("PayloadTooLarge", 1)]


def test_apps_get_the_receipts_that_they_asked_for() -> None:
    sent, failed = a_receipt(), a_receipt(state="expired")

    wanted = {
        choice: [is_wanted(an_app(receipts=choice), r) for r in (sent, failed)]
        for choice in ("all", "failures", "none")
    }

    assert wanted == {"all": [True, True], "failures": [False, True], "none": [False, False]}


def test_body_of_a_call_is_the_contract() -> None:
    body = msgspec.json.decode(build_body(APP_ID, [a_receipt(seq=7)], NOW))

    assert body["type"] == "push.receipts"
    assert body["timestamp"] == "2126-03-19T08:00:00Z"
    assert body["data"]["app_id"] == str(APP_ID)
    assert body["data"]["receipts"][0]["seq"] == 7
    assert set(body["data"]["receipts"][0]) == {
        *("id", "seq", "notification_id", "user_id", "device_id", "platform", "provider"),
        *("state", "reason", "attempts", "provider_message_id", "occurred_at"),
    }
