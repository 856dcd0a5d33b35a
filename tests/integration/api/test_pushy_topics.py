"""Topics: subscribed at Pushy and in the mirror, left, and who sees who follows them."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.pushy_stage import PushyStage, assert_data, assert_done, assert_refused

TOKEN = "pushy-device-token"
Json = dict[str, Any]


def topics(*names: str, token: str = TOKEN) -> Json:
    return {"token": token, "topics": names}


async def test_a_token_is_subscribed_at_pushy_and_in_the_mirror(pushy: PushyStage) -> None:
    await pushy.begin(TOKEN)

    done = await pushy.post("/device-info/subscribe", topics("announcements", "system-updates"))

    assert_done(done, "Successfully subscribed to topics")
    assert await pushy.topics() == {"announcements": 1, "system-updates": 1}
    assert set((await pushy.row())["topics"]) == {"announcements", "system-updates"}


@pytest.mark.parametrize(
    ("body", "left"),
    [
        ({"topics": ["a"]}, {"b", "c"}),
        ({"topics": ["a", "b", "c", "d"]}, set()),
        ({}, set()),
        ({"topics": []}, set()),
        ({"topics": None}, set()),
        ({"topics": ["*"]}, set()),
        ({"topics": ["a", "*"]}, set()),
    ],
)
async def test_a_token_is_unsubscribed(pushy: PushyStage, body: Json, left: set[str]) -> None:
    await pushy.begin(TOKEN)
    await pushy.subscribe(TOKEN, "a", "b", "c")

    done = await pushy.post("/device-info/unsubscribe", {"token": TOKEN} | body)

    assert_done(done, "Successfully unsubscribed from topics")
    assert set(await pushy.topics()) == left
    assert set((await pushy.row())["topics"]) == left


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"topics": []}, "#/topics"),
        ({"topics": None}, "#/topics"),
        ({"topics": "a"}, "#/topics"),
        ({"topics": ["*"]}, "#/topics"),
        ({"topics": ["a b"]}, "#/topics"),
        ({"topics": ["a/b"]}, "#/topics"),
        ({"topics": [""]}, "#/topics"),
        ({"topics": ["a\n"]}, "#/topics"),
        ({"topics": ["."]}, "#/topics"),
        ({"topics": [".."]}, "#/topics"),
        ({"topics": ["新闻"]}, "#/topics"),
        ({"topics": ["a" * 101]}, "#/topics"),
        ({"topics": [1]}, "#/topics"),
        ({"topics": ["a"] * 101}, "#/topics"),
        ({"token": None, "topics": ["a"]}, "#/token"),
    ],
)
async def test_bad_topics_are_refused(pushy: PushyStage, body: Json, pointer: str) -> None:
    await pushy.begin(TOKEN)

    refused = await pushy.post("/device-info/subscribe", {"token": TOKEN} | body)

    errors = refused.json()["errors"]
    assert errors[0]["pointer"].startswith(pointer)
    assert_refused(refused, 400, "Validation failed", errors=errors)
    assert await pushy.topics() == {}


async def test_a_hundred_topics_of_all_characters_are_taken(pushy: PushyStage) -> None:
    await pushy.begin(TOKEN)

    await pushy.subscribe(TOKEN, *(f"aZ09-_.{n}" for n in range(99)), "a" * 100)

    assert len(await pushy.topics()) == 100


@pytest.mark.parametrize("route", ["subscribe", "unsubscribe"])
@pytest.mark.parametrize("whose", ["nobody", "somebody else", "ended"])
async def test_only_ones_own_active_token_can_follow_topics(
    pushy: PushyStage, route: str, whose: str
) -> None:
    if whose == "somebody else":
        await pushy.begin(TOKEN, uuid4())
    if whose == "ended":
        await pushy.begin(TOKEN)
        await pushy.begin("another")

    refused = await pushy.post(f"/device-info/{route}", topics("a"))

    assert_refused(refused, 400, "Invalid device token", code="INVALID_DEVICE_TOKEN")
    assert (await pushy.simulators.get("/pushy/stats"))["other_requests"] == 0


@pytest.mark.parametrize("route", ["subscribe", "unsubscribe"])
@pytest.mark.parametrize("status", [400, 404])
async def test_a_token_that_pushy_does_not_know_is_a_bad_request(
    pushy: PushyStage, route: str, status: int
) -> None:
    await pushy.simulators.put("/pushy/settings", {"statuses": {"INVALID_DEVICE_TOKEN": status}})
    await pushy.begin("dead-token")

    refused = await pushy.post(f"/device-info/{route}", topics("a", token="dead-token"))

    assert_refused(refused, 400, "Invalid device token", code="INVALID_DEVICE_TOKEN")
    assert "topics" not in await pushy.row()


def path_of(topic: str) -> str:
    return f"/device-info/topics/{topic}/subscribers"


async def test_subscribers_are_those_of_all_pages(pushy: PushyStage) -> None:
    users = {f"token-{n}": uuid4() for n in range(7)}
    for token, user in users.items():
        await pushy.begin(token, user)
        await pushy.subscribe(token, "news", user_id=user)
    await pushy.simulators.put("/pushy/settings", {"page_size": 3})

    answer = await pushy.get(path_of("news"), pushy.service())

    assert_data(answer, {"topic": "news", "subscribers": list(users)})


async def test_who_sees_which_subscribers(pushy: PushyStage) -> None:
    await pushy.begin("mine")
    await pushy.begin("other", other := uuid4())
    for token, user in (("mine", pushy.user_id), ("other", other)):
        await pushy.subscribe(token, "news", user_id=user)
    app, tenant = pushy.app_id, {"tenant_id": "t"}

    async def seen(caller: Any) -> list[str]:
        answer = await pushy.get(path_of("news"), caller)
        assert answer.status_code == 200, answer.text
        found: list[str] = answer.json()["data"]["subscribers"]
        return found

    for caller in (pushy.service(), pushy.user(None, "admin"), pushy.user(None, "platform_admin")):
        assert await seen(caller) == ["mine", "other"]
    for caller in (
        pushy.user(),
        pushy.user(None, "developer"),
        pushy.api.user(app, pushy.user_id, ["tenant_admin"], **tenant),
    ):
        assert await seen(caller) == ["mine"]
    assert await seen(pushy.user(uuid4())) == []


async def test_a_topic_that_nobody_follows_has_no_subscribers(pushy: PushyStage) -> None:
    assert_data(await pushy.get(path_of("none")), {"topic": "none", "subscribers": []})

    await pushy.script({"kind": "answer", "status": 404, "reason": "NO_RESULTS"}, "/topics/none")
    assert_data(await pushy.get(path_of("none")), {"topic": "none", "subscribers": []})


@pytest.mark.parametrize(
    "topic", ["%20", "a%2Fb", "*", "%E6%96%B0", "a%0A", "a" * 101, "%2E%2E", "%2e"]
)
async def test_a_bad_topic_in_the_path_is_refused(pushy: PushyStage, topic: str) -> None:
    url = httpx.URL("http://api.test").copy_with(raw_path=f"/api/v1{path_of(topic)}".encode())

    refused = await pushy.api.http.get(url, headers=pushy.service().headers)

    assert (refused.status_code, refused.json()["data"]) in ((400, None), (404, None))
    assert (await pushy.simulators.get("/pushy/stats"))["other_requests"] == 0


async def test_a_link_to_another_host_is_not_followed(pushy: PushyStage) -> None:
    page = '{"subscribers":["a"],"pagination":"https://localhost:1/topics/news?page=2"}'
    await pushy.script({"kind": "answer", "status": 200, "body": page}, "/topics/news")

    refused = await pushy.get(path_of("news"), pushy.service())

    assert_refused(refused, 503, "Pushy is not available", code="FOREIGN_PAGINATION")
