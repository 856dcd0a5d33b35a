# ruff: noqa: INP001 (a script of its own image, no package)
"""Makes the secrets of docker-compose.yml once: keys for the services, a user for the broker."""

import base64
import hashlib
import json
import os
import secrets
from pathlib import Path

SECRETS = Path("/secrets")
BROKER = Path("/rabbitmq")
OWN_NAMES = r"^(push|hook)\.v1\."
AMQP_HOST = "rabbitmq:5672"


def main() -> None:
    """Leaves alone what exists: data encrypted under a lost key could never be read again."""
    if (SECRETS / "amqp_url").exists():
        return
    password = secrets.token_urlsafe(32)
    definitions = broker_definitions(password)
    write(BROKER / "definitions.json", json.dumps(definitions, indent=2), mode=0o644)
    write(SECRETS / "encryption_keys", f"k1:{random_key()}")
    write(SECRETS / "hash_key", random_key())
    write(SECRETS / "amqp_url", f"amqp://fanfare:{password}@{AMQP_HOST}/fanfare")


def broker_definitions(password: str) -> dict[str, object]:
    """One virtual host, one user that may touch nothing but our own names; no guest."""
    rights = dict.fromkeys(("configure", "write", "read"), OWN_NAMES)
    return {
        "vhosts": [{"name": "fanfare"}],
        "users": [
            {
                "name": "fanfare",
                "password_hash": broker_hash(password),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": [],
            }
        ],
        "permissions": [{"user": "fanfare", "vhost": "fanfare", **rights}],
    }


def broker_hash(password: str) -> str:
    """RabbitMQ's salted SHA-256 (https://www.rabbitmq.com/docs/passwords)."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def random_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def write(file: Path, text: str, mode: int = 0o600) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as out:
        out.write(text)


if __name__ == "__main__":
    main()
