"""The command line: its settings file, its refusals, and the table in the README."""

from pathlib import Path

import pytest

from api import cli
from api.settings import ApiSettings
from api.settings_table import settings_table
from shared.settings import SettingsError
from tests.unit.api.doubles import APP
from worker.settings import WorkerSettings

README = Path(__file__).parents[3] / "README.md"
BEGIN, END = "<!-- settings -->", "<!-- /settings -->"


def test_the_table_has_every_setting_with_its_meaning() -> None:
    rows = settings_table().splitlines()[2:]
    named = {row.split("`")[1] for row in rows}
    fields = {*ApiSettings.__struct_fields__, *WorkerSettings.__struct_fields__}
    assert named == {f"FANFARE_{name.upper()}" for name in fields}
    assert all(row.split("|")[-2].strip() for row in rows)


@pytest.mark.skipif(not README.exists(), reason="the README is written last")
def test_the_readme_has_the_table() -> None:
    text = README.read_text(encoding="utf-8")
    shown = text.partition(BEGIN)[2].partition(END)[0]
    assert shown.strip() == settings_table()


def test_the_stack_file_serves_when_nothing_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "stack.env"
    file.write_text("# made by make run\nFANFARE_MODE=local\nFANFARE_HASH_KEY=a=b=\n\n")
    monkeypatch.setattr(cli, "STACK_FILE", file)
    assert cli._environment({"PATH": "x"}) == {
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
