"""The real simulators process, its certificates, and a client of its admin API."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.simulators.certificates import Certificates, write_certificates

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Running:
    """The process's addresses, its CA, and a client of its admin API."""

    urls: dict[str, str]
    certificates: Certificates
    admin: httpx.AsyncClient

    async def put(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        return _json(await self.admin.put(path, json=content))

    async def post(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        return _json(await self.admin.post(path, json=content))

    async def get(self, path: str) -> dict[str, Any]:
        return _json(await self.admin.get(path))

    async def entries(self, simulator: str) -> list[dict[str, Any]]:
        return list((await self.get(f"/{simulator}/log"))["entries"])

    async def reset(self) -> None:
        """Empty it of log, rules, device states and latency."""
        assert (await self.admin.post("/reset")).status_code == 204


@asynccontextmanager
async def running_simulators(folder: Path) -> AsyncIterator[Running]:
    """The process, with its files in the folder."""
    certificates = write_certificates(folder)
    ready_file = folder / "ready.json"
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.simulators", "--ready-file", str(ready_file)),
        *("--cert", str(certificates.cert_file), "--key", str(certificates.key_file)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert started.stdout is not None
    assert await asyncio.wait_for(started.stdout.readline(), 30)
    urls = json.loads(ready_file.read_text())
    async with httpx.AsyncClient(base_url=urls["admin_url"], timeout=30) as admin:
        yield Running(urls, certificates, admin)
    started.terminate()
    assert await asyncio.wait_for(started.wait(), 10) == 0


def _json(response: httpx.Response) -> dict[str, Any]:
    assert response.is_success, response.text
    return dict(response.json()) if response.content else {}
