"""A database that is away is a 503, for everyone, and never a 500."""

import asyncio
from pathlib import Path
from uuid import uuid4

from deploy.local.mongod import Mongod
from shared.storage.mongo import connect
from tests.integration.api.conftest import running, settings_for
from tests.servers import Servers


async def test_an_outage_of_mongodb_is_a_503(servers: Servers, tmp_path: Path) -> None:
    mongod = Mongod(tmp_path / "mongod", cache_gb=0.25)
    mongod.start()
    try:
        settings = settings_for(servers, mongo_url=mongod.url)
        async with connect(settings) as database, running(settings, database) as api:
            app_id = await api.new_app()
            user_id = await api.new_user(app_id)
            mongod.kill()
            body = {"user_id": str(user_id), "title": "t", "body": "b"}
            answers = await asyncio.gather(
                api.service(app_id).post("/push/send", body),
                api.platform().get(f"/push/config/{app_id}"),
                api.user(app_id).delete(f"/push/devices/{uuid4()}"),
            )
            for answer in answers:
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            ready = await api.http.get("/readyz")
            assert (ready.status_code, ready.json()["mongo"]) == (503, False)
            assert (await api.http.get("/livez")).status_code == 200
    finally:
        mongod.stop()
