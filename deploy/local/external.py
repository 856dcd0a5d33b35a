"""Checks servers that the person named instead of ours, before anything relies on them."""

from urllib.parse import unquote, urlsplit

import pymongo
from pymongo.errors import PyMongoError

from deploy.local.amqp_probe import opens_connection

AMQP_PORT = 5672
MONGO_TIMEOUT_MS = 5000


class ServerUnusable(RuntimeError):
    """A server that the person named cannot be used; the message says why, without passwords."""


def require_mongo(url: str) -> None:
    try:
        with pymongo.MongoClient[dict[str, object]](
            url, serverSelectionTimeoutMS=MONGO_TIMEOUT_MS
        ) as client:
            hello = client.admin.command("hello")
    except PyMongoError as error:
        raise ServerUnusable(f"FANFARE_MONGO_URL: no answer ({type(error).__name__})") from None
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise ServerUnusable(
            "FANFARE_MONGO_URL: that server is no replica set, and Fanfare needs majority writes:\n"
            "  start mongod with --replSet and run rs.initiate() once"
        )


def require_amqp(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "amqps":
        return  # the services check it, with their own trust settings
    is_open = opens_connection(
        parts.hostname or "localhost",
        parts.port or AMQP_PORT,
        unquote(parts.path.removeprefix("/")) or "/",
        unquote(parts.username or "guest"),
        unquote(parts.password or "guest"),
    )
    if not is_open:
        raise ServerUnusable(
            f"FANFARE_AMQP_URL: {parts.hostname}:{parts.port or AMQP_PORT} opens no connection"
            " with that user and virtual host"
        )
