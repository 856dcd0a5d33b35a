"""Containers: every setting that they name is one that a service reads."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ruamel.yaml import YAML

from api.settings import ApiSettings
from shared.settings import PREFIX
from worker.settings import WorkerSettings

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = {
    PREFIX + field.name.upper()
    for cls in (ApiSettings, WorkerSettings)
    for field in msgspec.structs.fields(cls)
}
FILES = ("docker-compose.yml", "deploy/docker/Dockerfile", "deploy/docker/simulators.env")


@pytest.mark.parametrize("name", FILES)
def test_every_setting_that_a_container_file_names_exists(name: str) -> None:
    named = set(re.findall(r"\bFANFARE_[A-Z0-9_]+\b", (ROOT / name).read_text()))

    assert named
    assert {
        k for k in named if k not in SETTINGS and k.removesuffix("_FILE") not in SETTINGS
    } == set()


def compose() -> dict[str, Any]:
    document: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    return document


def test_no_container_runs_as_root_or_with_rights_to_spare() -> None:
    for name, service in compose()["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert "build" in service or service["user"] != "0", name


def test_images_are_pinned() -> None:
    images = [s["image"] for s in compose()["services"].values() if "image" in s]

    assert images
    assert all(re.fullmatch(r"[a-z/-]+:\d+\.\d+\.\d+", image) for image in images)
