"""What a process holds, to see that something left nothing behind."""

import asyncio
import gc
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PAGE_KILOBYTES = 4


@dataclass(frozen=True)
class Belongings:
    descriptors: int
    tasks: int

    @classmethod
    def now(cls) -> "Belongings":
        return cls(sum(1 for _ in descriptors()), len(asyncio.all_tasks()))

    async def are_all(self) -> bool:
        """Whether there is no more than there was."""
        now = Belongings.now()
        if now.descriptors <= self.descriptors and now.tasks <= self.tasks:
            return True
        gc.collect()  # what only waits for that is not left behind
        return False


def descriptors() -> Iterable[Path]:
    return Path("/proc/self/fd").iterdir()


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * _PAGE_KILOBYTES / 1_024
