"""What all views share: tables, how an event reaches them, and books that a world may add."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.events import Event
from sandbox.numbers import Numbers
from sandbox.tables import Document, Table

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
        # Some write down a change, with its time, only after younger ones.
        stamp -= data.get("stamped_earlier", 0.0)
        for handler in self._handlers[event.kind]:
            handler(data, when, stamp)

    def restate(self, table: Table, document: Document, stamp: float) -> None:
        """Store a changed document as this system's versions are counted; here it counts none."""
        table.put(document)

    def on_record_retold(self, data: dict[str, Any], when: float, stamp: float) -> None:
        """Some fields of a document are written otherwise."""
        table = self.tables[data["entity"]]
        document = table.edit(data["record"])
        document.update(data["fields"])
        self.restate(table, document, stamp)

    def on_records_resent(self, data: dict[str, Any], when: float, stamp: float) -> None:
        """Every version of some documents comes once more, in the old order."""
        table = self.tables[data["entity"]]
        for document in table.history(data["records"]):
            table.put(document)

    def on_version_resent(self, data: dict[str, Any], when: float, stamp: float) -> None:
        """An old version of a document comes after the newer ones, which still hold."""
        table = self.tables[data["entity"]]
        table.put(table.history([data["record"]])[data["nth"]])


class Books:
    """One system's documents of a business process that not every world tells of.

    Subclasses define ``on_<event kind>`` as views do. ``tables`` are served like the view's own.
    """

    def __init__(self, *tables: Table) -> None:
        self.tables = tables
