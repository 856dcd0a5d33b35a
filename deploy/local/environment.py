"""The settings that the local stack gives to the services, and the secrets it keeps."""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.local.ports import HOST, Ports

PREFIX = "FANFARE_"
OWN_PREFIX = "FANFARE_LOCAL_"
ROOT = Path(__file__).resolve().parents[2]
FOLDER_SETTING = "FANFARE_LOCAL_FOLDER"


def data_folder() -> Path:
    """Where the stack keeps everything: FANFARE_LOCAL_FOLDER, else `.local` in the checkout."""
    return Path(os.environ.get(FOLDER_SETTING) or ROOT / ".local").resolve()


def given(name: str) -> str | None:
    """A setting that the person who runs us made."""
    return os.environ.get(PREFIX + name) or None


def service_settings(
    folder: Path, ports: Ports, *, mongo_url: str, amqp_url: str, simulators: Mapping[str, str]
) -> dict[str, str]:
    """Every FANFARE_ variable; what the caller's environment holds wins where it may."""
    kept = _kept_secrets(folder / "secrets.json")
    defaults = {
        "MONGO_DATABASE": "fanfare",
        "ENCRYPTION_KEYS": kept["encryption_keys"],
        "HASH_KEY": kept["hash_key"],
        "LOG_FORMAT": "json",
    }
    fixed = {
        "MODE": "local",
        "MONGO_URL": mongo_url,
        "AMQP_URL": amqp_url,
        "API_HOST": HOST,
        "API_PORT": str(ports.api),
        "ISSUER_ENABLED": "true",
        "ISSUER_URL": api_url(ports),
        "APNS_PRODUCTION_URL": simulators["apns_url"],
        "APNS_SANDBOX_URL": simulators["apns_sandbox_url"],
        "FCM_URL": simulators["fcm_url"],
        "FCM_TOKEN_URL": simulators["fcm_token_url"],
        "PUSHY_URL": simulators["pushy_url"],
        "WEBPUSH_ALLOWED_HOSTS": "localhost",
        "CA_FILE": str(folder / "certificates" / "ca.pem"),
        "WORKER_READY_FILE": str(folder / "run" / "worker.ready"),
    }
    chosen = {
        key: value
        for key, value in os.environ.items()
        if key.startswith(PREFIX) and not key.startswith(OWN_PREFIX)
    }
    ours = {PREFIX + key: value for key, value in defaults.items()}
    return ours | chosen | {PREFIX + key: value for key, value in fixed.items()}


def process_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The machine's environment with exactly these FANFARE_ variables."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    return plain | {"PYTHONUNBUFFERED": "1"} | dict(settings)


def api_url(ports: Ports) -> str:
    return f"http://{HOST}:{ports.api}"


def write_environment_file(file: Path, settings: Mapping[str, str]) -> None:
    """KEY=value lines, which the `fanfare` command reads."""
    lines = [f"{key}={value}" for key, value in sorted(settings.items())]
    write_private(file, "\n".join(lines) + "\n")


def write_private(file: Path, text: str) -> None:
    """Writes a file that only its owner may read, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    part.replace(file)


def _kept_secrets(file: Path) -> dict[str, str]:
    """Made once: data encrypted under a lost key could never be read again."""
    if file.exists():
        kept: dict[str, Any] = json.loads(file.read_text())
        return kept
    made = {"encryption_keys": f"k1:{_random_key()}", "hash_key": _random_key()}
    write_private(file, json.dumps(made, indent=2))
    return made


def _random_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
