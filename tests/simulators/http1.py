"""One HTTP/1.1 server connection on h11: keep-alive, pipelining, one answer at a time."""

from __future__ import annotations

import asyncio
from http.client import responses
from typing import cast

import h11

from tests.simulators.exchange import Leaving, Service, SimRequest, SimResponse
from tests.simulators.shapes import Tap, send_fin

BODY_BYTES_MAX = 32 * 1024 * 1024


class Http1Connection(asyncio.Protocol):
    """Reads one request at a time; it is its own Exchange for the request in progress."""

    def __init__(self, service: Service, label: str) -> None:
        self._service = service
        self._label = label
        self._h11 = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = bytearray()
        self._is_pumping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop does not derive its own
        self._transport = transport
        self._tap = Tap(transport)
        self._service.attach(self)
        self._connection = self._service.open_connection(self._label)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio
        self._service.detach(self)
        self._service.close_connection(self._connection)

    def data_received(self, data: bytes) -> None:
        self._h11.receive_data(data)
        self._pump()

    def eof_received(self) -> bool:
        return False

    def _pump(self) -> None:
        if self._is_pumping:
            return
        self._is_pumping = True
        try:
            while not self._transport.is_closing() and self._take(self._h11.next_event()):
                pass
        except h11.RemoteProtocolError:
            self._transport.close()
        finally:
            self._is_pumping = False

    def _take(self, event: object) -> bool:
        """Act on one event; false when there is nothing more to read now."""
        match event:
            case h11.Request():
                self._request = event
                self._body.clear()
                if self._h11.they_are_waiting_for_100_continue:
                    self._send(h11.InformationalResponse(status_code=100, headers=[]))
            case h11.Data():
                self._body.extend(event.data)
                if len(self._body) > BODY_BYTES_MAX:
                    self._transport.abort()
            case h11.EndOfMessage():
                self._serve()
            case h11.ConnectionClosed():
                self._transport.close()
            case _:
                return False
        return True

    def _serve(self) -> None:
        assert self._request is not None
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in self._request.headers
        ]
        self._service.note_streams(1)
        request = SimRequest(
            self._request.method.decode("ascii"),
            self._request.target.decode("latin-1"),
            headers,
            bytes(self._body),
            self._connection,
        )
        self._service.serve(request, self)

    # -- Exchange

    def answer(self, response: SimResponse) -> bool:
        """Write the answer; false when the client is gone."""
        if self._transport.is_closing() or self._h11.our_state is not h11.SEND_RESPONSE:
            return False
        headers = list(response.headers)
        if response.status != 204:
            headers.append(("content-length", str(len(response.body))))
        shape = response.shape
        if shape is not None:
            self._tap.drip(shape.drip_seconds)
        self._send(_head(response.status, headers))
        size = (shape and shape.frame_bytes) or len(response.body)
        for start in range(0, len(response.body), size or 1):
            self._send(h11.Data(data=response.body[start : start + size]))
        self._send(h11.EndOfMessage())
        self._begin_next()
        return True

    def _begin_next(self) -> None:
        if self._h11.our_state is h11.MUST_CLOSE:
            self._transport.close()
        else:
            self._h11.start_next_cycle()
            self._pump()

    def announce(self, streams: int) -> None:
        """HTTP/1.1 knows no streams."""

    def ping(self) -> None:
        """HTTP/1.1 knows no pings."""

    def begin(self, response: SimResponse) -> None:
        """The head, and the promise of a body."""
        headers = [*response.headers, ("content-length", "100")]
        self._send(_head(response.status, headers))

    @property
    def open_streams(self) -> int:
        return int(self._h11.our_state is h11.SEND_RESPONSE)

    def leave(self, how: Leaving) -> None:
        if how == "fin":
            send_fin(self._transport)
        else:
            self._transport.abort()

    def cut(self) -> None:
        """Abort the TCP connection."""
        self._transport.abort()

    def reset(self, code: int) -> None:  # noqa: ARG002 - Exchange
        """HTTP/1.1 knows no streams: a cut."""
        self._transport.abort()

    def goaway(self, *, is_processed: bool) -> None:
        """Close after the answer, or cut when the request is not to be processed."""
        if is_processed:
            self._transport.close()
        else:
            self._transport.abort()

    def _send(
        self, event: h11.InformationalResponse | h11.Response | h11.Data | h11.EndOfMessage
    ) -> None:
        if data := self._h11.send(event):
            self._tap.write(data)


def _head(status: int, headers: list[tuple[str, str]]) -> h11.Response:
    """With a reason phrase: h2load takes no status without one."""
    return h11.Response(status_code=status, headers=headers, reason=responses.get(status, "Other"))
