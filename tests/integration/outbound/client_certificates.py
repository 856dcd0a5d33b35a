"""Client certificates, and a server that takes no connection without a good one."""

import contextlib
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.simulators.certificates import Certificates

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"


@dataclass(frozen=True)
class Issuer:
    """Signs client certificates; each comes with the issuer's own, as a chain."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def issue(self, *, days: int = 1) -> str:
        """PEM of leaf, issuer and key; with a negative number of days it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _sign("Push client", key, self.certificate.subject, self.key, days=days)
        return _pem(leaf) + _pem(self.certificate) + _key_pem(key)


def make_issuer() -> Issuer:
    key = ec.generate_private_key(ec.SECP256R1())
    name = f"Client issuer {uuid4()}"
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return Issuer(key, _sign(name, key, subject, key, days=2, is_authority=True))


@dataclass
class StrictServer:
    url: str
    version: ssl.TLSVersion
    subjects: list[str] = field(default_factory=list)  # of the clients whose request was read


@contextlib.contextmanager
def serve_strictly(
    certificates: Certificates, issuer: Issuer, folder: Path, version: ssl.TLSVersion
) -> Iterator[StrictServer]:
    """Blocking sockets in a thread: asyncio's server never sends the alert that tells why."""
    issuer_file = folder / "issuer.pem"
    issuer_file.write_text(_pem(issuer.certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert_file, certificates.key_file)
    context.load_verify_locations(issuer_file)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = StrictServer(f"https://127.0.0.1:{listener.getsockname()[1]}", version)
        thread = threading.Thread(target=_serve, args=(listener, context, server))
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket, context: ssl.SSLContext, server: StrictServer) -> None:
    with contextlib.suppress(OSError):  # of the listener: the end
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                _answer(context.wrap_socket(connection, server_side=True), server)


def _answer(tls: ssl.SSLSocket, server: StrictServer) -> None:
    with tls:
        if tls.recv(4_096):
            peer = tls.getpeercert() or {}
            server.subjects.append(str(peer["subject"]))
            tls.sendall(ANSWER)


def _sign(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    days: int,
    is_authority: bool = False,
) -> x509.Certificate:
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - dt.timedelta(days=30))
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
