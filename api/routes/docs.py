"""The human documentation at /docs: made once, the same for everybody, without another host."""

from typing import Any

from litestar import MediaType, Request, Response, Router, get
from litestar.datastructures import State

from api.docs.page import Page, make_page
from api.openapi.document import document_of

AnyRequest = Request[Any, Any, State]


def docs_routes() -> Router:
    page: Page | None = None

    @get("/docs", include_in_schema=False, sync_to_thread=False)
    def docs(request: AnyRequest) -> Response[bytes]:
        nonlocal page
        page = page or make_page(document_of(request.app))
        return _answer(page, request.headers.get("if-none-match", ""))

    return Router("/", route_handlers=[docs])


def _answer(page: Page, known: str) -> Response[bytes]:
    """The page, or 304 to a browser that has it; browsers ask every time, so it is never stale."""
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": page.policy,
        "ETag": page.etag,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    if page.etag in tags or "*" in tags:
        return Response(b"", status_code=304, headers=headers)
    return Response(page.content, media_type=MediaType.HTML, headers=headers)
