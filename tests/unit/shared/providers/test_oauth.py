"""Google access tokens: the exchange, single flight, early refresh, and outages."""

import asyncio
from datetime import datetime, timedelta
from urllib.parse import parse_qs

import jwt
import pytest

from shared.outbound.interface import NotSent, Response
from shared.providers.fcm import FcmAdapter
from shared.providers.oauth import AccessTokens
from shared.providers.outcomes import Misconfigured, Sent, Unavailable
from tests.unit.shared.providers.builders import (
    FCM_KEY,
    NOW,
    make_device,
    make_fcm_credential,
    make_notification,
    public_pem,
)
from tests.unit.shared.providers.fake_http import Answer, FakeHttp, Request, json_response

CREDENTIAL = make_fcm_credential()
TOKEN_URL = "https://oauth/token"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def granted(token: str, seconds: int = 3_599) -> Response:
    return json_response(200, {"access_token": token, "expires_in": seconds})


def make_tokens(*answers: Answer) -> tuple[AccessTokens, FakeHttp, Clock]:
    http, clock = FakeHttp(*answers), Clock()
    return AccessTokens(http, TOKEN_URL, clock), http, clock


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_current_exchanges_a_signed_assertion() -> None:
    tokens, http, _ = make_tokens(granted("one"))

    assert await tokens.current(CREDENTIAL, 1) == "one"

    request = http.requests[0]
    form = parse_qs(request.body.decode())
    assert (request.method, request.url) == ("POST", TOKEN_URL)
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    claims = jwt.decode(
        form["assertion"][0],
        public_pem(FCM_KEY),
        algorithms=["RS256"],
        audience="https://oauth2.googleapis.com/token",
        options={"verify_exp": False, "verify_iat": False},
    )
    assert claims["iss"] == CREDENTIAL.client_email
    assert claims["exp"] - claims["iat"] == 3_600
    assert jwt.get_unverified_header(form["assertion"][0])["kid"] == CREDENTIAL.private_key_id


async def test_current_is_single_flight_and_kept() -> None:
    tokens, http, _ = make_tokens(granted("one"))

    got = await asyncio.gather(*(tokens.current(CREDENTIAL, 1) for _ in range(50)))

    assert set(got) == {"one"}
    assert len(http.requests) == 1


async def test_current_refreshes_in_the_background_five_minutes_early() -> None:
    tokens, _, clock = make_tokens(granted("one"), granted("two"))
    await tokens.current(CREDENTIAL, 1)
    clock.now += timedelta(seconds=3_599 - 299)

    assert await tokens.current(CREDENTIAL, 1) == "one"
    await settle()
    assert await tokens.current(CREDENTIAL, 1) == "two"


async def test_current_keeps_the_old_token_while_refresh_fails() -> None:
    tokens, http, clock = make_tokens(granted("one"), NotSent("down"), granted("two"))
    await tokens.current(CREDENTIAL, 1)
    clock.now += timedelta(seconds=3_599 - 299)

    for _ in range(10):
        assert await tokens.current(CREDENTIAL, 1) == "one"
        await settle()
    assert len(http.requests) == 2

    clock.now += timedelta(seconds=31)
    await tokens.current(CREDENTIAL, 1)
    await settle()
    assert await tokens.current(CREDENTIAL, 1) == "two"


def unavailable(reason: str, wait: float | None = None) -> Unavailable:
    return Unavailable(reason, wait, "credential", never_sent=True)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        *(
            (json_response(400, {"error": error}), Misconfigured(f"oauth_{error}"))
            for error in ("invalid_grant", "invalid_scope")
        ),
        *(
            (json_response(401, {"error": error}), Misconfigured(f"oauth_{error}"))
            for error in ("invalid_client", "unauthorized_client")
        ),
        (json_response(400, {"error": "temporarily_unavailable"}), unavailable("oauth_http_400")),
        (json_response(503, {"error": "x"}, retry_after="4"), unavailable("oauth_http_503", 4.0)),
        (Response(502, {}, b"<html>"), unavailable("oauth_http_502")),
        (Response(200, {}, b"<html>"), unavailable("oauth_http_200")),
        (json_response(200, {"access_token": 7}), unavailable("oauth_http_200")),
        (json_response(200, {"access_token": "x", "expires_in": 10**30}),
         unavailable("oauth_http_200")),
        (NotSent("down"), unavailable("oauth_unreachable")),
    ],
)  # fmt: skip
async def test_current_gives_an_outcome_when_there_is_no_token(
    answer: Answer, expected: Misconfigured | Unavailable
) -> None:
    tokens, _, _ = make_tokens(answer)

    assert await tokens.current(CREDENTIAL, 1) == expected


