"""Several API processes over one database: what one changes, all see within five seconds."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.queue.connection import migrate
from shared.queue.topology import topology
from shared.storage.mongo import connect
from shared.storage.schema import create_indexes
from tests.eventually import eventually
from tests.integration.api.conftest import Api, running, settings_for
from tests.servers import Servers

SEEN_WITHIN_SECONDS = 5


@pytest.fixture
async def both(servers: Servers) -> AsyncIterator[tuple[Api, Api]]:
    """Two applications that share nothing but the servers."""
    settings = settings_for(servers, amqp_url=servers.rabbitmq.create_vhost("processes"))
    wanted = topology(settings.retry_levels_seconds, settings.hook_levels_seconds)
    await migrate(settings.amqp_url, wanted)
    async with connect(settings) as database:
        await create_indexes(database)
        async with running(settings, database) as one, running(settings, database) as other:
            yield one, other
        await database.drop()


async def status_of_a_send(api: Api, app_id: UUID, user_id: UUID) -> int:
    body = {"user_id": str(user_id), "title": "t", "body": "b"}
    return (await api.service(app_id).post("/push/send", body)).status_code


@pytest.mark.parametrize(
    ("change", "status"),
    [({"enabled": False}, 403), ({"daily_quota": 0}, 429)],
)
async def test_a_restriction_reaches_the_other_process(
    both: tuple[Api, Api], change: dict[str, Any], status: int
) -> None:
    one, other = both
    app_id = await one.new_app()
    user_id = await one.new_user(app_id)
    assert await status_of_a_send(other, app_id, user_id) == 200

    await one.platform().patch(f"/push/config/{app_id}", change)

    assert await status_of_a_send(one, app_id, user_id) == status

    async def is_refused() -> bool:
        return await status_of_a_send(other, app_id, user_id) == status

    await eventually(is_refused, within_seconds=SEEN_WITHIN_SECONDS)


async def test_a_permission_reaches_the_other_process_at_once(both: tuple[Api, Api]) -> None:
    one, other = both
    app_id = await one.new_app(daily_quota=0)
    user_id = await one.new_user(app_id)
    assert await status_of_a_send(other, app_id, user_id) == 429

    await one.platform().patch(f"/push/config/{app_id}", {"daily_quota": None})

    assert await status_of_a_send(other, app_id, user_id) == 200


async def test_a_credential_is_seen_by_the_other_process_at_once(both: tuple[Api, Api]) -> None:
    one, other = both
    app_id = await one.new_app()
    path = f"/push/config/{app_id}/providers/pushy"
    assert (await other.platform().get(path)).status_code == 404

    put = await one.platform().put(path, {"api_key": "k"})

    seen = await other.platform().get(path)
    assert seen.json() == put.json()
    assert "k" not in seen.json()["details"].values()


async def test_a_user_enrolled_by_one_can_be_sent_to_by_the_other(both: tuple[Api, Api]) -> None:
    one, other = both
    app_id, user_id = await one.new_app(), uuid4()
    assert await status_of_a_send(other, app_id, user_id) == 400

    await one.platform().put(f"/push/apps/{app_id}/users/{user_id}")

    assert await status_of_a_send(other, app_id, user_id) == 200
