"""Documents match the code: the settings table, and links that lead somewhere."""

import re
from pathlib import Path

import pytest

from api.settings_table import settings_table

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_readme_has_the_settings_table_of_the_code() -> None:
    readme = (ROOT / "README.md").read_text()

    table = readme.split("<!-- settings -->")[1].split("<!-- /settings -->")[0]

    assert table.strip() == settings_table().strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []
