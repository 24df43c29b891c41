"""Time and chance as parameters, so that every test decides both. No other module reads a clock."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present as an aware UTC time."""
        ...


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


def system_rng() -> Rng:
    """Chance of the operating system: two processes never draw the same lease token."""
    return random.SystemRandom()


def new_token(rng: Rng) -> str:
    """A lease token. It must differ between dispatchers, also after a fork: see ``system_rng``."""
    return f"{rng.getrandbits(128):032x}"
