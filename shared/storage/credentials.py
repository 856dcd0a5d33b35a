"""Provider credentials: sealed whole; only what may be shown stands beside in the clear."""

import hashlib
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec
from pymongo import UpdateOne
from pymongo.errors import DuplicateKeyError

from shared.clock import Clock
from shared.crypto.keyring import Keyring
from shared.domain.credentials import (
    ApnsCertificate,
    ApnsCredential,
    Credential,
    CredentialNote,
    CredentialSummary,
    FcmCredential,
    PushyCredential,
    WebPushCredential,
)
from shared.domain.devices import Provider
from shared.storage.due import Parked
from shared.storage.mongo import Database, Document

_CERTIFICATE = "apns_certificate"  # the one shape that is not named as its provider
_SHAPES: dict[str, type[Credential]] = {
    "apns": ApnsCredential,
    _CERTIFICATE: ApnsCertificate,
    "fcm": FcmCredential,
    "webpush": WebPushCredential,
    "pushy": PushyCredential,
}
_SHOWN = {
    "apns": ("team_id", "key_id", "topic", "environment"),
    _CERTIFICATE: ("serial_number", "topic", "environment"),
    "fcm": ("project_id", "client_email", "private_key_id"),
    "webpush": ("subject", "vapid_public_key"),
    "pushy": (),
}
_NOTES = ("last_success_at", "last_error_at", "last_error")


class CredentialRepository:
    """At most one credential per app and provider, under the id `<app>:<provider>`."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock) -> None:
        self._credentials = database["credentials"]
        self._keyring = keyring
        self._clock = clock

    async def put(
        self, app_id: UUID, provider: Provider, credential: Credential
    ) -> CredentialSummary:
        """Store a credential in place of any other."""
        document = self._document(app_id, provider, credential)
        await self._credentials.update_one(_key(app_id, provider), {"$set": document}, upsert=True)
        return _summary(document)

    async def put_over(
        self, app_id: UUID, provider: Provider, credential: Credential, *, seen: str
    ) -> CredentialSummary | None:
        """Store a credential in place of the one with the fingerprint `seen`; None: it is gone."""
        document = self._document(app_id, provider, credential)
        unchanged = _key(app_id, provider) | {"fingerprint": seen}
        stored = await self._credentials.update_one(unchanged, {"$set": document})
        return _summary(document) if stored else None

    async def put_if_absent(
        self, app_id: UUID, provider: Provider, credential: Credential
    ) -> CredentialSummary:
        """Keep the credential that is there, else store this one; the one that stands now."""
        document = self._document(app_id, provider, credential)
        change = {"$setOnInsert": document}
        try:
            stands = await self._credentials.find_one_and_update(
                _key(app_id, provider), change, upsert=True
            )
        except DuplicateKeyError:  # two first ones raced: the other one won
            stands = await self._credentials.find_one(_key(app_id, provider))
        return _summary(stands)

    def _document(self, app_id: UUID, provider: Provider, credential: Credential) -> Document:
        plain = msgspec.json.encode(credential)
        shape = _CERTIFICATE if isinstance(credential, ApnsCertificate) else provider
        return {
            "app_id": app_id,
            "provider": provider,
            "fingerprint": hashlib.sha256(f"{app_id}".encode() + plain).hexdigest()[:16],
            "updated_at": self._clock(),
            "shape": shape,
            "details": {name: getattr(credential, name) for name in _SHOWN[shape]},
            "expires_at": getattr(credential, "expires_at", None),
            "sealed": self._keyring.seal(plain, f"{app_id}|{provider}"),
            **dict.fromkeys(_NOTES),
        }

    async def get(self, app_id: UUID, provider: Provider) -> Credential | None:
        found = await self.of_apps([app_id], provider)
        return found.get(app_id)

    async def of_apps(self, app_ids: list[UUID], provider: Provider) -> dict[UUID, Credential]:
        """The decrypted credentials of several apps for one provider."""
        keys = [f"{app_id}:{provider}" for app_id in app_ids]
        documents = await self._credentials.find({"_id": {"$in": keys}})
        return {document["app_id"]: self._open(document) for document in documents}

    async def apps_with(self, provider: Provider) -> list[UUID]:
        """The apps that have a credential for a provider."""
        documents = await self._credentials.find(
            {"provider": provider}, projection={"app_id": 1}, sort=[("_id", 1)]
        )
        return [document["app_id"] for document in documents]

    async def changed_since(self, instant: datetime) -> list[Parked]:
        """The credentials that were stored after an instant, as what may wait for them."""
        documents = await self._credentials.find(
            {"updated_at": {"$gt": instant}},
            projection={"app_id": 1, "provider": 1, "fingerprint": 1},
        )
        return [Parked(d["app_id"], d["provider"], d["fingerprint"]) for d in documents]

    async def summary(self, app_id: UUID, provider: Provider) -> CredentialSummary | None:
        document = await self._credentials.find_one(_key(app_id, provider), {"sealed": 0})
        return None if document is None else _summary(document)

    async def last_success_at(
        self, app_id: UUID, provider: Provider, fingerprint: str
    ) -> datetime | None:
        """When a provider last took a push with that very credential, as far as is on record."""
        which = _key(app_id, provider) | {"fingerprint": fingerprint}
        document = await self._credentials.find_one(which, {"last_success_at": 1})
        return None if document is None else document.get("last_success_at")

    async def note(self, notes: Collection[CredentialNote]) -> None:
        """Remember how credentials were taken lately; one that was replaced since is left alone."""
        await self._credentials.bulk_write([_noted(note) for note in notes])

    async def delete(self, app_id: UUID, provider: Provider) -> bool:
        return await self._credentials.delete_one(_key(app_id, provider))

    def _open(self, document: Document) -> Credential:
        provider: Provider = document["provider"]
        plain = self._keyring.open(document["sealed"], f"{document['app_id']}|{provider}")
        credential = msgspec.json.decode(plain, type=_SHAPES[document.get("shape", provider)])
        return msgspec.structs.replace(credential, fingerprint=document["fingerprint"])


def _key(app_id: UUID, provider: Provider) -> Document:
    return {"_id": f"{app_id}:{provider}"}


def _noted(note: CredentialNote) -> UpdateOne:
    key = _key(note.app_id, note.provider) | {"fingerprint": note.fingerprint}
    if note.error is None:
        return UpdateOne(key, {"$max": {"last_success_at": note.at}})
    return UpdateOne(key, {"$set": {"last_error_at": note.at, "last_error": note.error}})


def _summary(document: Document) -> CredentialSummary:
    return CredentialSummary(
        provider=document["provider"],
        fingerprint=document["fingerprint"],
        updated_at=document["updated_at"],
        details=document["details"],
        expires_at=document.get("expires_at"),
        **{name: document.get(name) for name in _NOTES},
    )
