"""When deactivations are held: too many of a provider's latest answers would deactivate devices.

A wrong key, topic, project or environment makes every token look dead. So devices are deactivated
only as long as few are; beyond that a person is to look.

Two scores are kept, each a CUSUM chart (Page 1954, https://doi.org/10.1093/biomet/41.1-2.100): a
device found dead adds one, a push that was taken subtracts what makes the score stand still at the
share that is allowed, and no score falls below zero. So a score is by how many devices the dead
exceed that share since it was zero. The first stops a sudden wave after few devices; the second
finds a share that is too large only in the long run, and no steady share below it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

RESULTS_COUNT_FOR = timedelta(hours=24)  # a full score has faded to zero by then
SHARE_MAX = 0.05
DEAD_ALLOWED = 10  # few dead tokens are no wave, however small the app is
DEAD_ALLOWED_WITHOUT_SUCCESS = DEAD_ALLOWED // 2  # then the set-up is as suspect as the tokens
SUDDEN_SHARE_MAX = 1 / 6
STEADY_DEAD_ALLOWED = 25
NORMAL_FOR = timedelta(hours=1)  # then a hold ends by itself
CHANGE_SETTLES = timedelta(seconds=10)  # workers learn of another credential one after the other
SAME_DEVICE_FOR = timedelta(minutes=10)  # its other notifications, on their way, say nothing new
_SAME_DEVICES_MAX = 100
# However many were dead, a few hundred pushes that are taken show that all is well again.
_SUDDEN_SCORE_MAX = 2.0 * DEAD_ALLOWED
_STEADY_SCORE_MAX = 1.2 * STEADY_DEAD_ALLOWED


class Found(msgspec.Struct, frozen=True, array_like=True):
    """A device that an answer called dead."""

    at: datetime
    device_id: UUID


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """Answers that a credential got lately.

    `taken` pushes came among those that found devices dead, `taken_before` came before all of them;
    the last was at `taken_at`.
    """

    fingerprint: str
    taken: int = 0
    taken_before: int = 0
    taken_at: datetime | None = None
    dead: Sequence[UUID] = ()


class Tally(msgspec.Struct, frozen=True, array_like=True):
    """A score, and what was counted since it was zero."""

    score: float = 0.0
    dead: int = 0
    taken: int = 0

    @property
    def share(self) -> float:
        """The dead of all answers."""
        return self.dead / (self.dead + self.taken) if self.dead else 0.0

    def with_taken(self, count: int, share_max: float) -> "Tally":
        score = self.score - count * share_max / (1 - share_max)
        return Tally(score, self.dead, self.taken + count) if score > 0 else Tally()

    def with_dead(self, score_max: float) -> "Tally":
        return Tally(min(self.score + 1, score_max), self.dead + 1, self.taken)

    def faded(self, by: float) -> "Tally":
        score = self.score - by
        return Tally(score, self.dead, self.taken) if score > 0 else Tally()


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where an app stands with one provider; `found` has the newest device first."""

    fingerprint: str = ""
    fingerprint_since: datetime | None = None
    taken_at: datetime | None = None
    sudden: Tally = Tally()
    steady: Tally = Tally()
    counted_at: datetime | None = None
    found: tuple[Found, ...] = ()
    held_since: datetime | None = None
    normal_since: datetime | None = None  # while held: since when it would not be held
    released_until: datetime | None = None  # an operator says that the tokens are dead indeed

    @property
    def is_held(self) -> bool:
        return self.held_since is not None

    @property
    def is_normal(self) -> bool:
        allowed = DEAD_ALLOWED_WITHOUT_SUCCESS if self.taken_at is None else DEAD_ALLOWED
        return self.sudden.score <= allowed and self.steady.score <= STEADY_DEAD_ALLOWED

    @property
    def reason(self) -> Tally:
        """What a hold is about: the sudden wave, else the share of the long run."""
        return self.steady if self.steady.score > STEADY_DEAD_ALLOWED else self.sudden


