"""The settings bound the bodies of the whole application."""

import httpx

from api.routes.sends import BATCH_BYTES_MAX
from api.settings import BODY_BUDGET_BYTES_MIN
from shared.storage.mongo import connect
from tests.integration.api.conftest import Api, running, settings_for
from tests.servers import Servers

MIB = 1_048_576


async def large_batch(api: Api, *, size: int) -> httpx.Response:
    app_id = await api.new_app()
    user_id = await api.new_user(app_id)
    row = f'{{"user_id":"{user_id}","title":"Hi","body":"There"}}'
    return await api.http.post(
        "/push/send/batch",
        content=f'{{"notifications":[{row}]}}'.ljust(size),
        headers=api.service(app_id).headers | {"content-type": "application/json"},
    )


async def test_the_budget_is_the_settings(servers: Servers) -> None:
    settings = settings_for(servers, api_body_budget_bytes=2 * MIB)
    async with connect(settings) as database:
        async with running(settings, database) as api:
            within = await large_batch(api, size=2 * MIB)
            beyond = await large_batch(api, size=2 * MIB + 1)
            again = await large_batch(api, size=2 * MIB)
        await database.drop()
    assert [a.status_code for a in (within, beyond, again)] == [200, 503, 200]
    assert beyond.headers["retry-after"] == "1"


def test_the_smallest_budget_holds_the_largest_body() -> None:
    assert BODY_BUDGET_BYTES_MIN == BATCH_BYTES_MAX
