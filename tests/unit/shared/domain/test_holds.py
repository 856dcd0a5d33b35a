"""When too many dead tokens are too many."""

import random
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.holds import (
    CHANGE_SETTLES,
    DEAD_ALLOWED,
    DEAD_ALLOWED_WITHOUT_SUCCESS,
    NORMAL_FOR,
    RESULTS_COUNT_FOR,
    SAME_DEVICE_FOR,
    SHARE_MAX,
    STEADY_DEAD_ALLOWED,
    Results,
    Standing,
    judge,
    released,
)
from tests.builders import NOW


def device(number: int) -> UUID:
    return UUID(int=number)


class App:
    """An app whose results come in one after the other."""

    def __init__(self, now: datetime = NOW) -> None:
        self.standing, self.now, self.credential = Standing(), now, "f1"
        self._numbers = iter(range(1, 100_000))

    def is_held(self) -> bool:
        return self.standing.is_held

    def taken(self, count: int = 1) -> None:
        self._judge(Results(fingerprint=self.credential, taken=count, taken_at=self.now))

    def dead(self, count: int = 1, *, among: int = 0) -> int:
        """New devices found dead in one go; how many of them may be deactivated."""
        devices = [device(next(self._numbers)) for _ in range(count)]
        results = Results(fingerprint=self.credential, dead=devices, taken=among, taken_at=self.now)
        return self._judge(results)

    def dead_again(self, devices: list[UUID]) -> int:
        return self._judge(Results(fingerprint=self.credential, dead=devices))

    def pushed(self, share: float, pushes: int, *, seed: int, at_once: int = 100) -> int:
        """Pushes of which a share finds a dead token, until held; how many may be deactivated."""
        chance = random.Random(seed)
        allowed = 0
        for _ in range(pushes // at_once):
            count = sum(chance.random() < share for _ in range(at_once))
            self.now += timedelta(milliseconds=20)
            allowed += self.dead(count, among=at_once - count)
            if self.is_held():
                break
        return allowed

    def _judge(self, results: Results) -> int:
        judgement = judge(self.standing, results, self.now)
        self.standing = judgement.standing
        return len(judgement.may_be_deactivated)


@pytest.mark.parametrize("taken", [1, 20, 200, 10_000])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_sudden_wave_stops_after_ten_whatever_was_taken_before(
    taken: int, *, at_once: bool
) -> None:
    app = App()
    app.taken(taken)

    allowed = app.dead(500) if at_once else sum(app.dead() for _ in range(500))

    assert allowed == DEAD_ALLOWED == 10
    assert app.standing.held_since == NOW


def test_fewer_may_deactivate_while_nothing_was_taken() -> None:
    app = App()

    assert app.dead(500) == DEAD_ALLOWED_WITHOUT_SUCCESS
    assert app.is_held()


def test_a_small_app_is_not_held_by_two_dead_tokens() -> None:
    app = App()

    assert [app.dead(), app.dead(), app.is_held()] == [1, 1, False]


@pytest.mark.parametrize("share", [0.02, 0.03])
@pytest.mark.parametrize("seed", range(20))
def test_a_steady_few_are_deactivated_without_end(share: float, seed: int) -> None:
    app = App()

    allowed = app.pushed(share, 20_000, seed=seed)

    assert not app.is_held()
    assert allowed > 0.8 * share * 20_000


@pytest.mark.parametrize("at_once", [1, 25, 1_000])
@pytest.mark.parametrize(("share", "most"), [(0.1, 100), (0.2, 50), (0.5, 20), (1.0, 10)])
@pytest.mark.parametrize("seed", range(5))
def test_too_large_a_share_is_held_after_a_bounded_number(
    share: float, most: int, at_once: int, seed: int
) -> None:
    app = App()
    app.taken(200)

    allowed = app.pushed(share, 4_000, seed=seed, at_once=at_once)

    assert app.is_held()
    assert allowed <= most


def test_many_taken_and_few_dead_in_one_report_are_no_wave() -> None:
    app = App()

    assert app.dead(40, among=1_000) == 40
    assert not app.is_held()


def test_what_was_taken_before_a_wave_does_not_thin_it_out() -> None:
    devices = [device(n) for n in range(40)]
    results = Results(fingerprint="f1", taken_before=1_000, taken_at=NOW, dead=devices)

    judgement = judge(Standing(), results, NOW)

    assert len(judgement.may_be_deactivated) == DEAD_ALLOWED


REPORTS = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 12)), max_size=40)


