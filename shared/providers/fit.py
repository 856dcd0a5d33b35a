"""Makes a notification small enough for its provider (CONTRACT: What a provider cannot carry)."""

from collections.abc import Callable

import msgspec

from shared.domain.notifications import Content

ELLIPSIS = "…"
_JOINERS = "\u200d\ufe0e\ufe0f"  # a cut behind one of these would end in half an emoji


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """What of a content goes out: `data` is JSON text; `data_truncated` says that it was left out.

    `shortened` names the fields that were cut, for previews.
    """

    title: str
    body: str
    data: str | None = None
    data_truncated: bool = False
    shortened: tuple[str, ...] = ()


Measure = Callable[[Text], int]  # bytes of the provider's payload built from this text


def text_of(content: Content) -> Text:
    return Text(title=content.title, body=content.body, data=content.data)


def fit(text: Text, measure: Measure, bytes_max: int) -> Text:
    """The text itself if it fits, else with a shorter body, then title, and only then no data."""
    if measure(text) <= bytes_max:
        return text
    fitting = _shorten_both(text, measure, bytes_max)
    if measure(fitting) <= bytes_max or text.data is None:
        return fitting
    without = msgspec.structs.replace(text, data=None, data_truncated=True)
    return fit(without, measure, bytes_max)


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
