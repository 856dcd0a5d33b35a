"""What a pointer asks of a chunk: nothing twice, nothing forgotten."""

from datetime import timedelta

import pytest

from shared.domain.deliveries import Progress, Target
from shared.queue.messages import ANY_ATTEMPT, Pointer
from tests.builders import DEVICE_ID, NOW, a_chunk
from worker.plan import due_now, forgotten

SENT = Progress("sent", None, 1, "m", NOW)
DUE = Progress("accepted", "503", 1, None, NOW, NOW)
LATER = Progress("accepted", "503", 2, None, NOW, NOW + timedelta(seconds=1))
CHUNK = a_chunk(
    targets=tuple(Target(0, DEVICE_ID) for _ in range(4)), progress={0: SENT, 1: DUE, 2: LATER}
)


@pytest.mark.parametrize(
    ("attempt", "indexes", "expected"),
    [
        (1, None, {3: 1}),  # what has had its first attempt is left alone
        (2, (1, 2), {1: 2}),  # index 2 is further on: this pointer is a copy
        (2, (0,), {}),  # settled
        (3, (2,), {2: 3}),
        (ANY_ATTEMPT, None, {1: 2, 3: 1}),  # whatever is due, with its own number
    ],
)
def test_a_pointer_asks_for_what_is_due(
    attempt: int, indexes: tuple[int, ...] | None, expected: dict[int, int]
) -> None:
    pointer = Pointer(chunk_id=CHUNK.chunk_id, attempt=attempt, indexes=indexes)

    assert due_now(CHUNK, pointer, NOW) == expected


def test_everything_is_followed_up_again_after_a_worker_left_or_the_queue_was_lost() -> None:
    ordinary, any_attempt = (Pointer(chunk_id=CHUNK.chunk_id, attempt=a) for a in (1, ANY_ATTEMPT))
    left = a_chunk(targets=CHUNK.targets, progress=CHUNK.progress, times_left=1)

    assert forgotten(CHUNK, ordinary) == {}
    assert forgotten(left, ordinary) == CHUNK.progress
    assert forgotten(CHUNK, any_attempt) == CHUNK.progress
