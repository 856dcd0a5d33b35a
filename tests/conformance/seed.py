"""Seed documents: the Push API's text, and of any their sections and what of them is quoted."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PATH = Path(__file__).resolve().parents[2] / "docs/seeds/push-notification-endpoints.txt"
TEXT = PATH.read_text()
_WORD = re.compile(r"\S*\w\S*")
_ONE_OF = re.compile(r'"(\w+)"(?: \| "\w+")+')  # not JSON: "web" | "ios" | "android"


class Statement(NamedTuple):
    """Something that the seed says, in its own words, and what is checked of it."""

    id: str
    quote: str
    checked: str

    @property
    def example(self) -> dict[str, Any]:
        """The JSON object in the quote; of alternatives the first."""
        text = self.quote[self.quote.index("{") : self.quote.rindex("}") + 1]
        found: dict[str, Any] = json.loads(_ONE_OF.sub(r'"\1"', text))
        return found


class Section(NamedTuple):
    """The seed from the line `begins` up to the next section.

    `not_statements` are texts that say nothing that could be checked, each with its reason.
    """

    begins: str
    statements: Sequence[Statement]
    not_statements: Mapping[str, str] = {}

    def quotes(self) -> Iterator[str]:
        yield from (statement.quote for statement in self.statements)
        yield from self.not_statements


class Part(NamedTuple):
    """A section and where it stands in the seed."""

    section: Section
    start: int
    text: str


def parts(sections: Sequence[Section], seed: str = TEXT) -> list[Part]:
    """The sections in their places, which must be in this order.

    Raises:
        ValueError: the seed has no such line behind the section before.
    """
    starts: list[int] = []
    for section in sections:
        behind = starts[-1] + 1 if starts else 0
        starts.append(f"\n{seed}".index(f"\n{section.begins}\n", behind))
    ends = [*starts[1:], len(seed)]
    places = zip(sections, starts, ends, strict=True)
    return [Part(section, start, seed[start:end]) for section, start, end in places]


def unquoted(sections: Sequence[Section], seed: str = TEXT) -> list[str]:
    """The words of the seed that no section quotes, each with its line."""
    covered: set[int] = set()
    for section, start, text in parts(sections, seed):
        for quote in section.quotes():
            at = start + text.index(quote)
            covered.update(range(at, at + len(quote)))
    return [
        f"line {seed.count(chr(10), 0, word.start()) + 1}: {word[0]}"
        for word in _WORD.finditer(seed)
        if not covered.issuperset(range(*word.span()))
    ]
