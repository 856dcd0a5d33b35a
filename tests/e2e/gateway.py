"""A gateway between a client and the API that spoils the first send on request."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

SEND = "/push/send"
Fault = Literal["busy", "cut"]


@dataclass
class Gateway:
    """`busy` refuses the first send; `cut` passes it on and drops the connection for an answer."""

    target: str
    fault: Fault
    sends: list[tuple[str | None, bytes]] = field(default_factory=list)
    url: str = ""


@contextmanager
def gateway(target: str, fault: Fault) -> Iterator[Gateway]:
    state = Gateway(urlsplit(target).netloc, fault)

    class Handler(_Handler):
        gateway = state

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    gateway: Gateway

    def do_GET(self) -> None:
        self._pass_on(b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == SEND:
            self.gateway.sends.append((self.headers["Idempotency-Key"], body))
            if len(self.gateway.sends) == 1 and self.gateway.fault == "busy":
                self.send_response(503)
                self.send_header("Retry-After", "1")
                self.end_headers()
                return
        self._pass_on(body)

    def _pass_on(self, body: bytes) -> None:
        upstream = http.client.HTTPConnection(self.gateway.target, timeout=30)
        try:
            upstream.request(self.command, self.path, body, dict(self.headers.items()))
            answer = upstream.getresponse()
            content = answer.read()
        finally:
            upstream.close()
        if self.path == SEND and len(self.gateway.sends) == 1 and self.gateway.fault == "cut":
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its name in the base
        """Nothing: the test looks at what passed."""
