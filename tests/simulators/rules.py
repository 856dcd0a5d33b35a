"""Scripted answers and faults: which requests they are for, how often, and what to do."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, Literal

import msgspec


class Answer(
    msgspec.Struct, frozen=True, tag_field="kind", tag="answer", forbid_unknown_fields=True
):
    """Answer this; below 300 the request is processed first and must have been good."""

    status: int
    reason: str | None = None
    headers: dict[str, str] = {}
    body: str | None = None
    content_type: str | None = None
    without: tuple[str, ...] = ()  # headers left out
    upper: tuple[str, ...] = ()  # headers whose value comes in upper case


class Hang(msgspec.Struct, frozen=True, tag_field="kind", tag="hang", forbid_unknown_fields=True):
    """Neither process nor answer."""


class HangAfter(
    msgspec.Struct, frozen=True, tag_field="kind", tag="hang_after", forbid_unknown_fields=True
):
    """Process, never answer."""


class CutBefore(
    msgspec.Struct, frozen=True, tag_field="kind", tag="cut_before", forbid_unknown_fields=True
):
    """Abort the TCP connection without processing."""


class CutAfter(
    msgspec.Struct, frozen=True, tag_field="kind", tag="cut_after", forbid_unknown_fields=True
):
    """Process, then abort the TCP connection."""


class Delay(msgspec.Struct, frozen=True, tag_field="kind", tag="delay", forbid_unknown_fields=True):
    """Process now, answer later."""

    seconds: float


class Goaway(
    msgspec.Struct, frozen=True, tag_field="kind", tag="goaway", forbid_unknown_fields=True
):
    """GOAWAY that counts this request (processed, answered) or ends before it (not processed)."""

    last: Literal["this", "before"] = "this"


class Reset(msgspec.Struct, frozen=True, tag_field="kind", tag="reset", forbid_unknown_fields=True):
    """RST_STREAM; 7 is REFUSED_STREAM. HTTP/1.1: a cut."""

    code: int = 7
    is_processed: bool = False


class Shaped(
    msgspec.Struct, frozen=True, tag_field="kind", tag="shaped", forbid_unknown_fields=True
):
    """Judge and answer, or answer `status`, in this shape."""

    status: int | None = None
    frame_bytes: int | None = None
    empty_last: bool = False
    split_headers: bool = False
    drip_seconds: float = 0.0


class Begin(msgspec.Struct, frozen=True, tag_field="kind", tag="begin", forbid_unknown_fields=True):
    """Answer the head of `status`, and no more; below 300 the request is processed first."""

    status: int = 200
    cuts: bool = False  # abort the connection then


class Streams(
    msgspec.Struct, frozen=True, tag_field="kind", tag="streams", forbid_unknown_fields=True
):
    """Announce another limit of streams, then judge and answer."""

    count: int


class Ping(msgspec.Struct, frozen=True, tag_field="kind", tag="ping", forbid_unknown_fields=True):
    """PING, then judge and answer."""


class Leave(msgspec.Struct, frozen=True, tag_field="kind", tag="leave", forbid_unknown_fields=True):
    """End the connection: `reset`, `fin`, or `goaway` that counts every request, unanswered."""

    how: Literal["reset", "fin", "goaway"] = "goaway"
    is_processed: bool = False
    is_answered: bool = False  # processed and answered first: the connection then ends when idle


class Garbage(
    msgspec.Struct, frozen=True, tag_field="kind", tag="garbage", forbid_unknown_fields=True
):
    """Answer HTML; with a 2xx the request is processed first."""

    status: int = 502


Action = (
    Answer
    | Hang
    | HangAfter
    | CutBefore
    | CutAfter
    | Delay
    | Goaway
    | Reset
    | Garbage
    | Shaped
    | Begin
    | Streams
    | Ping
    | Leave
)


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All given fields must be equal; without `path` only sends match, with it only that path."""

    device: str | None = None
    notification_id: str | None = None
    title: str | None = None
    path: str | None = None


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """A match, an action, and how often; `times` null means for ever.

    `every` = 20 lets 19 requests that fit pass before each that it acts on.
    """

    action: Action
    match: Match = msgspec.field(default_factory=Match)
    times: int | None = 1
    skip: int = 0
    every: int = 1
    id: str = ""
    hits: int = 0


class Subject(msgspec.Struct, frozen=True):
    """What a request is about, as far as rules can tell."""

    path: str
    devices: tuple[str, ...]
    notification_ids: tuple[str, ...]
    title: str | None
    is_send: bool


class RuleBook:
    """The rules of one simulator in the order they came; the first that fits decides."""

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}
        self._numbers = itertools.count(1)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def add(self, fields: dict[str, Any]) -> str:
        """Add a rule; returns its id; raises msgspec.ValidationError for a malformed one."""
        rule = msgspec.convert(fields, Rule)
        rule.id, rule.hits = f"rule-{next(self._numbers)}", 0
        self._rules[rule.id] = rule
        return rule.id

    def take(self, subject: Subject) -> Action | None:
        """The action for this request, counting it against its rule."""
        for rule in self._rules.values():
            if rule.times == 0 or not _fits(rule.match, subject):
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            rule.skip = rule.every - 1
            if rule.times is not None:
                rule.times -= 1
            rule.hits += 1
            return rule.action
        return None

    def remove(self, rule_id: str) -> bool:
        """Remove one; false when there is none of that id."""
        return self._rules.pop(rule_id, None) is not None

    def clear(self) -> None:
        """Remove all."""
        self._rules.clear()

    def list(self) -> Iterable[Rule]:
        """Every rule with what is left of it."""
        return list(self._rules.values())


def _fits(match: Match, subject: Subject) -> bool:
    if match.path is None:
        if not subject.is_send:
            return False
    elif match.path != subject.path:
        return False
    if match.device is not None and match.device not in subject.devices:
        return False
    if match.notification_id is not None and match.notification_id not in subject.notification_ids:
        return False
    return match.title is None or match.title == subject.title
