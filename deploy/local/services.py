"""Our own processes in the local stack: simulators, migration, API, worker."""

import http.client
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.environment import ROOT, process_environment
from deploy.local.ports import HOST, Ports
from deploy.local.processes import OnWait, Process, StartFailed
from deploy.local.supervised import Supervised

READY_TIMEOUT_SECONDS = 60.0
MIGRATE_TIMEOUT_SECONDS = 120.0
# Longer than the worker's own drain (60 s), which SIGTERM starts.
WORKER_GRACE_SECONDS = 70.0
API_GRACE_SECONDS = 30.0
SIMULATORS_GRACE_SECONDS = 5.0
PROBE_TIMEOUT_SECONDS = 2.0
CERTIFICATES_AGE_SECONDS_MAX = 300 * 86_400  # they last 365 days
WRITE_CERTIFICATES = """\
import pathlib, sys
from tests.simulators.certificates import write_certificates
write_certificates(pathlib.Path(sys.argv[1]))
"""


class Service(Supervised):
    """A Python module of this checkout as a process, with its own idea of ready."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        folder: Path,
        env: Mapping[str, str],
        grace: float,
    ) -> None:
        process = Process(
            name,
            [sys.executable, "-m", *arguments],
            log_file=folder / "logs" / f"{name}.log",
            env=env,
            cwd=ROOT,
            grace_seconds=grace,
        )
        super().__init__(process)

    def start(self, *, on_wait: OnWait | None = None) -> None:
        self.prepare()
        self._process.start()
        self._process.wait_ready(self.is_ready, READY_TIMEOUT_SECONDS, on_wait)

    def prepare(self) -> None:
        """What must be so before the process starts."""

    def is_ready(self) -> bool:
        raise NotImplementedError


class Simulators(Service):
    """All provider simulators and the receipts receiver, in one process."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self._certificates = folder / "certificates"
        self._ready_file = folder / "run" / "simulators.json"
        listeners = {
            "admin": ports.simulator_admin,
            "apns": ports.simulator_apns,
            "apns-sandbox": ports.simulator_apns_sandbox,
            "fcm": ports.simulator_fcm,
            "webpush": ports.simulator_webpush,
            "pushy": ports.simulator_pushy,
            "receiver": ports.simulator_receiver,
        }
        arguments = ["tests.simulators", "--host", HOST, "--ready-file", str(self._ready_file)]
        arguments += ["--cert", str(self._certificates / "server.pem")]
        arguments += ["--key", str(self._certificates / "server.key")]
        for name, port in listeners.items():
            arguments += [f"--{name}-port", str(port)]
        environment = process_environment({})
        super().__init__("simulators", arguments, folder, environment, SIMULATORS_GRACE_SECONDS)

    def prepare(self) -> None:
        self._ready_file.parent.mkdir(parents=True, exist_ok=True)
        self._ready_file.unlink(missing_ok=True)
        key = self._certificates / "server.key"
        if not key.exists() or time.time() - key.stat().st_mtime > CERTIFICATES_AGE_SECONDS_MAX:
            make_certificates(self._certificates)

    def is_ready(self) -> bool:
        return self._ready_file.exists()


class Api(Service):
    def __init__(self, folder: Path, ports: Ports, env: Mapping[str, str]) -> None:
        self._port = ports.api
        super().__init__("api", ["api"], folder, env, API_GRACE_SECONDS)

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=PROBE_TIMEOUT_SECONDS)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Worker(Service):
    def __init__(self, folder: Path, ready_file: Path, env: Mapping[str, str]) -> None:
        self._ready_file = ready_file
        super().__init__("worker", ["worker"], folder, env, WORKER_GRACE_SECONDS)

    def prepare(self) -> None:
        self._ready_file.parent.mkdir(parents=True, exist_ok=True)
        self._ready_file.unlink(missing_ok=True)

    def is_ready(self) -> bool:
        return self._ready_file.exists()


def simulator_urls(ports: Ports) -> dict[str, str]:
    """Where the simulators listen; `localhost`, because their certificate and Web Push name it."""
    return {
        "admin_url": f"http://{HOST}:{ports.simulator_admin}",
        "apns_url": f"https://localhost:{ports.simulator_apns}",
        "apns_sandbox_url": f"https://localhost:{ports.simulator_apns_sandbox}",
        "fcm_url": f"https://localhost:{ports.simulator_fcm}",
        "fcm_token_url": f"https://localhost:{ports.simulator_fcm}/token",
        "webpush_url": f"https://localhost:{ports.simulator_webpush}",
        "pushy_url": f"https://localhost:{ports.simulator_pushy}",
        "receiver_url": f"http://{HOST}:{ports.simulator_receiver}",
    }


def migrate(env: Mapping[str, str], log_file: Path) -> None:
    """Declares queues and indexes."""
    _run("migrate", [str(fanfare_command()), "migrate"], env, log_file)


def make_certificates(folder: Path) -> None:
    command = [sys.executable, "-c", WRITE_CERTIFICATES, str(folder)]
    log_file = folder.parent / "logs" / "certificates.log"
    _run("certificates", command, process_environment({}), log_file)


def fanfare_command() -> Path:
    """The project's command, installed beside this Python."""
    return Path(sys.executable).with_name("fanfare")


def _run(name: str, command: Sequence[str], env: Mapping[str, str], log_file: Path) -> None:
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("a") as log:
        done = subprocess.run(
            command,
            env=dict(env),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=MIGRATE_TIMEOUT_SECONDS,
            check=False,
        )
    if done.returncode != 0:
        tail = "\n    ".join(log_file.read_text(errors="replace").splitlines()[-15:])
        raise StartFailed(f"{name} failed with code {done.returncode} ({log_file}):\n    {tail}")
