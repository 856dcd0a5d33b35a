"""Documents match the code: the settings table, and links that lead somewhere."""

import re
from pathlib import Path

import pytest

from api.settings import ApiSettings
from deploy.settings_table import settings_table
from worker.settings import WorkerSettings

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_readme_has_the_settings_table_of_the_code() -> None:
    readme = (ROOT / "README.md").read_text()

    table = readme.split("<!-- settings -->")[1].split("<!-- /settings -->")[0]

    assert table.strip() == settings_table().strip()


def test_the_settings_table_has_every_setting_with_its_meaning() -> None:
    rows = settings_table().splitlines()[2:]

    fields = {*ApiSettings.__struct_fields__, *WorkerSettings.__struct_fields__}
    assert {row.split("`")[1] for row in rows} == {f"FANFARE_{name.upper()}" for name in fields}
    assert all(row.split("|")[-2].strip() for row in rows)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []
