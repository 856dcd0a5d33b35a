"""What every provider simulator does: read, look for a rule, judge, record, answer."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from abc import ABC, abstractmethod
from collections import Counter
from typing import Any, ClassVar, assert_never

import msgspec

from tests.simulators.devices import Device, Devices, State
from tests.simulators.exchange import (
    Connection,
    Exchange,
    Http2Policy,
    Leaving,
    Link,
    SimRequest,
    SimResponse,
)
from tests.simulators.journal import Entry, Journal
from tests.simulators.rules import (
    Action,
    Answer,
    Begin,
    CutAfter,
    CutBefore,
    Delay,
    Garbage,
    Goaway,
    Hang,
    HangAfter,
    Leave,
    Ping,
    Reset,
    RuleBook,
    Shaped,
    Streams,
    Subject,
)
from tests.simulators.shapes import Shape

SUCCESS_STATUS_END = 300
LATENCY_SEED = 1
P99_SIGMAS = 2.326  # of a normal distribution
HTML = b"<!DOCTYPE html><html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1></html>"


class Call(msgspec.Struct, kw_only=True):
    """What a request says, before anyone judges it; `content` is the simulator's own reading."""

    devices: tuple[str, ...] = ()
    notification_ids: tuple[str, ...] = ()
    title: str | None = None
    payload: bytes = b""
    content: Any = None
    is_send: bool = True


class Recipient(msgspec.Struct):
    """How one of several recipients fared."""

    device: str
    accepted: bool
    reason: str | None = None


class Verdict(msgspec.Struct):
    """The answer, and whether the provider now has the notification."""

    response: SimResponse
    accepted: bool
    reason: str | None = None
    id: str | None = None
    recipients: list[Recipient] | None = None
    note: dict[str, Any] | None = None


class SimulatorError(Exception):
    """An admin request that makes no sense."""


