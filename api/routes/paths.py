"""Path and query parameters that several routes share.

Ids in paths are text here: a malformed one is treated as absent after authentication, not before.
"""

from typing import Annotated
from uuid import UUID

from litestar.params import PathParameter, QueryParameter

from api.auth.principals import parse_id
from api.errors import invalid

PAGE_MAX = 1_000
IdPath = Annotated[str, PathParameter(schema_extra={"format": "uuid"})]
Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_MAX, description="rows on a page")]
Cursor = Annotated[
    str | None,
    QueryParameter(
        description="`next_cursor` of the page before",
        schema_extra={"pattern": "^[0-9a-f]{32}$"},
    ),
]
UserFilter = Annotated[
    str | None, QueryParameter(description="of this user only", schema_extra={"format": "uuid"})
]


def id_or_none(text: str | None, pointer: str) -> UUID | None:
    """The id in a query parameter.

    Raises:
        ValidationFailedError: it is no id.
    """
    parsed = parse_id(text)
    if text is not None and parsed is None:
        raise invalid(pointer, "Expected `uuid`")
    return parsed
