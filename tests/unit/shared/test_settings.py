"""Settings: what is unknown, missing, bad or contradictory stops start-up, values unseen."""

from pathlib import Path

import pytest

from api.settings import ApiSettings
from shared.settings import SettingsError, load
from worker.settings import WorkerSettings

KEY = "A" * 43 + "="
BASE = {
    "FANFARE_MONGO_URL": "mongodb://db",
    "FANFARE_AMQP_URL": "amqp://queue",
    "FANFARE_ENCRYPTION_KEYS": f"k1:{KEY}",
    "FANFARE_HASH_KEY": KEY,
}


def load_worker(**changes: str) -> WorkerSettings:
    return load(WorkerSettings, BASE | changes, foreign_prefixes=("API_",))


def test_defaults_need_only_the_required_settings() -> None:
    settings = load_worker()

    assert settings.mode == "production"
    assert settings.worker_roles == ("deliver", "hooks", "scheduler")


def test_lists_are_separated_by_commas() -> None:
    settings = load_worker(
        FANFARE_WORKER_ROLES="deliver, hooks", FANFARE_RETRY_LEVELS_SECONDS="1,2"
    )

    assert settings.worker_roles == ("deliver", "hooks")
    assert settings.retry_levels_seconds == (1, 2)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"FANFARE_MONGO_URI": "x"}, "unknown setting: FANFARE_MONGO_URI"),
        ({"FANFARE_WORKER_PREFETCH": "many"}, "worker_prefetch"),
        ({"FANFARE_WORKER_PREFETCH": "0"}, "worker_prefetch"),
        ({"FANFARE_WORKER_ROLES": "dance"}, "worker_roles"),
        ({"FANFARE_RETRY_LEVELS_SECONDS": "30,5"}, "retry_levels_seconds"),
        ({"FANFARE_HASH_KEY": "c2hvcnQ="}, "32 bytes"),
        ({"FANFARE_ENCRYPTION_KEYS": "k1:c2hvcnQ="}, "32 bytes"),
        ({"FANFARE_ENCRYPTION_KEYS": KEY}, "distinct ids"),
        ({"FANFARE_ENCRYPTION_KEYS": f"k1:{KEY},k1:{KEY}"}, "distinct ids"),
        ({"FANFARE_ENCRYPTION_KEYS": ""}, "no key"),
        ({"FANFARE_MODE": "test"}, "mode"),
    ],
)
def test_bad_settings_are_named(changes: dict[str, str], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        load_worker(**changes)


def test_missing_settings_are_named() -> None:
    with pytest.raises(SettingsError, match="FANFARE_MONGO_URL, FANFARE_AMQP_URL"):
        load(WorkerSettings, {}, foreign_prefixes=())


def test_the_other_services_settings_are_left_alone() -> None:
    assert load_worker(FANFARE_API_PORT="not a number").mode == "production"


def test_a_setting_can_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("mongodb://from-file\n")
    environ = {k: v for k, v in BASE.items() if k != "FANFARE_MONGO_URL"}

    settings = load(
        WorkerSettings, environ | {"FANFARE_MONGO_URL_FILE": str(secret)}, foreign_prefixes=()
    )

    assert settings.mongo_url == "mongodb://from-file"


def test_an_api_that_trusts_nobody_does_not_start() -> None:
    with pytest.raises(SettingsError, match="no one can get in"):
        load(ApiSettings, BASE, foreign_prefixes=("WORKER_",))
