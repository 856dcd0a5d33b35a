"""What else is asked of Pushy: requests as documented, answers told apart, the key kept inside."""

from typing import Any

import msgspec
import pytest

from shared.outbound.interface import NotSent, Response, Timeout, TooLarge, TransportError, Unknown
from shared.providers.pushy_api import Presence, PushReceipt, PushyApi, PushyFault, endpoint
from tests.unit.shared.providers.builders import NOW
from tests.unit.shared.providers.fake_http import Answer, FakeHttp, json_response

KEY = "secret/key&1"
BASE = "https://api.pushy.test"
QUERY = "api_key=secret%2Fkey%261"
CALLS = ["subscribe", "unsubscribe", "subscribers", "push", "presence"]


def pushy(*answers: Answer) -> tuple[PushyApi, FakeHttp]:
    http = FakeHttp(*answers)
    return PushyApi(http, base_url=f"{BASE}/", timeout_seconds=7, clock=lambda: NOW), http


async def called(api: PushyApi, name: str) -> Any:
    match name:
        case "subscribe" | "unsubscribe":
            return await getattr(api, name)(KEY, "token-1", ["a", "b"])
        case "subscribers":
            return await api.subscribers(KEY, "news")
        case "push":
            return await api.push(KEY, {"to": ["token-1"], "data": {}})
        case _:
            return await api.presence(KEY, ["token-1"])


@pytest.mark.parametrize(
    ("name", "method", "path", "body"),
    [
        ("subscribe", "POST", "/topics/subscribe", {"token": "token-1", "topics": ["a", "b"]}),
        ("unsubscribe", "POST", "/topics/unsubscribe", {"token": "token-1", "topics": ["a", "b"]}),
        ("subscribers", "GET", "/topics/news", None),
        ("push", "POST", "/push", {"to": ["token-1"], "data": {}}),
        ("presence", "POST", "/devices/presence", {"tokens": ["token-1"]}),
    ],
)
async def test_each_call_is_made_as_documented(
    name: str, method: str, path: str, body: Any
) -> None:
    api, http = pushy(json_response(200, {"success": True, "subscribers": [], "presence": []}))

    await called(api, name)

    (request,) = http.requests
    assert (request.method, request.url) == (method, f"{BASE}{path}?{QUERY}")
    assert (msgspec.json.decode(request.body) if request.body else None) == body
    assert dict(request.headers) == ({"content-type": "application/json"} if body else {})
    assert request.timeout == 7


async def test_good_answers_are_read() -> None:
    presence = [
        {"id": "a", "online": True, "last_active": 1},
        {"id": "b", "online": False, "last_active": 1, "uninstalled": True},
        {"id": "c", "online": False, "unsubscribed": True},
    ]
    pushed = {"success": True, "id": "push-1", "info": {"devices": 2, "failed": ["x"]}}
    api, _ = pushy(
        *[json_response(200, {"success": True})] * 2,
        json_response(200, {"subscribers": ["a"]}),
        json_response(200, pushed),
        json_response(200, {"presence": presence}),
    )

    assert [await called(api, name) for name in CALLS] == [
        None,
        None,
        ["a"],
        PushReceipt("push-1", 2, ("x",)),
        (Presence("a"), Presence("b", uninstalled=True), Presence("c", unsubscribed=True)),
    ]


async def test_a_push_without_details_is_still_one() -> None:
    api, _ = pushy(json_response(200, {"success": True}))

    assert await called(api, "push") == PushReceipt(None, 0, ())


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (json_response(400, {"code": "INVALID_PARAM"}), PushyFault("INVALID_PARAM", 400)),
        (json_response(401, {"code": "INVALID_API_KEY"}), PushyFault("INVALID_API_KEY", 401)),
        (json_response(500, {"error": "old style"}), PushyFault(None, 500)),
        (json_response(400, {"code": 7}), PushyFault(None, 400)),
        (json_response(400, {"code": "<b>"}), PushyFault(None, 400)),
        (json_response(400, {"code": "A" * 65}), PushyFault(None, 400)),
        (json_response(400, ["x"]), PushyFault(None, 400)),
        (
            json_response(429, {"code": "RATE_LIMIT_EXCEEDED"}, retry_after="7"),
            PushyFault("RATE_LIMIT_EXCEEDED", 429, retry_after_seconds=7.0),
        ),
        (
            json_response(503, None, retry_after="Thu, 19 Mar 2026 08:00:30 GMT"),
            PushyFault(None, 503, retry_after_seconds=30.0),
        ),
        (json_response(503, None, retry_after="soon"), PushyFault(None, 503)),
        (Response(502, {}, b"<html>"), PushyFault(None, 502)),
        (Response(401, {}, b""), PushyFault(None, 401)),
        (Response(400, {}, b"\xff"), PushyFault(None, 400)),
        (json_response(302, {}, location="https://x.test"), PushyFault(None, 302)),
        (Response(200, {}, b"<html>"), PushyFault(None, 200, maybe_done=True)),
        (Response(200, {}, b""), PushyFault(None, 200, maybe_done=True)),
        (NotSent("no"), PushyFault(None)),
        (Unknown("cut", maybe_processed=True), PushyFault(None, maybe_done=True)),
        (Timeout("late", maybe_processed=True), PushyFault(None, maybe_done=True)),
        (Timeout("late", maybe_processed=False), PushyFault(None)),
        (TooLarge("big", status=200), PushyFault(None, 200, maybe_done=True)),
    ],
    ids=str,
)
async def test_faults_are_values(name: str, answer: Answer, fault: PushyFault) -> None:
    api, _ = pushy(answer)

    assert await called(api, name) == fault