@pytest.mark.parametrize("private_key", ["", "not a key"])
async def test_current_is_misconfigured_without_a_usable_key(private_key: str) -> None:
    tokens, http, _ = make_tokens()

    got = await tokens.current(make_fcm_credential(private_key=private_key), 1)

    assert got == Misconfigured("invalid_service_account_key")
    assert http.requests == []


def make_adapter(*answers: Answer) -> tuple[FcmAdapter, FakeHttp, Clock]:
    http, clock = FakeHttp(*answers), Clock()
    adapter = FcmAdapter(
        http, base_url="https://fcm", token_url=TOKEN_URL, clock=clock, timeout_seconds=1
    )
    return adapter, http, clock


STALE = json_response(401, {"error": {"code": 401, "status": "UNAUTHENTICATED"}})
OK = json_response(200, {"name": "projects/p/messages/1"})
DEVICE = make_device(provider="fcm", platform="android", token="t")


async def test_send_refreshes_once_on_a_generic_401() -> None:
    adapter, http, clock = make_adapter(granted("one"), OK, STALE, granted("two"), OK)
    await adapter.send(make_notification(), DEVICE, CREDENTIAL)
    clock.now += timedelta(minutes=10)

    outcome = await adapter.send(make_notification(), DEVICE, CREDENTIAL)

    assert outcome == Sent("projects/p/messages/1")
    assert http.requests[-1].headers["authorization"] == "Bearer two"


async def test_send_does_not_refresh_in_a_loop() -> None:
    adapter, http, _ = make_adapter(granted("one"), STALE)

    outcome = await adapter.send(make_notification(), DEVICE, CREDENTIAL)

    assert outcome == Misconfigured("UNAUTHENTICATED")
    assert len(http.requests) == 2


async def test_send_escapes_the_project_and_says_that_nothing_was_sent() -> None:
    adapter, http, _ = make_adapter(granted("one"), NotSent("down"))
    credential = make_fcm_credential(project_id="../x")

    outcome = await adapter.send(make_notification(), DEVICE, credential)

    assert http.requests[-1].url == "https://fcm/v1/projects/..%2Fx/messages:send"
    assert outcome == Unavailable("unreachable", scope="origin", never_sent=True)


async def test_a_token_of_a_clock_that_was_ahead_is_renewed() -> None:
    adapter, http, clock = make_adapter(granted("one"), OK, STALE, granted("two"), OK)
    clock.now += timedelta(hours=12)
    await adapter.send(make_notification(), DEVICE, CREDENTIAL)
    clock.now -= timedelta(hours=12)

    outcome = await adapter.send(make_notification(), DEVICE, CREDENTIAL)

    assert outcome == Sent("projects/p/messages/1")
    assert http.requests[-1].headers["authorization"] == "Bearer two"


async def test_no_push_goes_out_when_the_exchange_took_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adapter, http, _ = make_adapter(granted("one"), OK)
    loop = asyncio.get_running_loop()
    late = loop.time() + 0.9  # of the one second that the adapter has

    def exchange(_: Request) -> Response:
        monkeypatch.setattr(loop, "time", lambda: late, raising=False)
        return granted("one")

    http.answers[0] = exchange
    outcome = await adapter.send(make_notification(), DEVICE, CREDENTIAL)

    assert outcome == Unavailable("timeout_before_sending", scope="origin", never_sent=True)
    assert len(http.requests) == 1
