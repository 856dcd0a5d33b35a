"""How long another Python thread may keep the GIL from libcurl's callbacks.

libcurl gives the GIL up and takes it back for each of some thirty callbacks a request. Beside one
busy Python thread each of these waits for a whole switch interval: of thousands of requests a
second, about twenty are left. A process that sends pushes says so once, at its start.
"""

import sys

SWITCH_SECONDS = 1e-4  # CPython's own is 50 times as long; without a busy thread neither is felt


def take_short_turns() -> None:
    sys.setswitchinterval(min(SWITCH_SECONDS, sys.getswitchinterval()))
