"""Which ports the local stack and the tests use, and who holds one that is taken."""

import os
import random
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

HOST = "127.0.0.1"
BLOCK_START = 18080
BLOCK_SETTING = "FANFARE_LOCAL_PORTS_FROM"
# Below the kernel's ephemeral range: no outgoing connection takes one before we use it.
FREE_FROM, FREE_TO = 20_000, 32_000
_SLICES = 8  # processes that start one after another, as parallel test runs do, get different ones
# part of the stack -> how the names of its ports begin
PART_PREFIXES = {
    "api": "api",
    "mongod": "mongod",
    "rabbitmq": "rabbitmq",
    "simulators": "simulator_",
}
BLOCK_MIN, BLOCK_MAX = 1024, 65_000


class PortTaken(RuntimeError):
    """A port that the stack needs belongs to another program; the message names both."""


@dataclass(frozen=True)
class Ports:
    """The ports of one stack: a block of consecutive numbers."""

    api: int
    mongod: int
    rabbitmq: int
    rabbitmq_dist: int
    rabbitmq_epmd: int
    simulator_admin: int
    simulator_apns: int
    simulator_apns_sandbox: int
    simulator_fcm: int
    simulator_webpush: int
    simulator_pushy: int
    simulator_receiver: int

    @classmethod
    def block(cls, first: int = BLOCK_START) -> Self:
        return cls(*range(first, first + len(fields(cls))))

    @classmethod
    def from_environment(cls) -> Self:
        """The default block, or the one that starts at FANFARE_LOCAL_PORTS_FROM."""
        text = os.environ.get(BLOCK_SETTING, str(BLOCK_START))
        if not text.isdigit() or not BLOCK_MIN <= int(text) <= BLOCK_MAX:
            raise ValueError(
                f"{BLOCK_SETTING} must be a port from {BLOCK_MIN} to {BLOCK_MAX}, not {text!r}"
            )
        return cls.block(int(text))

    def of(self, part: str) -> list[tuple[str, int]]:
        """The ports that one part of the stack listens on, with what a person calls them."""
        prefix = PART_PREFIXES.get(part, "-")
        return [
            (field.name.replace("_", " "), getattr(self, field.name))
            for field in fields(self)
            if field.name.startswith(prefix)
        ]


_given: set[int] = set()


def is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now; random, from a slice of the process's own first.

    None is given twice by one process: servers are told their ports before they listen on them.
    """
    found: list[int] = []
    for port in _candidates():
        if len(found) == count:
            break
        if port not in _given and is_free(port):
            found.append(port)
    _given.update(found)
    return found


def _candidates() -> Iterator[int]:
    every = range(FREE_FROM, FREE_TO)
    own = every[os.getpid() % _SLICES :: _SLICES]
    yield from random.SystemRandom().sample(own, len(own))
    yield from random.SystemRandom().sample(every, len(every))


def free_port() -> int:
    return free_ports(1)[0]


def require_free(named_ports: Iterable[tuple[str, int]]) -> None:
    """Raises PortTaken for the first port that somebody holds."""
    for name, port in named_ports:
        if not is_free(port):
            raise PortTaken(
                f"port {port} ({name}) is taken by {_holder(port)}\n"
                f"  end that program, or choose another block of ports: {BLOCK_SETTING}=28080"
            )


def _holder(port: int) -> str:
    inodes = _listening_inodes(port)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            links = {str(link.readlink()) for link in (process / "fd").iterdir()}
            if links & inodes:
                command = (
                    (process / "cmdline")
                    .read_bytes()
                    .replace(b"\0", b" ")
                    .decode(errors="replace")
                    .strip()
                )
                return f"pid {process.name} ({command[:120]})"
        except OSError:  # ended meanwhile, or another user's
            continue
    return "a program of another user"


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():
            continue
        for line in Path(table).read_text().splitlines()[1:]:
            columns = line.split()
            is_listening = columns[3] == "0A"
            if is_listening and int(columns[1].rsplit(":", 1)[1], 16) == port:
                inodes.add(f"socket:[{columns[9]}]")
    return inodes