@given(REPORTS)
def test_a_hold_begins_only_above_the_share_that_is_allowed(
    reports: list[tuple[int, int]],
) -> None:
    app = App()
    app.taken()

    for taken, dead in reports:
        app.dead(dead, among=taken)
        if app.is_held():
            break

    reason = app.standing.reason
    if app.standing.is_held and not app.standing.is_normal:
        assert reason.share > SHARE_MAX
        assert reason.dead > DEAD_ALLOWED
    assert app.is_held() or app.standing.is_normal


@given(REPORTS)
def test_deactivations_never_exceed_the_share_by_more_than_the_allowance(
    reports: list[tuple[int, int]],
) -> None:
    app = App()
    app.taken()
    allowed = sum(app.dead(dead, among=taken) for taken, dead in reports)

    taken = sum(taken for taken, _ in reports)

    assert allowed <= STEADY_DEAD_ALLOWED + taken * SHARE_MAX / (1 - SHARE_MAX) + 0.001


@given(st.lists(st.integers(0, 300), max_size=DEAD_ALLOWED_WITHOUT_SUCCESS))
def test_few_devices_are_never_a_reason(taken: list[int]) -> None:
    app = App()

    assert all(app.dead(1, among=among) == 1 for among in taken)
    assert not app.is_held()


def test_one_dead_device_with_many_notifications_counts_once() -> None:
    app = App()

    assert app.dead_again([device(1)] * 50) == 1
    assert not app.is_held()


def test_a_device_that_is_found_again_later_counts_again() -> None:
    app = App()
    devices = [device(n) for n in range(DEAD_ALLOWED)]
    app.taken()
    assert app.dead_again(devices) == DEAD_ALLOWED
    app.now += SAME_DEVICE_FOR + timedelta(seconds=1)

    app.dead_again(devices)

    assert app.is_held()


def test_a_hold_ends_although_a_steady_few_are_dead() -> None:
    app = App()
    app.dead(500, among=100)
    assert app.is_held()

    for _ in range(150):
        app.now += timedelta(minutes=1)
        app.dead(3, among=97)

    assert not app.is_held()


def test_a_hold_lasts_while_the_same_share_looks_dead() -> None:
    app = App()
    devices = [device(n) for n in range(300)]
    app.taken(700)
    app.dead_again(devices)

    for _ in range(50):
        app.now += NORMAL_FOR
        app.taken(700)
        assert app.dead_again(devices) == 0


def test_a_hold_ends_by_itself_once_all_was_well_for_an_hour() -> None:
    app = App()
    app.dead(50)
    app.taken(200)
    assert app.is_held()

    app.now += NORMAL_FOR - timedelta(seconds=1)
    app.taken()
    assert app.is_held()
    app.now += timedelta(seconds=1)
    app.taken()

    assert not app.is_held()
    assert app.dead() == 1


def test_a_hold_that_finds_new_reason_begins_its_hour_again() -> None:
    app = App()
    app.dead(50)
    app.taken(200)
    app.now += NORMAL_FOR / 2
    app.dead(50)
    app.taken(200)
    app.now += NORMAL_FOR / 2

    app.taken()

    assert app.standing.held_since == NOW


def test_a_hold_lasts_while_tokens_look_dead() -> None:
    app = App()
    app.dead(50)

    for _ in range(100):
        app.now += NORMAL_FOR
        assert app.dead(6) == 0


def test_old_results_do_not_count() -> None:
    app = App()
    app.taken()
    assert app.dead(DEAD_ALLOWED) == DEAD_ALLOWED

    app.now += RESULTS_COUNT_FOR + timedelta(seconds=1)
    app.taken()

    assert app.dead(DEAD_ALLOWED) == DEAD_ALLOWED
    assert not app.is_held()


def test_a_hold_stays_when_the_credential_changes_and_its_results_do_not() -> None:
    app = App()
    app.dead(50)
    app.now += CHANGE_SETTLES
    app.credential = "f2"

    app.taken()

    assert app.is_held()
    assert (app.standing.sudden.dead, app.standing.steady.dead) == (0, 0)


def test_workers_that_know_different_credentials_share_one_allowance() -> None:
    app = App()
    allowed = 0

    for number in range(100):
        app.credential = f"f{number % 2}"
        allowed += app.dead()

    assert allowed == DEAD_ALLOWED_WITHOUT_SUCCESS


def test_after_a_release_everything_is_deactivated_for_a_time() -> None:
    app = App()
    app.dead(50)

    app.standing = released(app.standing, NOW + timedelta(hours=1))
    assert app.dead(500) == 500
    assert not app.is_held()
    app.now += timedelta(hours=1)

    assert app.dead(500) == DEAD_ALLOWED_WITHOUT_SUCCESS
    assert app.standing.held_since == app.now
