"""`python -m api`: one API process; SIGTERM lets requests in flight finish."""

import os
import sys

import uvicorn

from api.app import create_app
from api.protocol import BoundedProtocol
from api.settings import FOREIGN_PREFIXES, ApiSettings
from shared import logs
from shared.settings import SettingsError, load

# Longer than the 60 s after which load balancers let go: the side that closes an idle connection
# first must not be the one that may be sent a request on it.
KEEP_ALIVE_SECONDS = 75


def main() -> int:
    try:
        settings = load(ApiSettings, os.environ, foreign_prefixes=FOREIGN_PREFIXES)
        app = create_app(settings)
    except (SettingsError, ValueError) as error:  # ValueError: a key that cannot be used
        sys.stderr.write(f"fanfare api: {error}\n")
        return 2
    logs.configure(settings.log_level, settings.log_format)
    config = uvicorn.Config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        loop="uvloop",
        http=BoundedProtocol,
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=bool(settings.api_trusted_proxies),
        forwarded_allow_ips=list(settings.api_trusted_proxies),
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(settings.api_drain_seconds),
    )
    server = uvicorn.Server(config)
    server.run()
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
