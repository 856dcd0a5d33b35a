"""A private RabbitMQ node: own name, ports, folders, cookie and epmd; nothing of the system's."""

import hashlib
import os
import subprocess
from pathlib import Path
from urllib.parse import quote

from deploy.local.amqp_probe import opens_connection
from deploy.local.ports import HOST, free_ports
from deploy.local.processes import OnWait, Process
from deploy.local.supervised import Supervised

# The package's own scripts: those in sbin switch to another user and need that user to exist.
SCRIPT_FOLDERS = (
    "/usr/lib/rabbitmq/bin",
    "/usr/lib/rabbitmq/sbin",
    "/opt/rabbitmq/sbin",
    "/usr/local/opt/rabbitmq/sbin",
)
READY_TIMEOUT_SECONDS = 90.0
STOP_GRACE_SECONDS = 30.0
CTL_TIMEOUT_SECONDS = 60.0

# Two schedulers that sleep instead of spinning: the machine has other work to do.
ERLANG_ARGUMENTS = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
CONFIG = """\
listeners.tcp.local = {host}:{port}
loopback_users.guest = true
log.file.level = info
disk_free_limit.absolute = 200MB
vm_memory_high_watermark.absolute = 1GB
raft.wal_max_size_bytes = 67108864
"""


class RabbitMqMissing(RuntimeError):
    """RabbitMQ is not installed."""


class RabbitMq(Supervised):
    """One node on 127.0.0.1; data survive stop, kill and restart. User guest/guest, vhost /."""

    user = "guest"
    password = "guest"  # noqa: S105  (RabbitMQ's own default; valid on loopback only)

    def __init__(
        self,
        data_dir: Path,
        port: int | None = None,
        *,
        dist_port: int | None = None,
        epmd_port: int | None = None,
    ) -> None:
        """Ports that are not given are chosen free ones, and kept over restarts."""
        spare = free_ports(3)
        self.data_dir = data_dir.resolve()
        self.port = port or spare[0]
        self._dist_port = dist_port or spare[1]
        self._epmd_port = epmd_port or spare[2]
        self.node_name = (
            f"fanfare-{hashlib.sha256(str(self.data_dir).encode()).hexdigest()[:12]}@localhost"
        )
        self._scripts = find_scripts()
        process = Process(
            "rabbitmq",
            [self._scripts / "rabbitmq-server"],
            log_file=self.data_dir / "log" / "console.log",
            env=self._environment(),
            cwd=Path("/"),
            grace_seconds=STOP_GRACE_SECONDS,
        )
        super().__init__(process)

    def url(self, vhost: str = "/") -> str:
        return f"amqp://{self.user}:{self.password}@{HOST}:{self.port}/{quote(vhost, safe='')}"

    def start(
        self, timeout_seconds: float = READY_TIMEOUT_SECONDS, on_wait: OnWait | None = None
    ) -> None:
        """Returns when an AMQP connection opens."""
        for folder in ("mnesia", "log", "home"):
            (self.data_dir / folder).mkdir(parents=True, exist_ok=True)
        (self.data_dir / "enabled_plugins").write_text("[].\n")
        (self.data_dir / "rabbitmq.conf").write_text(CONFIG.format(host=HOST, port=self.port))
        (self.data_dir / "node.pid").unlink(missing_ok=True)
        self._process.start()
        self._process.wait_ready(self.accepts_connections, timeout_seconds, on_wait)

    def restart(self) -> None:
        self.stop()
        self.start()

    def accepts_connections(self, vhost: str = "/") -> bool:
        return opens_connection(HOST, self.port, vhost, self.user, self.password)

    def create_vhost(self, vhost: str) -> str:
        """Makes the virtual host, opens it to guest, returns its URL; harmless when it exists."""
        self.ctl("add_vhost", vhost)
        self.ctl("set_permissions", "-p", vhost, self.user, ".*", ".*", ".*")
        return self.url(vhost)

    def delete_vhost(self, vhost: str) -> None:
        self.ctl("delete_vhost", vhost)

    def create_user(
        self,
        user: str,
        password: str,
        vhost: str,
        *,
        configure: str = "",
        write: str = "",
        read: str = "",
    ) -> str:
        """Makes a user with these rights (patterns of resource names); returns its URL."""
        self.ctl("add_user", user, password)
        self.ctl("set_permissions", "-p", vhost, user, configure, write, read)
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"amqp://{login}@{HOST}:{self.port}/{quote(vhost, safe='')}"

    def ctl(self, *arguments: str) -> str:
        """Runs rabbitmqctl on this node (about a second each); returns what it printed."""
        done = subprocess.run(
            [self._scripts / "rabbitmqctl", "--quiet", *arguments],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CTL_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"rabbitmqctl {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}"
            )
        return done.stdout

    def _environment(self) -> dict[str, str]:
        folder = self.data_dir
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("RABBITMQ_", "ERL_"))
        }
        return inherited | {
            "HOME": str(folder / "home"),
            "LC_ALL": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": HOST,
            "RABBITMQ_NODENAME": self.node_name,
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_PID_FILE": str(folder / "node.pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG_ARGUMENTS,
            # rabbitmqctl is an Erlang node too; a wide range lets several run at once.
            "RABBITMQ_CTL_DIST_PORT_MIN": "33000",
            "RABBITMQ_CTL_DIST_PORT_MAX": "48000",
            # The start script then becomes the Erlang machine: our child's pid is the node's.
            "RUNNING_UNDER_SYSTEMD": "true",
        }


def find_scripts() -> Path:
    for folder in SCRIPT_FOLDERS:
        if (Path(folder) / "rabbitmq-server").exists():
            return Path(folder)
    raise RabbitMqMissing(
        "RabbitMQ is not installed: run `make setup` as root, or install your system's package,\n"
        "  or point FANFARE_AMQP_URL at a server of yours, or use `docker compose up`"
    )
