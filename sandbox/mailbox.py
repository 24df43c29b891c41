"""The folders of trading partners: what is committed becomes a file, also after a crash between."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from sandbox.placing import place
from sandbox.store import Store
from sandbox.tables import Table
from sandbox.views.partners import INBOUND, OUTBOUND


class Mailbox:
    """Writes the interchanges of a table below ``root``, once each.

    ``name`` is that of the table's system. ``folders``: the folder of each partner by its name; it
    is there before the first file. A crash between a file and the note that it is written makes the
    same file once more. What a reader has moved away meanwhile is not written again.
    """

    def __init__(
        self, root: Path, partners: Iterable[str], interchanges: Table, store: Store, name: str
    ) -> None:
        self.root = root
        self.folders = folders_of(root, partners)
        self.interchanges = interchanges
        self.store = store
        for folder in self.folders.values():
            for direction in (INBOUND, OUTBOUND):
                (folder / direction).mkdir(parents=True, exist_ok=True)
        self._name = f"delivered_{name}"
        self._delivered: int = store.get(self._name) or 0

    def deliver(self) -> None:
        """Write what is committed and not yet a file."""
        waiting = self.interchanges.ids()[self._delivered :]
        if not waiting:
            return
        for path in waiting:
            document = json.loads(self.interchanges.text(path))
            place(self.root / path, document["text"], encoding="ascii")
        self._delivered += len(waiting)
        self.store.begin()
        self.store.set(self._name, self._delivered)
        self.store.commit()


def folders_of(root: Path, partners: Iterable[str]) -> dict[str, Path]:
    """The folder of each partner by its name."""
    return {name: root / name.lower() for name in partners}
