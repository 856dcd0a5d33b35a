"""The shape of one request and its answer, the same for HTTP/1.1 and HTTP/2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol
from urllib.parse import parse_qs, urlsplit

from tests.simulators.shapes import Shape

Headers = Sequence[tuple[str, str]]
Leaving = Literal["reset", "fin", "goaway"]


@dataclass(slots=True, eq=False)
class Connection:
    """One accepted TCP connection; `session` belongs to the simulator that serves it.

    `certificate` is the client's (DER), if it showed one.
    """

    number: int
    label: str
    session: object | None = None
    certificate: bytes | None = None


class SimRequest:
    """One complete request: header names lower-case, `path` without the query."""

    __slots__ = ("_target", "body", "connection", "header_list", "headers", "method", "path")

    def __init__(
        self, method: str, target: str, headers: Headers, body: bytes, connection: Connection
    ) -> None:
        self.method = method
        self._target = target
        self.path = target.partition("?")[0]
        self.header_list = headers
        self.headers: Mapping[str, str] = dict(headers)
        self.body = body
        self.connection = connection

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters, the last value of each."""
        parsed = parse_qs(urlsplit(self._target).query, keep_blank_values=True)
        return {name: values[-1] for name, values in parsed.items()}

    @property
    def repeated_headers(self) -> set[str]:
        """Names of headers that came more than once."""
        if len(self.headers) == len(self.header_list):
            return set()
        names = [name for name, _ in self.header_list]
        return {name for name in names if names.count(name) > 1}


@dataclass(slots=True)
class SimResponse:
    """An answer; an empty body on HTTP/2 is HEADERS with END_STREAM and nothing more."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)
    shape: Shape | None = None


class Exchange(Protocol):
    """One request in progress, and what may be done to it and its connection."""

    def answer(self, response: SimResponse) -> bool:
        """Write the answer; false when the client is gone."""

    def announce(self, streams: int) -> None:
        """SETTINGS with that limit of streams from now on; nothing on HTTP/1.1."""

    def ping(self) -> None:
        """PING on HTTP/2; nothing on HTTP/1.1."""

    def begin(self, response: SimResponse) -> None:
        """Write the head of the answer and then no more."""

    def cut(self) -> None:
        """Abort the TCP connection."""

    def reset(self, code: int) -> None:
        """RST_STREAM on HTTP/2, a cut on HTTP/1.1."""

    def goaway(self, *, is_processed: bool) -> None:
        """GOAWAY on HTTP/2, where lower streams are still answered; close or cut on HTTP/1.1."""

    def leave(self, how: Leaving) -> None:
        """End the connection without a word on this request; see `Link`."""


class Link(Protocol):
    """One connection, from outside any request."""

    @property
    def open_streams(self) -> int: ...

    def leave(self, how: Leaving) -> None:
        """`reset`: RST. `fin`: FIN alone. `goaway`: all requests count, and nothing follows."""


@dataclass(slots=True)
class Http2Policy:
    """What an HTTP/2 listener announces and how it treats a client that goes beyond."""

    streams: int = 100
    initial_streams: int | None = (
        None  # announced until the first 200 on a connection; None = `streams`
    )
    shrinks_on_403: bool = False  # announce 1 stream after a 403 until the next 200
    on_excess: Literal["refuse", "goaway"] = "refuse"
    window_bytes: int = (
        65_535  # our INITIAL_WINDOW_SIZE: what a client may send before we acknowledge
    )


class Service(Protocol):
    """What a listener needs of whoever serves it."""

    policy: Http2Policy

    def open_connection(self, label: str) -> Connection: ...

    def close_connection(self, connection: Connection) -> None: ...

    def attach(self, link: Link) -> None: ...

    def detach(self, link: Link) -> None: ...

    def note_streams(self, count: int) -> None: ...

    def serve(self, request: SimRequest, exchange: Exchange) -> None: ...
