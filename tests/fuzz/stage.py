"""The API as a process on real servers, and the callers and things that generated requests name."""

import time
from collections import Counter
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import jwt
import msgspec
import pymongo
import requests

from deploy.local.environment import process_environment
from deploy.local.services import Simulators, migrate
from tests.builders import a_dead_letter
from tests.e2e.system import TEST_ISSUER, System
from tests.servers import Servers

Json = dict[str, Any]
_TOKEN_SECONDS = 3_600


class Stage:
    """Everything is called over HTTP; what was tried is counted."""

    def __init__(self, folder: Path, servers: Servers) -> None:
        self.system = System(folder, servers)
        self.http = requests.Session()
        self.http.trust_env = False
        self.tried: dict[str, Counter[int]] = {}

    @property
    def url(self) -> str:
        return self.system.api_url

    def start(self) -> None:
        system = self.system
        system.settings = system._settings()
        system.simulators = Simulators(system.folder, system.ports)
        system.simulators.start()
        migrate(process_environment(system.settings), system.folder / "logs" / "migrate.log")
        system.start_api()
        self._tell_simulators()

    def stop(self) -> None:
        self.http.close()
        self.system.stop()

    @cached_property
    def document(self) -> Json:
        document: Json = self.http.get(f"{self.url}/openapi.json", timeout=10).json()
        return document

    def token(self, sub: str | None = None, **claims: Any) -> str:
        """A token of an issuer that the API trusts with everything."""
        now = int(time.time())
        base = {"iss": TEST_ISSUER, "sub": sub or str(uuid4()), "iat": now}
        whole = base | {"exp": now + _TOKEN_SECONDS} | claims
        return jwt.encode(whole, self.system.jwt_secret, algorithm="HS256")

    def call(self, method: str, path: str, token: str, body: Any = None) -> requests.Response:
        """A call that must be answered well."""
        headers = {"authorization": f"Bearer {token}"}
        answer = self.http.request(
            method, f"{self.url}{path}", json=body, headers=headers, timeout=10
        )
        assert answer.ok, f"{method} {path}: {answer.text}"
        return answer

    def bury(self, app_id: str) -> str:
        """Leave a dead letter as a worker would; its id."""
        letter = a_dead_letter(app_id=UUID(app_id), died_at=datetime.now(UTC))
        fields = msgspec.structs.asdict(letter)
        document = {"_id": fields.pop("dead_letter_id")} | fields
        name = self.system.settings["FANFARE_MONGO_DATABASE"]
        url = self.system.servers.mongod.url
        with pymongo.MongoClient[Json](url, uuidRepresentation="standard") as client:
            client[name]["dead_letters"].insert_one(document)
        return str(letter.dead_letter_id)

    def count(self, operation: str, status: int) -> None:
        self.tried.setdefault(operation, Counter())[status] += 1

    def subscription(self, key: str) -> Json:
        """A browser's push subscription at the simulator."""
        answer = self.http.post(
            f"{self.system.admin_url}/webpush/subscriptions",
            json={"application_server_key": key},
            timeout=10,
        )
        subscription: Json = answer.json()["subscription"]
        return subscription

    def _tell_simulators(self) -> None:
        known = self.system.credentials
        account = known.fcm["service_account"]
        for path, body in (
            (
                "/apns/keys",
                {name: known.apns[name] for name in ("team_id", "key_id")}
                | {"public_key_pem": known.apns_public_key, "topics": [known.apns["topic"]]},
            ),
            (
                f"/fcm/projects/{account['project_id']}",
                {name: account[name] for name in ("client_email", "private_key_id")}
                | {"public_key_pem": known.fcm_public_key},
            ),
            ("/pushy/apps", known.pushy),
        ):
            self.http.put(f"{self.system.admin_url}{path}", json=body, timeout=10)
