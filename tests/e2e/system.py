"""The whole system as processes: simulators, API and any number of workers, on real servers."""

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local.credentials import Credentials, make_credentials
from deploy.local.environment import api_url, process_environment, service_settings
from deploy.local.ports import Ports, free_ports
from deploy.local.services import Api, Simulators, Worker, migrate, simulator_urls
from tests.servers import Servers

TEST_ISSUER = "https://identity.test"
RETRY_LEVELS = "0.5,1,2,4"
SWEEP_AFTER_SECONDS = "2"
DRAIN_SECONDS = "30"


@dataclass
class System:
    """Started piece by piece; `stop` ends what still runs."""

    folder: Path
    servers: Servers
    ports: Ports = field(default_factory=lambda: Ports(*free_ports(12)))
    jwt_secret: str = field(default_factory=lambda: secrets.token_hex(32))
    credentials: Credentials = field(default_factory=make_credentials)
    settings: dict[str, str] = field(default_factory=dict)
    workers: list[Worker] = field(default_factory=list)
    api: Api | None = None
    simulators: Simulators | None = None

    @property
    def api_url(self) -> str:
        return api_url(self.ports)

    @property
    def admin_url(self) -> str:
        return self.simulator_urls["admin_url"]

    @property
    def simulator_urls(self) -> dict[str, str]:
        return simulator_urls(self.ports)

    def start(self) -> None:
        self.settings = self._settings()
        self.simulators = Simulators(self.folder, self.ports)
        self.simulators.start()
        migrate(process_environment(self.settings), self.folder / "logs" / "migrate.log")
        self.start_api()
        self.start_worker()

    def start_api(self) -> None:
        self.api = Api(self.folder, self.ports, process_environment(self.settings))
        self.api.start()

    def start_worker(self, **changes: str) -> Worker:
        """One more worker, with settings of its own."""
        name = f"worker-{len(self.workers) + 1}"
        ready_file = self.folder / "run" / name
        changed = {f"FANFARE_{key}": value for key, value in changes.items()}
        environment = process_environment(
            self.settings | {"FANFARE_WORKER_READY_FILE": str(ready_file)} | changed
        )
        worker = Worker(self.folder / name, ready_file, environment)
        worker.start()
        self.workers.append(worker)
        return worker

    def logs(self) -> str:
        """Everything that our own processes have printed."""
        files = sorted(self.folder.glob("**/logs/*.log"))
        return "\n".join(file.read_text(errors="replace") for file in files)

    def stop(self) -> None:
        for part in (*self.workers, self.api, self.simulators):
            if part is not None:
                part.stop()

    def _settings(self) -> dict[str, str]:
        vhost = f"e2e-{self.ports.api}"
        amqp_url = self.servers.rabbitmq.create_vhost(vhost)
        settings = service_settings(
            self.folder,
            self.ports,
            mongo_url=self.servers.mongod.url,
            amqp_url=amqp_url,
            simulators=self.simulator_urls,
        )
        issuer: dict[str, Any] = {
            "issuer": TEST_ISSUER,
            "algorithms": ["HS256"],
            "shared_secret": self.jwt_secret,
            "max_role": "platform_admin",
        }
        return settings | {
            "FANFARE_MONGO_DATABASE": f"e2e_{self.ports.api}",
            "FANFARE_API_ISSUERS": json.dumps([issuer]),
            "FANFARE_RETRY_LEVELS_SECONDS": RETRY_LEVELS,
            "FANFARE_HOOK_LEVELS_SECONDS": "1,5",
            "FANFARE_WORKER_SWEEP_AFTER_SECONDS": SWEEP_AFTER_SECONDS,
            "FANFARE_WORKER_DRAIN_SECONDS": DRAIN_SECONDS,
            "FANFARE_WORKER_PARK_SECONDS": "1",
            "FANFARE_WORKER_PRESENCE_SECONDS": "2",
            "FANFARE_PROVIDER_TIMEOUT_SECONDS": "12",
        }
