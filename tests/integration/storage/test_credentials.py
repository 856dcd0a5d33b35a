"""Credentials: each shape comes back as it went in, and shows only what is no secret."""

from datetime import UTC, datetime
from typing import cast

import msgspec
import pytest

from shared.crypto.keyring import Keyring
from shared.domain.credentials import Credential
from shared.domain.devices import Provider
from shared.storage.credentials import CredentialRepository
from shared.storage.mongo import Database
from tests.builders import APP_ID, NOW
from tests.unit.shared.providers.builders import (
    make_apns_certificate,
    make_apns_credential,
    make_fcm_credential,
    make_pushy_credential,
    make_webpush_credential,
)

ENDS = datetime(2027, 3, 19, 8, 0, tzinfo=UTC)
SHAPES: list[tuple[str, Credential, datetime | None]] = [
    ("apns", make_apns_credential(), None),
    ("apns", make_apns_certificate(expires_at=ENDS), ENDS),
    ("fcm", make_fcm_credential(), None),
    ("webpush", make_webpush_credential(), None),
    ("pushy", make_pushy_credential(), None),
]


@pytest.mark.parametrize(("provider", "credential", "ends"), SHAPES)
async def test_a_credential_comes_back(
    database: Database,
    keyring: Keyring,
    provider: Provider,
    credential: Credential,
    ends: datetime | None,
) -> None:
    credentials = CredentialRepository(database, keyring, lambda: NOW)

    stored = await credentials.put(APP_ID, provider, credential)

    kept = cast("Credential", await credentials.get(APP_ID, provider))
    assert msgspec.structs.replace(kept, fingerprint="") == credential
    assert kept.fingerprint == stored.fingerprint
    assert await credentials.summary(APP_ID, provider) == stored
    assert stored.expires_at == ends


async def test_a_certificate_takes_the_place_of_a_key_and_back(
    database: Database, keyring: Keyring
) -> None:
    credentials = CredentialRepository(database, keyring, lambda: NOW)
    certificate, key = make_apns_certificate(expires_at=ENDS), make_apns_credential()

    for credential in (key, certificate, key):
        await credentials.put(APP_ID, "apns", credential)
        kept = await credentials.get(APP_ID, "apns")
        assert type(kept) is type(credential)

    summary = await credentials.summary(APP_ID, "apns")
    assert summary is not None
    assert summary.expires_at is None


async def test_a_credential_stored_before_shapes_had_names_is_read(
    database: Database, keyring: Keyring
) -> None:
    credentials = CredentialRepository(database, keyring, lambda: NOW)
    await credentials.put(APP_ID, "apns", make_apns_credential())
    await database["credentials"].update_one(
        {"_id": f"{APP_ID}:apns"}, {"$unset": {"shape": "", "expires_at": ""}}
    )

    assert type(await credentials.get(APP_ID, "apns")) is type(make_apns_credential())
