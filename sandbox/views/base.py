"""What all views share: tables, and how an event reaches them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.events import Event
from sandbox.numbers import Numbers
from sandbox.tables import Table

Handler = Callable[[dict[str, Any], float, float], None]


class View:
    """One system's documents.

    Subclasses define ``on_<event kind>(data, when, stamp)``: ``when`` is the moment at which the
    system says it recorded the fact, ``stamp`` the moment of the change itself, which ``modified``
    columns carry. They differ only for facts entered late, with an old date.
    """

    system: str

    def __init__(self, numbers: Numbers, tables: tuple[Table, ...]) -> None:
        self.numbers = numbers
        self.tables = {table.entity: table for table in tables}
        self._handlers: dict[str, Handler] = {
            name[3:]: getattr(self, name) for name in dir(self) if name.startswith("on_")
        }

    def hear(self, event: Event, when: float, stamp: float) -> None:
        """Record an event, as this system is told it. Raises KeyError for a kind it can't know."""
        self._handlers[event.kind](event.as_told_to(self.system), when, stamp)
