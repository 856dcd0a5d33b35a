"""A send as it is stored: its outline, and its contents in the same document or in parts.

Contents are MessagePack: JSON would write a control character in six bytes. Where they are still
too large for one document, they stand in parts of their own.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from shared.domain.notifications import Content
from shared.domain.sends import Outline, Recipient, Send, Timing
from shared.storage.mongo import Document

PART_BYTES_MAX = 8_000_000  # a document holds 16 MiB


def to_documents(send: Send) -> tuple[Document, list[Document]]:
    """The send's document, and its contents' parts where they are too large for that."""
    contents = [msgspec.msgpack.encode(content) for content in send.contents]
    parts = _parts(send, contents)
    document = {
        "_id": send.send_id,
        "app_id": send.app_id,
        "created_at": send.created_at,
        "kept_from": _kept_from(send),
        "contents": [] if parts else contents,
        "parts": len(parts),
        "timings": [[t.ttl_seconds, t.send_at] for t in send.timings],
        "users": [recipient.user_id for recipient in send.recipients],
        "content_of": [recipient.content for recipient in send.recipients],
        "lane": send.lane,
        "delivery_count": send.delivery_count,
        "chunk_count": send.chunk_count,
        "published": send.published,
    }
    if send.due_at is not None:
        document["due_at"] = send.due_at
    return document, parts


def _kept_from(send: Send) -> datetime:
    return max(send.starts_at(index) for index in range(len(send.recipients)))


def _parts(send: Send, contents: list[bytes]) -> list[Document]:
    if sum(map(len, contents)) <= PART_BYTES_MAX:
        return []
    groups: list[list[bytes]] = [[]]
    size = 0
    for content in contents:
        if groups[-1] and size + len(content) > PART_BYTES_MAX:
            groups.append([])
            size = 0
        groups[-1].append(content)
        size += len(content)
    return [
        {"_id": {"send": send.send_id, "part": i}, "contents": group, "kept_from": _kept_from(send)}
        for i, group in enumerate(groups)
    ]


def part_keys(document: Document) -> list[Document]:
    return [{"send": document["_id"], "part": i} for i in range(document["parts"])]


def part_key(part: Document) -> tuple[UUID, int]:
    return part["send"], part["part"]


def outline_of(document: Document) -> Outline:
    return Outline(**_fields(document))


def send_of(document: Document, contents: list[bytes]) -> Send:
    decoded = tuple(msgspec.msgpack.decode(content, type=Content) for content in contents)
    return Send(**_fields(document), contents=decoded)


def _fields(document: Document) -> dict[str, Any]:
    recipients = zip(document["users"], document["content_of"], strict=True)
    return {
        "send_id": document["_id"],
        "app_id": document["app_id"],
        "created_at": document["created_at"],
        "recipients": tuple(Recipient(*pair) for pair in recipients),
        "timings": tuple(Timing(*pair) for pair in document["timings"]),
        "lane": document["lane"],
        "delivery_count": document["delivery_count"],
        "chunk_count": document["chunk_count"],
        "published": document["published"],
        "due_at": document.get("due_at"),
        "cancelled": frozenset(document.get("cancelled", ())),
    }
