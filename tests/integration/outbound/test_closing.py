"""Closing a transport holds nobody up, whatever libcurl's own threads are doing."""

import asyncio
import threading

import pycurl
import pytest

from shared.outbound.transport import Transport


async def test_closing_does_not_wait_for_a_name_that_is_looked_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Libcurl joins its resolver's threads when it is cleaned up: up to half a minute."""
    resolved, cleaned = threading.Event(), threading.Event()

    class SlowToCleanUp(pycurl.CurlMulti):
        def close(self) -> None:
            assert resolved.wait(30)
            super().close()
            cleaned.set()

    monkeypatch.setattr(pycurl, "CurlMulti", SlowToCleanUp)
    transport = Transport()

    await transport.aclose()

    assert not cleaned.is_set()
    resolved.set()
    assert await asyncio.to_thread(cleaned.wait, 10)
