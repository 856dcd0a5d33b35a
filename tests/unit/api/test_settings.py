"""Contradictory or careless settings stop the API before it starts."""

import json
from typing import Any

import pytest

from api.settings import FOREIGN_PREFIXES, ApiSettings
from shared.settings import SettingsError, load

KEY = "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="
BASE = {
    "FANFARE_MONGO_URL": "mongodb://127.0.0.1:1",
    "FANFARE_AMQP_URL": "amqp://127.0.0.1:1",
    "FANFARE_ENCRYPTION_KEYS": f"k:{KEY}",
    "FANFARE_HASH_KEY": KEY,
}
ISSUER = {"issuer": "https://id.example", "jwks_url": "https://id.example/jwks"}


def loaded(**changes: str) -> ApiSettings:
    given = BASE | {f"FANFARE_{name}": value for name, value in changes.items()}
    return load(ApiSettings, given, foreign_prefixes=FOREIGN_PREFIXES)


def issuers(*rows: dict[str, Any]) -> str:
    return json.dumps(rows)


def test_an_issuer_is_enough() -> None:
    settings = loaded(API_ISSUERS=issuers(ISSUER), WORKER_ROLES="deliver", LOCAL_X="1")
    assert settings.api_issuers[0].max_role == "admin"
    assert settings.api_issuers[0].algorithms == ("RS256", "ES256", "EdDSA")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"API_ISSUERS": "[]"},
        {"API_ISSUERS": "{"},
        {"API_ISSUERS": issuers(ISSUER, ISSUER)},
        {"API_ISSUERS": issuers({"issuer": "x"})},
        {"API_ISSUERS": issuers({**ISSUER, "shared_secret": "s" * 32})},
        {"API_ISSUERS": issuers({**ISSUER, "algorithms": ["HS256"]})},
        {"API_ISSUERS": issuers({**ISSUER, "algorithms": ["none"]})},
        {"API_ISSUERS": issuers({"issuer": "x", "shared_secret": "s" * 32})},
        {"API_ISSUERS": issuers({**ISSUER, "max_role": "root"})},
        {"API_ISSUERS": issuers({**ISSUER, "max_role": "platform_admin", "tenants": ["t"]})},
        {"API_ISSUERS": issuers({**ISSUER, "audiences": "x"})},
        {"API_ISSUERS": issuers({**ISSUER, "jwks_url": "http://id.example/jwks"})},
        {"ISSUER_ENABLED": "true", "API_ISSUERS": issuers({**ISSUER, "issuer": "https://fanfare.invalid"})},
        {"ISSUER_ENABLED": "true", "API_PROT": "80"},
        {"ISSUER_ENABLED": "true", "API_PORT": "0"},
    ],
)  # fmt: skip
def test_settings_are_refused(changes: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        loaded(**changes)


def test_a_refusal_shows_no_secret() -> None:
    row = {"issuer": "x", "shared_secret": "canary-secret", "algorithms": ["HS256"], "typo": 1}
    with pytest.raises(SettingsError) as caught:
        loaded(API_ISSUERS=issuers(row))
    assert "canary" not in str(caught.value)
