"""nginx as a provider that is never the bottleneck: it answers at once, over TLS and HTTP/2.

One worker process; its CPU is not part of what is measured.
"""

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.ports import HOST, free_port
from deploy.local.processes import Process
from tests.simulators.certificates import Certificates, write_certificates

_READY_SECONDS = 10.0
_CONFIG = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 3600;
    http2_max_concurrent_streams 1000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {host}:{port} ssl http2;
        server_name localhost;
        ssl_certificate {cert};
        ssl_certificate_key {key};
        location /3/device/ {{ add_header apns-id $http_apns_id always; return 200; }}
        location /token {{
            default_type application/json;
            return 200 '{{"access_token":"{token}","expires_in":3599,"token_type":"Bearer"}}';
        }}
        location /v1/projects/ {{
            default_type application/json;
            return 200 '{{"name":"projects/example-project/messages/0:1700000000000000%0"}}';
        }}
        location /push/ {{
            add_header location https://localhost:{port}/m/0 always;
            return 201;
        }}
    }}
}}
"""


class NginxMissing(RuntimeError):
    """nginx is not installed."""


class StaticServer:
    """Where it listens, and whom to trust."""

    def __init__(self, port: int, certificates: Certificates) -> None:
        self.port = port
        self.ca_file = str(certificates.ca_file)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"


@contextmanager
def static_server(folder: Path) -> Iterator[StaticServer]:
    """Serve until the block ends; Debian's package is `nginx-light`."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise NginxMissing("nginx is missing: apt-get install nginx-light")
    certificates, port = write_certificates(folder / "tls"), free_port()
    config = _CONFIG.format(
        folder=folder,
        host=HOST,
        port=port,
        cert=certificates.cert_file,
        key=certificates.key_file,
        token="t" * 180,  # as long as Google's
    )
    (folder / "nginx.conf").write_text(config)
    command = [program, "-p", str(folder), "-e", str(folder / "error.log")]
    process = Process(
        "nginx",
        [*command, "-c", str(folder / "nginx.conf")],
        log_file=folder / "console.log",
        cwd=folder,
        grace_seconds=5.0,
    )
    process.start()
    try:
        process.wait_ready(lambda: _listens(port), _READY_SECONDS)
        yield StaticServer(port, certificates)
    finally:
        process.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0
