"""What all views share: tables, how an event reaches them, and books that a world may add."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.events import Event
from sandbox.numbers import Numbers
from sandbox.tables import Table

Handler = Callable[[dict[str, Any], float, float], None]


def _handlers(owner: object) -> dict[str, Handler]:
    """The ``on_<event kind>`` methods of an object by event kind."""
    return {name[3:]: getattr(owner, name) for name in dir(owner) if name.startswith("on_")}


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
        self._handlers = {kind: [handler] for kind, handler in _handlers(self).items()}

    def keep(self, books: Books) -> None:
        """Keep more books: their tables, and what they make of events beside one's own."""
        self.tables |= {table.entity: table for table in books.tables}
        for kind, handler in _handlers(books).items():
            self._handlers.setdefault(kind, []).append(handler)

    def hear(self, event: Event, when: float, stamp: float) -> None:
        """Record an event, as this system is told it. Raises KeyError for a kind it can't know."""
        data = event.as_told_to(self.system)
        for handler in self._handlers[event.kind]:
            handler(data, when, stamp)


class Books:
    """One system's documents of a business process that not every world tells of.

    Subclasses define ``on_<event kind>`` as views do. ``tables`` are served like the view's own.
    """

    def __init__(self, *tables: Table) -> None:
        self.tables = tables
