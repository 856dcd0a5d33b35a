"""An HTTP/2 server of its own process that refuses every tenth path once; prints its address."""

import asyncio
import contextlib
import sys
from pathlib import Path

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

from tests.integration.outbound.servers import H2Peer, serve_h2
from tests.simulators.certificates import Certificates

_refused: set[str] = set()


def refuse_every_tenth(peer: H2Peer, stream_id: int, path: str) -> None:
    if path.endswith("0") and path not in _refused:
        _refused.add(path)
        peer.reset(stream_id, ErrorCodes.REFUSED_STREAM)
    else:
        with contextlib.suppress(ProtocolError):  # a client without the sweep gave up waiting
            peer.reply(stream_id)


async def main(ca: str, certificate: str, key: str) -> None:
    files = Certificates(Path(ca), Path(certificate), Path(key))
    async with serve_h2(files, refuse_every_tenth) as server:
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
