"""How often a system may be asked: its ``requests_per_second``, and who shares them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from registry.systems import System


class Allowance:
    """``rate`` requests a second on average, and a burst of one second's worth: a token bucket,
    told as the time at which it will be full again.

    What was taken since somebody else was told of it (``untold``) is counted, so that other
    processes can be made to share it (writeback.allowances).
    """

    def __init__(self, rate: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._step = 1 / rate
        self._burst = max(1.0, self._step)
        self._monotonic = monotonic
        self._full_at = monotonic()
        self._untold = 0
        self._lock = threading.Lock()

    def take(self) -> float:
        """Take one request; returns the seconds to wait before it may leave."""
        with self._lock:
            now = self._monotonic()
            self._full_at = max(self._full_at, now) + self._step
            self._untold += 1
            return max(0.0, self._full_at - now - self._burst)

    @property
    def untold(self) -> float:
        """What was taken and not told, in seconds of the allowance."""
        return self._untold * self._step

    @property
    def should_tell(self) -> bool:
        """Whether that is as much as a tenth of what may be asked at once."""
        return self.untold >= self._burst / 10

    def told(self, seconds: float) -> None:
        """So much of ``untold`` is known to the others now."""
        with self._lock:
            self._untold -= round(seconds / self._step)

    def learn(self, full_in: float) -> None:
        """With all that others took it will be full in so many seconds."""
        with self._lock:
            shared = self._monotonic() + full_in + self.untold
            self._full_at = max(self._full_at, shared)


_SHARED: ContextVar[dict[str, Allowance] | None] = ContextVar("shared", default=None)


@contextmanager
def sharing(allowances: dict[str, Allowance]) -> Iterator[None]:
    """Inside, clients are made so that those of one system instance share what it allows:
    ``allowances`` by its name, which this fills."""
    token = _SHARED.set(allowances)
    try:
        yield
    finally:
        _SHARED.reset(token)


def allowance_of(system: System) -> Allowance:
    """For a client that is being made."""
    shared = _SHARED.get()
    own = Allowance(system.requests_per_second)
    return own if shared is None else shared.setdefault(system.name, own)
