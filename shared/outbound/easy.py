"""One reusable libcurl handle: the request it carries, its guards, and what became of it.

Plain libcurl (8.23) resends a request, POST too, when a reused connection dies before an answer,
and up to five times after REFUSED_STREAM. For a push each resend may be a duplicate, so the guard
here counts the moments in which libcurl is ready to write and stops all but one provably safe
resend.
"""

import re
import socket
from collections.abc import Callable, Mapping

import pycurl

from shared.outbound.connections import ConnectionKey
from shared.outbound.interface import (
    AddressDenied,
    AllowAddress,
    CertificateRefused,
    ClientCertificateRefused,
    InvalidRequest,
    NotSent,
    Response,
    StreamRefused,
    Timeout,
    TlsFailure,
    TooLarge,
    TransportError,
    Unknown,
)
from shared.outbound.stats import Counts

Options = Mapping[int, object]
IsGone = Callable[[ConnectionKey], bool]

_HANDSHAKE_CODES = frozenset({pycurl.E_SSL_CONNECT_ERROR, pycurl.E_SSL_CIPHER})
_CERTIFICATE_CODES = frozenset(
    {
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_ISSUER_ERROR,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_SSL_PINNEDPUBKEYNOTMATCH,
    }
)
_OWN_CERTIFICATE_CODES = frozenset({pycurl.E_SSL_CERTPROBLEM, pycurl.E_BAD_FUNCTION_ARGUMENT})
# In TLS 1.3 the server judges our certificate after we may have written: its alert then says that
# nothing was taken. OpenSSL's names of the alerts of RFC 8446 §6.2.
_OWN_CERTIFICATE_ALERT = re.compile(
    r"alert (?:certificate|bad certificate|unsupported certificate|unknown ca|access denied"
    r"|decrypt error|handshake failure)"
)
_DENIED_CODES = frozenset({pycurl.E_COULDNT_CONNECT, pycurl.E_ABORTED_BY_CALLBACK})
_UNSAFE = re.compile(r"[^\x20-\x7e\t]")  # libcurl lets CR and LF in headers through
_USER_INFORMATION = re.compile(r"[^/?#]*//[^/?#]*@")
_UNACKED_MS = 20_000  # the kernel drops a connection whose peer stopped acknowledging
_NO_DEFAULTS = ["Expect:", "Accept:", "Content-Type:"]  # libcurl must not add its own
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_TRACE_TEXT = 0  # CURLINFO_TEXT


class _Socket(socket.socket):
    """pycurl duplicates the descriptor and drops the object: closing it is no oversight then."""

    __slots__ = ()

    def __del__(self) -> None:
        self.close()


