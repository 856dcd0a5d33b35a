"""Scripted answers and faults, seen from outside."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

import httpx
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.settings import SettingCodes

from tests.integration.simulators.conftest import KeyPair, Running
from tests.integration.simulators.test_apns import TOPIC, provider_token

KEY = "secret-1"


@pytest.fixture
async def pushy(simulators: Running) -> AsyncIterator[httpx.AsyncClient]:
    await simulators.put("/pushy/apps", {"api_key": KEY})
    context = ssl.create_default_context(cafile=str(simulators.certificates.ca_file))
    url, parameters = simulators.urls["pushy_url"], {"api_key": KEY}
    async with httpx.AsyncClient(
        base_url=url, params=parameters, verify=context, timeout=5
    ) as client:
        yield client


async def push(pushy: httpx.AsyncClient, to: str = "token-1", **data: Any) -> httpx.Response:
    data = {"title": "Hello", "notification_id": "n-1"} | data
    return await pushy.post("/push", json={"to": to, "data": data}, timeout=0.5)


async def script(running: Running, simulator: str, action: dict[str, Any], **rule: Any) -> None:
    await running.post(f"/{simulator}/rules", {"action": action} | rule)


async def test_an_outage_lasts_as_long_as_scripted(
    pushy: httpx.AsyncClient, simulators: Running
) -> None:
    action = {"kind": "answer", "status": 503, "headers": {"retry-after": "2"}}
    await script(simulators, "pushy", action, times=1)

    first, second = await push(pushy), await push(pushy)

    assert (first.status_code, first.headers["retry-after"]) == (503, "2")
    assert first.json()["code"] == "INTERNAL_SERVER_ERROR"
    assert second.status_code == 200
    assert [entry["accepted"] for entry in await simulators.entries("pushy")] == [False, True]


async def test_a_rule_is_for_what_it_matches_only(
    pushy: httpx.AsyncClient, simulators: Running
) -> None:
    action = {"kind": "answer", "status": 429, "reason": "RATE_LIMIT_EXCEEDED"}
    match = {"device": "token-2", "notification_id": "n-2", "title": "Hello"}
    await script(simulators, "pushy", action, match=match, times=None, skip=1)

    statuses = [
        (await push(pushy, to, notification_id=notification_id)).status_code
        for to, notification_id in [
            ("token-1", "n-2"),
            ("token-2", "n-1"),
            ("token-2", "n-2"),  # skipped
            ("token-2", "n-2"),
            ("token-2", "n-2"),
        ]
    ]

    assert statuses == [200, 200, 200, 429, 429]


@pytest.mark.parametrize(
    ("kind", "is_processed"),
    [("hang", False), ("hang_after", True), ("cut_before", False), ("cut_after", True)],
)
async def test_an_answer_withheld_is_processed_or_not_as_scripted(
    pushy: httpx.AsyncClient, simulators: Running, kind: str, is_processed: bool
) -> None:
    await script(simulators, "pushy", {"kind": kind})

    with pytest.raises(httpx.TransportError):
        await push(pushy)

    entries = await simulators.entries("pushy")
    told = [(entry["accepted"], entry["answered"]) for entry in entries]
    assert told == ([(True, False)] if is_processed else [])
    assert (await simulators.get("/pushy/stats"))["faults"] == {kind: 1}


async def test_a_resend_after_a_lost_answer_is_counted_as_a_duplicate(
    pushy: httpx.AsyncClient, simulators: Running
) -> None:
    await script(simulators, "pushy", {"kind": "cut_after"})
    with pytest.raises(httpx.TransportError):
        await push(pushy)

    await push(pushy)

    stats = await simulators.get("/pushy/stats")
    assert (stats["accepted"], stats["duplicates"]) == (2, 1)
    assert stats["duplicate_pairs"] == [
        {"device": "token-1", "notification_id": "n-1", "accepted": 2}
    ]


async def test_an_answer_that_nobody_waits_for_is_not_answered(
    pushy: httpx.AsyncClient, simulators: Running
) -> None:
    await simulators.put("/pushy/latency", {"seconds": 0.7})
    with pytest.raises(httpx.TimeoutException):
        await push(pushy)

    [entry] = await simulators.entries("pushy")

    assert (entry["accepted"], entry["answered"]) == (True, False)


async def test_garbage_is_html(pushy: httpx.AsyncClient, simulators: Running) -> None:
    await script(simulators, "pushy", {"kind": "garbage", "status": 502})

    response = await push(pushy)

    assert (response.status_code, response.text[:9]) == (502, "<!DOCTYPE")


async def test_a_malformed_rule_is_refused(simulators: Running) -> None:
    response = await simulators.admin.post("/apns/rules", json={"action": {"kind": "explode"}})

    assert response.status_code == 400


async def test_waiting_ends_when_enough_were_accepted(
    pushy: httpx.AsyncClient, simulators: Running
) -> None:
    async with asyncio.TaskGroup() as group:
        wanted = {"count": 2, "timeout": 10, "notification_id": "n-1"}
        waiting = group.create_task(simulators.admin.post("/pushy/wait", json=wanted))
        await push(pushy)
        await push(pushy, notification_id="n-2")
        await push(pushy, to="token-2")

    assert waiting.result().json() == {"count": 2}
    late = await simulators.admin.post("/pushy/wait", json={"count": 9, "timeout": 0.01})
    assert (late.status_code, late.json()) == (408, {"count": 3})


async def test_a_hook_can_be_scripted_too(simulators: Running) -> None:
    await simulators.put(
        "/receiver/endpoints/team", {"secrets": [base64.b64encode(b"k" * 32).decode()]}
    )
    await script(simulators, "receiver", {"kind": "answer", "status": 410})
    headers = {"webhook-id": "w", "webhook-timestamp": str(int(datetime.now(UTC).timestamp()))}

    async with httpx.AsyncClient(base_url=simulators.urls["receiver_url"]) as client:
        response = await client.post("/hooks/team", content=b"{}", headers=headers)

    assert response.status_code == 410


class RawClient(asyncio.Protocol):
    """The least HTTP/2 client: opens streams at will and keeps every event."""

    def __init__(self) -> None:
        self.h2 = H2Connection(H2Configuration(header_encoding="utf-8"))
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.h2.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            self.events.put_nowait(event)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio
        self.events.put_nowait(None)

    def send(self, headers: list[tuple[str, str]], body: bytes) -> int:
        stream_id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream_id, headers)
        self.h2.send_data(stream_id, body, end_stream=True)
        return stream_id

    def flush(self) -> None:
        self.transport.write(self.h2.data_to_send())

    async def until(self, *kinds: type[Event]) -> list[Event]:
        """Events up to one of each kind."""
        got: list[Event] = []
        while not all(any(isinstance(event, kind) for event in got) for kind in kinds):
            event = await asyncio.wait_for(self.events.get(), 5)
            assert event is not None, f"connection lost after {got}"
            got.append(event)
        return got


@pytest.fixture
async def raw(simulators: Running, apns_key: KeyPair) -> AsyncIterator[RawClient]:
    key = {"team_id": "TEAMID1234", "key_id": "KEYID12345", "public_key_pem": apns_key.public_pem}
    await simulators.put("/apns/keys", key)
    context = ssl.create_default_context(cafile=str(simulators.certificates.ca_file))
    context.set_alpn_protocols(["h2"])
    port = int(simulators.urls["apns_url"].rpartition(":")[2])
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(RawClient, "localhost", port, ssl=context)
    yield client
    client.transport.close()


def apns_headers(key: KeyPair, device: str) -> list[tuple[str, str]]:
    return [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "localhost"),
        (":path", f"/3/device/{device}"),
        ("authorization", f"bearer {provider_token(key)}"),
        ("apns-topic", TOPIC),
    ]


BODY = b'{"aps":{"alert":"Hello"},"notification_id":"n-1"}'


async def test_one_stream_until_the_first_success_then_a_thousand(
    raw: RawClient, apns_key: KeyPair
) -> None:
    announced = await raw.until(RemoteSettingsChanged)
    raw.h2.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = 1000  # a client that goes beyond
    raw.h2.remote_settings.acknowledge()
    headers = apns_headers(apns_key, "ab" * 32)
    served, refused = raw.send(headers, BODY), raw.send(headers, BODY)
    raw.flush()

    got = await raw.until(StreamReset, ResponseReceived, StreamEnded, RemoteSettingsChanged)

    [reset] = [event for event in got if isinstance(event, StreamReset)]
    [answer] = [event for event in got if isinstance(event, ResponseReceived)]
    assert (reset.stream_id, reset.error_code) == (refused, 7)
    assert answer.stream_id == served
    assert (limit_of(announced), limit_of(got)) == (1, 1000)


async def test_a_success_has_no_data_and_a_failure_one_frame(
    raw: RawClient, apns_key: KeyPair
) -> None:
    good = raw.send(apns_headers(apns_key, "ab" * 32), BODY)
    raw.flush()
    first = await raw.until(StreamEnded)
    raw.send(apns_headers(apns_key, "dead" + "0" * 60), BODY)
    raw.flush()
    second = await raw.until(StreamEnded)

    assert [type(event).__name__ for event in first if getattr(event, "stream_id", 0) == good] == [
        "ResponseReceived",
        "StreamEnded",
    ]
    names = [type(event).__name__ for event in second]
    assert names.count("DataReceived") == 1


async def test_the_client_s_window_is_respected(raw: RawClient, apns_key: KeyPair) -> None:
    raw.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 0})
    stream_id = raw.send(apns_headers(apns_key, "dead" + "0" * 60), BODY)
    raw.flush()
    before = await raw.until(ResponseReceived)
    raw.h2.increment_flow_control_window(1000, stream_id)
    raw.flush()
    after = await raw.until(StreamEnded)

    assert "DataReceived" not in [type(event).__name__ for event in before]
    assert "DataReceived" in [type(event).__name__ for event in after]


@pytest.mark.parametrize(
    ("last", "expected_last", "is_processed"), [("this", 1, True), ("before", 0, False)]
)
async def test_goaway_tells_what_was_processed(  # noqa: PLR0917 - fixtures and parameters
    raw: RawClient,
    simulators: Running,
    apns_key: KeyPair,
    last: str,
    expected_last: int,
    is_processed: bool,
) -> None:
    await script(simulators, "apns", {"kind": "goaway", "last": last})
    raw.send(apns_headers(apns_key, "ab" * 32), BODY)
    raw.flush()

    got = await raw.until(ConnectionTerminated)

    [goaway] = [event for event in got if isinstance(event, ConnectionTerminated)]
    assert (goaway.last_stream_id, goaway.additional_data) == (
        expected_last,
        b'{"reason":"Shutdown"}',
    )
    assert any(isinstance(event, ResponseReceived) for event in got) is is_processed
    assert len(await simulators.entries("apns")) == int(is_processed)


async def test_a_reset_has_the_scripted_code(
    raw: RawClient, simulators: Running, apns_key: KeyPair
) -> None:
    await script(simulators, "apns", {"kind": "reset", "code": 2})
    raw.send(apns_headers(apns_key, "ab" * 32), BODY)
    raw.flush()

    got = await raw.until(StreamReset)

    assert [event.error_code for event in got if isinstance(event, StreamReset)] == [2]
    assert await simulators.entries("apns") == []


async def test_two_provider_tokens_too_close_are_too_many(
    raw: RawClient, apns_key: KeyPair
) -> None:
    headers = apns_headers(apns_key, "ab" * 32)
    raw.send(headers, BODY)
    raw.flush()
    await raw.until(StreamEnded)
    another = [pair for pair in headers if pair[0] != "authorization"]
    raw.send([*another, ("authorization", f"bearer {provider_token(apns_key)}")], BODY)
    raw.flush()
    refused = await raw.until(StreamEnded)
    raw.send(headers, BODY)
    raw.flush()
    kept = await raw.until(StreamEnded)

    assert (status_of(refused), status_of(kept)) == ("429", "200")


def limit_of(events: list[Event]) -> int:
    changes = [event for event in events if isinstance(event, RemoteSettingsChanged)]
    return int(changes[-1].changed_settings[SettingCodes.MAX_CONCURRENT_STREAMS].new_value)


def status_of(events: list[Event]) -> str:
    [answer] = [event for event in events if isinstance(event, ResponseReceived)]
    headers = cast("list[tuple[str, str]]", answer.headers)  # text: header_encoding is set
    return dict(headers)[":status"]
