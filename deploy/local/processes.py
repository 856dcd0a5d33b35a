"""Child processes of the local stack: started, awaited, ended, never mistaken for others."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

GUARD = Path(__file__).with_name("guard.py")
POLL_SECONDS = 0.05
LOG_TAIL_LINES = 15
SIGNALLED = 128  # the guard exits with 128 + signal, as shells do

Probe = Callable[[], bool]
OnWait = Callable[[float], None]


class StartFailed(RuntimeError):
    """A process ended or was not ready in time; the message shows the end of its log."""


@dataclass(frozen=True)
class Identity:
    """One process, for certain: a pid can be given to another, but not with the same start time."""

    pid: int
    started_ticks: int

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The process that has this pid now; None when there is none, or a zombie."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # proc(5): the name in brackets may hold anything; state is field 3, start time field 22.
        fields = stat[stat.rindex(")") + 2 :].split()
        return None if fields[0] in "ZX" else cls(pid, int(fields[19]))

    @property
    def is_alive(self) -> bool:
        return Identity.of(self.pid) == self

    def signal(self, number: signal.Signals) -> bool:
        """Sends the signal; False when the process is gone or the pid is somebody else's by now."""
        if not self.is_alive:
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True

    def wait_gone(self, timeout_seconds: float) -> bool:
        return wait_until(lambda: not self.is_alive, timeout_seconds)


class Process:
    """One child under a guard (guard.py): `pid` is its own, and its whole family ends with it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        log_file: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        grace_seconds: float = 20.0,
    ) -> None:
        self.name = name
        self.log_file = log_file
        self._command = [str(part) for part in command]
        self._env = dict(env) if env is not None else None
        self._cwd = cwd
        self._grace_seconds = grace_seconds
        self._guard: subprocess.Popen[bytes] | None = None
        self._lifeline = -1
        self._identity: Identity | None = None

    def start(self) -> None:
        if self.is_running:
            raise RuntimeError(f"{self.name} is running already")
        self._close()
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        lifeline, self._lifeline = os.pipe()
        report, report_end = os.pipe()
        guard = [
            sys.executable,
            "-I",
            "-S",
            str(GUARD),
            str(lifeline),
            str(report_end),
            str(self._grace_seconds),
        ]
        try:
            with self.log_file.open("ab") as log:
                self._guard = subprocess.Popen(
                    [*guard, *self._command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self._env,
                    cwd=self._cwd,
                    pass_fds=(lifeline, report_end),
                    start_new_session=True,
                )
        finally:
            os.close(lifeline)
            os.close(report_end)
        with os.fdopen(report) as reader:
            pid = int(reader.readline() or 0)
        self._identity = Identity.of(pid) if pid else None

    @property
    def pid(self) -> int:
        """The command's pid; 0 when it is not running."""
        return self._identity.pid if self._identity is not None and self._identity.is_alive else 0

    @property
    def identities(self) -> list[Identity]:
        """The guard's and the command's, for a pid file."""
        guard = Identity.of(self._guard.pid) if self._guard is not None else None
        return [identity for identity in (guard, self._identity) if identity is not None]

    @property
    def is_running(self) -> bool:
        return self._guard is not None and self._guard.poll() is None

    @property
    def returncode(self) -> int | None:
        """As subprocess has it: negative = ended by that signal; None while it runs."""
        code = self._guard.poll() if self._guard is not None else None
        return SIGNALLED - code if code is not None and code > SIGNALLED else code

    def wait_ready(
        self, probe: Probe, timeout_seconds: float, on_wait: OnWait | None = None
    ) -> None:
        """Returns once the probe says so.

        Raises:
            StartFailed: the process ended before, or time is up.
        """
        started = time.monotonic()
        while not probe():
            waited = time.monotonic() - started
            if not self.is_running:
                raise StartFailed(
                    f"{self.name} ended with code {self.returncode} while starting\n"
                    f"{self.log_tail()}"
                )
            if waited > timeout_seconds:
                raise StartFailed(
                    f"{self.name} was not ready after {timeout_seconds:.0f} s\n{self.log_tail()}"
                )
            if on_wait is not None:
                on_wait(waited)
            time.sleep(POLL_SECONDS)

    def wait(self, timeout_seconds: float) -> int | None:
        """The return code, or None when it still runs after the timeout."""
        wait_until(lambda: not self.is_running, timeout_seconds)
        return self.returncode

    def signal(self, number: signal.Signals) -> bool:
        return self._identity is not None and self._identity.signal(number)

    def terminate(self) -> int | None:
        """SIGTERM, then SIGKILL when the grace is over; returns when the whole family is gone."""
        if self.signal(signal.SIGTERM):
            self.wait(self._grace_seconds)
        return self.kill()

    def kill(self) -> int | None:
        """SIGKILL; returns when the whole family is gone."""
        self.signal(signal.SIGKILL)
        if self._guard is not None:
            self._guard.wait()
        self._close()
        return self.returncode

    def log_tail(self, lines: int = LOG_TAIL_LINES) -> str:
        if not self.log_file.exists():
            return ""
        tail = self.log_file.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join([f"  the end of {self.log_file}:", *(f"    {line}" for line in tail)])

    def _close(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1


def wait_until(condition: Callable[[], bool], timeout_seconds: float) -> bool:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def save_identities(file: Path, identities: Mapping[str, Sequence[Identity]]) -> None:
    rows = {name: [asdict(identity) for identity in group] for name, group in identities.items()}
    part = file.with_suffix(".part")
    part.write_text(json.dumps(rows, indent=2))
    part.replace(file)


def load_identities(file: Path) -> dict[str, list[Identity]]:
    """What save_identities wrote; empty when there is no file or it was cut short."""
    try:
        rows = json.loads(file.read_text())
        return {name: [Identity(**row) for row in group] for name, group in rows.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def end_identities(groups: Iterable[Sequence[Identity]], grace_seconds: float) -> int:
    """Ends those that are still the same processes; returns how many groups there were.

    A group is a guard and its command: the guard is asked, once, because it ends the whole family.
    """
    alive = [group for group in groups if any(identity.is_alive for identity in group)]
    for group in alive:
        next((identity for identity in group if identity.signal(signal.SIGTERM)), None)
    everyone = [identity for group in alive for identity in group]
    wait_until(lambda: not any(identity.is_alive for identity in everyone), grace_seconds)
    for identity in everyone:
        identity.signal(signal.SIGKILL)
        identity.wait_gone(5)
    return len(alive)