class Easy:
    """A reusable libcurl handle with the state of the request it carries."""

    def __init__(
        self, options: Options, is_gone: IsGone, counts: Counts, *, require_http2: bool = False
    ) -> None:
        self.curl = curl = pycurl.Curl()
        self._counts = counts
        self._is_gone = is_gone
        self._require_http2 = require_http2
        self._has_certificate = pycurl.SSLCERT_BLOB in options
        self._lines: list[bytes] = []
        self._chunks: list[bytes] = []
        self._method = ""
        self._max_response_bytes = -1
        self._is_steered = False
        self._start(None)
        for option, value in options.items():
            curl.setopt(option, value)
        curl.setopt(pycurl.HEADERFUNCTION, self._lines.append)  # C callables: no Python frames
        curl.setopt(pycurl.WRITEFUNCTION, self._chunks.append)
        curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open_socket)
        curl.setopt(pycurl.PREREQFUNCTION, self._before_send)
        curl.setopt(pycurl.DEBUGFUNCTION, self._trace)
        curl.setopt(pycurl.VERBOSE, True)

    def _start(self, allow: AllowAddress | None) -> None:
        self._allow = allow
        self._denied = ""
        self._attempts = 0
        self._refused = False
        self._speaks_http1 = False
        self.is_stale = False
        self._reads_on = False
        self._lines.clear()
        self._chunks.clear()

    def prepare(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeout: float,
        max_response_bytes: int,
        allow: AllowAddress | None,
    ) -> None:
        lines = _header_lines(url, headers)
        self._start(allow)
        curl = self.curl
        if self._is_steered:
            self._is_steered = False
            curl.setopt(pycurl.FRESH_CONNECT, False)
            curl.setopt(pycurl.FORBID_REUSE, False)
        if method != self._method:
            self._method = method
            curl.setopt(pycurl.CUSTOMREQUEST, method)
        if max_response_bytes != self._max_response_bytes:
            self._max_response_bytes = max_response_bytes
            curl.setopt(pycurl.MAXFILESIZE_LARGE, max_response_bytes)
        curl.setopt(pycurl.URL, url)
        if body or method in _BODY_METHODS:
            curl.setopt(pycurl.POSTFIELDS, body)  # keeps a reference, does not copy
        else:
            curl.setopt(pycurl.HTTPGET, True)
        curl.setopt(pycurl.HTTPHEADER, lines)
        curl.setopt(pycurl.TIMEOUT_MS, max(1, int(timeout * 1000)))

    def _open_socket(self, _purpose: int, address: pycurl.CurlSockAddr) -> object:
        family, kind, protocol, name = address
        if self._allow is not None and not self._allow(str(name[0])):
            self._denied = str(name[0])
            return pycurl.SOCKET_BAD
        self._counts.connections_opened += 1
        sock = _Socket(family, kind, protocol)
        if family in (socket.AF_INET, socket.AF_INET6) and kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKED_MS)
        return sock

    def drop_stale(self, timeout: float) -> None:
        """Make ready to go again: a connection that is gone is now closed when it is met."""
        self._go_again(timeout)
        self.curl.setopt(pycurl.FORBID_REUSE, True)

    def connect_afresh(self, timeout: float) -> None:
        """Make ready to go again on a connection of its own."""
        self._go_again(timeout)
        # A server that does not take our certificate leaves right after a handshake of TLS 1.3, and
        # says why to those who read on.
        self._reads_on = self._has_certificate
        self.curl.setopt(pycurl.FRESH_CONNECT, True)

    def _go_again(self, timeout: float) -> None:
        self.is_stale = False
        self._is_steered = True
        self.curl.setopt(pycurl.TIMEOUT_MS, max(1, int(timeout * 1000)))

    def _before_send(self, address: str, local: str, port: int, local_port: int) -> int:
        """A connection, new or pooled, is ready; nothing of this request is written yet."""
        if self._allow is not None and not self._allow(address):
            self._denied = address
            return pycurl.PREREQFUNC_ABORT
        if self._require_http2 and self._speaks_http1:
            return pycurl.PREREQFUNC_ABORT
        if self._attempts and not (self._refused and self._attempts == 1):
            return pycurl.PREREQFUNC_ABORT  # it wants to resend: only if provably safe, once
        if not self._attempts and self._is_gone((address, port, local, local_port)):
            self._counts.met_gone += 1
            self.is_stale = True
            if not self._reads_on:
                return pycurl.PREREQFUNC_ABORT
        self._counts.resent += self._attempts
        self._attempts += 1
        self._refused = False
        return pycurl.PREREQFUNC_OK

    def _trace(self, kind: int, text: bytes) -> None:
        """The trace is the only place where libcurl tells a refusal from a dead connection.

        Should a later libcurl change these texts, results degrade to Unknown, never to duplicates.
        """
        if kind != _TRACE_TEXT:
            return
        if text.startswith(b"HTTP/2 stream ") and b" refused by server" in text:
            self._refused = True
        elif text.startswith(b"ALPN: server"):
            self._speaks_http1 = b"accepted h2" not in text

    def response(self) -> Response:
        if not self.curl.getinfo(pycurl.NUM_CONNECTS):
            self._counts.on_pooled_connection += 1
        return self._answer()

    def _answer(self) -> Response:
        status: int = self.curl.getinfo(pycurl.RESPONSE_CODE)
        return Response(status, _headers(self._lines), b"".join(self._chunks))

    def failure(self, code: int, text: str) -> TransportError:
        status: int = self.curl.getinfo(pycurl.RESPONSE_CODE)
        sent = self._attempts > 0 and (status != 0 or not self._refused)
        message = f"{text or 'transfer failed'} (curl {code})"
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return Timeout(message, maybe_processed=sent, status=status)
        if code == pycurl.E_FILESIZE_EXCEEDED:
            answer = self._answer()
            return TooLarge(message, status=answer.status, headers=answer.headers, body=answer.body)
        if self._has_certificate and not status and _OWN_CERTIFICATE_ALERT.search(text):
            return ClientCertificateRefused(message)
        if sent and not (self.is_stale and code == pycurl.E_SEND_ERROR):
            return Unknown(message, maybe_processed=True, status=status)
        return self._unsent(code, message)

    def _unsent(self, code: int, message: str) -> NotSent:
        if self._denied and code in _DENIED_CODES:
            return AddressDenied(f"address {self._denied} denied")
        if code in _OWN_CERTIFICATE_CODES:
            return ClientCertificateRefused(message)
        if code in _CERTIFICATE_CODES:
            return CertificateRefused(message)
        if code in _HANDSHAKE_CODES:
            return TlsFailure(message)
        if self._refused:
            return StreamRefused(message)
        if self.is_stale:
            return NotSent("the server closes new connections before a request")
        if self._speaks_http1 and self._require_http2:
            return NotSent("the server does not speak HTTP/2")
        return NotSent(message)


def _header_lines(url: str, headers: Mapping[str, str]) -> list[str]:
    # `name;` is libcurl's spelling of an empty field; `name:` would remove the field.
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in headers.items()]
    if _UNSAFE.search(url) or _UNSAFE.search("".join(lines)):
        raise InvalidRequest("line break or non-ASCII character in the URL or a header")
    if _USER_INFORMATION.match(url):  # libcurl would send it as Basic credentials
        raise InvalidRequest("user information in the URL")
    return lines + _NO_DEFAULTS


def _headers(lines: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in b"".join(lines).decode("latin-1").split("\r\n"):
        field, colon, content = line.partition(":")
        if not colon:  # a status line or the blank line; a new status line starts afresh
            if field.startswith("HTTP/"):
                headers = {}
            continue
        name, value = field.lower(), content.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
