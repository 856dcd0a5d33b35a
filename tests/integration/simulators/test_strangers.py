"""Every provider simulator as curl and h2load see it: clients in C that none of us wrote."""

import asyncio
import json
import re
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from py_vapid import Vapid
from pywebpush import WebPusher

from tests.integration.simulators.conftest import KeyPair, Running
from tests.integration.simulators.test_apns import DEVICE, PAYLOAD, TOPIC, provider_token
from tests.integration.simulators.test_fcm import EMAIL, GRANT, SEND, assertion, message
from tests.integration.simulators.test_webpush import server_key, subscribe

RUN_SECONDS_MAX = 60
PUSHES = 400
CONNECTIONS = 4
STREAMS = 50
KEY = "secret-1"


@dataclass(frozen=True)
class Push:
    """One good request."""

    simulator: str
    url: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200


async def apns(running: Running, apns_key: KeyPair, _: KeyPair) -> Push:
    key = {"team_id": "TEAMID1234", "key_id": "KEYID12345", "public_key_pem": apns_key.public_pem}
    await running.put("/apns/keys", key)
    headers = {"authorization": f"bearer {provider_token(apns_key)}", "apns-topic": TOPIC}
    url = f"{running.urls['apns_url']}/3/device/{DEVICE}"
    return Push("apns", url, json.dumps(PAYLOAD).encode(), headers)


async def fcm(running: Running, _: KeyPair, google_key: KeyPair) -> Push:
    account = {"client_email": EMAIL, "private_key_id": "kid-1"}
    await running.put("/fcm/projects/demo", account | {"public_key_pem": google_key.public_pem})
    await running.put("/fcm/oauth", {})
    form = f"grant_type={GRANT}&assertion={assertion(google_key)}".encode()
    asked = await curl(running, Push("fcm", running.urls["fcm_token_url"], form), "--http1.1")
    headers = {"authorization": f"Bearer {json.loads(asked.content)['access_token']}"}
    headers["content-type"] = "application/json"
    return Push("fcm", running.urls["fcm_url"] + SEND, json.dumps(message()).encode(), headers)


async def webpush(running: Running, _: KeyPair, __: KeyPair) -> Push:
    vapid = Vapid()
    vapid.generate_keys()
    made = (await subscribe(running, vapid))["subscription"]
    claims = {"sub": "mailto:ops@example.com", "aud": running.urls["webpush_url"]}
    signed = f"vapid t={vapid.sign(claims)['Authorization'].split('t=')[1]}"
    assert server_key(vapid) in signed
    headers = {"authorization": signed, "content-encoding": "aes128gcm", "ttl": "60"}
    body = bytes(WebPusher(made).encode(json.dumps(PAYLOAD).encode())["body"])
    return Push("webpush", made["endpoint"], body, headers, 201)


async def pushy(running: Running, _: KeyPair, __: KeyPair) -> Push:
    await running.put("/pushy/apps", {"api_key": KEY})
    await running.put("/pushy/settings", {"pushes_per_minute": None})
    body = {"to": "token-1", "data": {"message": "Hello", "notification_id": "n-1"}}
    url = f"{running.urls['pushy_url']}/push?api_key={KEY}"
    return Push("pushy", url, json.dumps(body).encode(), {"content-type": "application/json"})


Prepare = Callable[[Running, KeyPair, KeyPair], Awaitable[Push]]
PROVIDERS: dict[str, Prepare] = {"apns": apns, "fcm": fcm, "webpush": webpush, "pushy": pushy}
BY_HTTP_1 = [name for name in PROVIDERS if name != "apns"]  # Apple speaks HTTP/2 only


@dataclass(frozen=True)
class Answer:
    exit_code: int
    content: str
    statuses: list[int]
    versions: list[str]


async def run(*command: str, body: bytes = b"") -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(body), RUN_SECONDS_MAX)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, out.decode()


def headers_of(push: Push) -> list[str]:
    return [part for name, value in push.headers.items() for part in ("-H", f"{name}: {value}")]


async def curl(running: Running, push: Push, version: str, *, times: int = 1) -> Answer:
    flags = ["--silent", "--cacert", str(running.certificates.ca_file), "--data-binary", "@-"]
    flags += ["--write-out", "\\n%{http_code} %{http_version}\\n", version, *headers_of(push)]
    code, out = await run("curl", *flags, *[push.url] * times, body=push.body)
    told = re.findall(r"^(\d{3}) ([\d.]+)$", out, re.MULTILINE)
    content = out.partition("\n")[0]
    return Answer(code, content, [int(s) for s, _ in told], [version for _, version in told])


