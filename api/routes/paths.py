"""Path and query parameters that several routes share.

Ids in paths are text here: a malformed one is treated as absent after authentication, not before.
"""

from typing import Annotated

from litestar.params import PathParameter

IdPath = Annotated[str, PathParameter(schema_extra={"format": "uuid"})]
