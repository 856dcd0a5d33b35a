"""libcurl's multi handle, driven by the running loop's readers, writers and timers.

pycurl's own `AsyncCurlMulti` works alike but has no place for the sweep, without which healthy
requests next to refused ones sometimes stay unanswered until their timeout.
"""

import asyncio
import contextlib
import threading

import pycurl

from shared.outbound.connections import Connections

SWEEP_SECONDS = 0.25
_CLEANUP_SECONDS = 1.0  # how long a closing waits for libcurl's own threads


class Multi:
    def __init__(self, options: dict[int, int]) -> None:
        self._loop = asyncio.get_running_loop()
        self._curl = multi = pycurl.CurlMulti()
        self._timer: asyncio.Handle | None = None
        self._futures: dict[pycurl.Curl, asyncio.Future[None]] = {}
        self._sockets: set[int] = set()
        self.connections = Connections()
        for option, value in options.items():
            multi.setopt(option, value)
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        multi.setopt(pycurl.M_TIMERFUNCTION, self._schedule)
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    async def perform(self, curl: pycurl.Curl) -> None:
        """Carry one transfer to its end; raises pycurl.error. Cancelling resets the stream."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._futures[curl] = future
        self._curl.add_handle(curl)
        try:
            await future
        finally:  # still registered only if our caller was cancelled
            if self._futures.pop(curl, None) is not None:
                self._curl.remove_handle(curl)

    async def drain(self, seconds: float) -> None:
        if self._futures and seconds > 0:
            await asyncio.wait(list(self._futures.values()), timeout=seconds)

    async def close(self) -> None:
        """End what is in flight. A name that is still being looked up ends behind our back."""
        closed = pycurl.error(0, "transport was closed")
        for curl in list(self._futures):
            self._finish(curl, closed)
        self._sweeper.cancel()
        self._schedule(-1)
        self._curl.setopt(pycurl.M_SOCKETFUNCTION, _ignore)
        self._curl.setopt(pycurl.M_TIMERFUNCTION, _ignore)
        for fd in self._sockets:
            self._loop.remove_reader(fd)
            self._loop.remove_writer(fd)
        await self._clean_up()

    async def _clean_up(self) -> None:
        """Libcurl waits here for its resolver's threads: not on the loop, nor for long."""
        cleaned = asyncio.Event()

        def clean_up() -> None:
            self._curl.close()
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(cleaned.set)

        threading.Thread(target=clean_up, name="libcurl-cleanup", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(cleaned.wait(), _CLEANUP_SECONDS)

    def _watch(self, what: int, fd: int, *_: object) -> None:
        if what == pycurl.POLL_REMOVE:
            self._sockets.discard(fd)
        else:
            self._sockets.add(fd)
            self.connections.note(fd)
        if what & pycurl.POLL_IN:  # POLL_REMOVE has neither bit
            self._loop.add_reader(fd, self._drive, fd, pycurl.CSELECT_IN)
        else:
            self._loop.remove_reader(fd)
        if what & pycurl.POLL_OUT:
            self._loop.add_writer(fd, self._drive, fd, pycurl.CSELECT_OUT)
        else:
            self._loop.remove_writer(fd)

    def _schedule(self, milliseconds: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if milliseconds == 0:
            self._timer = self._loop.call_soon(self._drive, pycurl.SOCKET_TIMEOUT, 0)
        elif milliseconds > 0:
            self._timer = self._loop.call_later(
                milliseconds / 1000, self._drive, pycurl.SOCKET_TIMEOUT, 0
            )

    def _sweep(self) -> None:
        """Look at all: libcurl 8.23 can leave an answer unread after REFUSED_STREAM.

        `socket_all` would do, but pycurl deprecates it, and where warnings are errors it then
        raises in here, unseen.
        """
        self._sweeper = self._loop.call_later(SWEEP_SECONDS, self._sweep)
        if not self._futures:
            return
        for fd in tuple(self._sockets):
            self._curl.socket_action(fd, pycurl.CSELECT_IN)
        self._drive(pycurl.SOCKET_TIMEOUT, 0)

    def _drive(self, fd: int, mask: int) -> None:
        running = self._curl.socket_action(fd, mask)[1]
        if running == len(self._futures):
            return
        left = 1
        while left:
            left, done, failed = self._curl.info_read()
            for curl in done:
                self._finish(curl, None)
            for curl, code, text in failed:
                self._finish(curl, pycurl.error(code, text))

    def _finish(self, curl: pycurl.Curl, error: BaseException | None) -> None:
        self._curl.remove_handle(curl)
        future = self._futures.pop(curl)
        if future.done():
            return  # its caller was cancelled in this very iteration
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def _ignore(*_: object) -> None:
    """For callbacks of a handle that is being cleaned up."""
