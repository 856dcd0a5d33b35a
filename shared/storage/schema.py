"""Every collection's indexes and how long its documents are kept, in one place.

An index whose keys or options change gets a new name: MongoDB refuses another one under the old.
"""

from pymongo import ASCENDING, DESCENDING, IndexModel

from shared.storage.mongo import Database

DAY = 86_400
_KEEP_SENDS_DAYS = 30
_KEEP_CHUNKS_DAYS = 30
_KEEP_DEAD_LETTERS_DAYS = 30
_KEEP_RECEIPTS_DAYS = 7
_KEEP_INACTIVE_DEVICES_DAYS = 90
_KEEP_QUOTAS_DAYS = 3
_KEEP_HOLDS_DAYS = 30
_LATEST_DEAD = [("died_at", DESCENDING), ("_id", DESCENDING)]


def _kept(field: str, days: float) -> IndexModel:
    return IndexModel(
        [(field, ASCENDING)], name=f"kept_{field}", expireAfterSeconds=int(days * DAY)
    )


INDEXES: dict[str, list[IndexModel]] = {
    "apps": [
        IndexModel(
            [("deleted_at", ASCENDING)],
            name="deleted",
            partialFilterExpression={"deleted_at": {"$exists": True}},
        )
    ],
    "enrolments": [
        IndexModel([("app_id", ASCENDING), ("user_id", ASCENDING)], name="app_user", unique=True)
    ],
    "devices": [
        IndexModel([("app_id", ASCENDING), ("token_hash", ASCENDING)], name="token", unique=True),
        IndexModel(
            [("app_id", ASCENDING), ("user_id", ASCENDING), ("active", ASCENDING)], name="user"
        ),
        IndexModel([("app_id", ASCENDING), ("active", ASCENDING), ("_id", ASCENDING)], name="page"),
        IndexModel(
            [("app_id", ASCENDING), ("_id", ASCENDING)],
            name="pushy",
            partialFilterExpression={"provider": "pushy", "active": True},
        ),
        IndexModel(
            [("untold.at", ASCENDING)],
            name="untold",
            partialFilterExpression={"untold": {"$exists": True}},
        ),
        _kept("deactivated_at", _KEEP_INACTIVE_DEVICES_DAYS),
    ],
    "sessions": [IndexModel([("app_id", ASCENDING)], name="app")],
    "holds": [_kept("updated_at", _KEEP_HOLDS_DAYS)],
    "credentials": [IndexModel([("updated_at", ASCENDING)], name="changed")],
    "sends": [
        IndexModel(
            [("published", ASCENDING), ("created_at", ASCENDING), ("delivery_count", ASCENDING)],
            name="outbox",
            partialFilterExpression={"published": False},
        ),
        IndexModel([("app_id", ASCENDING), ("_id", DESCENDING)], name="app"),
        IndexModel(
            [("app_id", ASCENDING), ("users", ASCENDING), ("_id", DESCENDING)], name="app_user"
        ),
        IndexModel(
            [("due_at", ASCENDING)],
            name="due",
            partialFilterExpression={"due_at": {"$exists": True}},
        ),
        IndexModel(
            [("look_again_at", ASCENDING)],
            name="look_again",
            partialFilterExpression={"look_again_at": {"$exists": True}},
        ),
        IndexModel(
            [("claim", ASCENDING)],
            name="claim",
            unique=True,
            partialFilterExpression={"claim": {"$exists": True}},
        ),
        _kept("kept_from", _KEEP_SENDS_DAYS),
    ],
    "contents": [_kept("kept_from", _KEEP_SENDS_DAYS)],
    "idempotency": [IndexModel([("expires_at", ASCENDING)], name="kept", expireAfterSeconds=0)],
    "chunks": [
        IndexModel([("send_id", ASCENDING)], name="send"),
        IndexModel(
            [("expires_at", ASCENDING)],
            name="unfinished",
            partialFilterExpression={"done": False},
        ),
        _kept("kept_from", _KEEP_CHUNKS_DAYS),
    ],
    "quotas": [_kept("day", _KEEP_QUOTAS_DAYS)],
    "limits": [IndexModel([("expires_at", ASCENDING)], name="kept", expireAfterSeconds=0)],
    "receipts": [
        IndexModel([("app_id", ASCENDING), ("first_seq", DESCENDING)], name="app_seq", unique=True),
        IndexModel([("ids", ASCENDING)], name="receipt", unique=True),
        IndexModel([("app_id", ASCENDING), ("created_at", ASCENDING)], name="app_time"),
        IndexModel(
            [
                ("state", ASCENDING),
                ("app_id", ASCENDING),
                ("next_attempt_at", ASCENDING),
                ("first_seq", ASCENDING),
            ],
            name="to_post",
            partialFilterExpression={"state": "pending"},
        ),
        _kept("created_at", _KEEP_RECEIPTS_DAYS),
    ],
    "receipt_attempts": [
        IndexModel(
            [("app_id", ASCENDING), ("at", DESCENDING), ("_id", DESCENDING)], name="app_time"
        ),
        _kept("at", _KEEP_RECEIPTS_DAYS),
    ],
    "dead_letters": [
        IndexModel([("closed_at", ASCENDING), *_LATEST_DEAD], name="open"),
        IndexModel(
            [("app_id", ASCENDING), ("closed_at", ASCENDING), *_LATEST_DEAD], name="app_open"
        ),
        IndexModel(
            [
                ("reason", ASCENDING),
                ("app_id", ASCENDING),
                ("closed_at", ASCENDING),
                *_LATEST_DEAD,
            ],
            name="reason",
        ),
        _kept("died_at", _KEEP_DEAD_LETTERS_DAYS),
    ],
    "dev_sends": [
        IndexModel([("app_id", ASCENDING)], name="app"),
        _kept("created_at", _KEEP_RECEIPTS_DAYS),
    ],
    "keys": [IndexModel([("expires_at", ASCENDING)], name="kept", expireAfterSeconds=0)],
    "due": [
        IndexModel([("due_at", ASCENDING)], name="due"),
        IndexModel(
            [("parked", ASCENDING), ("refused", ASCENDING)],
            name="parked",
            partialFilterExpression={"parked": {"$exists": True}},
        ),
    ],
}


async def create_indexes(database: Database) -> None:
    """Create what is missing; existing indexes stay."""
    for collection, indexes in INDEXES.items():
        await database[collection].create_indexes(indexes)
