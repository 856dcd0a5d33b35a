"""APNs through the front door: both environments' hosts, and push certificates."""

import time
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.tenant import Json, Tenant
from tests.eventually import eventually
from tests.push_certificates import PRODUCTION, make_push_certificate


async def register(tenant: Tenant, state: Json, **changes: Any) -> tuple[str, str]:
    """A user with one iPhone, whose token Apple knows in that state; user and token."""
    user_id, token = str(uuid4()), await tenant.new_token("apns")
    await tenant.simulators.put(f"/apns/devices/{token}", json=state)
    await tenant.register(user_id, "apns", token, **changes)
    return user_id, token


async def pushed(tenant: Tenant, user_id: str) -> tuple[str, list[Json]]:
    """The state of a push that is settled, and what Apple saw of it."""
    notification_id = await tenant.send(user_id)
    await tenant.receipts(notification_id)
    row = (await tenant.settled(notification_id))["devices"][0]
    return row["state"], await tenant.seen("apns", notification_id)


@pytest.mark.parametrize("environment", ["sandbox", "production"])
async def test_a_token_of_an_untold_environment_finds_its_host_once(
    tenant: Tenant, environment: str
) -> None:
    at_home = {"state": "other_environment", "environment": environment}
    user_id, _ = await register(tenant, at_home)

    first, second = await pushed(tenant, user_id), await pushed(tenant, user_id)

    calls = 2 if environment == "sandbox" else 1  # the credential's is production
    assert [entry["accepted"] for entry in first[1]] == [False] * (calls - 1) + [True]
    assert [entry["accepted"] for entry in second[1]] == [True]
    assert (first[0], second[0]) == ("sent", "sent")


async def test_a_found_environment_outlives_a_new_registration(tenant: Tenant) -> None:
    user_id, token = await register(tenant, {"state": "other_environment"})
    await pushed(tenant, user_id)
    await tenant.register(user_id, "apns", token)

    _, entries = await pushed(tenant, user_id)

    assert [entry["accepted"] for entry in entries] == [True]


async def test_a_told_environment_is_trusted(tenant: Tenant) -> None:
    user_id, _ = await register(
        tenant, {"state": "other_environment"}, apns_environment="production"
    )

    state, entries = await pushed(tenant, user_id)

    assert state == "rejected"
    assert [entry["answer"]["reason"] for entry in entries] == ["BadDeviceToken"]


async def test_a_bad_token_is_asked_for_at_both_hosts_and_kept(tenant: Tenant) -> None:
    user_id, _ = await register(tenant, {"state": "bad"})

    state, entries = await pushed(tenant, user_id)

    assert state == "rejected"
    assert [entry["answer"]["reason"] for entry in entries] == ["BadDeviceToken"] * 2
    assert len(await tenant.devices(user_id=user_id)) == 1


@pytest.mark.parametrize(("seconds", "stays"), [(-3_600, True), (3_600, False)])
async def test_a_device_that_registered_after_apples_instant_stays(
    tenant: Tenant, seconds: int, *, stays: bool
) -> None:
    since_ms = int((time.time() + seconds) * 1000)
    user_id, _ = await register(tenant, {"state": "unregistered", "timestamp_ms": since_ms})

    state, _ = await pushed(tenant, user_id)

    assert state == "unregistered"
    assert bool(await tenant.devices(user_id=user_id)) == stays


async def certify(tenant: Tenant, **known: Any) -> Json:
    """Replace the signing key by a certificate that Apple knows."""
    made = make_push_certificate()
    body = {"certificate": made.certificate, "private_key": made.private_key}
    await tenant.simulators.put(
        "/apns/certificates", json={"certificate_pem": made.certificate} | known
    )
    await tenant.put_credential("apns", body)
    path = f"/push/config/{tenant.app_id}/providers/apns"
    shown = await tenant.call("GET", path, token=tenant.admin())
    assert made.private_key[40:80] not in str(shown)
    assert shown["details"]["serial_number"] == made.serial_number
    assert shown["expires_at"].startswith(made.expires_at.isoformat()[:19])
    return shown


async def test_a_push_certificate_takes_the_place_of_a_signing_key(tenant: Tenant) -> None:
    await certify(tenant, topics=["com.example.app"])
    user_id, token = await register(tenant, {"state": "active"})

    async def without_token() -> list[Json]:  # a worker may know the key for two seconds more
        _, entries = await pushed(tenant, user_id)
        return [e for e in entries if "authorization" not in e["request"]["headers"]]

    entries = await eventually(without_token)
    assert [entry["accepted"] for entry in entries] == [True]
    assert entries[0]["device"] == token


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"is_revoked": True}, "BadCertificate"),
        ({"environments": ["sandbox"]}, "BadCertificateEnvironment"),
        ({"topics": ["com.example.other"]}, "TopicDisallowed"),
    ],
)
async def test_a_certificate_that_apple_refuses_is_invalid(
    tenant: Tenant, known: Json, reason: str
) -> None:
    await certify(tenant, **known)
    path = f"/push/config/{tenant.app_id}/providers/apns/verify"

    answer = await tenant.call("POST", path, token=tenant.admin())

    assert (answer["verdict"], answer["reason"]) == ("invalid", reason)


async def test_a_certificate_of_one_environment_is_refused_for_the_other(tenant: Tenant) -> None:
    made = make_push_certificate(environments=(PRODUCTION,))
    path = f"/push/config/{tenant.app_id}/providers/apns"
    body = {"certificate": made.certificate, "private_key": made.private_key}

    answer = await tenant.call(
        "PUT", path, token=tenant.admin(), body=body | {"environment": "sandbox"}, status=400
    )

    assert answer["errors"] == [
        {"pointer": "#/environment", "detail": "the certificate is not for this environment"}
    ]