async def test_what_pushy_does_not_confirm_is_not_done() -> None:
    for name, expected in {
        "subscribe": PushyFault("NOT_DONE"),
        "push": PushyFault(None, maybe_done=True),
    }.items():
        for content in ({}, {"success": False}):
            api, _ = pushy(json_response(200, content))
            assert await called(api, name) == expected


async def test_where_there_is_nobody_nobody_is_told() -> None:
    api, _ = pushy(*[json_response(404, {"code": "NO_RESULTS"})] * 2)

    assert await called(api, "subscribers") == []
    assert await called(api, "presence") == ()


async def test_all_pages_of_subscribers_are_read() -> None:
    second = f"/topics/news?{QUERY}&page=2"
    third = f"{BASE}/topics/news?{QUERY}&page=3"
    api, http = pushy(
        json_response(200, {"subscribers": ["a", "b"], "pagination": second}),
        json_response(200, {"subscribers": ["c"], "pagination": third}),
        json_response(200, {"subscribers": ["d"], "pagination": None}),
    )

    assert await called(api, "subscribers") == ["a", "b", "c", "d"]
    urls = [request.url for request in http.requests]
    assert urls == [f"{BASE}/topics/news?{QUERY}", f"{BASE}{second}", third]


async def test_a_page_that_fails_fails_the_whole() -> None:
    page = {"subscribers": ["a"], "pagination": "/topics/news?page=2"}
    api, _ = pushy(json_response(200, page), json_response(500, {"code": "INTERNAL_SERVER_ERROR"}))

    assert await called(api, "subscribers") == PushyFault("INTERNAL_SERVER_ERROR", 500)


@pytest.mark.parametrize(
    "link",
    [
        "https://attacker.test/topics/news?page=2",
        "//attacker.test/x",
        "http://api.pushy.test/topics/news",
        "https://api.pushy.test:444/topics/news",
        "https://user@api.pushy.test/topics/news",
        "https://api.pushy.test@attacker.test/",
        "https://api.pushy.test.attacker.test/",
        "file:///etc/passwd",
        "https://[",
    ],
)
async def test_the_key_follows_no_link_to_another_place(link: str) -> None:
    api, http = pushy(json_response(200, {"subscribers": ["a"], "pagination": link}))

    assert await called(api, "subscribers") == PushyFault("FOREIGN_PAGINATION")
    assert len(http.requests) == 1


async def test_pages_without_end_end() -> None:
    class Endless(FakeHttp):
        async def request(self, *_: Any, **__: Any) -> Response:
            return json_response(200, {"subscribers": ["a"], "pagination": "/topics/news?page=2"})

    api = PushyApi(Endless(), base_url=BASE, timeout_seconds=7)

    assert await called(api, "subscribers") == PushyFault("ENDLESS_PAGINATION")


async def test_a_topic_is_quoted_in_the_path() -> None:
    api, http = pushy(json_response(200, {"subscribers": []}))

    await api.subscribers(KEY, "a/../b?c#d e")

    assert http.requests[0].url == f"{BASE}/topics/a%2F..%2Fb%3Fc%23d%20e?{QUERY}"


def test_the_key_is_quoted_in_the_query() -> None:
    assert endpoint(BASE, "/push", "a&b=c#d") == f"{BASE}/push?api_key=a%26b%3Dc%23d"


@pytest.mark.parametrize(
    "failure", [NotSent(f"{BASE}?{QUERY}"), Unknown(KEY, maybe_processed=True)]
)
async def test_no_text_with_the_key_comes_out(failure: TransportError) -> None:
    api, _ = pushy(failure)

    told = repr(await called(api, "push"))

    assert KEY not in told
    assert QUERY not in told
