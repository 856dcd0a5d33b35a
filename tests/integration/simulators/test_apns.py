"""The APNs simulator as aioapns and curl see it."""

import asyncio
import json
import ssl
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aioapns.connection
import httpx
import jwt
import pytest
from aioapns import APNs, NotificationRequest, PushType

from tests.integration.simulators.conftest import KeyPair, Running
from tests.push_certificates import make_push_certificate
from tests.simulators.apns import TOPIC_SUFFIX

TOPIC = "com.example.app"
DEVICE = "ab" * 32
PAYLOAD = {"aps": {"alert": {"title": "Hello", "body": "There"}}, "notification_id": "n-1"}


@pytest.fixture
async def keys(simulators: Running, apns_key: KeyPair) -> Running:
    for key_id in ("KEYID12345", "KEYID54321"):
        key = {"team_id": "TEAMID1234", "key_id": key_id, "topics": [TOPIC]}
        await simulators.put("/apns/keys", key | {"public_key_pem": apns_key.public_pem})
    return simulators


@pytest.fixture
async def client(
    keys: Running, apns_key: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[APNs]:
    """Stock aioapns: nothing changed but the address it dials."""
    address = urlsplit(keys.urls["apns_url"])
    dialled = aioapns.connection.APNsProductionClientProtocol
    monkeypatch.setattr(dialled, "APNS_SERVER", "localhost")
    monkeypatch.setattr(dialled, "APNS_PORT", address.port)
    context = ssl.create_default_context(cafile=str(keys.certificates.ca_file))
    made = APNs(
        key=apns_key.private_pem,
        key_id="KEYID12345",
        team_id="TEAMID1234",
        topic=TOPIC,
        max_connections=1,
        max_connection_attempts=1,
        ssl_context=context,
    )
    yield made
    made.pool.close()


def request(device: str = DEVICE) -> NotificationRequest:
    return NotificationRequest(device_token=device, message=PAYLOAD, push_type=PushType.ALERT)


async def test_stock_aioapns_is_told_success(keys: Running, client: APNs) -> None:
    result = await asyncio.wait_for(client.send_notification(request()), 10)

    assert result.is_successful
    [entry] = await keys.entries("apns")
    assert (entry["device"], entry["notification_id"], entry["accepted"]) == (DEVICE, "n-1", True)
    assert entry["answered"]
    assert entry["id"] == result.notification_id


async def test_stock_aioapns_is_told_unregistered(keys: Running, client: APNs) -> None:
    before_ms = int(time.time() * 1000)
    await keys.put(f"/apns/devices/{DEVICE}", {"state": "unregistered"})

    result = await asyncio.wait_for(client.send_notification(request()), 10)

    assert (result.status, result.description) == ("410", "Unregistered")
    assert before_ms <= int(result.timestamp or 0) <= int(time.time() * 1000)
    assert (await keys.get("/apns/stats"))["by_reason"] == {"Unregistered": 1}


async def test_stock_aioapns_survives_five_hundred_answers(keys: Running, client: APNs) -> None:
    await client.send_notification(request())  # one stream until the first success

    results = await asyncio.gather(*(client.send_notification(request()) for _ in range(500)))

    assert all(result.is_successful for result in results)
    stats = await keys.get("/apns/stats")
    assert (stats["accepted"], stats["connections_opened"], stats["distinct_jwts"]) == (501, 1, 1)
    assert stats["duplicates"] == 500


@pytest.mark.parametrize(
    ("device", "headers", "expected"),
    [
        (DEVICE, {}, (200, None)),
        ("dead" + "0" * 60, {}, (410, "Unregistered")),
        ("bad0" + "0" * 60, {}, (400, "BadDeviceToken")),
        ("xyz", {}, (400, "BadDeviceToken")),
        ("", {}, (400, "MissingDeviceToken")),
        (DEVICE, {"apns-topic": ""}, (400, "MissingTopic")),
        (DEVICE, {"apns-topic": "com.example.other"}, (400, "TopicDisallowed")),
        (DEVICE, {"apns-priority": "7"}, (400, "BadPriority")),
        (DEVICE, {"apns-push-type": "background"}, (400, "BadPriority")),
        (DEVICE, {"apns-push-type": "loud"}, (400, "InvalidPushType")),
        (DEVICE, {"apns-expiration": "tomorrow"}, (400, "BadExpirationDate")),
        (DEVICE, {"apns-collapse-id": "x" * 65}, (400, "BadCollapseId")),
        (DEVICE, {"apns-id": "not-a-uuid"}, (400, "BadMessageId")),
        (DEVICE, {"authorization": ""}, (403, "MissingProviderToken")),
        (DEVICE, {"authorization": "bearer a.b.c"}, (403, "InvalidProviderToken")),
    ],
)
async def test_curl_gets_the_documented_answer(
    keys: Running,
    apns_key: KeyPair,
    device: str,
    headers: dict[str, str],
    expected: tuple[int, str | None],
) -> None:
    sent = {"authorization": f"bearer {provider_token(apns_key)}", "apns-topic": TOPIC} | headers
    status, reason, _ = await curl(keys, device, sent, json.dumps(PAYLOAD))

    assert (status, reason) == expected


@pytest.mark.parametrize(
    ("claims", "kid", "expected"),
    [
        ({"iat": int(time.time()) - 3700}, "KEYID12345", "ExpiredProviderToken"),
        ({"iat": int(time.time()) + 3700}, "KEYID12345", "InvalidProviderToken"),
        ({"iss": "OTHERTEAM1"}, "KEYID12345", "InvalidProviderToken"),
        ({}, "KEYUNKNOWN", "InvalidProviderToken"),
    ],
)
async def test_a_wrong_provider_token_is_refused(
    keys: Running, apns_key: KeyPair, claims: dict[str, object], kid: str, expected: str
) -> None:
    token = provider_token(apns_key, claims, kid)
    headers = {"authorization": f"bearer {token}", "apns-topic": TOPIC}

    status, reason, _ = await curl(keys, DEVICE, headers, json.dumps(PAYLOAD))

    assert (status, reason) == (403, expected)


async def test_apns_id_comes_back_byte_for_byte(keys: Running, apns_key: KeyPair) -> None:
    apns_id = str(uuid.uuid4()).upper()
    headers = {"authorization": f"bearer {provider_token(apns_key)}", "apns-topic": TOPIC}

    _, _, answered = await curl(keys, DEVICE, headers | {"apns-id": apns_id}, json.dumps(PAYLOAD))
    _, _, generated = await curl(keys, DEVICE, headers, json.dumps(PAYLOAD))

    assert answered["apns-id"] == [apns_id]
    assert generated["apns-id"] == [generated["apns-id"][0].upper()]


async def test_a_payload_over_the_limit_is_refused(keys: Running, apns_key: KeyPair) -> None:
    headers = {"authorization": f"bearer {provider_token(apns_key)}", "apns-topic": TOPIC}
    largest = json.dumps({"aps": {"alert": "x" * (4096 - len('{"aps": {"alert": ""}}'))}})

    assert (await curl(keys, DEVICE, headers, largest))[0] == 200
    assert (await curl(keys, DEVICE, headers, largest + " "))[:2] == (413, "PayloadTooLarge")


async def test_a_sandbox_token_works_on_the_sandbox_only(keys: Running, apns_key: KeyPair) -> None:
    await keys.put(f"/apns/devices/{DEVICE}", {"state": "other_environment"})
    headers = {"authorization": f"bearer {provider_token(apns_key)}", "apns-topic": TOPIC}

    production = await curl(keys, DEVICE, headers, json.dumps(PAYLOAD))
    sandbox = await curl(keys, DEVICE, headers, json.dumps(PAYLOAD), "apns_sandbox_url")

    assert production[:2] == (400, "BadDeviceToken")
    assert sandbox[0] == 200
    assert "apns-unique-id" in sandbox[2]


async def test_the_log_comes_in_pages(keys: Running, apns_key: KeyPair) -> None:
    headers = {"authorization": f"bearer {provider_token(apns_key)}", "apns-topic": TOPIC}
    for _ in range(3):
        await curl(keys, DEVICE, headers, json.dumps(PAYLOAD))

    first = await keys.get("/apns/log?limit=2")
    second = await keys.get(f"/apns/log?limit=2&after={first['next']}")
    third = await keys.get(f"/apns/log?after={second['next']}")

    assert [len(page["entries"]) for page in (first, second, third)] == [2, 1, 0]
    assert third["next"] == second["next"]
    assert len((await keys.get("/apns/seen?notification_id=n-1"))["entries"]) == 3


@pytest.mark.parametrize("push_type", [name for name in TOPIC_SUFFIX if name != "mdm"])
async def test_a_push_type_has_its_topic(keys: Running, apns_key: KeyPair, push_type: str) -> None:
    headers = {
        "authorization": f"bearer {provider_token(apns_key)}",
        "apns-push-type": push_type,
        "apns-priority": "5",
    }
    right, wrong = TOPIC + TOPIC_SUFFIX[push_type], TOPIC + ".other"

    taken = await curl(keys, DEVICE, headers | {"apns-topic": right}, json.dumps(PAYLOAD))
    refused = await curl(keys, DEVICE, headers | {"apns-topic": wrong}, json.dumps(PAYLOAD))

    assert taken[0] == 200
    assert refused[:2] == (400, "TopicDisallowed")


@pytest.mark.parametrize(
    ("known", "push_type", "expected"),
    [
        ({}, "alert", (200, None)),
        ({}, "mdm", (200, None)),
        ({}, "location", (400, "TopicDisallowed")),
        ({"topics": ["com.example.other"]}, "alert", (400, "TopicDisallowed")),
        ({"is_revoked": True}, "alert", (403, "BadCertificate")),
        ({"environments": ["sandbox"]}, "alert", (403, "BadCertificateEnvironment")),
    ],
)
async def test_a_certificate_takes_the_place_of_a_token(
    simulators: Running,
    tmp_path: Path,
    known: dict[str, object],
    push_type: str,
    expected: tuple[int, str | None],
) -> None:
    made = make_push_certificate()
    file = tmp_path / "push.pem"
    file.write_text(made.certificate + made.private_key)
    await simulators.put("/apns/certificates", {"certificate_pem": made.certificate} | known)
    suffix = TOPIC_SUFFIX[push_type]
    headers = {"apns-push-type": push_type, "apns-topic": TOPIC + suffix}

    answer = await curl(
        simulators, DEVICE, headers, json.dumps(PAYLOAD), flags=("--cert", str(file))
    )

    assert answer[:2] == expected


async def test_a_connection_speaks_for_the_key_of_its_first_push(
    keys: Running, apns_key: KeyPair
) -> None:
    context = ssl.create_default_context(cafile=str(keys.certificates.ca_file))
    url = f"{keys.urls['apns_url']}/3/device/{DEVICE}"
    async with httpx.AsyncClient(http1=False, http2=True, verify=context) as client:
        answers = [
            await client.post(
                url,
                json=PAYLOAD,
                headers={
                    "authorization": f"bearer {provider_token(apns_key, kid=kid)}",
                    "apns-topic": TOPIC,
                },
            )
            for kid in ("KEYID12345", "KEYID54321")
        ]

    assert answers[0].status_code == 200
    assert answers[1].json() == {"reason": "UnrelatedKeyIdInToken"}


def provider_token(
    key: KeyPair, claims: dict[str, object] | None = None, kid: str = "KEYID12345"
) -> str:
    content = {"iss": "TEAMID1234", "iat": int(time.time())} | (claims or {})
    return jwt.encode(content, key.private_pem, algorithm="ES256", headers={"kid": kid})


async def curl(
    running: Running,
    device: str,
    headers: dict[str, str],
    body: str,
    host: str = "apns_url",
    *,
    flags: tuple[str, ...] = (),
) -> tuple[int, str | None, dict[str, list[str]]]:
    """Status, reason and headers as curl saw them over HTTP/2."""
    options = ["--silent", "--show-error", "--http2", "--max-time", "10", *flags]
    options += ["--cacert", str(running.certificates.ca_file)]
    options += ["--write-out", "\n%{http_code} %{http_version}\n%{header_json}", "--data", "@-"]
    for name, value in headers.items():
        options += ["--header", f"{name}: {value}"] if value else ["--header", f"{name};"]
    url = f"{running.urls[host]}/3/device/{device}"
    process = await asyncio.create_subprocess_exec(
        "curl", *options, url, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate(body.encode())
    assert process.returncode == 0
    content, line, answered = output.decode().split("\n", 2)
    status, version = line.split()
    assert version == "2"
    return int(status), json.loads(content)["reason"] if content else None, json.loads(answered)
