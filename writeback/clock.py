"""Time and chance as parameters, so that every test decides both. No other module reads a clock."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from typing import Protocol

from connectors.deadlines import Clock

__all__ = ["Clock", "Rng", "SystemClock", "new_token", "system_rng"]


class Rng(Protocol):
    """What the engine needs of chance; ``random.Random`` offers it."""

    def random(self) -> float:
        """A number in [0, 1)."""
        ...

    def getrandbits(self, k: int, /) -> int: ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        if hasattr(time, "CLOCK_BOOTTIME"):
            # The other one stands still while the machine is suspended.
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.monotonic()


def system_rng() -> Rng:
    """Chance of the operating system: two processes never draw the same lease token."""
    return random.SystemRandom()


def new_token(rng: Rng) -> str:
    """A lease token. It must differ between dispatchers, also after a fork: see ``system_rng``."""
    return f"{rng.getrandbits(128):032x}"
