"""The Web Push simulator as pywebpush sees it, and its cryptography against the RFCs' vectors."""

import asyncio
import base64
import json
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid
from pywebpush import WebPushException, webpush

from tests.integration.simulators.conftest import Running
from tests.simulators.webpush_crypto import (
    BadBodyError,
    BadVapidError,
    VapidVerifier,
    decode_base64url,
    decrypt,
)

PAYLOAD = {"notification": {"title": "Hello", "body": "Grüße"}, "notification_id": "n-1"}

# RFC 8291 §5 and Appendix A
UA_PRIVATE = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz"
    "AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)
# RFC 8292 §2.4
VAPID = (
    "vapid t=eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9."
    "eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAi"
    "OjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuC"
    "GSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA, "
    "k=BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAI"
    "xHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs"
)
EXPIRES_AT = 1453523768
ORIGIN = "https://push.example.net"


@pytest.fixture(scope="session")
def vapid() -> Vapid:
    made = Vapid()
    made.generate_keys()
    return made


def server_key(vapid: Vapid) -> str:
    form = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(vapid.public_key.public_bytes(*form)).rstrip(b"=").decode()


async def subscribe(running: Running, vapid: Vapid, **changes: Any) -> dict[str, Any]:
    wanted = {"application_server_key": server_key(vapid)} | changes
    return await running.post("/webpush/subscriptions", wanted)


async def push(
    running: Running, vapid: Vapid, made: dict[str, Any], **changes: Any
) -> requests.Response:
    """What pywebpush's webpush() got, also when it calls that a failure."""
    with requests.Session() as session:
        session.trust_env = False  # else a CA bundle in the environment goes before ours
        session.verify = str(running.certificates.ca_file)
        arguments: dict[str, Any] = {
            "data": json.dumps(PAYLOAD, ensure_ascii=False),
            "vapid_private_key": vapid,
            "vapid_claims": {"sub": "mailto:ops@example.com"},
            "ttl": 60,
            "timeout": 10,
            "requests_session": session,
        }
        try:
            sent = await asyncio.to_thread(webpush, made["subscription"], **arguments | changes)
        except WebPushException as refused:
            sent = refused.response
    assert isinstance(sent, requests.Response)
    return sent


async def test_pywebpush_delivers_and_the_log_shows_the_text(
    simulators: Running, vapid: Vapid
) -> None:
    made = await subscribe(simulators, vapid)

    response = await push(simulators, vapid, made)

    assert response.status_code == 201
    [entry] = await simulators.entries("webpush")
    assert entry["request"]["payload"] == PAYLOAD
    assert (entry["device"], entry["notification_id"]) == (made["id"], "n-1")
    stats = await simulators.get("/webpush/stats")
    assert (stats["distinct_salts"], stats["distinct_sender_keys"]) == (1, 1)


@pytest.mark.parametrize(
    ("personality", "state", "expected"),
    [
        ("rfc", "unregistered", 410),
        ("rfc", "bad", 404),
        ("rfc", "mismatch", 403),
        ("mozilla", "unregistered", 410),
        ("mozilla", "mismatch", 401),
        ("apple", "mismatch", 400),
        ("google", "unregistered", 410),
        ("wns", "unregistered", 410),
    ],
)
async def test_a_state_is_told_in_the_service_s_own_way(
    simulators: Running, vapid: Vapid, personality: str, state: str, expected: int
) -> None:
    made = await subscribe(simulators, vapid, personality=personality)
    await simulators.put(f"/webpush/devices/{made['id']}", {"state": state})

    response = await push(simulators, vapid, made)

    assert response.status_code == expected


