"""A private mongod: the binary of the installed wheel as a one-node replica set on 127.0.0.1."""

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pymongo
from pymongo.errors import OperationFailure, PyMongoError

from deploy.local.ports import HOST, free_port
from deploy.local.processes import OnWait, Process
from deploy.local.supervised import Supervised

REPLICA_SET = "fanfare"
CACHE_GB = 0.5
READY_TIMEOUT_SECONDS = 60.0
STOP_GRACE_SECONDS = 30.0
ALREADY_INITIALIZED = 23


class MongodMissing(RuntimeError):
    """There is no mongod binary."""


class Mongod(Supervised):
    """One server; data survive a stop, a kill and a restart."""

    def __init__(
        self, data_dir: Path, port: int | None = None, *, cache_gb: float = CACHE_GB
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.port = port or free_port()
        process = Process(
            "mongod",
            [
                find_binary(),
                *("--dbpath", self.data_dir / "db", "--port", str(self.port), "--bind_ip", HOST),
                *(
                    "--replSet",
                    REPLICA_SET,
                    "--oplogSize",
                    "256",
                    "--wiredTigerCacheSizeGB",
                    str(cache_gb),
                ),
                *("--logpath", self.data_dir / "log" / "mongod.log", "--logappend"),
                *("--nounixsocket", "--setParameter", "diagnosticDataCollectionEnabled=false"),
            ],
            log_file=self.data_dir / "log" / "console.log",
            grace_seconds=STOP_GRACE_SECONDS,
        )
        super().__init__(process)

    @property
    def url(self) -> str:
        return f"mongodb://{HOST}:{self.port}/?replicaSet={REPLICA_SET}&directConnection=true"

    def start(
        self, timeout_seconds: float = READY_TIMEOUT_SECONDS, on_wait: OnWait | None = None
    ) -> None:
        """Returns when the node is a writable primary."""
        for folder in ("db", "log"):
            (self.data_dir / folder).mkdir(parents=True, exist_ok=True)
        self._process.start()
        with self._connect() as client:
            self._process.wait_ready(lambda: self._is_primary(client), timeout_seconds, on_wait)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _connect(self) -> pymongo.MongoClient[dict[str, Any]]:
        return pymongo.MongoClient(
            HOST,
            self.port,
            directConnection=True,
            serverSelectionTimeoutMS=200,
            connectTimeoutMS=1000,
        )

    def _is_primary(self, client: pymongo.MongoClient[dict[str, Any]]) -> bool:
        try:
            hello = client.admin.command("hello")
            if "setName" not in hello:
                self._initiate(client)
            return bool(hello["isWritablePrimary"])
        except PyMongoError:
            return False

    def _initiate(self, client: pymongo.MongoClient[dict[str, Any]]) -> None:
        member = {"_id": 0, "host": f"{HOST}:{self.port}"}
        config = {"_id": REPLICA_SET, "members": [member]}
        try:
            client.admin.command("replSetInitiate", config)
        except OperationFailure as error:
            if error.code != ALREADY_INITIALIZED:
                raise
            # The data were made on another port: a node that is not in its own config
            # never becomes primary.
            version = client.local["system.replset"].find_one({}, {"version": 1}) or {"version": 1}
            config["version"] = version["version"] + 1
            client.admin.command("replSetReconfig", config, force=True)


def find_binary() -> Path:
    """The wheel's mongod, else one on PATH."""
    spec = importlib.util.find_spec("fiftyone")
    for location in (spec.submodule_search_locations or []) if spec is not None else []:
        binary = Path(location) / "db" / "bin" / "mongod"
        if binary.exists():
            return binary
    if on_path := shutil.which("mongod"):
        return Path(on_path)
    raise MongodMissing(
        "there is no mongod: run `make setup`, or point FANFARE_MONGO_URL\n"
        "  at a replica set of yours, or use `docker compose up`"
    )
