"""Whether the peer of a pooled connection has gone, asked of the kernel before anything is written.

libcurl looks at idle connections once a second at most, and an HTTP/2 connection that ended
without GOAWAY passes even that look. A request that it writes there may or may not have been read;
one that was never written is provably safe to send elsewhere.
"""

import select
import socket

ConnectionKey = tuple[str, int, str, int]  # remote address and port, local address and port

_GONE = select.POLLRDHUP | select.POLLHUP | select.POLLERR | select.POLLNVAL


class Connections:
    """The descriptors of libcurl's connections, by their addresses.

    A wrong entry does no harm: a connection taken for gone costs a new one, the other way round
    things are as if nobody had looked.
    """

    def __init__(self) -> None:
        self._looks: dict[ConnectionKey, tuple[int, select.poll]] = {}
        self._keys: dict[int, ConnectionKey] = {}  # one for each descriptor ever used: bounded

    def note(self, descriptor: int) -> None:
        """Remember whose descriptor this is, once it is connected."""
        key = _key_of(descriptor)
        before = self._keys.get(descriptor)
        if key is None or key == before:
            return
        if before in self._looks and self._looks[before][0] == descriptor:
            del self._looks[before]
        self._keys[descriptor] = key
        poll = select.poll()
        poll.register(descriptor, select.POLLRDHUP)
        self._looks[key] = descriptor, poll

    def is_gone(self, key: ConnectionKey) -> bool:
        """Whether the peer has closed or reset it, as far as our kernel has heard."""
        look = self._looks.get(key)
        return look is not None and any(events & _GONE for _, events in look[1].poll(0))


def _key_of(descriptor: int) -> ConnectionKey | None:
    try:
        borrowed = socket.socket(fileno=descriptor)
    except OSError:
        return None  # the resolver's wake-up pipe
    try:
        return (*borrowed.getpeername()[:2], *borrowed.getsockname()[:2])
    except OSError:
        return None  # not connected yet
    finally:
        borrowed.detach()
