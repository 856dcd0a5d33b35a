"""Raw TLS servers that misbehave on command: HTTP/2 on the h2 library, HTTP/1.1 by hand."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError

from tests.simulators.certificates import Certificates

Behaviour = Callable[["H2Peer", int, str], None]


class H2Peer(asyncio.Protocol):
    """One connection of an H2Server."""

    def __init__(self, server: "H2Server") -> None:
        self.server = server
        self.number = server.connections = server.connections + 1
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.paths: dict[int, str] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.peers.append(self)
        self.h2.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        try:
            events = self.h2.receive_data(data)
        except ProtocolError:
            self.server.not_h2 += 1
            self.flush()
            self.transport.close()
            return
        for event in events:
            if isinstance(event, RequestReceived):
                self.paths[event.stream_id] = next(
                    str(value) for name, value in event.headers if str(name) == ":path"
                )
            elif isinstance(event, DataReceived):
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                self._ended(event.stream_id)
            elif isinstance(event, ConnectionTerminated):
                self.transport.close()
        self.flush()

    def _ended(self, stream_id: int) -> None:
        path = self.paths.pop(stream_id)
        self.server.attempts.append(path)
        self.server.arrival.set()
        self.server.behaviour(self, stream_id, path)

    def reply(self, stream_id: int, status: int = 200, body: bytes = b"") -> None:
        self.server.processed.append(stream_id)
        headers = [(":status", str(status))]
        self.h2.send_headers(stream_id, headers, end_stream=not body)
        while body:
            window = min(self.h2.local_flow_control_window(stream_id), 16_384)
            piece, body = body[:window], body[window:]
            if not piece:
                break  # the client will not take more
            self.h2.send_data(stream_id, piece, end_stream=not body)
        self.flush()

    def reset(self, stream_id: int, code: int) -> None:
        self.h2.reset_stream(stream_id, code)
        self.flush()

    def goaway(self, last: int) -> None:
        self.h2.close_connection(ErrorCodes.NO_ERROR, last_stream_id=last)
        self.flush()

    def flush(self) -> None:
        data = self.h2.data_to_send()
        if data and not self.transport.is_closing():
            self.transport.write(data)


class H2Server:
    """`attempts` are the requests that arrived, `processed` those that were answered."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.connections = 0
        self.attempts: list[str] = []
        self.processed: list[int] = []
        self.peers: list[H2Peer] = []
        self.not_h2 = 0  # connections on which something else was written
        self.arrival = asyncio.Event()
        self.url = ""

    async def attempted(self, path: str, count: int = 1) -> None:
        """Until that many requests for this path have arrived."""
        while self.attempts.count(path) < count:
            self.arrival.clear()
            await self.arrival.wait()


@asynccontextmanager
async def serve_h2(
    certificates: Certificates, behaviour: Behaviour, protocols: tuple[str, ...] = ("h2",)
) -> AsyncIterator[H2Server]:
    server = H2Server(behaviour)
    context = _context(certificates, protocols)
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: H2Peer(server), "127.0.0.1", 0, ssl=context)
    server.url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        for peer in server.peers:
            peer.transport.abort()


Handler = Callable[["H1Server", asyncio.StreamWriter, str], Awaitable[None]]
OK_H1 = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class H1Server:
    def __init__(self) -> None:
        self.connections = 0
        self.attempts: list[str] = []
        self.url = ""


@asynccontextmanager
async def serve_h1(certificates: Certificates, handler: Handler) -> AsyncIterator[H1Server]:
    server = H1Server()
    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = _content_length(head)
                await reader.readexactly(length)
                path = head.split(b" ", 2)[1].decode()
                server.attempts.append(path)
                await handler(server, writer, path)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass  # the client is gone, or does not speak HTTP/1.1
        finally:
            writer.transport.abort()

    listener = await asyncio.start_server(
        connected, "127.0.0.1", 0, ssl=_context(certificates, ("http/1.1",))
    )
    server.url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        for writer in writers:
            writer.transport.abort()


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _context(certificates: Certificates, protocols: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert_file, certificates.key_file)
    context.set_alpn_protocols(list(protocols))
    return context
