"""What disturbs a system for a while, and how a target treats some writes: told by world events.

Two kinds of events that no system hears of, but whose moments shape what it tells:

    feed_disturbed   system, entity (a part of a path; None: the whole system), mode, until
                     (None: for ever), seconds, record
    target_behaves   system, mode, about (a text that the write names), once, and what the mode
                     needs: entity, fields, event, data

They are stored with all other events, so a restart finds them again. Modes of feeds are those of
``misbehave``, ``clock_ahead`` (by ``seconds``), ``skipped`` (lists leave out ``record``) and
``broken_off`` (the file being dropped ends in its middle, see ``drops``); modes of targets are in
``TARGET_MODES``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.events import Event

FEED_DISTURBED = "feed_disturbed"
TARGET_BEHAVES = "target_behaves"
EVENT_KINDS = (FEED_DISTURBED, TARGET_BEHAVES)

CLOCK_AHEAD = "clock_ahead"
SKIPPED = "skipped"
BROKEN_OFF = "broken_off"
TARGET_MODES = (
    "refuse",
    "unavailable",
    "ignore",
    "drop_field",
    "apply_twice",
    "comes_first",
    "never_answer",
    "busy_after_effect",
    "unavailable_after_effect",
    "sender_dies",
)
"""Says 422; says 503; says yes and keeps what it had in ``entity``; leaves ``fields`` of each line
of a document in ``entity`` as they were; applies it twice; lets the ``event`` with ``data``
happen right before it; applies it and does not answer; applies it and says 429, as a gateway in
front of it does; applies it and says 503; applies it, and
whoever sent it is dead before the answer: where both are one process
(orchestration/evaluation/in_process.py) it truly dies there, over HTTP it gets no answer."""

AFTER_EFFECT = {"busy_after_effect": 429, "unavailable_after_effect": 503}
"""What is said by modes that apply a write and deny it."""


@dataclass(frozen=True)
class Disturbance:
    """Of what a system tells, from one moment until another."""

    system: str
    entity: str | None
    mode: str
    since: float
    until: float | None
    seconds: float = 0.0
    record: str = ""

    def lasts(self, now: float) -> bool:
        """Whether it disturbs at a moment."""
        return self.since <= now and (self.until is None or now < self.until)


@dataclass(frozen=True)
class Behaviour:
    """Of a target towards writes that name ``about``; ``once``: only the first of them."""

    name: str
    system: str
    mode: str
    about: str
    once: bool
    needs: dict[str, Any]


class Disturbances:
    """All that events told so far, which behaviours are used up (``used``, their names), and which
    a write has met (``met``)."""

    def __init__(self, used: list[str] | None = None, met: list[str] | None = None) -> None:
        self.used = used or []
        self.met = met or []
        self._feeds: list[Disturbance] = []
        self._targets: list[Behaviour] = []

    def take_up(self, event: Event) -> None:
        """Heed an event, if it is one of ``EVENT_KINDS``."""
        data = dict(event.data)
        if event.kind == FEED_DISTURBED:
            self._feeds.append(Disturbance(since=event.at, **data))
        elif event.kind == TARGET_BEHAVES:
            common = {name: data.pop(name) for name in ("system", "mode", "about", "once")}
            self._targets.append(Behaviour(event.subject, needs=data, **common))

    def mode(self, system: str, modes: tuple[str, ...], path: str, now: float) -> str | None:
        """The one of ``modes`` that disturbs a request now, if any."""
        parts = (None, *path.split("/"))
        for found in self._feeds:
            if (
                found.system == system
                and found.mode in modes
                and found.entity in parts
                and found.lasts(now)
            ):
                return found.mode
        return None

    def skipped(self, system: str, path: str, now: float) -> list[str]:
        """The records that a list leaves out, by texts that only they hold."""
        parts = path.split("/")
        return [
            found.record
            for found in self._feeds
            if (found.system, found.mode) == (system, SKIPPED)
            and found.entity in parts
            and found.lasts(now)
        ]

    def clock_ahead(self, system: str, now: float) -> float:
        """Seconds by which a system's clock runs faster than it usually does."""
        return sum(
            found.seconds
            for found in self._feeds
            if (found.system, found.mode) == (system, CLOCK_AHEAD) and found.lasts(now)
        )

    def behaviour(self, system: str, request: str) -> Behaviour | None:
        """How a target treats a write with this text (path and body), if in any special way."""
        for found in self._targets:
            if found.system == system and found.about in request and found.name not in self.used:
                return found
        return None
