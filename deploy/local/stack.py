"""The local stack: every server and service under one supervisor, in one data folder."""

import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from deploy.local import external
from deploy.local.environment import (
    given,
    process_environment,
    service_settings,
    write_environment_file,
)
from deploy.local.mongod import Mongod
from deploy.local.ports import Ports, require_free
from deploy.local.processes import Identity, OnWait, StartFailed, save_identities
from deploy.local.progress import Progress
from deploy.local.rabbitmq import RabbitMq
from deploy.local.services import Api, Simulators, Worker, migrate, simulator_urls

PARTS = ("mongod", "rabbitmq", "simulators", "migrate", "api", "worker")
RESTARTS_MAX = 5
RESTART_WINDOW_SECONDS = 120.0


class Part(Protocol):
    """What the supervisor needs to know of a server or service."""

    @property
    def pid(self) -> int: ...
    @property
    def identities(self) -> list[Identity]: ...
    @property
    def is_running(self) -> bool: ...
    def log_tail(self) -> str: ...
    def start(self, *, on_wait: OnWait | None = None) -> None: ...
    def stop(self) -> None: ...


class Stack:
    """Starts the chosen parts in order, restarts one that ends, stops them in reverse."""

    def __init__(
        self, folder: Path, ports: Ports, progress: Progress, only: Iterable[str] = PARTS
    ) -> None:
        self.folder = folder
        self.ports = ports
        self.settings: dict[str, str] = {}
        self.simulator_urls = simulator_urls(ports)
        self._only = frozenset(only)
        self._progress = progress
        self._parts: dict[str, Part] = {}
        self._restarts: list[float] = []

    @property
    def pids(self) -> dict[str, int]:
        running = {name: part.pid for name, part in self._parts.items() if part.pid}
        return {"supervisor": os.getpid(), **running}

    def start(self) -> None:
        """Returns when every part is ready.

        Raises:
            PortTaken: somebody else holds a port that we need.
            StartFailed: a part did not become ready; the others still run.
        """
        self._require_ports()
        self.folder.mkdir(parents=True, exist_ok=True)
        mongo_url, amqp_url = self._start_servers()
        self.settings = service_settings(
            self.folder,
            self.ports,
            mongo_url=mongo_url,
            amqp_url=amqp_url,
            simulators=self.simulator_urls,
        )
        write_environment_file(self.folder / "stack.env", self.settings)
        self._start_services()

    def stop(self) -> None:
        """Ends every part in reverse order and removes what tells that we run."""
        for name, part in reversed(self._parts.items()):
            if part.is_running:
                self._progress.step(name, "stopping")
            part.stop()
        self._parts.clear()
        for file in ("pids.json", "stack.json", "stack.env"):
            (self.folder / file).unlink(missing_ok=True)

    def hurry(self) -> None:
        """Ends every part at once; whoever waits in `stop` then gets on."""
        for part in self._parts.values():
            for identity in part.identities[-1:]:
                identity.signal(signal.SIGKILL)

    def require_running(self) -> None:
        """Raises StartFailed, with the end of its log, for a part that ended by itself."""
        for name, part in self._parts.items():
            if not part.is_running:
                raise StartFailed(f"{name} ended by itself\n{part.log_tail()}")

    def heal(self) -> bool:
        """Restarts what ended by itself; True when something did.

        Raises:
            StartFailed: parts end again and again.
        """
        ended = [name for name, part in self._parts.items() if not part.is_running]
        for name in ended:
            self._count_restart(name)
            self._progress.step(name, "ended by itself; starting it again", "yellow")
            self._start(name, self._parts[name])
        return bool(ended)

    def _start_servers(self) -> tuple[str, str]:
        mongo_url = given("MONGO_URL")
        if mongo_url is not None:
            external.require_mongo(mongo_url)
            self._progress.step("mongod", "using the one that FANFARE_MONGO_URL names")
        elif "mongod" in self._only:
            mongod = Mongod(self.folder / "mongod", self.ports.mongod)
            self._start("mongod", mongod)
            mongo_url = mongod.url
        amqp_url = given("AMQP_URL")
        if amqp_url is not None:
            external.require_amqp(amqp_url)
            self._progress.step("rabbitmq", "using the one that FANFARE_AMQP_URL names")
        elif "rabbitmq" in self._only:
            rabbitmq = RabbitMq(
                self.folder / "rabbitmq",
                self.ports.rabbitmq,
                dist_port=self.ports.rabbitmq_dist,
                epmd_port=self.ports.rabbitmq_epmd,
            )
            self._start("rabbitmq", rabbitmq)
            amqp_url = rabbitmq.url()
        return mongo_url or "", amqp_url or ""

    def _start_services(self) -> None:
        environment = process_environment(self.settings)
        if "simulators" in self._only:
            self._start("simulators", Simulators(self.folder, self.ports))
        if "migrate" in self._only:
            self._progress.step("migrate", "queues and indexes")
            migrate(environment, self.folder / "logs" / "migrate.log")
        if "api" in self._only:
            self._start("api", Api(self.folder, self.ports, environment))
        if "worker" in self._only:
            ready_file = Path(self.settings["FANFARE_WORKER_READY_FILE"])
            self._start("worker", Worker(self.folder, ready_file, environment))

    def _start(self, name: str, part: Part) -> None:
        self._parts[name] = part
        started = time.monotonic()
        is_saved = False

        def waiting(waited: float) -> None:
            nonlocal is_saved
            if not is_saved:  # at once: whoever kills us now must find this part in the file
                self._save_pids()
                is_saved = True
            self._progress.waiting(name, waited)

        part.start(on_wait=waiting)
        self._save_pids()
        seconds = time.monotonic() - started
        self._progress.step(name, f"ready after {seconds:.1f} s (pid {part.pid})", "green")

    def _save_pids(self) -> None:
        groups = {name: part.identities for name, part in self._parts.items()}
        me = Identity.of(os.getpid())
        save_identities(
            self.folder / "pids.json", {"supervisor": [me] if me is not None else [], **groups}
        )

    def _count_restart(self, name: str) -> None:
        now = time.monotonic()
        recent = [at for at in self._restarts if now - at < RESTART_WINDOW_SECONDS]
        self._restarts = [*recent, now]
        if len(self._restarts) > RESTARTS_MAX:
            raise StartFailed(f"{name} ends again and again; its log: {self.folder / 'logs'}")

    def _require_ports(self) -> None:
        """All of them before anything starts: half a stack helps nobody."""
        external_parts = {
            part
            for part, setting in (("mongod", "MONGO_URL"), ("rabbitmq", "AMQP_URL"))
            if given(setting) is not None
        }
        for part in PARTS:
            if part in self._only and part not in external_parts:
                require_free(self.ports.of(part))
