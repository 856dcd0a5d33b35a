"""Makes a notification small enough for its provider (CONTRACT: What a provider cannot carry)."""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from shared.domain.notifications import Content
from shared.domain.options import Oversize

ELLIPSIS = "…"
BuiltT = TypeVar("BuiltT")
_JOINERS = "\u200d\ufe0e\ufe0f"  # a cut behind one of these would end in half an emoji


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """What of a content goes out: `data` is JSON text; `data_truncated` says that it was left out.

    `shortened` names the fields that were cut.
    """

    title: str
    body: str
    data: str | None = None
    data_truncated: bool = False
    shortened: tuple[str, ...] = ()

    @property
    def cut(self) -> tuple[str, ...]:
        """What the device does not get whole, for the record: of title, body and data."""
        return (*self.shortened, "data") if self.data_truncated else self.shortened


Measure = Callable[[Text], int]  # bytes of the provider's payload built from this text


class Fitted(msgspec.Struct, Generic[BuiltT], frozen=True):
    """A text that fits, and what was built from it."""

    text: Text
    content: BuiltT


def text_of(content: Content, language: str | None) -> Text:
    """A content in the device's language, before anything is cut."""
    wording = content.options.wording(language)
    title, body = (wording.title, wording.body) if wording else (content.title, content.body)
    return Text(title=title, body=body, data=content.data)


def wordless(text: Text) -> Text:
    """For columns in which a silent notification has no title and body."""
    return msgspec.structs.replace(text, title="", body="")


def fit_content(
    text: Text,
    oversize: Oversize,
    build: Callable[[Text], BuiltT],
    size: Callable[[BuiltT], int],
    bytes_max: int,
) -> Fitted[BuiltT] | None:
    """What `fit` makes of the text, built; nearly always all of it fits and is built once."""
    content = build(text)
    if size(content) <= bytes_max:
        return Fitted(text, content)
    fitting = fit(text, oversize, lambda text: size(build(text)), bytes_max)
    return None if fitting is None else Fitted(fitting, build(fitting))


def fit(text: Text, oversize: Oversize, measure: Measure, bytes_max: int) -> Text | None:
    """The text if it fits, else with a shorter body, then title, and only then without data.

    Returns:
        None when it cannot be made to fit, or must not be.
    """
    if measure(text) <= bytes_max:
        return text
    if oversize == "reject":
        return None
    fitting = _shorten_both(text, measure, bytes_max)
    if measure(fitting) <= bytes_max:
        return fitting
    if text.data is None:
        return None
    without = msgspec.structs.replace(text, data=None, data_truncated=True)
    return fit(without, oversize, measure, bytes_max)


def _shorten_both(text: Text, measure: Measure, bytes_max: int) -> Text:
    text = _shorten(text, "body", measure, bytes_max)
    return text if measure(text) <= bytes_max else _shorten(text, "title", measure, bytes_max)


def _shorten(text: Text, field: str, measure: Measure, bytes_max: int) -> Text:
    """Keep the longest beginning of the field with which all fits; only the … if none does."""
    whole: str = getattr(text, field)
    low, high = 0, len(whole)  # `low` characters fit (or must), `high` do not
    while high - low > 1:
        middle = (low + high) // 2
        if measure(_cut(text, field, whole, middle)) <= bytes_max:
            low = middle
        else:
            high = middle
    return _cut(text, field, whole, low) if whole else text


def _cut(text: Text, field: str, whole: str, length: int) -> Text:
    kept = whole[:length].rstrip().rstrip(_JOINERS) + ELLIPSIS
    return msgspec.structs.replace(text, **{field: kept}, shortened=(*text.shortened, field))
