"""One HTTP/2 server connection on h2: streams, flow control, SETTINGS, GOAWAY."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from dataclasses import dataclass, field
from typing import cast

import hpack.hpack
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame, SettingsFrame

from tests.simulators.exchange import Headers, Leaving, Service, SimRequest, SimResponse
from tests.simulators.shapes import Shape, Tap, send_fin, split_headers

# h2 itself kills a connection whose client opens too many streams; Apple refuses the excess.
# So h2 is given a limit that nobody reaches and the announced one is kept here.
ENFORCED_BY_H2 = 1_000_000
DRAIN_SECONDS = 5.0
FLUSH_EVERY = 16

# hpack decodes Huffman in Python, nibble by nibble: half of a request's cost when each carries
# the same provider token. The function is pure, so what repeats need not be decoded again.
hpack.hpack.decode_huffman = functools.lru_cache(2048)(hpack.hpack.decode_huffman)  # type: ignore[attr-defined,assignment]


@dataclass(slots=True)
class _Stream:
    headers: Headers
    body: bytearray = field(default_factory=bytearray)


class Http2Exchange:
    """One stream whose request is complete."""

    __slots__ = ("_link", "_stream_id")

    def __init__(self, link: Http2Connection, stream_id: int) -> None:
        self._link = link
        self._stream_id = stream_id

    def answer(self, response: SimResponse) -> bool:
        return self._link.answer(self._stream_id, response)

    def announce(self, streams: int) -> None:
        self._link.announce(streams)

    def ping(self) -> None:
        self._link.ping()

    def begin(self, response: SimResponse) -> None:
        self._link.begin(self._stream_id, response)

    def leave(self, how: Leaving) -> None:
        self._link.leave(how)

    def cut(self) -> None:
        self._link.cut()

    def reset(self, code: int) -> None:
        self._link.reset(self._stream_id, code)

    def goaway(self, *, is_processed: bool) -> None:
        self._link.goaway(self._stream_id, is_processed=is_processed)


class Http2Connection(asyncio.Protocol):
    """Reads requests, hands them to the service, writes answers within the client's window."""

    def __init__(self, service: Service, label: str) -> None:
        self._service = service
        self._label = label
        self._open: dict[int, _Stream] = {}
        self._blocked: dict[int, bytes] = {}
        self._completed: list[int] = []
        self._highest_served = 0
        self._served_before = 0
        self._last_stream_id: int | None = None  # set once GOAWAY was sent
        self._is_reading = False

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop does not derive its own
        self._transport = transport
        self._tap = Tap(transport)
        self._service.attach(self)
        self._connection = self._service.open_connection(self._label)
        self._connection.certificate = _certificate_of(transport)
        policy = self._service.policy
        is_known = self._connection.certificate is not None  # who has still to show a token waits
        self._streams = (None if is_known else policy.initial_streams) or policy.streams
        self._h2 = H2Connection(
            H2Configuration(
                client_side=False,
                header_encoding="latin-1",
                validate_outbound_headers=False,  # ours are made here; theirs are checked
                normalize_outbound_headers=False,
            )
        )
        ours = {
            SettingCodes.MAX_CONCURRENT_STREAMS: ENFORCED_BY_H2,
            SettingCodes.INITIAL_WINDOW_SIZE: policy.window_bytes,
        }
        self._h2.local_settings = Settings(client=False, initial_values=ours)
        self._h2.initiate_connection()
        self._h2.data_to_send()  # dropped: h2's own SETTINGS frame names its enforced limit
        self._announce({SettingCodes.HEADER_TABLE_SIZE: 4096, SettingCodes.MAX_FRAME_SIZE: 16_384,
                        SettingCodes.INITIAL_WINDOW_SIZE: policy.window_bytes,
                        SettingCodes.MAX_HEADER_LIST_SIZE: 8000,
                        SettingCodes.MAX_CONCURRENT_STREAMS: self._streams})  # fmt: skip

    def data_received(self, data: bytes) -> None:
        try:
            events = self._h2.receive_data(data)
        except ProtocolError:
            self._flush()
            self._transport.close()
            return
        self._is_reading = True
        for event in events:
            self._take(event)
        # Only now: streams that came in one read are concurrent, however fast we answer.
        completed, self._completed = self._completed, []
        for count, stream_id in enumerate(completed, 1):
            self._complete(stream_id)
            if count % FLUSH_EVERY == 0:
                self._flush(is_forced=True)  # the client can go on while we do
        self._is_reading = False
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio
        self._open.clear()
        self._blocked.clear()
        self._service.detach(self)
        self._service.close_connection(self._connection)

    # -- reading

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived(stream_id=int(stream_id), headers=headers):
                self._begin(stream_id, headers)  # type: ignore[arg-type]  # str pairs: header_encoding is set
            case DataReceived(
                stream_id=int(stream_id), data=data, flow_controlled_length=int(length)
            ):
                if stream_id in self._open:
                    self._open[stream_id].body.extend(data or b"")
                self._h2.acknowledge_received_data(length, stream_id)
            case StreamEnded(stream_id=int(stream_id)):
                self._completed.append(stream_id)
            case StreamReset(stream_id=int(stream_id)):
                self._forget(stream_id)
            case WindowUpdated() | RemoteSettingsChanged():
                self._send_blocked()
            case ConnectionTerminated():
                self._transport.close()
            case _:
                pass  # pings and the like: h2 answers them itself

    def _begin(self, stream_id: int, headers: Headers) -> None:
        if self._last_stream_id is not None and stream_id > self._last_stream_id:
            return  # beyond our GOAWAY: neither served nor answered
        if len(self._open) >= self._streams:
            if self._service.policy.on_excess == "goaway":
                self._send_goaway(stream_id - 2, b"exceeded_max_concurrent_streams")
            else:
                with contextlib.suppress(ProtocolError):  # the client gave it up in the same read
                    self._h2.reset_stream(stream_id, ErrorCodes.REFUSED_STREAM)
            return
        self._open[stream_id] = _Stream(headers)
        self._service.note_streams(len(self._open))

    def _complete(self, stream_id: int) -> None:
        stream = self._open.get(stream_id)
        if stream is None:
            return
        pseudo = dict(stream.headers[:6])
        plain = [(name, value) for name, value in stream.headers if name[0] != ":"]
        if ":authority" in pseudo and "host" not in dict(plain):
            plain.append(("host", pseudo[":authority"]))
        request = SimRequest(
            pseudo.get(":method", ""),
            pseudo.get(":path", ""),
            plain,
            bytes(stream.body),
            self._connection,
        )
        stream.body.clear()
        # Before serving: a GOAWAY that a rule asks for must not disown what was served earlier.
        self._served_before = self._highest_served
        self._highest_served = max(self._highest_served, stream_id)
        self._service.serve(request, Http2Exchange(self, stream_id))

    # -- writing

    def answer(self, stream_id: int, response: SimResponse) -> bool:
        """Write an answer; false when the stream or the connection is gone."""
        if stream_id not in self._open or self._transport.is_closing():
            return False
        headers = [(":status", str(response.status)), *response.headers]
        try:
            if response.shape is not None:
                self._answer_shaped(stream_id, headers, response.body, response.shape)
                return True
            self._h2.send_headers(stream_id, headers, end_stream=not response.body)
            if response.body:
                self._blocked[stream_id] = response.body
                self._send_blocked_body(stream_id)
        except ProtocolError:
            self._forget(stream_id)
            return False
        if not response.body:
            self._forget(stream_id)
        self._adjust_streams(response.status)
        self._flush()
        return True

    def _answer_shaped(
        self, stream_id: int, headers: list[tuple[str, str]], body: bytes, shape: Shape
    ) -> None:
        """Frame by frame; such bodies are small, so windows are not asked."""
        self._flush(is_forced=True)
        self._tap.drip(shape.drip_seconds)
        is_over = not body and not shape.empty_last
        self._h2.send_headers(stream_id, headers, end_stream=is_over)
        frame = self._h2.data_to_send()
        for part in split_headers(frame) if shape.split_headers else [frame]:
            self._write(part)
        size = shape.frame_bytes or len(body)
        for start in range(0, len(body), size or 1):
            is_last = start + size >= len(body) and not shape.empty_last
            self._h2.send_data(stream_id, body[start : start + size], end_stream=is_last)
            self._flush(is_forced=True)
        if shape.empty_last:
            self._h2.send_data(stream_id, b"", end_stream=True)
        self._forget(stream_id)
        self._flush(is_forced=True)

    def begin(self, stream_id: int, response: SimResponse) -> None:
        """HEADERS, and nothing after them."""
        if stream_id in self._open:
            headers = [(":status", str(response.status)), *response.headers]
            self._h2.send_headers(stream_id, headers, end_stream=False)
        self._flush(is_forced=True)

    def announce(self, streams: int) -> None:
        """Another limit of streams, by SETTINGS in the middle of the connection."""
        self._streams = streams
        self._flush(is_forced=True)
        self._announce({SettingCodes.MAX_CONCURRENT_STREAMS: streams})

    def ping(self) -> None:
        """PING; the client's answer is read and ignored."""
        self._h2.ping(b"12345678")
        self._flush(is_forced=True)

    @property
    def open_streams(self) -> int:
        return len(self._open)

    def leave(self, how: Leaving) -> None:
        """End the connection without answering anything that is open."""
        match how:
            case "reset":
                self.cut()
            case "fin":
                send_fin(self._transport)
            case "goaway":
                last = max([self._highest_served, *self._open])
                self._write(GoAwayFrame(0, last_stream_id=last, error_code=0).serialize())
                self._open.clear()
                self._transport.close()

    def reset(self, stream_id: int, code: int) -> None:
        """RST_STREAM with that error code."""
        if stream_id in self._open:
            self._h2.reset_stream(stream_id, code)
            self._forget(stream_id)
        self._flush()

    def cut(self) -> None:
        """Abort the TCP connection, dropping what is not yet written."""
        self._open.clear()
        self._transport.abort()

    def goaway(self, stream_id: int, *, is_processed: bool) -> None:
        """Announce the last stream that counts: this one, or the one before it.

        A stream above that was served already cannot be disowned: then only this one is refused.
        """
        if is_processed:
            self._send_goaway(self._highest_served, b'{"reason":"Shutdown"}')
        elif self._served_before > stream_id:
            self.reset(stream_id, ErrorCodes.REFUSED_STREAM)
            self._send_goaway(self._highest_served, b'{"reason":"Shutdown"}')
        else:
            self._highest_served = self._served_before
            self._send_goaway(stream_id - 2, b'{"reason":"Shutdown"}')

    # -- helpers

    def _send_goaway(self, last_stream_id: int, debug: bytes) -> None:
        # Not h2's close_connection(): afterwards it would refuse to answer the streams that count.
        self._flush()
        self._last_stream_id = max(last_stream_id, 0)
        frame = GoAwayFrame(
            0, last_stream_id=self._last_stream_id, error_code=0, additional_data=debug
        )
        self._write(frame.serialize())
        for late in [number for number in self._open if number > self._last_stream_id]:
            self._forget(late)
        asyncio.get_running_loop().call_later(DRAIN_SECONDS, self._transport.close)
        self._close_when_drained()

    def _adjust_streams(self, status: int) -> None:
        policy = self._service.policy
        wanted = self._streams
        if status == 200:
            wanted = policy.streams
        elif status == 403 and policy.shrinks_on_403:
            wanted = 1
        if wanted != self._streams:
            self._streams = wanted
            self._flush(is_forced=True)
            self._announce({SettingCodes.MAX_CONCURRENT_STREAMS: wanted})

    def _announce(self, settings: dict[SettingCodes, int]) -> None:
        self._write(
            SettingsFrame(
                0, settings={int(code): value for code, value in settings.items()}
            ).serialize()
        )

    def _send_blocked(self) -> None:
        for stream_id in list(self._blocked):
            try:
                self._send_blocked_body(stream_id)
            except ProtocolError:
                self._forget(stream_id)

    def _send_blocked_body(self, stream_id: int) -> None:
        """One DATA frame when the body fits one; else as the client's window allows."""
        body = self._blocked[stream_id]
        while body:
            window = self._h2.local_flow_control_window(stream_id)
            frame_bytes = min(self._h2.max_outbound_frame_size, len(body))
            if window < frame_bytes and (
                window <= 0 or self._h2.remote_settings.initial_window_size >= frame_bytes
            ):
                break  # a whole frame will fit once the client acknowledges
            size = min(window, frame_bytes)
            self._h2.send_data(stream_id, body[:size], end_stream=size == len(body))
            body = body[size:]
        self._blocked[stream_id] = body
        if not body:
            self._forget(stream_id)

    def _forget(self, stream_id: int) -> None:
        self._open.pop(stream_id, None)
        self._blocked.pop(stream_id, None)
        self._close_when_drained()

    def _close_when_drained(self) -> None:
        if self._last_stream_id is not None and not self._open:
            asyncio.get_running_loop().call_soon(self._close)

    def _close(self) -> None:
        self._flush(is_forced=True)
        self._transport.close()

    def _flush(self, *, is_forced: bool = False) -> None:
        if self._is_reading and not is_forced:
            return  # one write for all that a read brought
        if data := self._h2.data_to_send():
            self._write(data)

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._tap.write(data)


def _certificate_of(transport: asyncio.Transport) -> bytes | None:
    tls = transport.get_extra_info("ssl_object")
    return None if tls is None else tls.getpeercert(binary_form=True)