class Simulator(ABC):
    """One provider. Subclasses say how to read, judge and refuse; faults are the same for all."""

    magic_prefixes: ClassVar[dict[str, State]] = {"dead-": "unregistered", "bad-": "bad"}
    once_mark = "503once"

    def __init__(self, policy: Http2Policy) -> None:
        self.policy = policy
        self.journal = Journal()
        self.rules = RuleBook()
        self.devices = Devices(self.magic_prefixes, self.once_mark)
        self.latency_seconds = 0.0
        self.latency_p99_seconds: float | None = None
        self._chance = random.Random(LATENCY_SEED)
        self.links: set[Link] = set()
        self.settings: Any = None
        self.connections_open = 0
        self._connection_numbers = itertools.count(1)
        self.requests = 0
        self.connections_opened = 0
        self.max_concurrent_streams = 0
        self.faults: Counter[str] = Counter()

    # -- what a provider is

    @abstractmethod
    def read(self, request: SimRequest) -> Call:
        """What the request is about; must not fail on any input."""

    @abstractmethod
    def judge(self, request: SimRequest, call: Call) -> Verdict:
        """Process the request as the provider would."""

    @abstractmethod
    def refusal(
        self, request: SimRequest, call: Call, status: int, reason: str | None
    ) -> SimResponse:
        """The provider's body for a scripted failure."""

    def extra_stats(self) -> dict[str, Any]:
        """Counters that only this simulator has."""
        return {}

    def forget(self) -> None:  # noqa: B027 - most have nothing more to drop
        """Drop what `reset` must drop beyond log, rules and devices; set-up stays."""

    def seen(self, notification_id: str) -> list[Entry]:
        """Entries of that notification."""
        return self.journal.of_notification(notification_id)

    def configure(self, changes: dict[str, Any]) -> dict[str, Any]:
        """Change knobs; returns them all."""
        if self.settings is None:
            raise SimulatorError("this simulator has no settings")
        merged = {**msgspec.to_builtins(self.settings), **changes}
        self.settings = msgspec.convert(merged, type(self.settings))
        return {**merged}

    # -- Service

    def open_connection(self, label: str) -> Connection:
        """Count and number a connection."""
        self.connections_opened += 1
        self.connections_open += 1
        return Connection(next(self._connection_numbers), label)

    def close_connection(self, connection: Connection) -> None:  # noqa: ARG002 - Service
        """Count a connection's end."""
        self.connections_open -= 1

    def attach(self, link: Link) -> None:
        """Know a connection, to end it on demand."""
        self.links.add(link)

    def detach(self, link: Link) -> None:
        self.links.discard(link)

    def leave(self, how: Leaving) -> int:
        """End every connection; returns how many."""
        links = list(self.links)
        for link in links:
            link.leave(how)
        return len(links)

    def latency(self) -> float:
        """Seconds before the next answer: the same, or drawn from a log-normal distribution."""
        if self.latency_p99_seconds is None:
            return self.latency_seconds
        sigma = math.log(self.latency_p99_seconds / self.latency_seconds) / P99_SIGMAS
        return self._chance.lognormvariate(math.log(self.latency_seconds), sigma)

    def note_streams(self, count: int) -> None:
        """Remember the most streams open at once on one connection."""
        self.max_concurrent_streams = max(self.max_concurrent_streams, count)

    def serve(self, request: SimRequest, exchange: Exchange) -> None:
        """Handle one request from its bytes to its answer."""
        call = self.read(request)
        if call.is_send:
            self.requests += 1
        action = None
        if self.rules:
            subject = Subject(
                request.path, call.devices, call.notification_ids, call.title, call.is_send
            )
            action = self.rules.take(subject)
        if action is None:
            self._finish(request, call, exchange, self.judge(request, call), self.latency())
        else:
            self._act(action, request, call, exchange)

    # -- admin

    def put_device(self, token: str, device: Device) -> Device:
        """Set a device's state."""
        return self.devices.put(token, device)

    def reset(self) -> None:
        """Clear log, counters, rules and device states; keys, apps and subscriptions stay."""
        self.journal.clear()
        self.rules.clear()
        self.devices.clear()
        self.latency_seconds, self.latency_p99_seconds = 0.0, None
        self._chance.seed(LATENCY_SEED)
        self.requests = self.connections_opened = self.max_concurrent_streams = 0
        self.faults.clear()
        self.forget()

    def stats(self) -> dict[str, Any]:
        """Every counter."""
        return {
            "requests": self.requests,
            **self.journal.stats(),
            "connections_opened": self.connections_opened,
            "connections_open": self.connections_open,
            "streams_open": sum(link.open_streams for link in self.links),
            "max_concurrent_streams": self.max_concurrent_streams,
            "faults": dict(self.faults),
            **self.extra_stats(),
        }

    # -- helpers

    def _act(self, action: Action, request: SimRequest, call: Call, exchange: Exchange) -> None:
        self.faults[str(type(action).__struct_config__.tag)] += 1
        match action:
            case Answer() | Garbage():
                verdict = self._scripted(action, request, call)
                self._finish(request, call, exchange, verdict, self.latency())
            case Hang():
                pass
            case HangAfter():
                self._record(request, call, self.judge(request, call))
            case CutBefore():
                exchange.cut()
            case CutAfter():
                self._record(request, call, self.judge(request, call))
                exchange.cut()
            case Delay(seconds=seconds):
                self._finish(request, call, exchange, self.judge(request, call), seconds)
            case Goaway(last=last):
                if last == "this":
                    self._finish(request, call, exchange, self.judge(request, call), 0.0)
                exchange.goaway(is_processed=last == "this")
            case Reset() | Shaped() | Begin() | Streams() | Ping() | Leave():
                self._act_on_connection(action, request, call, exchange)
            case _:
                assert_never(action)

    def _act_on_connection(
        self,
        action: Reset | Shaped | Begin | Streams | Ping | Leave,
        request: SimRequest,
        call: Call,
        exchange: Exchange,
    ) -> None:
        match action:
            case Reset(code=code, is_processed=is_processed):
                if is_processed:
                    self._record(request, call, self.judge(request, call))
                exchange.reset(code)
            case Shaped(status=status):
                verdict = self._scripted(Answer(status or 200), request, call)
                verdict.response.shape = Shape(
                    action.frame_bytes,
                    action.empty_last,
                    action.split_headers,
                    action.drip_seconds,
                )
                self._finish(request, call, exchange, verdict, 0.0)
            case Begin(status=status, cuts=cuts):
                verdict = self._scripted(Answer(status), request, call)
                self._record(request, call, verdict)
                exchange.begin(verdict.response)
                if cuts:
                    exchange.leave("fin")
            case Streams(count=count):
                exchange.announce(count)
                self._finish(request, call, exchange, self.judge(request, call), 0.0)
            case Ping():
                exchange.ping()
                self._finish(request, call, exchange, self.judge(request, call), 0.0)
            case Leave():
                self._end(action, request, call, exchange)
            case _:
                assert_never(action)

    def _end(self, action: Leave, request: SimRequest, call: Call, exchange: Exchange) -> None:
        if action.is_answered:
            self._finish(request, call, exchange, self.judge(request, call), 0.0)
        elif action.is_processed:
            self._record(request, call, self.judge(request, call))
        asyncio.get_running_loop().call_soon(exchange.leave, action.how)

    def _scripted(self, action: Answer | Garbage, request: SimRequest, call: Call) -> Verdict:
        """The scripted answer; a scripted success is one only for a request that deserves it."""
        is_success = action.status < SUCCESS_STATUS_END
        judged = self.judge(request, call) if is_success else None
        if judged is not None and judged.response.status >= SUCCESS_STATUS_END:
            return judged
        if isinstance(action, Garbage):
            response = SimResponse(
                action.status, HTML, [("content-type", "text/html; charset=utf-8")]
            )
            return judged_as(judged, response, None if judged else "garbage")
        if judged is not None:
            response = SimResponse(action.status, judged.response.body, judged.response.headers)
        else:
            response = self.refusal(request, call, action.status, action.reason)
        return judged_as(judged, _overridden(response, action), action.reason)

    def _finish(
        self,
        request: SimRequest,
        call: Call,
        exchange: Exchange,
        verdict: Verdict,
        delay_seconds: float,
    ) -> None:
        entries = self._record(request, call, verdict)
        if delay_seconds > 0:
            loop = asyncio.get_running_loop()
            loop.call_later(delay_seconds, _answer, exchange, verdict.response, entries)
        else:
            _answer(exchange, verdict.response, entries)

    def _record(self, request: SimRequest, call: Call, verdict: Verdict) -> list[Entry]:
        """One entry per recipient; none for calls that are not sends."""
        if not call.is_send:
            return []
        recipients = verdict.recipients
        if recipients is None:
            devices = call.devices or (None,)
            recipients = [Recipient(device, verdict.accepted, verdict.reason) for device in devices]  # type: ignore[arg-type]
        return [
            self.journal.record(_entry(request, call, verdict, recipient))
            for recipient in recipients
        ]


