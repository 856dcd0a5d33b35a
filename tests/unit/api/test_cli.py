"""The command line: its settings file and its refusals."""

from pathlib import Path

import pytest

from api import cli
from shared.settings import SettingsError
from tests.unit.api.doubles import APP


def test_the_stack_file_serves_when_nothing_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "stack.env"
    file.write_text("# made by make run\nFANFARE_MODE=local\nFANFARE_HASH_KEY=a=b=\n\n")
    monkeypatch.setattr(cli, "STACK_FILE", file)
    environ = {"PATH": "x", "FANFARE_LOCAL_PORTS_FROM": "28080"}
    assert cli._environment(environ) == {
        "FANFARE_MODE": "local",
        "FANFARE_HASH_KEY": "a=b=",
    }


def test_the_environment_wins_over_the_stack_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "stack.env"
    file.write_text("FANFARE_MODE=local\n")
    monkeypatch.setattr(cli, "STACK_FILE", file)
    given = {"FANFARE_MODE": "production"}
    assert cli._environment(given) == given


def test_no_token_is_minted_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    key = "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE="
    environment = {
        "FANFARE_MONGO_URL": "mongodb://127.0.0.1:1",
        "FANFARE_AMQP_URL": "amqp://127.0.0.1:1",
        "FANFARE_ENCRYPTION_KEYS": f"k:{key}",
        "FANFARE_HASH_KEY": key,
        "FANFARE_ISSUER_ENABLED": "true",
    }
    monkeypatch.setattr(cli, "_environment", lambda _: environment)
    with pytest.raises(SettingsError, match="local mode"):
        cli.token(kind="service", sub=APP)
