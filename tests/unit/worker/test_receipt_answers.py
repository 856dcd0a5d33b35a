"""What follows from a webhook's answer."""

import pytest

from shared.outbound.webhooks import WebhookAnswer
from tests.builders import NOW
from worker.receipt_answers import (
    PAUSE_SECONDS_MAX,
    WAITS_SECONDS,
    Failed,
    Gone,
    Taken,
    Verdict,
    judge,
    wait_behind,
)


def an_answer(status: int | None, **headers: str) -> WebhookAnswer:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    problem = None if status is not None and 200 <= status < 300 else f"status {status}"
    return WebhookAnswer(status=status, problem=problem, took_ms=1, headers=fields)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (an_answer(200), Taken()),
        (an_answer(204), Taken()),
        (an_answer(410), Gone()),
        (an_answer(410, retry_after="5"), Gone()),
        (an_answer(301), Failed("status 301")),
        (an_answer(404), Failed("status 404")),
        (an_answer(500), Failed("status 500")),
        (an_answer(500, retry_after="7"), Failed("status 500", is_busy=True, retry_after=7.0)),
        (an_answer(429), Failed("status 429", is_busy=True)),
        (an_answer(429, retry_after="120"), Failed("status 429", is_busy=True, retry_after=120.0)),
        (an_answer(502), Failed("status 502", is_busy=True)),
        (an_answer(503, retry_after="soon"), Failed("status 503", is_busy=True)),
        (an_answer(504), Failed("status 504", is_busy=True)),
        (an_answer(None), Failed("status None")),
    ],
)
def test_verdict_of_an_answer(answer: WebhookAnswer, expected: Verdict) -> None:
    assert judge(answer, NOW) == expected


def test_nobody_makes_us_wait_longer_than_the_schedule() -> None:
    verdict = judge(an_answer(503, retry_after="31536000"), NOW)

    assert isinstance(verdict, Failed)
    assert verdict.retry_after == PAUSE_SECONDS_MAX


@pytest.mark.parametrize(("chance", "factor"), [(0.0, 0.8), (0.5, 1.0), (1.0, 1.2)])
def test_the_schedule_is_spread_by_a_fifth(chance: float, factor: float) -> None:
    waits = [wait_behind(n, Failed("x"), lambda: chance) for n in range(1, 9)]

    assert waits[:-1] == [pytest.approx(wait * factor) for wait in WAITS_SECONDS]
    assert waits[-1] is None


def test_a_call_is_never_made_earlier_than_asked() -> None:
    assert wait_behind(1, Failed("x", is_busy=True, retry_after=60.0), lambda: 0.0) == 60.0
    assert wait_behind(2, Failed("x", is_busy=True, retry_after=60.0), lambda: 0.0) == 240.0
