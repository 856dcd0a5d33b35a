"""The Pushy API's envelope: which language it speaks, and that it has words for everything."""

import time
from collections.abc import Iterator

import pytest
from litestar.exceptions import ClientException

from api import errors
from api.envelope import SUCCESS, prefers_chinese, speaks_envelope
from api.messages_zh import CHINESE
from api.problems import _DETAILS, fault_of
from api.services import pushy_errors

CPU_SECONDS_MAX = 0.1


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("zh", True),
        ("ZH", True),
        ("zh-CN", True),
        ("zh-Hant-TW", True),
        ("zh-CN,zh;q=0.9,en;q=0.8", True),
        ("en;q=0.8, zh;q=0.9", True),
        ("en;q=0.5,\tzh ; q=0.6", True),
        ("de, zh;q=0.1", True),
        ("zh, en;q=1.000", False),
        ("en, zh", False),
        ("en-GB, zh;q=0.9", False),
        ("zh;q=0", False),
        ("zh;q=0.000, en;q=0.001", False),
        ("", False),
        ("*", False),
        ("de", False),
        ("zhx", False),
        ("zh_CN", False),
        ("zh;q=high", False),
        ("zh;level=1", False),
        (",,zh,,", True),
        ("en" + ",x" * 1_000 + ",zh", False),
    ],
)
def test_chinese_is_spoken_to_who_would_rather_have_it(field: str, *, expected: bool) -> None:
    assert prefers_chinese(field) is expected


@pytest.mark.parametrize(
    "field",
    [
        "zh" + " " * 60_000 + "x",
        "zh" + " \t" * 30_000 + ";" + " " * 5_000,
        "zh" + "-a" * 30_000 + "!",
        "zh;q=0." + "0" * 60_000,
        "," * 60_000,
        "zh;q=1," * 9_000,
        "a" * 60_000,
    ],
)
def test_no_field_takes_long_to_read(field: str) -> None:
    began = time.process_time()

    prefers_chinese(field)

    assert time.process_time() - began < CPU_SECONDS_MAX


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1", True),
        ("/api/v1/", True),
        ("/api/v1/device-info", True),
        ("/api/v1/nothing", True),
        ("/api/v10/device-info", False),
        ("/api", False),
        ("/push/send", False),
        ("/", False),
    ],
)
def test_it_is_spoken_below_its_prefix(path: str, *, expected: bool) -> None:
    assert speaks_envelope(path) is expected


def details() -> Iterator[str]:
    """Everything that a refusal can say."""
    for module in (errors, pushy_errors):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, errors.ServiceError):
                yield getattr(kind, "detail", SUCCESS)
    yield from _DETAILS.values()
    yield fault_of(ClientException()).detail
    yield from ("Incomplete request", "Internal error")


def test_every_message_has_a_chinese_one() -> None:
    assert [text for text in {SUCCESS, *details()} if text not in CHINESE] == []


def test_chinese_messages_are_chinese() -> None:
    for english, chinese in CHINESE.items():
        assert any("\u4e00" <= character <= "\u9fff" for character in chinese), english
    assert len(set(CHINESE.values())) == len(CHINESE)
