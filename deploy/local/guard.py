"""Runs one command and owns its whole family: nothing that it started outlives it.

Called as `python -I guard.py LIFELINE_FD REPORT_FD GRACE_SECONDS COMMAND...`; imports nothing of
ours. Servers like Erlang's start daemons that leave their process group; as "child subreaper"
(prctl(2)) this process becomes their parent all the same, and ends them. The lifeline is a pipe
whose other end the supervisor holds: it closes when the supervisor ends in any way, kill -9
included (PR_SET_PDEATHSIG alone would fire when a mere thread ends).
"""

import ctypes
import os
import select
import signal
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
EXIT_CANNOT_START = 127


def main(lifeline: int, report: int, grace_seconds: float, command: list[str]) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wakeup = _wake_on_child_and_stop_signals()
    child = os.fork()
    if child == 0:
        os.closerange(3, max(lifeline, report, wakeup) + 2)
        _become(command, libc)
    os.write(report, f"{child}\n".encode())
    os.close(report)
    status = _wait(child, lifeline, wakeup, grace_seconds)
    _end_family()
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _wake_on_child_and_stop_signals() -> int:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return reader


def _become(command: list[str], libc: ctypes.CDLL) -> None:
    try:
        signal.set_wakeup_fd(-1)
        for number in (
            signal.SIGCHLD,
            signal.SIGTERM,
            signal.SIGINT,
            signal.SIGHUP,
            signal.SIGPIPE,
        ):
            signal.signal(number, signal.SIG_DFL)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.setpgid(0, 0)
        os.execvpe(command[0], command, os.environ)  # noqa: S606 the command is the point
    except OSError as error:
        os.write(2, f"cannot start {command[0]}: {error}\n".encode())
    finally:
        os._exit(EXIT_CANNOT_START)


def _wait(child: int, lifeline: int, wakeup: int, grace_seconds: float) -> int:
    """The child's wait status; asks it to stop when the supervisor is gone or we are told to."""
    watched = [lifeline, wakeup]
    kill_at = float("inf")
    while True:
        reaped, status = os.waitpid(child, os.WNOHANG)
        if reaped:
            return status
        _reap_strays(child)
        timeout = min(5.0, max(0.0, kill_at - time.monotonic()))
        ready, _, _ = select.select(watched, [], [], timeout)
        told = wakeup in ready and _stop_signal_in(os.read(wakeup, 512))
        is_first_request = lifeline in watched
        if is_first_request and (told or lifeline in ready):
            watched = [wakeup]
            os.kill(child, signal.SIGTERM)
            kill_at = time.monotonic() + grace_seconds
        if time.monotonic() >= kill_at:
            os.kill(child, signal.SIGKILL)


def _stop_signal_in(woken_by: bytes) -> bool:
    return any(number != signal.SIGCHLD for number in woken_by)


def _reap_strays(child: int) -> None:
    for stray in _children():
        if stray != child:
            os.waitpid(stray, os.WNOHANG)


def _end_family() -> None:
    """Kills what is left, in rounds: children of what was killed become ours for the next."""
    while family := _children():
        for pid in family:
            os.kill(pid, signal.SIGKILL)
        for pid in family:
            os.waitpid(pid, 0)


def _children() -> list[int]:
    return [int(pid) for pid in Path("/proc/thread-self/children").read_text().split()]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]))
