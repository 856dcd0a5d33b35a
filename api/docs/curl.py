"""An operation as a command to paste: `$API`, `$TOKEN` and the path's ids are shell variables."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from api.docs.samples import Samples

FORM = "application/x-www-form-urlencoded"
_PARAMETER = re.compile(r"\{(\w+)\}")
_FROM_THE_SHELL = {
    "client_id": "$APP_ID",
    "client_secret": "$CLIENT_SECRET",
    "Idempotency-Key": "$(uuidgen)",
}


def curl(method: str, path: str, operation: Mapping[str, Any], samples: Samples) -> str:
    """The command, one option a line."""
    content = operation.get("requestBody", {}).get("content", {})
    verb = "" if method == "get" or (method == "post" and content) else f"-X {method.upper()} "
    url = f"$API{_PARAMETER.sub(lambda match: f'${match[1].upper()}', path)}"
    lines = [f'curl -s {verb}"{url}{_query(operation, samples)}"']
    if operation.get("security") != [{}]:
        lines.append('-H "authorization: Bearer $TOKEN"')
    lines += _headers(operation, samples)
    for media_type, body in list(content.items())[:1]:
        lines += _body(media_type, samples.of_content(body, whole=False))
    return " \\\n  ".join(lines)


def _query(operation: Mapping[str, Any], samples: Samples) -> str:
    """What must be in the query."""
    pairs = [f"{name}={value}" for name, value in _needed(operation, samples, "query")]
    return "?" + "&".join(pairs) if pairs else ""


def _headers(operation: Mapping[str, Any], samples: Samples) -> Iterator[str]:
    for name, value in _needed(operation, samples, "header"):
        yield f'-H "{name.lower()}: {value}"'


def _needed(
    operation: Mapping[str, Any], samples: Samples, place: str
) -> Iterator[tuple[str, Any]]:
    for row in operation.get("parameters", []):
        name = row["name"]
        if row["in"] == place and (row.get("required") or name in _FROM_THE_SHELL):
            yield name, _FROM_THE_SHELL.get(name) or samples.of(row.get("schema", {}), name)


def _body(media_type: str, body: Any) -> Iterator[str]:
    if media_type == FORM:
        for name, value in body.items():
            yield f'-d "{name}={_FROM_THE_SHELL.get(name, value)}"'
        return
    yield f"-H 'content-type: {media_type}'"
    if isinstance(body, str):  # --data-binary keeps line ends
        yield f"--data-binary {_quoted(body)}"
    else:
        yield f"-d {_quoted(json.dumps(body, ensure_ascii=False, indent=2))}"


def _quoted(text: str) -> str:
    """A single-quoted word of the shell."""
    return "'" + text.replace("'", "'\\''") + "'"
