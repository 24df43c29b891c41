"""Virtual time: the SimPy environment, when it is in reality, and what has happened so far.

A virtual moment is a float, seconds since the history began; nothing in a process knows real time.
So equal seeds give equal worlds whenever they are made.
"""

from __future__ import annotations

import math
import random
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import simpy

from sandbox.events import Event

Process = Generator[simpy.Event, Any, Any]

_MOMENTS = ("scanned_at", "shipped_at", "promised_at", "as_of")
"""Fields of an event's data that hold moments."""


@dataclass(frozen=True)
class Timeline:
    """Where virtual time lies in reality.

    The history, ``length`` seconds from ``beginning`` (since 1970, UTC), is one to one. After it
    time runs ``factor`` times as fast, so that a delay of an hour takes an hour divided by it.
    """

    beginning: float
    length: float
    factor: float = 1.0

    def moment(self, virtual: float) -> float:
        """The real moment of a virtual one."""
        later = max(0.0, virtual - self.length)
        return self.beginning + virtual - later + later / self.factor

    def virtual(self, moment: float) -> float:
        """The virtual moment of a real one."""
        passed = moment - self.beginning
        later = max(0.0, passed - self.length)
        return passed - later + later * self.factor

    def dated(self, event: Event) -> Event:
        """The event with real moments."""
        moments = {name: event.data[name] for name in _MOMENTS if name in event.data}
        return Event(
            self.moment(event.at),
            event.kind,
            event.subject,
            event.data | {name: self.moment(value) for name, value in moments.items()},
            {system: self.moment(when) for system, when in event.seen.items()},
            event.told,
        )


class Engine:
    """What all processes share. ``ends``: when the world stops; a live one never does."""

    def __init__(self, rng: random.Random, ends: float = math.inf) -> None:
        self.env = simpy.Environment()
        self.rng = rng
        self.ends = ends
        self._told: list[Event] = []

    @property
    def now(self) -> float:
        """The virtual moment."""
        return self.env.now

    def start(self, process: Process) -> None:
        """Let a process run beside the others."""
        self.env.process(process)

    def wait(self, least: float, spread: float = 0.0) -> simpy.Event:
        """A pause of ``least`` seconds and up to ``spread`` more."""
        return self.env.timeout(least + (self.rng.uniform(0.0, spread) if spread else 0.0))

    def settles(self, seconds: float) -> Process:
        """Go on only if what takes that long to be told everywhere is so before the world ends.

        Else wait for ever: in a world that stops, nobody begins what would seem to be late then.
        """
        if not self.would_settle(seconds):
            yield self.env.event()

    def would_settle(self, seconds: float) -> bool:
        """Whether what takes that long from now is told everywhere before the world ends."""
        return self.now + seconds <= self.ends

    def tell(self, *events: Event) -> None:
        """What has happened, in virtual moments."""
        self._told.extend(events)

    def run(self, until: float) -> list[Event]:
        """Let everything happen up to a virtual moment; returns what has."""
        if until > self.now:
            self.env.run(until=until)
        told, self._told = self._told, []
        return told