class Judgement(msgspec.Struct, frozen=True):
    """A standing after further results, and which of their devices may be deactivated."""

    standing: Standing
    may_be_deactivated: frozenset[UUID] = frozenset()


def judge(standing: Standing, results: Results, now: datetime) -> Judgement:
    """Take further results into account, device by device: the first that is too many is held."""
    if standing.released_until is not None and now < standing.released_until:
        return Judgement(standing, frozenset(results.dead))
    standing = _faded(_of_credential(standing, results.fingerprint, now), now)
    standing = _with_taken(standing, results, results.taken_before, now)
    allowed = set()
    for device_id, taken in zip(results.dead, _spread(results), strict=True):
        standing = _with_taken(standing, results, taken, now)
        standing = _settled(_with_dead(standing, device_id, now), now)
        if not standing.is_held:
            allowed.add(device_id)
    if not results.dead:
        standing = _with_taken(standing, results, results.taken, now)
    return Judgement(_settled(standing, now), frozenset(allowed))


def released(standing: Standing, until: datetime) -> Standing:
    """The standing of a hold that an operator has ended: what follows is not judged for a time."""
    return Standing(
        fingerprint=standing.fingerprint,
        fingerprint_since=standing.fingerprint_since,
        released_until=until,
    )


def _of_credential(standing: Standing, fingerprint: str, now: datetime) -> Standing:
    """Results of another credential say nothing of this one; a hold stays all the same."""
    since = standing.fingerprint_since
    if fingerprint == standing.fingerprint or (since and now - since < CHANGE_SETTLES):
        return standing
    return Standing(
        fingerprint=fingerprint,
        fingerprint_since=now,
        held_since=standing.held_since,
        normal_since=standing.normal_since,
        released_until=standing.released_until,
    )


def _faded(standing: Standing, now: datetime) -> Standing:
    """Old results count less and less."""
    age = max(now - (standing.counted_at or now), timedelta(0)) / RESULTS_COUNT_FOR
    is_taken = standing.taken_at is not None and now - standing.taken_at <= RESULTS_COUNT_FOR
    return msgspec.structs.replace(
        standing,
        taken_at=standing.taken_at if is_taken else None,
        sudden=standing.sudden.faded(age * _SUDDEN_SCORE_MAX),
        steady=standing.steady.faded(age * _STEADY_SCORE_MAX),
        counted_at=now,
        found=tuple(f for f in standing.found if now - f.at <= SAME_DEVICE_FOR),
    )


def _spread(results: Results) -> list[int]:
    """How many of the pushes that were taken come before each device that was not."""
    parts = len(results.dead)
    return [results.taken * (n + 1) // parts - results.taken * n // parts for n in range(parts)]


def _with_taken(standing: Standing, results: Results, count: int, now: datetime) -> Standing:
    if count == 0:
        return standing
    latest = results.taken_at or now
    return msgspec.structs.replace(
        standing,
        taken_at=max(latest, standing.taken_at or latest),
        sudden=standing.sudden.with_taken(count, SUDDEN_SHARE_MAX),
        steady=standing.steady.with_taken(count, SHARE_MAX),
    )


def _with_dead(standing: Standing, device_id: UUID, now: datetime) -> Standing:
    if any(found.device_id == device_id for found in standing.found):
        return standing
    return msgspec.structs.replace(
        standing,
        sudden=standing.sudden.with_dead(_SUDDEN_SCORE_MAX),
        steady=standing.steady.with_dead(_STEADY_SCORE_MAX),
        found=(Found(now, device_id), *standing.found)[:_SAME_DEVICES_MAX],
    )


def _settled(standing: Standing, now: datetime) -> Standing:
    """Begin a hold, or end one that had no reason for long enough."""
    held_since, normal_since = standing.held_since, standing.normal_since
    if not standing.is_normal:
        held_since, normal_since = held_since or now, None
    elif held_since is not None:
        normal_since = normal_since or now
        if now - normal_since >= NORMAL_FOR:
            held_since = normal_since = None
    return msgspec.structs.replace(standing, held_since=held_since, normal_since=normal_since)
