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


def shortened(text: Text, bytes_max: int) -> Text:
    fitted = fit(text, "shorten", measure, bytes_max)
    assert fitted is not None
    return fitted


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)
datas = st.none() | st.text(max_size=60).map(lambda value: json.dumps({"k": value}))


@given(title=texts, body=texts, data=datas, bytes_max=st.integers(60, 600))
def test_fit_always_fits_and_only_shortens(
    title: str, body: str, data: str | None, bytes_max: int
) -> None:
    fitted = shortened(Text(title=title, body=body, data=data), bytes_max)

    assert measure(fitted) <= bytes_max
    for whole, kept in ((title, fitted.title), (body, fitted.body)):
        assert kept == whole or (kept.endswith(ELLIPSIS) and whole.startswith(kept[:-1]))
    assert fitted.data == data or (fitted.data is None and fitted.data_truncated)


def test_fit_returns_what_fits_as_it_is() -> None:
    text = Text(title="t", body="b", data="{}")

    assert shortened(text, 1_000) is text


def test_fit_shortens_the_body_first_and_as_little_as_possible() -> None:
    text = Text(title="t" * 50, body="b" * 100, data="{}")

    fitted = shortened(text, 150)

    assert fitted.title == text.title
    assert measure(fitted) == 150
    assert fitted.shortened == ("body",)


def test_fit_shortens_the_title_when_the_body_is_gone() -> None:
    text = Text(title="t" * 50, body="b" * 100, data='{"k":"%s"}' % ("d" * 80))

    fitted = shortened(text, 150)

    assert fitted.body == ELLIPSIS
    assert fitted.title.startswith("t")
    assert fitted.data == text.data
    assert fitted.shortened == ("body", "title")


def test_fit_leaves_out_data_last_and_then_keeps_the_words() -> None:
    text = Text(title="t" * 20, body="b" * 20, data='{"k":"%s"}' % ("d" * 200))

    fitted = shortened(text, 150)

    assert fitted == Text(title="t" * 20, body="b" * 20, data_truncated=True)


@pytest.mark.parametrize("bytes_max", range(40, 70))
def test_fit_cuts_between_characters(bytes_max: int) -> None:
    fitted = shortened(Text(title="", body="漢字👩‍🚀" * 10), bytes_max)

    assert measure(fitted) <= bytes_max
    assert not fitted.body.endswith(f"\u200d{ELLIPSIS}")


def test_fit_gives_up_when_not_even_the_rest_fits() -> None:
    assert fit(Text(title="t", body="b", data='{"k":1}'), "shorten", measure, 20) is None


@pytest.mark.parametrize(("bytes_max", "fits"), [(39, True), (38, False)])
def test_fit_cuts_nothing_when_it_must_not(bytes_max: int, fits: bool) -> None:
    text = Text(title="t", body="b", data='{"k":1}')

    assert (measure(text), fit(text, "reject", measure, bytes_max)) == (39, text if fits else None)


def test_text_tells_what_was_cut() -> None:
    assert Text(title="t", body="b").cut == ()
    assert Text(title="t", body="b", shortened=("body",), data_truncated=True).cut == (
        "body",
        "data",
    )