def judged_as(judged: Verdict | None, response: SimResponse, reason: str | None) -> Verdict:
    """That verdict with another answer, or a refusal when there is none."""
    if judged is None:
        return Verdict(response, accepted=False, reason=reason)
    return Verdict(
        response, judged.accepted, judged.reason, judged.id, judged.recipients, judged.note
    )


def _overridden(response: SimResponse, action: Answer) -> SimResponse:
    body = response.body if action.body is None else action.body.encode()
    replaced = {name.lower(): value for name, value in action.headers.items()}
    if action.content_type is not None:
        replaced["content-type"] = action.content_type
    kept = [
        (name, value.upper() if name in action.upper else value)
        for name, value in response.headers
        if name not in replaced and name not in action.without
    ]
    return SimResponse(response.status, body, [*kept, *replaced.items()])


def _answer(exchange: Exchange, response: SimResponse, entries: list[Entry]) -> None:
    is_answered = exchange.answer(response)
    for entry in entries:
        entry.answered = is_answered


def _entry(request: SimRequest, call: Call, verdict: Verdict, recipient: Recipient) -> Entry:
    return Entry(
        n=0,
        at=0.0,
        connection=request.connection.number,
        device=recipient.device,
        id=verdict.id,
        notification_id=call.notification_ids[0] if len(call.notification_ids) == 1 else None,
        path=request.path,
        headers=request.header_list,
        payload=call.payload,
        status=verdict.response.status,
        reason=recipient.reason,
        accepted=recipient.accepted,
        answered=False,
        note=verdict.note,
    )