@pytest.fixture
async def a_push(
    request: pytest.FixtureRequest, simulators: Running, apns_key: KeyPair, google_key: KeyPair
) -> Push:
    """Of the provider that the test is parametrized with."""
    return await PROVIDERS[request.param](simulators, apns_key, google_key)


@pytest.mark.parametrize(
    ("a_push", "flag", "version"),
    [
        *((name, "--http2", "2") for name in PROVIDERS),
        *((name, "--http1.1", "1.1") for name in BY_HTTP_1),
    ],
    indirect=["a_push"],
)
async def test_curl_sends_three_over_one_connection(
    simulators: Running, a_push: Push, flag: str, version: str
) -> None:
    before = (await simulators.get(f"/{a_push.simulator}/stats"))["connections_opened"]

    answer = await curl(simulators, a_push, flag, times=3)

    assert (answer.exit_code, answer.statuses) == (0, [a_push.status] * 3)
    assert answer.versions == [version] * 3
    stats = await simulators.get(f"/{a_push.simulator}/stats")
    assert (stats["accepted"], stats["connections_opened"] - before) == (3, 1)


@pytest.mark.parametrize("a_push", ["apns"], indirect=True)
async def test_apple_speaks_no_http_1(simulators: Running, a_push: Push) -> None:
    answer = await curl(simulators, a_push, "--http1.1")

    assert answer.exit_code != 0
    assert (await simulators.get("/apns/stats"))["requests"] == 0


@pytest.mark.parametrize("a_push", list(PROVIDERS), indirect=True)
async def test_curl_is_refused_without_credentials(simulators: Running, a_push: Push) -> None:
    bare = Push(a_push.simulator, a_push.url.partition("?")[0], a_push.body)

    answer = await curl(simulators, bare, "--http2")

    assert answer.exit_code == 0
    assert answer.statuses[0] in {400, 401, 403}
    assert (await simulators.get(f"/{a_push.simulator}/stats"))["accepted"] == 0


@dataclass(frozen=True)
class Load:
    """What h2load tells of its requests."""

    succeeded: int
    failed: int
    errored: int


async def h2load(push: Push, folder: Path, *flags: str) -> Load:
    program = shutil.which("h2load")
    if program is None:
        pytest.skip("there is no h2load (on Debian: apt-get install nghttp2-client)")
    body = folder / "body"
    body.write_bytes(push.body)
    amount = ("-n", str(PUSHES), "-c", str(CONNECTIONS), "-t", "1", "-d", str(body))
    code, out = await run(program, *amount, *flags, *headers_of(push), push.url)
    told = re.search(
        rf"^requests: {PUSHES} total, {PUSHES} started, {PUSHES} done, (\d+) succeeded, "
        r"(\d+) failed, (\d+) errored, 0 timeout$",
        out,
        re.MULTILINE,
    )
    assert code == 0
    assert told, out
    return Load(*(int(number) for number in told.groups()))


@pytest.mark.parametrize(
    ("a_push", "flags"),
    [
        ("apns", ("-m", "1")),
        *((name, ("-m", str(STREAMS))) for name in BY_HTTP_1),
        *((name, ("--h1",)) for name in BY_HTTP_1),
    ],
    indirect=["a_push"],
)
async def test_h2load_has_every_request_answered(
    simulators: Running, a_push: Push, flags: tuple[str, ...], tmp_path: Path
) -> None:
    before = (await simulators.get(f"/{a_push.simulator}/stats"))["connections_opened"]

    load = await h2load(a_push, tmp_path, *flags)

    assert load == Load(PUSHES, 0, 0)
    stats = await simulators.get(f"/{a_push.simulator}/stats")
    assert (stats["accepted"], stats["requests"]) == (PUSHES, PUSHES)
    assert stats["connections_opened"] - before == CONNECTIONS
    assert stats["max_concurrent_streams"] <= STREAMS


@pytest.mark.parametrize("a_push", ["apns"], indirect=True)
async def test_h2load_gets_what_apple_allows_and_is_refused_the_rest(
    simulators: Running, a_push: Push, tmp_path: Path
) -> None:
    """It may begin with 50 streams before it has read that one is allowed until a success."""
    load = await h2load(a_push, tmp_path, "-m", str(STREAMS))

    assert load.failed == load.errored < PUSHES
    assert load.succeeded + load.errored == PUSHES
    stats = await simulators.get("/apns/stats")
    assert (stats["accepted"], stats["requests"]) == (load.succeeded, load.succeeded)
