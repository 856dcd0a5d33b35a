"""Bodies that are neither JSON nor a form: lines of users, and encrypted requests."""

from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import SerializationContext

NDJSON, JOSE = "application/x-ndjson", "application/jose"
_USERS = st.uuids().map(lambda user: f'{{"user_id": "{user}"}}')
_LINES = st.lists(
    st.one_of(
        _USERS,
        st.uuids().map(lambda user: f'"{user}"'),
        st.sampled_from(["", "  ", "nonsense", "{}", "[]", '{"user_id": 1}', "null", '"x' * 600]),
        st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])),
    ),
    max_size=20,
)
_ENDS = st.sampled_from(["\n", "\r\n"])


def register() -> None:
    """Tell schemathesis how these are made and sent."""
    lines = st.builds(lambda end, lines: end.join(lines), _ENDS, _LINES)
    schemathesis.openapi.media_type(NDJSON, lines)
    for media_type in (NDJSON, JOSE):
        schemathesis.serializer(media_type)(_as_it_is)


def _as_it_is(context: SerializationContext, value: Any) -> Any:
    del context
    return value.encode() if isinstance(value, str) else str(value).encode()
