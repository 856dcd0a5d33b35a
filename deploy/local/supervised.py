"""What every server and service of the local stack can be asked and told."""

import signal

from deploy.local.processes import Identity, Process


class Supervised:
    """A program that is one Process; subclasses know how it starts and when it is ready."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def identities(self) -> list[Identity]:
        return self._process.identities

    @property
    def is_running(self) -> bool:
        return self._process.is_running

    def log_tail(self) -> str:
        return self._process.log_tail()

    def stop(self) -> None:
        """Graceful; returns when the program and its helpers are gone."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL: what a crash or a power cut does to it."""
        self._process.kill()

    def signal(self, number: signal.Signals) -> bool:
        """False when the program is gone."""
        return self._process.signal(number)

    def wait(self, timeout_seconds: float) -> int | None:
        """The return code, or None when it still runs after the timeout."""
        return self._process.wait(timeout_seconds)