async def test_mozilla_and_apple_explain_in_json(simulators: Running, vapid: Vapid) -> None:
    stranger = Vapid()
    stranger.generate_keys()
    mozilla = await subscribe(simulators, vapid, personality="mozilla")
    apple = await subscribe(simulators, vapid, personality="apple")

    assert (await push(simulators, stranger, mozilla)).json()["errno"] == 109
    assert (await push(simulators, stranger, apple)).json()["reason"] == "VapidPkHashMismatch"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"urgency": "high", "topic": "a_b-C"}, 201),
        ({"urgency": "loud"}, 400),
        ({"topic": "x" * 33}, 400),
        ({"topic": "not/url/safe"}, 400),
    ],
)
async def test_headers_are_checked(
    simulators: Running, vapid: Vapid, headers: dict[str, str], expected: int
) -> None:
    made = await subscribe(simulators, vapid)

    assert (await push(simulators, vapid, made, headers=headers)).status_code == expected


async def test_wns_wants_a_cache_policy_with_ttl_zero(simulators: Running, vapid: Vapid) -> None:
    made = await subscribe(simulators, vapid, personality="wns")

    refused = await push(simulators, vapid, made, ttl=0)
    taken = await push(simulators, vapid, made, ttl=0, headers={"x-wns-cache-policy": "no-cache"})

    assert (refused.status_code, taken.status_code) == (400, 201)


async def test_a_body_for_another_browser_is_refused(simulators: Running, vapid: Vapid) -> None:
    made, other = await subscribe(simulators, vapid), await subscribe(simulators, vapid)
    swapped = {**made["subscription"], "keys": other["subscription"]["keys"]}

    response = await push(simulators, vapid, {"subscription": swapped})

    assert response.status_code == 400
    [entry] = await simulators.entries("webpush")
    assert (entry["accepted"], entry["answer"]["reason"]) == (False, "undecryptable")


def test_the_rfc_8291_example_decrypts() -> None:
    assert decrypt_example(decode_base64url(BODY)) == b"When I grow up, I want to be a watermelon"


@pytest.mark.parametrize("position", [0, 20, 21, 22, 86, 143])
def test_the_rfc_8291_example_with_a_changed_byte_does_not(position: int) -> None:
    body = bytearray(decode_base64url(BODY))
    body[position] ^= 0xFF

    with pytest.raises(BadBodyError):
        decrypt_example(bytes(body))


def test_two_records_are_refused() -> None:
    body = bytearray(decode_base64url(BODY))
    body[16:20] = (25).to_bytes(4, "big")

    with pytest.raises(BadBodyError):
        decrypt_example(bytes(body))


def test_the_rfc_8292_example_verifies() -> None:
    claims = VapidVerifier().check(VAPID, ORIGIN, None, now=EXPIRES_AT - 3600)

    assert claims["sub"] == "mailto:push@example.com"


@pytest.mark.parametrize(
    ("header", "origin", "key", "now", "expected"),
    [
        (VAPID.replace(".i3CY", ".i3CZ"), ORIGIN, None, EXPIRES_AT - 3600, "signature"),
        (VAPID, ORIGIN + ":8443", None, EXPIRES_AT - 3600, "aud"),
        (VAPID, ORIGIN, b"another key", EXPIRES_AT - 3600, "key"),
        (VAPID, ORIGIN, None, EXPIRES_AT, "exp"),
        (VAPID, ORIGIN, None, EXPIRES_AT - 86401, "exp"),
        (VAPID.replace("vapid ", "WebPush "), ORIGIN, None, EXPIRES_AT - 3600, "scheme"),
        ("vapid t=a.b.c, k=AAAA", ORIGIN, None, EXPIRES_AT - 3600, "malformed"),
    ],
)
def test_a_wrong_vapid_header_is_refused(
    header: str, origin: str, key: bytes | None, now: float, expected: str
) -> None:
    with pytest.raises(BadVapidError) as refused:
        VapidVerifier().check(header, origin, key, now=now)

    assert refused.value.kind == expected


def decrypt_example(body: bytes) -> bytes:
    secret = int.from_bytes(decode_base64url(UA_PRIVATE), "big")
    private = ec.derive_private_key(secret, ec.SECP256R1())
    form = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    public = private.public_key().public_bytes(*form)
    return decrypt(body, private, public, decode_base64url(AUTH))
