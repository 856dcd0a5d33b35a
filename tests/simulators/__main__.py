"""Runs the five simulators and their admin API in one process."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import signal
from pathlib import Path

import uvloop

from tests.simulators.admin import Admin, Simulators
from tests.simulators.server import Listener, listen_plain, listen_tls, tls_context


def main() -> None:
    """Parse the command line and serve until SIGTERM or SIGINT."""
    options = _parser().parse_args()
    gc.set_threshold(100_000, 20, 20)  # the log keeps much and frees little
    uvloop.run(_run(options))


async def _run(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    simulators = Simulators()
    urls: dict[str, str] = {}
    listeners = await _listen(options, simulators, urls)
    simulators.webpush.origin = urls["webpush_url"]
    if options.ready_file is not None:
        _write_atomically(options.ready_file, json.dumps(urls))
    print(f"simulators ready, admin at {urls['admin_url']}", flush=True)  # noqa: T201 - who started us waits for it
    await stopped.wait()
    for listener in listeners:
        listener.server.close()


async def _listen(
    options: argparse.Namespace, simulators: Simulators, urls: dict[str, str]
) -> list[Listener]:
    """Open every port and fill in the addresses."""
    host, name = options.host, options.public_host
    apns = simulators.apns
    h2_only = apns.certificates.ask_in(tls_context(options.cert, options.key, ["h2"]))
    both = tls_context(options.cert, options.key, ["h2", "http/1.1"])
    admin = Admin(simulators, urls)
    listeners = {
        "admin_url": await listen_plain(admin, host, options.admin_port, label="admin"),
        "apns_url": await listen_tls(
            apns, h2_only, host, options.apns_port, label="production", is_h2_only=True
        ),
        "apns_sandbox_url": await listen_tls(
            apns, h2_only, host, options.apns_sandbox_port, label="sandbox", is_h2_only=True
        ),
        "fcm_url": await listen_tls(simulators.fcm, both, host, options.fcm_port, label="fcm"),
        "webpush_url": await listen_tls(
            simulators.webpush, both, host, options.webpush_port, label="webpush"
        ),
        "pushy_url": await listen_tls(
            simulators.pushy, both, host, options.pushy_port, label="pushy"
        ),
        "receiver_url": await listen_plain(
            simulators.receiver, host, options.receiver_port, label="receiver"
        ),
    }
    for key, listener in listeners.items():
        scheme = "http" if key in ("admin_url", "receiver_url") else "https"
        urls[key] = f"{scheme}://{name}:{listener.port}"
        admin.listeners.setdefault(key.partition("_")[0], []).append(listener)
    urls["fcm_token_url"] = urls["fcm_url"] + "/token"
    return list(listeners.values())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulators", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to bind")
    parser.add_argument(
        "--public-host", default="localhost", help="name in the addresses handed out"
    )
    parser.add_argument(
        "--cert", type=Path, required=True, help="PEM certificate of the TLS listeners"
    )
    parser.add_argument("--key", type=Path, required=True, help="PEM key of the TLS listeners")
    for name in ("admin", "apns", "apns-sandbox", "fcm", "webpush", "pushy", "receiver"):
        parser.add_argument(f"--{name}-port", type=int, default=0, help="0 picks a free one")
    parser.add_argument(
        "--ready-file", type=Path, help="JSON of all addresses, written when all listen"
    )
    return parser


def _write_atomically(file: Path, text: str) -> None:
    temporary = file.with_name(file.name + ".tmp")
    temporary.write_text(text)
    temporary.replace(file)


if __name__ == "__main__":
    main()
