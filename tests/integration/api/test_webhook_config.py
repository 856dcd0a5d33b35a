"""A disabled webhook in an app's configuration, and what enables it again."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.builders import NOW
from tests.integration.api.conftest import Api

URL = "https://gymops.example/hooks/push"
DISABLED = {"webhook_disabled_at": "2126-03-19T08:00:00Z", "webhook_disabled_reason": "failing"}
WELL = {
    "webhook_failing_since": None,
    "webhook_disabled_at": None,
    "webhook_disabled_reason": None,
}


async def a_disabled_webhook(api: Api) -> UUID:
    app_id, admin = uuid4(), api.platform()
    await admin.put(f"/push/apps/{app_id}", {"name": "x"})
    answer = await admin.patch(f"/push/config/{app_id}", {"enabled": True, "webhook_url": URL})
    assert WELL.items() <= answer.json().items()
    noted = {"webhook_disabled_at": NOW, "webhook_failing_since": NOW}
    change = {"$set": noted | {"webhook_disabled_reason": "failing"}}
    await api.database["apps"].update_one({"_id": app_id}, change)
    return app_id


async def test_a_disabled_webhook_is_shown_with_its_reason(api: Api) -> None:
    app_id = await a_disabled_webhook(api)

    shown = (await api.platform().get(f"/push/config/{app_id}")).json()

    assert DISABLED.items() <= shown.items()
    assert shown["webhook_url"] == URL


@pytest.mark.parametrize("url", [URL, "https://gymops.example/hooks/other", None])
async def test_a_webhook_that_is_set_again_is_enabled_again(api: Api, url: str | None) -> None:
    app_id = await a_disabled_webhook(api)

    answer = await api.platform().patch(f"/push/config/{app_id}", {"webhook_url": url})

    assert (WELL | {"webhook_url": url}).items() <= answer.json().items()


@pytest.mark.parametrize("change", [{}, {"enabled": True}, {"regenerate_webhook_secret": True}])
async def test_any_other_change_leaves_it_disabled(api: Api, change: dict[str, Any]) -> None:
    app_id = await a_disabled_webhook(api)

    answer = await api.platform().patch(f"/push/config/{app_id}", change)

    assert DISABLED.items() <= answer.json().items()
