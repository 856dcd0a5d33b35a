"""What a newcomer sets up once: an app, its providers' credentials, tokens and devices."""

import json
import secrets
import subprocess
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from deploy.local.clients import Client, Json
from deploy.local.credentials import make_credentials
from deploy.local.environment import ROOT, process_environment, write_private
from deploy.local.processes import StartFailed
from deploy.local.services import fanfare_command
from deploy.local.timeline import Timeline

CREATED = 201
TOKEN_TIMEOUT_SECONDS = 60.0
SERVICE_SCOPE = "push:send push:enroll"


@dataclass(frozen=True)
class DemoApp:
    """The app, its secrets, and who may speak to it."""

    app_id: str
    user_id: str
    client_secret: str
    webhook_secret: str
    vapid_public_key: str
    tokens: dict[str, str]


class Newcomer:
    """Sets an app up over HTTP, with the `fanfare` command for tokens; no other way in."""

    def __init__(
        self, api_url: str, simulators: Client, settings: Mapping[str, str], timeline: Timeline
    ) -> None:
        self._api_url = api_url
        self._simulators = simulators
        self._environment = process_environment(settings)
        self._timeline = timeline

    def set_up(self, remembered: Path, webhook_url: str) -> DemoApp:
        """The app of the last run if the database still has it, else a new one; a new user."""
        timeline = self._timeline
        timeline.chapter("Setting an app up, as a newcomer would")
        old = _recall(remembered)
        app_id, user_id = old.get("app_id") or str(uuid.uuid4()), str(uuid.uuid4())
        tokens = self._mint_all(app_id, user_id)
        timeline.event("issuer", "platform admin's, app admin's, service's and user's tokens")
        with Client(self._api_url, tokens["platform_admin"]) as admin:
            answer = admin.put(f"/push/apps/{app_id}", {"name": "Demo"}, expect=(200, CREATED))
            client_secret = answer.get("client_secret") or old.get("client_secret")
            if client_secret is None:
                raise StartFailed(f"app {app_id} exists, but its secret is lost: `make clean`")
            write_private(
                remembered, json.dumps({"app_id": app_id, "client_secret": client_secret})
            )
            timeline.event(
                "api", f"app {app_id} ({'new' if 'client_secret' in answer else 'kept'})"
            )
            config = admin.patch(
                f"/push/config/{app_id}", {"enabled": True, "webhook_url": webhook_url}
            )
            timeline.event("api", f"push enabled, receipts go to {webhook_url}")
            self._give_credentials(admin, app_id)
        self._simulators.put(
            "/receiver/endpoints/demo", {"secrets": [config["webhook_secret"]]}, expect=204
        )
        return DemoApp(
            app_id,
            user_id,
            client_secret,
            config["webhook_secret"],
            config["vapid_public_key"],
            tokens,
        )

    def service_token(self, app: DemoApp) -> str:
        """By the OAuth 2.0 client credentials grant, as the app's backend gets it."""
        form = {
            "grant_type": "client_credentials",
            "client_id": app.app_id,
            "client_secret": app.client_secret,
            "scope": "push:send",
        }
        with Client(self._api_url) as anyone:
            answer = anyone.post_form("/auth/token", form)
        self._timeline.event("issuer", f"service token for {answer['expires_in']} s, by secret")
        token: str = answer["access_token"]
        return token

    def register(self, app: DemoApp, user_token: str, **device: object) -> str:
        """Registers one device of the token's user; returns its id."""
        with Client(self._api_url, user_token) as user:
            body = {"app_id": app.app_id, **device}
            device_id: str = user.post("/push/devices/register", body, expect=CREATED)["device_id"]
        self._timeline.event("api", f"device {device_id} registered ({device['provider']})")
        return device_id

    def register_everywhere(self, app: DemoApp) -> dict[str, str]:
        """One device per provider for the demo's user; device id -> provider."""
        subscription = self._simulators.post(
            "/webpush/subscriptions",
            {"application_server_key": app.vapid_public_key},
            expect=CREATED,
        )["subscription"]
        devices: dict[str, Json] = {
            "apns": {"platform": "ios", "push_token": apns_token()},
            "fcm": {"platform": "android", "push_token": f"demo-fcm-{secrets.token_urlsafe(96)}"},
            "webpush": {"platform": "web", "push_token": subscription},
            "pushy": {"platform": "android", "push_token": f"demo{secrets.token_hex(16)}"},
        }
        return {
            self.register(app, app.tokens["user"], provider=provider, **device): provider
            for provider, device in devices.items()
        }

    def mint(self, kind: str, sub: str, app_id: str, **more: str) -> str:
        """A token by the `fanfare` command: alone on its last line."""
        command = [str(fanfare_command()), "token", "--kind", kind, "--sub", sub, "--app", app_id]
        for name, value in more.items():
            command += [f"--{name}", value]
        done = subprocess.run(
            command,
            env=self._environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TOKEN_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise StartFailed(f"fanfare token failed with code {done.returncode}:\n{done.stderr}")
        return done.stdout.strip().splitlines()[-1]

    def _mint_all(self, app_id: str, user_id: str) -> dict[str, str]:
        admin_id = str(uuid.uuid4())
        with ThreadPoolExecutor(2) as pool:
            minted = {
                "platform_admin": pool.submit(
                    self.mint, "user", admin_id, app_id, role="platform_admin"
                ),
                "app_admin": pool.submit(self.mint, "user", admin_id, app_id, role="admin"),
                "service": pool.submit(self.mint, "service", app_id, app_id, scope=SERVICE_SCOPE),
                "user": pool.submit(self.mint, "user", user_id, app_id),
            }
        return {name: token.result() for name, token in minted.items()}

    def _give_credentials(self, admin: Client, app_id: str) -> None:
        credentials = make_credentials()
        credentials.tell_simulators(self._simulators)
        for provider, body in credentials.by_provider().items():
            admin.put(f"/push/config/{app_id}/providers/{provider}", body, expect=(200, CREATED))
        self._timeline.event("api", f"credentials: {', '.join(credentials.by_provider())}")


def apns_token(prefix: str = "") -> str:
    """64 hex digits, as Apple's tokens have; the simulator knows the prefix `dead`."""
    return prefix + ("ab" + secrets.token_hex(31))[len(prefix) :]


def _recall(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    remembered: dict[str, str] = json.loads(file.read_text())
    return remembered
