"""One reusable libcurl handle: the request it carries, its guards, and what became of it.

Plain libcurl (8.23) resends a request, POST too, when a reused connection dies before an answer,
and up to five times after REFUSED_STREAM. For a push each resend may be a duplicate, so the guard
here counts the moments in which libcurl is ready to write and stops all but one provably safe
resend.
"""

import re
import socket
from collections.abc import Mapping

import pycurl

from shared.outbound.interface import (
    AddressDenied,
    AllowAddress,
    CertificateRefused,
    InvalidRequest,
    NotSent,
    Response,
    Timeout,
    TlsFailure,
    TooLarge,
    TransportError,
    Unknown,
)

Options = Mapping[int, object]

_HANDSHAKE_CODES = frozenset({pycurl.E_SSL_CONNECT_ERROR, pycurl.E_SSL_CIPHER})
_CERTIFICATE_CODES = frozenset(
    {
        pycurl.E_PEER_FAILED_VERIFICATION,
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_SSL_ISSUER_ERROR,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_SSL_PINNEDPUBKEYNOTMATCH,
    }
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

    def __init__(self, options: Options, *, require_http2: bool = False) -> None:
        self.curl = curl = pycurl.Curl()
        self._require_http2 = require_http2
        self._lines: list[bytes] = []
        self._chunks: list[bytes] = []
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
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.CUSTOMREQUEST, method)
        if body or method in _BODY_METHODS:
            curl.setopt(pycurl.POSTFIELDS, body)  # keeps a reference, does not copy
        else:
            curl.setopt(pycurl.HTTPGET, True)
        curl.setopt(pycurl.HTTPHEADER, lines)
        curl.setopt(pycurl.TIMEOUT_MS, max(1, int(timeout * 1000)))
        curl.setopt(pycurl.MAXFILESIZE_LARGE, max_response_bytes)

    def _open_socket(self, _purpose: int, address: pycurl.CurlSockAddr) -> object:
        family, kind, protocol, name = address
        if self._allow is not None and not self._allow(str(name[0])):
            self._denied = str(name[0])
            return pycurl.SOCKET_BAD
        sock = _Socket(family, kind, protocol)
        if family in (socket.AF_INET, socket.AF_INET6) and kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKED_MS)
        return sock

    def _before_send(self, address: str, *_: object) -> int:
        """A connection, new or pooled, is ready; nothing of this request is written yet."""
        if self._allow is not None and not self._allow(address):
            self._denied = address
            return pycurl.PREREQFUNC_ABORT
        if self._require_http2 and self._speaks_http1:
            return pycurl.PREREQFUNC_ABORT
        if self._attempts and not (self._refused and self._attempts == 1):
            return pycurl.PREREQFUNC_ABORT  # it wants to resend: only if provably safe, once
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
        status: int = self.curl.getinfo(pycurl.RESPONSE_CODE)
        return Response(status, _headers(self._lines), b"".join(self._chunks))

    def failure(self, code: int, text: str) -> TransportError:
        status: int = self.curl.getinfo(pycurl.RESPONSE_CODE)
        sent = self._attempts > 0 and (status != 0 or not self._refused)
        message = f"{text or 'transfer failed'} (curl {code})"
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return Timeout(message, maybe_processed=sent, status=status)
        if code == pycurl.E_FILESIZE_EXCEEDED:
            return TooLarge(message, maybe_processed=True, status=status)
        if sent:
            return Unknown(message, maybe_processed=True, status=status)
        return self._unsent(code, message)

    def _unsent(self, code: int, message: str) -> NotSent:
        if self._denied and code in _DENIED_CODES:
            return AddressDenied(f"address {self._denied} denied")
        if code in _CERTIFICATE_CODES:
            return CertificateRefused(message)
        if code in _HANDSHAKE_CODES:
            return TlsFailure(message)
        if self._speaks_http1 and self._require_http2:
            return NotSent("the server does not speak HTTP/2")
        return NotSent(message)


def _header_lines(url: str, headers: Mapping[str, str]) -> list[str]:
    # `name;` is libcurl's spelling of an empty field; `name:` would remove the field.
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in headers.items()]
    if _UNSAFE.search(url) or any(map(_UNSAFE.search, lines)):
        raise InvalidRequest("line break or non-ASCII character in the URL or a header")
    if _USER_INFORMATION.match(url):  # libcurl would send it as Basic credentials
        raise InvalidRequest("user information in the URL")
    return lines + _NO_DEFAULTS


def _headers(lines: list[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        field, colon, content = line.decode("latin-1").partition(":")
        if not colon:  # a status line or the blank line; a new status line starts afresh
            if field.startswith("HTTP/"):
                headers = {}
            continue
        name, value = field.lower(), content.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
