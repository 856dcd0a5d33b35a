"""Valid objects for tests: a test overrides what it is about."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from shared import ids
from shared.domain.apps import App
from shared.domain.deliveries import Chunk, Progress, Target
from shared.domain.devices import Device
from shared.domain.notifications import Content, Notification
from shared.domain.receipts import Receipt
from shared.domain.sends import Recipient, Send, timings_of
from shared.storage.chunks import Lease
from shared.storage.dead_letters import DeadLetter
from worker.loading import Loaded, Sender
from worker.retry import Situation
from worker.settlement import ChunkResult

NOW = datetime(2126, 3, 19, 8, 0, tzinfo=UTC)  # far off: TTL indexes delete what is old
APP_ID = UUID("0195a000-0000-7000-8000-00000000000a")
USER_ID = UUID("0195a000-0000-7000-8000-00000000000b")
DEVICE_ID = UUID("0195a000-0000-7000-8000-00000000000c")
SEND_ID = UUID("0195a000-0000-7000-8000-000000000000")

# Each optional field of a send, as a caller writes it.
EVERY_OPTION: dict[str, Any] = {
    "data": {"route": "/schedule"},
    "priority": "normal",
    "collapse_key": "score",
    "badge": 3,
    "sound": "ping.aiff",
    "image": "https://cdn.example.com/a.png",
    "click_action": "https://example.com/schedule",
    "category": "SHIFT",
    "thread_id": "shifts",
    "mutable_content": True,
    "title_loc": {"key": "TITLE", "args": ["30"]},
    "body_loc": {"key": "BODY"},
    "localized": {"de": {"title": "Hallo", "body": "Welt"}},
    "overrides": {
        "apns": {"aps": {"interruption-level": "active"}},
        "fcm": {"android": {"notification": {"channel_id": "shifts"}}},
        "webpush": {"notification": {"icon": "/i.png"}},
        "pushy": {"data": {"extra": 1}},
    },
}


def an_app(**changes: Any) -> App:
    app = App(app_id=APP_ID, name="demo", created_at=NOW, enabled=True)
    return msgspec.structs.replace(app, **changes)


def a_content(**changes: Any) -> Content:
    return msgspec.structs.replace(Content(title="Hi", body="There"), **changes)


def a_notification(**changes: Any) -> Notification:
    notification = Notification(
        notification_id=SEND_ID,
        app_id=APP_ID,
        user_id=USER_ID,
        content=a_content(),
        starts_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )
    return msgspec.structs.replace(notification, **changes)


def a_device(**changes: Any) -> Device:
    device = Device(
        device_id=DEVICE_ID,
        app_id=APP_ID,
        user_id=USER_ID,
        platform="android",
        provider="fcm",
        token="token-1",
        token_hash=b"h" * 32,
        registered_at=NOW,
        created_at=NOW,
        last_seen_at=NOW,
    )
    return msgspec.structs.replace(device, **changes)


def a_send(**changes: Any) -> Send:
    send = Send(
        send_id=SEND_ID,
        app_id=APP_ID,
        created_at=NOW,
        contents=(a_content(),),
        timings=timings_of((a_content(),)),
        recipients=(Recipient(USER_ID, 0),),
        lane="hi",
        delivery_count=1,
        chunk_count=1,
    )
    if "contents" in changes:
        changes = {"timings": timings_of(changes["contents"])} | changes
    return msgspec.structs.replace(send, **changes)


def a_chunk(**changes: Any) -> Chunk:
    chunk = Chunk(
        chunk_id=ids.chunk_id(SEND_ID, 0),
        app_id=APP_ID,
        send_id=SEND_ID,
        provider="fcm",
        lane="hi",
        targets=(Target(0, DEVICE_ID),),
        expires_at=NOW + timedelta(days=1),
    )
    return msgspec.structs.replace(chunk, **changes)


def a_loaded(**changes: Any) -> Loaded:
    loaded = Loaded(
        chunk=a_chunk(),
        send=a_send(),
        devices={DEVICE_ID: a_device()},
        sender=Sender(an_app(), None, NOW),
    )
    return msgspec.structs.replace(loaded, **changes)


def a_result(progress: dict[int, Progress], **changes: Any) -> ChunkResult:
    loaded = a_loaded(**changes)
    return ChunkResult(
        loaded=loaded, lease=Lease(loaded.chunk.chunk_id, "owner"), progress=progress
    )


def a_situation(**changes: Any) -> Situation:
    situation = Situation(
        attempt=1,
        now=NOW,
        starts_at=NOW,
        expires_at=NOW + timedelta(days=1),
        is_now_or_never=False,
        is_resent_when_unknown=True,
        sent_again_at_once=False,
    )
    return msgspec.structs.replace(situation, **changes)


def a_receipt(**changes: Any) -> Receipt:
    receipt = Receipt(
        id=ids.receipt_id(ids.chunk_id(SEND_ID, 0), 0),
        seq=0,
        notification_id=SEND_ID,
        user_id=USER_ID,
        device_id=DEVICE_ID,
        platform="android",
        provider="fcm",
        state="sent",
        reason=None,
        attempts=1,
        provider_message_id="m-1",
        occurred_at=NOW,
    )
    return msgspec.structs.replace(receipt, **changes)


def a_dead_letter(**changes: Any) -> DeadLetter:
    """Each time another one."""
    letter = DeadLetter(
        dead_letter_id=uuid4(),
        reason="PayloadTooLarge",
        died_at=NOW,
        app_id=APP_ID,
        notification_id=SEND_ID,
        device_id=DEVICE_ID,
        provider="fcm",
        chunk_id=ids.chunk_id(SEND_ID, 0),
        index=0,
        attempts=1,
    )
    return msgspec.structs.replace(letter, **changes)
