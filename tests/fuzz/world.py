"""What generated requests may name: an app with a user, devices and notifications of its own."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import uuid4

from tests.fuzz.stage import Json, Stage

USERS = 40  # each may register ten devices an hour
SCOPES = "push:send push:enroll"
TOPIC = "announcements"


@dataclass
class World:
    """An app and all that a request to it may name."""

    stage: Stage
    daily_quota: int
    app_id: str = field(default_factory=lambda: str(uuid4()))
    users: list[str] = field(default_factory=lambda: [str(uuid4()) for _ in range(USERS)])
    devices: list[str] = field(default_factory=list)
    notifications: list[str] = field(default_factory=list)
    direct_pushes: list[str] = field(default_factory=list)
    dead_letters: list[str] = field(default_factory=list)
    client_secret: str = ""
    push_tokens: list[str] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def user_id(self) -> str:
        return self.users[0]

    @property
    def secrets(self) -> list[str]:
        """What no answer may hold, beside the token of whoever asks."""
        known = self.stage.system.credentials
        keys = (known.apns["private_key"], known.fcm["service_account"]["private_key"])
        lines = [key.splitlines()[1] for key in keys]
        settings = self.stage.system.settings
        ours = [settings["FANFARE_HASH_KEY"], settings["FANFARE_ENCRYPTION_KEYS"].partition(":")[2]]
        return [*lines, *ours, known.pushy["api_key"], self.client_secret, *self.push_tokens]

    def token(self, kind: str, dice: Random | None = None) -> str:
        """A caller's token; users are many, because each may register only ten devices."""
        if kind == "new user" and dice:
            return self._token(kind, dice.choice(self.users))
        if kind not in self.tokens:
            self.tokens[kind] = self._token(kind, self.user_id)
        return self.tokens[kind]

    def _token(self, kind: str, user_id: str) -> str:
        if kind == "garbage":
            return "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."
        user = {"sub": user_id, "aud": self.app_id, "roles": ["user"]}
        service = {"sub": self.app_id, "token_type": "service", "scope": SCOPES}
        claims: dict[str, Json] = {
            "service": service,
            "service without scope": service | {"scope": ""},
            "user": user,
            "new user": user,
            "user of two apps": user | {"aud": [self.app_id, str(uuid4())]},
            "expired": user | {"exp": 1_000_000_000},
            "admin": {"aud": self.app_id, "roles": ["admin"]},
            "other app's admin": {"aud": str(uuid4()), "roles": ["admin"]},
            "platform admin": {"aud": str(uuid4()), "roles": ["platform_admin"]},
            "tenant admin": {
                "aud": self.app_id,
                "roles": ["tenant_admin"],
                "tenant_id": "another",
            },
        }
        return self.stage.token(**claims[kind])

    def build(self) -> None:
        """Found the app and fill it, through the front door."""
        stage, root = self.stage, self.token("platform admin")
        founded = stage.call("PUT", f"/push/apps/{self.app_id}", root, {"name": "fuzz"})
        self.client_secret = founded.json()["client_secret"]
        change = {
            "enabled": True,
            "daily_quota": self.daily_quota,
            "webhook_url": self.hook_url,
        }
        config = stage.call("PATCH", f"/push/config/{self.app_id}", root, change).json()
        for provider, body in stage.system.credentials.by_provider().items():
            stage.call("PUT", f"/push/config/{self.app_id}/providers/{provider}", root, body)
        stage.call("POST", f"/push/apps/{self.app_id}/users", root, {"user_ids": self.users})
        self._register(stage.subscription(config["vapid_public_key"]))
        self._send()
        self.dead_letters.append(stage.bury(self.app_id))

    @property
    def hook_url(self) -> str:
        return f"{self.stage.system.simulator_urls['receiver_url']}/hooks/fuzz"

    @property
    def pushy_token(self) -> str:
        return f"pushy{self.app_id.replace('-', '')}"

    def _register(self, subscription: Json) -> None:
        apns_token = "ab" * 16 + self.app_id.replace("-", "")
        fcm_token = f"fcm-{self.app_id}"
        self.push_tokens += [apns_token, fcm_token, subscription["keys"]["auth"]]
        for platform, push_token in (
            ("ios", apns_token),
            ("android", fcm_token),
            ("web", subscription),
        ):
            body = {"app_id": self.app_id, "platform": platform, "push_token": push_token}
            answer = self.stage.call("POST", "/push/devices/register", self.token("user"), body)
            self.devices.append(answer.json()["device_id"])
        body = {"token": self.pushy_token, "platform": "ANDROID"}
        self.stage.call("POST", "/api/v1/device-info", self.token("user"), body)

    def _send(self) -> None:
        later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        content = {"user_id": self.user_id, "title": "Hi", "body": "There", "data": {"a": 1}}
        for body in (content, content | {"send_at": later}):
            sent = self.stage.call("POST", "/push/send", self.token("service"), body)
            self.notifications.append(sent.json()["notification_id"])
        push = {"title": "Hi", "content": "There", "to": [self.pushy_token]}
        pushed = self.stage.call(
            "POST", "/api/v1/notifications/send-dev", self.token("service"), push
        )
        self.direct_pushes.append(pushed.headers["x-notification-id"])

    def known(self, operation: str, name: str, dice: Random) -> list[Any]:
        """Values that exist, for a parameter or a member of a body."""
        credentials = self.stage.system.credentials
        keys = {"put_apns": credentials.apns, "put_fcm": credentials.fcm["service_account"]}
        values: dict[str, list[Any]] = {
            "app_id": [self.app_id],
            "X-App-Id": [self.app_id],
            "Idempotency-Key": [f"{dice.getrandbits(128):x}"],
            "id": [self.app_id] if operation == "list_devices" else self.devices,
            "user_id": self.users[:2],
            "user_ids": [self.users[: dice.randint(1, 5)]],
            "notification_id": (
                self.direct_pushes if operation == "get_dev_send" else self.notifications
            ),
            "dead_letter_id": self.dead_letters,
            "topic": [TOPIC],
            "topics": [[TOPIC], [TOPIC, "news"]],
            "token": [self.pushy_token],
            "to": [[self.pushy_token]],
            "push_token": [f"fcm-{dice.randint(0, 99)}"],
            "private_key": [keys.get(operation, {}).get("private_key")],
            "webhook_url": [self.hook_url, None],
            "send_at": [None],
            "tenant_id": [None],
            "platform": ["android"] if operation == "register_device" else [],
            "provider": ["fcm"] if operation == "register_device" else [],
            "client_id": [self.app_id],
            "client_secret": [self.client_secret],
            "enabled": [True],
        }
        return values.get(name, [])
