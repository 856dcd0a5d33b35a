"""Structured logs: dotted past-tense events with ids; secrets are cut out wherever they turn up."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import msgspec
import structlog

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_SECRET_KEYS = frozenset(
    [
        "token",
        "push_token",
        "endpoint",
        "p256dh",
        "auth",
        "secret",
        "client_secret",
        "webhook_secret",
        "authorization",
        "title",
        "body",
        "data",
        "content",
        "private_key",
        "api_key",
        "password",
        "access_token",
    ]
)
_SECRET_TEXT = re.compile(
    r"eyJ[\w-]{5,}\.[\w-]+\.[\w-]*"  # a JWT
    r"|whsec_[A-Za-z0-9+/=]+"
    r"|(?<=api_key=)[^&\s\"']+"
    r"|(?<=://)[^/@\s]+:[^/@\s]+(?=@)"  # user:password in an address
)
_CUT = "[cut]"


def configure(level: str, log_format: str) -> None:
    """Set up structlog and the standard library's logging, once per process, to stdout."""
    processors: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        cut_secrets,
    ]
    is_json = log_format == "json"
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer(serializer=_to_json)
        if is_json
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *processors],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.basicConfig(level=max(_LEVELS[level], logging.WARNING), handlers=[handler], force=True)
    # On each lost connection aio-pika logs its own closing callbacks as errors: noise.
    logging.getLogger("aio_pika.tools").setLevel(logging.CRITICAL)


def _to_json(event: Any, **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


def cut_secrets(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Drop the values of secret keys, and secrets that stand inside other texts."""
    for key, value in event.items():
        if key in _SECRET_KEYS:
            event[key] = _CUT
        elif isinstance(value, str):
            event[key] = _SECRET_TEXT.sub(_CUT, value)
    return event


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(source=name)
    return logger
