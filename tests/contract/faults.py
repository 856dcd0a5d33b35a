"""Everything that we know a provider or the network to do to a push, and what we make of it."""

from dataclasses import dataclass
from typing import Any, Literal

from shared.domain.devices import Provider
from shared.providers.outcomes import (
    Ambiguous,
    Misconfigured,
    Outcome,
    Rejected,
    Sent,
    Suspect,
    Unavailable,
)

Mode = Literal["refuse", "mute", "no_tls"]
Kinds = tuple[type[Outcome], ...]

SENT: Kinds = (Sent,)
UNKNOWN: Kinds = (Ambiguous,)
LATER: Kinds = (Unavailable,)
NEVER_AS_IT_IS: Kinds = (Rejected, Suspect, Misconfigured)
ALL: tuple[Provider, ...] = ("apns", "fcm", "pushy", "webpush")


@dataclass(frozen=True)
class Fault:
    """`processed`: how often the provider has the push afterwards.

    `body_decides`: of a success, Pushy's body is the only proof. `never_sent`: the outcome must
    claim that the provider cannot have it. `kinds` apply to the attempt that meets the fault.
    """

    name: str
    kinds: Kinds
    processed: int
    action: dict[str, Any] | None = None
    times: int | None = None  # None: for ever
    mode: Mode | None = None
    leave: str | None = None  # how the idle connection ends before the attempt
    providers: tuple[Provider, ...] = ALL
    body_decides: bool = False
    never_sent: bool = False
    retry_after: bool = False
    recovers: bool = True  # the next push on the same transports is sent
    arrivals_max: int = 1  # requests of this attempt that reached the provider; APNs' lane adds one

    def kinds_for(self, provider: Provider) -> Kinds:
        return UNKNOWN if self.body_decides and provider == "pushy" else self.kinds


def act(kind: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, **fields}


def answer(status: int, body: str | None = None, **headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return act("answer", status=status, body=body, headers=named)


_CONNECTING = (
    Fault("connection_refused", LATER, 0, mode="refuse", never_sent=True, arrivals_max=0),
    Fault("handshake_fails", LATER, 0, mode="no_tls", never_sent=True, arrivals_max=0),
    Fault("tcp_accepts_and_no_more", LATER, 0, mode="mute", never_sent=True, arrivals_max=0),
)

_SILENCE = (
    Fault("hang_before_processing", UNKNOWN, 0, act("hang")),
    Fault("hang_after_processing", UNKNOWN, 1, act("hang_after")),
    # A connection that drips stays so: RotatingTransport leaves it behind after some timeouts.
    Fault("slow_drip", UNKNOWN, 1, act("shaped", drip_seconds=0.2), recovers=False),
    Fault("head_of_a_success_and_no_more", SENT, 1, act("begin"), body_decides=True),
    Fault("head_of_a_503_and_no_more", LATER, 0, act("begin", status=503)),
    Fault("head_of_a_success_and_fin", SENT, 1, act("begin", cuts=True), body_decides=True),
)

_CUTS = (
    Fault("reset_before_processing", UNKNOWN, 0, act("cut_before")),
    Fault("reset_after_processing", UNKNOWN, 1, act("cut_after")),
    Fault("fin_before_processing", UNKNOWN, 0, act("leave", how="fin")),
    Fault("fin_after_processing", UNKNOWN, 1, act("leave", how="fin", is_processed=True)),
    Fault("idle_reset", SENT, 1, leave="reset"),
    Fault("idle_fin_without_goaway", SENT, 1, leave="fin"),
    Fault("idle_goaway", SENT, 1, leave="goaway"),
    Fault("answered_then_fin", SENT, 1, act("leave", how="fin", is_answered=True), times=1),
)

_STREAMS = (
    Fault("refused_once", SENT, 1, act("reset", code=7), times=1, arrivals_max=2),
    Fault("refused_always", LATER, 0, act("reset", code=7), never_sent=True, arrivals_max=4),
    *(
        Fault(f"reset_{name}", UNKNOWN, 0, act("reset", code=code))
        for name, code in (
            ("no_error", 0), ("internal_error", 2), ("stream_closed", 5), ("cancel", 8),
            ("enhance_your_calm", 11), ("http_1_1_required", 13),
        )
    ),
    Fault("reset_after_processing_it", UNKNOWN, 1, act("reset", code=2, is_processed=True)),
    Fault("goaway_that_counts_it", SENT, 1, act("goaway"), times=1),
    Fault("goaway_before_it", SENT, 1, act("goaway", last="before"), times=1, arrivals_max=2),
    Fault("goaway_abrupt_unprocessed", UNKNOWN, 0, act("leave")),
    Fault("goaway_abrupt_processed", UNKNOWN, 1, act("leave", is_processed=True)),
    Fault("limit_shrinks_to_1", SENT, 1, act("streams", count=1)),
    Fault("ping", SENT, 1, act("ping")),
)  # fmt: skip

_ANSWERS = (
    *(Fault(f"status_{status}", LATER, 0, answer(status)) for status in (500, 502, 503, 504)),
    *(
        Fault(f"status_{status}_in_seconds", LATER, 0, answer(status, retry_after="120"),
              retry_after=True)
        for status in (429, 503)
    ),
    Fault("html_502", LATER, 0, act("garbage", status=502)),
    Fault("html_200", SENT, 1, act("garbage", status=200), body_decides=True),
    *(
        Fault(f"{name}_{status}", kinds, int(status == 200), answer(status, body),
              body_decides=status == 200)
        for name, body in (("truncated_json", '{"id":"1'), ("empty_body", ""), ("list", "[[]]"),
                           ("not_utf8", "\u00ff{"), ("wrong_types", '{"error":7,"reason":[]}'))
        for status, kinds in ((200, SENT), (400, NEVER_AS_IT_IS), (500, LATER))
    ),
    Fault("frames_of_1_byte", SENT, 1, act("shaped", frame_bytes=1)),
    Fault("frames_of_1_byte_503", LATER, 0, act("shaped", status=503, frame_bytes=1)),
    Fault("trailing_empty_frame", SENT, 1, act("shaped", empty_last=True)),
    Fault("trailing_empty_frame_503", LATER, 0, act("shaped", status=503, empty_last=True)),
    Fault("split_headers", SENT, 1, act("shaped", split_headers=True)),
    Fault("split_headers_503", LATER, 0, act("shaped", status=503, split_headers=True)),
    *(
        Fault(f"redirect_{status}", (*NEVER_AS_IT_IS, *LATER), 0,
              answer(status, location="https://localhost:1/elsewhere"))
        for status in (301, 302, 307, 308)
    ),
    Fault("id_missing", SENT, 1, act("answer", status=200, without=["apns-id"]),
          providers=("apns",)),
    Fault("id_in_upper_case", SENT, 1, act("answer", status=200, upper=["apns-id"]),
          providers=("apns",)),
)  # fmt: skip

FAULTS = (*_CONNECTING, *_SILENCE, *_CUTS, *_STREAMS, *_ANSWERS)
