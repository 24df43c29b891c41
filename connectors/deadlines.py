"""Until when a request may leave: a sender that was held up must not send what it read long ago."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from registry.errors import TallymanError


class Clock(Protocol):
    """Two clocks of the machine, for two questions."""

    def now(self) -> datetime:
        """The time of day as an aware UTC time: all processes share it, and it can be set."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment. Nobody sets it, and it goes on while this process sleeps."""
        ...


class TooLateError(TallymanError):
    """A write was stopped on its last step. Nothing of it was sent."""


@dataclass(frozen=True)
class Deadline:
    """The end of what a sender may do, on the sender's own ``clock``.

    By the time of day (``before``), which others go by when they take over; and by monotonic
    seconds (``monotonic_before``), because the time of day may be set back while a process sleeps.
    """

    before: datetime
    monotonic_before: float
    clock: Clock

    @classmethod
    def after(cls, span: timedelta, clock: Clock) -> Deadline:
        """The one that ends so long after now."""
        # In this order: what passes between the two questions shortens it.
        monotonic = clock.monotonic()
        return cls(clock.now() + span, monotonic + span.total_seconds(), clock)

    def is_within(self, margin: timedelta = timedelta(0)) -> bool:
        """Whether no more than ``margin`` is left of it, by either clock."""
        by_day = self.clock.now() + margin >= self.before
        return by_day or self.clock.monotonic() + margin.total_seconds() >= self.monotonic_before


_DEADLINE: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def leaving_before(deadline: Deadline | None) -> Iterator[None]:
    """Inside, this thread writes nothing to a system after the deadline: whatever carries a write
    calls ``leave`` right before its first byte."""
    token = _DEADLINE.set(deadline)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def leave() -> None:
    """A write is about to leave: raises TooLateError when the present deadline is over."""
    deadline = _DEADLINE.get()
    if deadline is not None and deadline.is_within():
        raise TooLateError("held up for too long before it was sent")
