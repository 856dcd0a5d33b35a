"""Says whether a broker opens an AMQP 0-9-1 connection: handshake, log-in, virtual host."""

import socket

from pamqp import commands, frame, header
from pamqp.common import FieldTable

TIMEOUT_SECONDS = 2.0
FRAME_BYTES_MAX = 131_072


def opens_connection(host: str, port: int, vhost: str, user: str, password: str) -> bool:
    try:
        with socket.create_connection((host, port), TIMEOUT_SECONDS) as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            return _handshake(connection, vhost, f"\0{user}\0{password}")
    except OSError:
        return False


def _handshake(connection: socket.socket, vhost: str, login: str) -> bool:
    capabilities: FieldTable = {"product": "fanfare readiness probe"}
    connection.sendall(header.ProtocolHeader().marshal())
    if not isinstance(_receive(connection), commands.Connection.Start):
        return False
    _send(connection, commands.Connection.StartOk(capabilities, "PLAIN", login, "en_US"))
    if not isinstance(_receive(connection), commands.Connection.Tune):
        return False
    _send(connection, commands.Connection.TuneOk(1, FRAME_BYTES_MAX, 0))
    _send(connection, commands.Connection.Open(vhost))
    is_open = isinstance(_receive(connection), commands.Connection.OpenOk)
    if is_open:
        _send(connection, commands.Connection.Close(200, "ready", 0, 0))
        _receive(connection)
    return is_open


def _send(connection: socket.socket, method: frame.FrameTypes) -> None:
    connection.sendall(frame.marshal(method, 0))


def _receive(connection: socket.socket) -> frame.FrameTypes | None:
    """One method frame; None when the broker hung up."""
    start = _read_exactly(connection, 7)
    if start is None:
        return None
    size = int.from_bytes(start[3:7], "big")
    rest = _read_exactly(connection, size + 1)
    return frame.unmarshal(start + rest)[2] if rest is not None else None


def _read_exactly(connection: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            return None
        data += part
    return data
