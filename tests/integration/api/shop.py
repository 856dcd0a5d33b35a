"""A tenant whose user has a device of each kind, with the credentials that they need."""

import json
from typing import Any
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from api.schemas.sends import SendBody
from shared.clock import utc_now
from shared.crypto.keyring import Keyring
from shared.domain.credentials import Credential
from shared.domain.devices import Device, Provider
from shared.domain.notifications import Content
from shared.storage.credentials import CredentialRepository
from shared.storage.devices import DeviceRepository
from tests.front_door import Api
from tests.integration.api.tenant import Body, Tenant, a_tenant
from tests.unit.shared.providers.builders import (
    AUTH_SECRET,
    make_apns_credential,
    make_fcm_credential,
    random_subscription_keys,
)

APNS_TOKEN, FCM_TOKEN, WEB_TOKEN, PUSHY_TOKEN = "ab" * 32, "fcm-tok-1", "fcm-tok-2", "pushy-tok-3"
PATH = "wpush/v2/gAAAAA-secret-path"
ENDPOINT = f"https://updates.push.services.mozilla.com/{PATH}"
PUSHY_KEY = "s3cret/key&more"


class Shop(Tenant):
    """A tenant with one device and one credential of each kind."""

    devices: dict[str, str]
    browser: ec.EllipticCurvePrivateKey

    async def preview(self, **changes: Any) -> dict[str, Body]:
        """The rows by device id."""
        answer = await self.post("/preview", self.body(**changes))
        assert answer.status_code == 200, answer.text
        assert answer.json()["user_id"] == str(self.user_id)
        return {row["device_id"]: row for row in answer.json()["devices"]}

    def content(self, **changes: Any) -> Content:
        body = json.dumps(self.body(**changes)).encode()
        return msgspec.json.decode(body, type=SendBody).content()

    async def device(self, device_id: str) -> Device:
        devices = DeviceRepository(self.api.database, keyring(), utc_now)
        return (await devices.of_ids([UUID(device_id)]))[UUID(device_id)]

    async def credential(self, provider: Provider) -> Credential:
        credentials = CredentialRepository(self.api.database, keyring(), utc_now)
        found = await credentials.get(self.app_id, provider)
        assert found is not None
        return found


def keyring() -> Keyring:
    return Keyring({"k1": b"k" * 32}, b"k" * 32)


async def put_credentials(tenant: Tenant) -> None:
    apns = msgspec.to_builtins(make_apns_credential())
    account = msgspec.to_builtins(make_fcm_credential())
    for body in (apns, account):
        body.pop("fingerprint", None)
    bodies = {"apns": apns, "fcm": {"service_account": account}, "pushy": {"api_key": PUSHY_KEY}}
    for provider, body in bodies.items():
        path = f"/push/config/{tenant.app_id}/providers/{provider}"
        answer = await tenant.api.platform().put(path, body)
        assert answer.status_code == 200, answer.text


async def a_shop(api: Api, *, with_credentials: bool = True) -> Shop:
    tenant = await a_tenant(api, daily_quota=10)
    shop = Shop(api, tenant.app_id, tenant.user_id)
    if with_credentials:
        await put_credentials(shop)
    shop.browser, p256dh = random_subscription_keys()
    subscription = {"endpoint": ENDPOINT, "keys": {"p256dh": p256dh, "auth": AUTH_SECRET}}
    wishes: dict[str, Body] = {
        "apns": {"platform": "ios", "push_token": APNS_TOKEN, "apns_environment": "sandbox"},
        "fcm": {"push_token": FCM_TOKEN, "language": "de-AT"},
        "fcm-ios": {"platform": "ios", "push_token": "fcm-tok-ios", "provider": "fcm"},
        "fcm-web": {"platform": "web", "push_token": WEB_TOKEN},
        "webpush": {"platform": "web", "push_token": subscription},
        "pushy": {"push_token": PUSHY_TOKEN, "provider": "pushy"},
    }
    shop.devices = {kind: await shop.register(**wish) for kind, wish in wishes.items()}
    return shop
