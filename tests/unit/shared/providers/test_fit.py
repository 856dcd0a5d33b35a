"""Shortening: body, then title, then data, and never more than is needed."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.providers.fit import ELLIPSIS, Text, fit


def measure(text: Text) -> int:
    data = {} if text.data is None else {"data": msgspec.Raw(text.data.encode())}
    flag = {"data_truncated": True} if text.data_truncated else {}
    return len(msgspec.json.encode({"title": text.title, "body": text.body, **data, **flag}))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)
datas = st.none() | st.text(max_size=60).map(lambda value: json.dumps({"k": value}))


@given(title=texts, body=texts, data=datas, bytes_max=st.integers(60, 600))
def test_fit_always_fits_and_only_shortens(
    title: str, body: str, data: str | None, bytes_max: int
) -> None:
    fitted = fit(Text(title=title, body=body, data=data), measure, bytes_max)

    assert measure(fitted) <= bytes_max
    for whole, kept in ((title, fitted.title), (body, fitted.body)):
        assert kept == whole or (kept.endswith(ELLIPSIS) and whole.startswith(kept[:-1]))
    assert fitted.data == data or (fitted.data is None and fitted.data_truncated)


def test_fit_returns_what_fits_as_it_is() -> None:
    text = Text(title="t", body="b", data="{}")

    assert fit(text, measure, 1_000) is text


def test_fit_shortens_the_body_first_and_as_little_as_possible() -> None:
    text = Text(title="t" * 50, body="b" * 100, data="{}")

    fitted = fit(text, measure, 150)

    assert fitted.title == text.title
    assert measure(fitted) == 150
    assert fitted.shortened == ("body",)


def test_fit_shortens_the_title_when_the_body_is_gone() -> None:
    text = Text(title="t" * 50, body="b" * 100, data='{"k":"%s"}' % ("d" * 80))

    fitted = fit(text, measure, 150)

    assert fitted.body == ELLIPSIS
    assert fitted.title.startswith("t")
    assert fitted.data == text.data
    assert fitted.shortened == ("body", "title")


def test_fit_leaves_out_data_last_and_then_keeps_the_words() -> None:
    text = Text(title="t" * 20, body="b" * 20, data='{"k":"%s"}' % ("d" * 200))

    fitted = fit(text, measure, 150)

    assert fitted == Text(title="t" * 20, body="b" * 20, data_truncated=True)


@pytest.mark.parametrize("bytes_max", range(40, 70))
def test_fit_cuts_between_characters(bytes_max: int) -> None:
    fitted = fit(Text(title="", body="漢字👩‍🚀" * 10), measure, bytes_max)

    assert measure(fitted) <= bytes_max
    assert not fitted.body.endswith(f"\u200d{ELLIPSIS}")
