"""Markup that cannot be forgotten to be escaped: a plain string is text, only `Html` is markup."""

import re
from collections.abc import Iterable
from html import escape

_CODE = re.compile(r"`([^`\n]+)`")
_VOID = frozenset({"link", "meta", "wbr"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str) -> Html:
    """An element; a trailing underscore keeps an attribute's name off Python's keywords."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
    )
    if name in _VOID:
        return Html(f"<{name}{given}>")
    return Html(f"<{name}{given}>{together(children)}</{name}>")


def together(children: Iterable[str]) -> Html:
    return Html("".join(c if isinstance(c, Html) else escape(c, quote=False) for c in children))


def prose(text: str) -> Html:
    """One line of a description: what stands in backticks is code."""
    return Html(_CODE.sub(r"<code>\1</code>", escape(text, quote=False)))


def paragraphs(text: str) -> Html:
    """A description: blank lines part its paragraphs."""
    return together(
        element("p", prose(" ".join(part.split()))) for part in text.split("\n\n") if part.strip()
    )


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> Html:
    """A table that scrolls by itself where the screen is narrow."""
    head = element("tr", *(element("th", name, scope="col") for name in headings))
    body = (element("tr", *(element("td", cell) for cell in row)) for row in rows)
    whole = element("table", element("thead", head), element("tbody", *body))
    return element("div", whole, class_="scroll")
