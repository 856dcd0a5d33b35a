"""Many users with one device each, and a count of what the provider saw of their notifications."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from uuid import uuid4

from tests.e2e.tenant import Json, Tenant
from tests.eventually import eventually

_AT_ONCE = 16


@dataclass(frozen=True)
class Tally:
    """What happened to accepted deliveries; `states` are those of their receipts."""

    accepted: int
    seen: int
    lost: int
    doubled: int
    states: dict[str, int]


@dataclass
class Crowd:
    """FCM users of one app, and the notifications that were accepted for them."""

    tenant: Tenant
    users: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    _log_from: int = 0
    _taken: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def gather(self, size: int) -> None:
        """Register `size` users with one FCM device each."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def join(user_id: str, token: str) -> None:
            async with gate:
                await self.tenant.register(user_id, "fcm", token)

        self.users = [str(uuid4()) for _ in range(size)]
        self.tokens = [await self.tenant.new_token("fcm") for _ in range(size)]
        await asyncio.gather(*map(join, self.users, self.tokens))
        self._log_from = (await self._log(0))["next"]

    def start_over(self) -> None:
        """Forget what was sent so far."""
        self.accepted = []
        self._taken.clear()

    async def send_to_all(self) -> None:
        """One bulk to everybody, in requests of 500."""
        for start in range(0, len(self.users), 500):
            answer = await self.tenant.call(
                "POST",
                "/push/send/bulk",
                token=self.tenant.service(),
                body={"user_ids": self.users[start : start + 500], "title": "All", "body": "x"},
            )
            self.accepted += answer["notification_ids"]

    async def send_one(self, index: int) -> None:
        self.accepted.append(await self.tenant.send(self.users[index % len(self.users)]))

    async def seen(self) -> Counter[tuple[str, str]]:
        """How often the provider took each of our (notification, device) pairs."""
        while (page := await self._log(self._log_from))["entries"]:
            self._taken.update(
                (entry["notification_id"], entry["device"])
                for entry in page["entries"]
                if entry["accepted"]
            )
            self._log_from = page["next"]
        ours = set(self.accepted)
        return Counter({pair: n for pair, n in self._taken.items() if pair[0] in ours})

    async def wait_seen(self, count: int) -> None:
        async def look() -> bool:
            return len(await self.seen()) >= count

        await eventually(look, within_seconds=60, what=f"{count} seen")

    async def tally(self, *, within_seconds: float) -> Tally:
        """Once every accepted delivery has its receipt: what became of them."""

        async def look() -> list[Json] | None:
            receipts = await self._receipts()
            return receipts if len(receipts) >= len(self.accepted) else None

        receipts = await eventually(look, within_seconds=within_seconds, what="all receipts")
        seen = await self.seen()
        taken = {notification_id for notification_id, _ in seen}
        refused = {r["notification_id"] for r in receipts if r["state"] != "sent"}
        return Tally(
            accepted=len(self.accepted),
            seen=len(seen),
            lost=len(set(self.accepted) - taken - refused),
            doubled=sum(count - 1 for count in seen.values()),
            states=dict(Counter(receipt["state"] for receipt in receipts)),
        )

    async def _receipts(self) -> list[Json]:
        """The verified receipts of our notifications, each receipt id once."""
        response = await self.tenant.simulators.get(
            "/receiver/receipts", params={"name": self.tenant.hook}
        )
        ours = set(self.accepted)
        return [r for r in response.json()["receipts"] if r["notification_id"] in ours]

    async def _log(self, after: int) -> Json:
        response = await self.tenant.simulators.get(
            "/fcm/log", params={"after": after, "limit": 5_000}
        )
        page: Json = response.json()
        return page
