"""Settings from the environment: frozen, read once; what is unknown or contradicts stops start-up.

A settings class is a msgspec Struct whose field names, upper-cased behind `FANFARE_`, are the
environment keys. `FANFARE_<NAME>_FILE` reads the value from a file (Docker and Kubernetes secrets).
"""

import base64
import binascii
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

PREFIX = "FANFARE_"
Positive = Annotated[float, Meta(gt=0)]


class SettingsError(Exception):
    """The environment does not hold valid settings."""


class CommonSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What both services read."""

    mode: Annotated[
        Literal["production", "local"],
        Meta(description="`local` allows loopback webhooks and `fanfare token`"),
    ] = "production"
    mongo_url: Annotated[str, Meta(description="MongoDB connection string of a replica set")]
    mongo_database: Annotated[str, Meta(description="database name")] = "fanfare"
    mongo_driver: Annotated[
        Literal["motor", "pymongo"], Meta(description="async driver: Motor or PyMongo's own")
    ] = "motor"
    amqp_url: Annotated[str, Meta(description="RabbitMQ address, with the vhost")]
    encryption_keys: Annotated[
        tuple[str, ...],
        Meta(description="`id:base64` of 32 bytes each; the first encrypts, all decrypt"),
    ]
    hash_key: Annotated[
        str, Meta(description="base64 of 32 bytes; keys the look-up hashes, never changes")
    ]
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="least level that is logged")
    ] = "info"
    log_format: Annotated[
        Literal["json", "console"], Meta(description="one JSON object a line, or for people")
    ] = "json"
    retry_levels_seconds: Annotated[
        tuple[Positive, ...], Meta(description="waits kept in RabbitMQ, one queue each, ascending")
    ] = (5, 30, 120, 600)
    hook_levels_seconds: Annotated[
        tuple[Positive, ...], Meta(description="the same for webhook calls")
    ] = (5, 300)
    apns_production_url: Annotated[str, Meta(description="APNs, production")] = (
        "https://api.push.apple.com"
    )
    apns_sandbox_url: Annotated[str, Meta(description="APNs, sandbox")] = (
        "https://api.sandbox.push.apple.com"
    )
    fcm_url: Annotated[str, Meta(description="FCM HTTP v1")] = "https://fcm.googleapis.com"
    fcm_token_url: Annotated[
        str, Meta(description="Google's OAuth token endpoint; a service account's own is ignored")
    ] = "https://oauth2.googleapis.com/token"  # noqa: S105 an address
    pushy_url: Annotated[str, Meta(description="Pushy's API")] = "https://api.pushy.me"
    webpush_allowed_hosts: Annotated[
        tuple[str, ...], Meta(description="hosts that Web Push endpoints may have")
    ] = (
        "fcm.googleapis.com",
        "*.push.services.mozilla.com",
        "*.push.apple.com",
        "*.notify.windows.com",
    )
    ca_file: Annotated[
        str | None, Meta(description="PEM of the authorities to trust; none: the usual ones")
    ] = None
    provider_timeout_seconds: Annotated[
        Positive, Meta(description="total time of one call to a provider")
    ] = 15

    @property
    def is_local(self) -> bool:
        return self.mode == "local"

    def __post_init__(self) -> None:
        levels = self.retry_levels_seconds
        if not levels or list(levels) != sorted(set(levels)):
            raise ValueError("retry_levels_seconds must ascend and hold at least one")
        if list(self.hook_levels_seconds) != sorted(set(self.hook_levels_seconds)):
            raise ValueError("hook_levels_seconds must ascend")
        decode_key(self.hash_key)
        decode_keys(self.encryption_keys)


SettingsT = TypeVar("SettingsT", bound=CommonSettings)


def load(
    cls: type[SettingsT], environ: Mapping[str, str], *, foreign_prefixes: tuple[str, ...]
) -> SettingsT:
    """Read `cls` from an environment.

    Args:
        cls: the settings class.
        environ: usually `os.environ`.
        foreign_prefixes: name prefixes (behind `FANFARE_`) that other programs read.

    Raises:
        SettingsError: a key is unknown, missing or holds a bad value. The text names keys only,
            never values.
    """
    given = {
        key.removeprefix(PREFIX): value
        for key, value in environ.items()
        if key.startswith(PREFIX) and not key.removeprefix(PREFIX).startswith(foreign_prefixes)
    }
    types = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    for key, raw in given.items():
        name, text = _resolve(key, raw, types)
        values[name] = _split(text, types[name])
    missing = [f.encode_name for f in msgspec.structs.fields(cls) if f.required]
    missing = [name for name in missing if name not in values]
    if missing:
        keys = ", ".join(PREFIX + name.upper() for name in missing)
        raise SettingsError(f"missing settings: {keys}")
    try:
        return msgspec.convert(values, cls, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"bad setting: {error}") from None


def _resolve(key: str, raw: str, types: Mapping[str, Any]) -> tuple[str, str]:
    name = key.lower()
    if name in types:
        return name, raw
    if name.endswith("_file") and (base := name.removesuffix("_file")) in types:
        return base, Path(raw).read_text(encoding="utf-8").strip()
    raise SettingsError(f"unknown setting: {PREFIX}{key}")


def _split(text: str, annotation: Any) -> Any:
    """Comma-separated text for a tuple of plain values, JSON for a tuple of structs."""
    if typing.get_origin(annotation) is not tuple:
        return text
    item = typing.get_args(annotation)[0]
    if isinstance(item, type) and issubclass(item, msgspec.Struct):
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise SettingsError(f"bad setting: not JSON: {error}") from None
    return [part.strip() for part in text.split(",") if part.strip()]


def decode_key(text: str) -> bytes:
    """32 bytes from base64.

    Raises:
        ValueError: it is not base64 of exactly 32 bytes.
    """
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:  # noqa: PLR2004 AES-256 and HMAC-SHA256
        raise ValueError("a key must be base64 of 32 bytes")
    return key


def decode_keys(entries: Sequence[str]) -> dict[str, bytes]:
    """Keys by their ids, in order, from entries `id:base64`.

    Raises:
        ValueError: none, two of one id, or one that is not 32 bytes.
    """
    keys: dict[str, bytes] = {}
    for entry in entries:
        name, colon, text = entry.partition(":")
        if not colon or not name or name in keys:
            raise ValueError("encryption_keys holds entries `id:base64` with distinct ids")
        keys[name] = decode_key(text)
    if not keys:
        raise ValueError("encryption_keys holds no key")
    return keys
