"""Commands about a stack that another process runs or ran: stop, clean, status."""

import shutil
import signal
from pathlib import Path

from rich.console import Console

from deploy.local.ports import Ports, is_free
from deploy.local.processes import Identity, end_identities, load_identities
from deploy.local.progress import Progress

SUPERVISOR = "supervisor"
# Longer than the longest grace of a part, because the supervisor stops them one after another.
STOP_TIMEOUT_SECONDS = 150.0
OWN_FOLDERS = ("mongod", "rabbitmq", "logs", "run", "certificates")
OWN_FILES = ("pids.json", "stack.json", "stack.env", "secrets.json", "demo.json", "setup.lock")


class AlreadyRunning(RuntimeError):
    """Another supervisor runs on the same data folder."""


def stop(folder: Path) -> int:
    """Ends the supervisor, which ends its parts; after a crash, the parts that are left."""
    console = Console(highlight=False)
    groups = load_identities(folder / "pids.json")
    supervisor = _supervisor(groups)
    if supervisor is not None:
        console.print(f"stopping the stack (pid {supervisor.pid})")
        supervisor.signal(signal.SIGTERM)
        supervisor.wait_gone(STOP_TIMEOUT_SECONDS)
    ended = end_identities(groups.values(), STOP_TIMEOUT_SECONDS)
    _forget(folder)
    if supervisor is None:
        console.print(f"ended {ended} left-over parts" if ended else "nothing is running")
    else:
        console.print("stopped")
    return 0


def clean(folder: Path) -> int:
    """Stops, then deletes what the stack itself put into its folder, and nothing else."""
    stop(folder)
    for name in OWN_FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in OWN_FILES:
        (folder / name).unlink(missing_ok=True)
    Console(highlight=False).print(f"deleted the stack's data in {folder}")
    return 0


def show_status(folder: Path, ports: Ports) -> int:
    """Prints the parts; exit code 0 when the stack runs, 3 when not (as init scripts do)."""
    console = Console(highlight=False)
    groups = load_identities(folder / "pids.json")
    for name, group in groups.items():
        pid = group[-1].pid if group and group[-1].is_alive else None
        taken = [f"{port}" for _, port in ports.of(name) if not is_free(port)]
        where = f"  ports {', '.join(taken)}" if taken else ""
        console.print(f"{name:<11} {f'pid {pid}' if pid else 'not running'}{where}")
    if _supervisor(groups) is None:
        console.print("the stack is not running: `make run`")
        return 3
    return 0


def end_leftovers(folder: Path, progress: Progress) -> None:
    """Before a start: ends what a crashed run left.

    Raises:
        AlreadyRunning: its supervisor is alive.
    """
    groups = load_identities(folder / "pids.json")
    supervisor = _supervisor(groups)
    if supervisor is not None:
        raise AlreadyRunning(f"the stack runs already (pid {supervisor.pid}): `make stop` ends it")
    if ended := end_identities(groups.values(), STOP_TIMEOUT_SECONDS):
        progress.step("clean-up", f"ended {ended} parts that an earlier run left")
    _forget(folder)


def _supervisor(groups: dict[str, list[Identity]]) -> Identity | None:
    return next((found for found in groups.get(SUPERVISOR, []) if found.is_alive), None)


def _forget(folder: Path) -> None:
    for name in ("pids.json", "stack.json", "stack.env"):
        (folder / name).unlink(missing_ok=True)
