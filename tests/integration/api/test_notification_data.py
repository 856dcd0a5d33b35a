"""The whole `data` of a notification, for the user whom it is for and nobody else."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared import ids
from tests.front_door import Api
from tests.integration.api.tenant import Body, Tenant, a_tenant

LIST = "/push/notifications"


@pytest.fixture
async def tenant(api: Api) -> Tenant:
    return await a_tenant(api)


async def data_of(tenant: Tenant, notification_id: str, user_id: UUID | None = None) -> Any:
    caller = tenant.api.user(tenant.app_id, user_id or tenant.user_id)
    return await caller.get(f"{LIST}/{notification_id}/data")


EXACT = (
    '{"big":1e400,"neg":-1E-999,"exact":1.10,"zero":-0.0,"long":%s,"text":"\u00e9\U0001f600\\n",'
    '"a.b":{"$c":[null,true,{}]},"":""}' % ("9" * 3_900)
)


async def test_data_comes_back_as_it_was_sent(tenant: Tenant) -> None:
    assert len(EXACT.encode()) <= 4_096
    answer = await tenant.send_raw("data", EXACT)
    notification_id = answer.json()["notification_id"]

    fetched = await data_of(tenant, notification_id)

    assert fetched.status_code == 200
    assert fetched.content == b'{"data":' + EXACT.encode() + b"}"


async def test_5000_digits_are_more_than_data_may_hold(tenant: Tenant) -> None:
    answer = await tenant.send_raw("data", '{"long":%s}' % ("9" * 5_000))
    assert (answer.status_code, answer.json()["detail"]) == (400, "Data payload too large")


async def test_data_is_null_where_there_was_none(tenant: Tenant) -> None:
    without, empty = await tenant.sent(), await tenant.sent(data={})
    assert (await data_of(tenant, without)).json() == {"data": None}
    assert (await data_of(tenant, empty)).json() == {"data": {}}


async def test_each_user_gets_the_data_of_their_own_row(tenant: Tenant) -> None:
    other = await tenant.new_user()
    rows: list[Body] = [
        {"data": {"n": 0}},
        {"data": {"n": 1}, "user_id": str(other)},
        {"data": {"n": 2}},
    ]
    made = (await tenant.batch(*rows)).json()["notification_ids"]
    seen = [
        (await data_of(tenant, notification_id, user)).json().get("data")
        for notification_id in made
        for user in (tenant.user_id, other)
    ]
    assert seen == [{"n": 0}, None, None, {"n": 1}, {"n": 2}, None]


async def test_data_of_others_is_as_if_it_were_not_there(api: Api, tenant: Tenant) -> None:
    other = await a_tenant(api)
    made, theirs = await tenant.sent(data={"a": 1}), await other.sent(data={"a": 1})
    stranger = await tenant.new_user()
    beyond = UUID(int=UUID(made).int + 1)
    chunk = ids.chunk_id(ids.send_id_of(UUID(made)), 0)
    answers = [
        await data_of(tenant, made, stranger),
        await data_of(tenant, made, uuid4()),
        await data_of(tenant, theirs, other.user_id),
        await api.user(other.app_id, tenant.user_id).get(f"{LIST}/{made}/data"),
        await api.user(tenant.app_id, roles=["admin"]).get(f"{LIST}/{made}/data"),
        await api.platform().get(f"{LIST}/{made}/data"),
        *[await data_of(tenant, str(part)) for part in (uuid4(), beyond, chunk, "x", "%00", "0")],
    ]
    bodies = set()
    for answer in answers:
        body = answer.json()
        del body["trace_id"]
        bodies.add((answer.status_code, json.dumps(body)))
    assert len(bodies) == 1
    assert bodies.pop()[0] == 404


async def test_data_is_for_users_only(api: Api, tenant: Tenant) -> None:
    made = await tenant.sent(data={"a": 1})
    answer = await tenant.get(f"{LIST}/{made}/data")
    assert (answer.status_code, answer.json()["detail"]) == (403, "Insufficient permissions")
    anonymous = await api.http.get(f"{LIST}/{made}/data")
    assert anonymous.status_code == 401


async def test_an_admin_who_is_the_user_gets_the_data(api: Api, tenant: Tenant) -> None:
    made = await tenant.sent(data={"a": 1})
    admin = api.user(tenant.app_id, tenant.user_id, roles=["admin", "user"])
    assert (await admin.get(f"{LIST}/{made}/data")).json() == {"data": {"a": 1}}
