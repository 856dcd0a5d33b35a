"""When a webhook may be called: slots, breaker, pauses."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOW
from worker.endpoints import CALLS_AT_ONCE, PROBE_WAITS_SECONDS, QUICK_SECONDS, Endpoint, spread


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def an_endpoint() -> Endpoint:
    return Endpoint(lambda: 0.5)


def shut_by_failures(began: float = 0.0) -> Endpoint:
    endpoint = an_endpoint()
    for _ in range(3):
        endpoint.failed(at(began + 1), began_at=at(began))
    return endpoint


def test_an_endpoint_has_one_slot_until_it_was_quick() -> None:
    endpoint = an_endpoint()
    endpoint.begin()
    assert not endpoint.may_begin(NOW)
    endpoint.end()

    endpoint.taken(QUICK_SECONDS + 0.1)
    endpoint.begin()
    assert not endpoint.may_begin(NOW)
    endpoint.end()

    endpoint.taken(QUICK_SECONDS)
    endpoint.begin()
    assert endpoint.may_begin(NOW)
    endpoint.failed(at(1), began_at=NOW)
    assert not endpoint.may_begin(at(1))


def test_a_quick_endpoint_has_five_slots() -> None:
    endpoint = an_endpoint()
    endpoint.taken(QUICK_SECONDS)

    for _ in range(CALLS_AT_ONCE):
        assert endpoint.may_begin(NOW)
        endpoint.begin()

    assert not endpoint.may_begin(NOW)
    endpoint.end()
    assert endpoint.may_begin(NOW)


def test_three_failures_in_a_row_shut_it() -> None:
    endpoint = an_endpoint()

    endpoint.failed(at(1), began_at=NOW)
    endpoint.failed(at(1), began_at=NOW)
    assert endpoint.may_begin(at(1))
    endpoint.failed(at(1), began_at=NOW)

    assert not endpoint.may_begin(at(5.9))
    assert endpoint.may_begin(at(6))


def test_a_success_in_between_starts_the_count_again() -> None:
    endpoint = an_endpoint()
    for _ in range(10):
        endpoint.failed(at(1), began_at=NOW)
        endpoint.failed(at(1), began_at=NOW)
        assert not endpoint.taken(0.1)

    assert endpoint.may_begin(at(1))
    assert endpoint.is_as_new


def test_one_call_probes_whether_it_is_back() -> None:
    endpoint = shut_by_failures()

    endpoint.begin()

    assert not endpoint.may_begin(at(100))
    assert endpoint.taken(0.1)
    assert endpoint.may_begin(at(100))


def test_probes_come_less_and_less_often() -> None:
    endpoint, now, waits = shut_by_failures(), at(1), []

    for _ in range(6):
        assert endpoint.shut_until is not None
        waits.append((endpoint.shut_until - now).total_seconds())
        began_at, now = endpoint.shut_until, endpoint.shut_until + timedelta(seconds=15)
        endpoint.failed(now, began_at=began_at)

    assert waits == [*PROBE_WAITS_SECONDS, PROBE_WAITS_SECONDS[-1]]


def test_calls_that_were_in_flight_when_it_was_shut_prolong_nothing() -> None:
    endpoint = shut_by_failures()
    before = endpoint.shut_until

    for _ in range(5):
        endpoint.failed(at(4), began_at=at(0.5))
        assert endpoint.pause(at(4), None, began_at=at(0.5)) is None

    assert endpoint.shut_until == before


def test_a_pause_that_was_asked_for_is_kept_to_the_second() -> None:
    endpoint = an_endpoint()

    until = endpoint.pause(NOW, 7.0, began_at=NOW)

    assert until == at(7)
    assert not endpoint.may_begin(at(6.9))
    assert endpoint.may_begin(at(7))


def test_a_long_pause_is_looked_up_again() -> None:
    endpoint = an_endpoint()

    until = endpoint.pause(NOW, 90.0, began_at=NOW)

    assert (until, endpoint.shut_until) == (at(90), at(10))


def test_a_shorter_pause_ends_no_longer_one() -> None:
    endpoint = an_endpoint()
    endpoint.pause(NOW, 9.0, began_at=NOW)

    endpoint.pause(at(1), 5.0, began_at=NOW)

    assert endpoint.shut_until == at(9)


@given(st.floats(0, 1), st.floats(0.001, 36_000))
def test_a_wait_is_spread_by_a_fifth(chance: float, seconds: float) -> None:
    assert seconds * 0.799 <= spread(seconds, lambda: chance) <= seconds * 1.201
