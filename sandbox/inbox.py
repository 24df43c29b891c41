"""The folder in which a receiver leaves what carriers push: a file for what came since the last."""

from __future__ import annotations

import json
from pathlib import Path

from sandbox.placing import place
from sandbox.store import Store
from sandbox.tables import Table, to_json

_DELIVERED = "pushed"


class Inbox:
    """Writes the payloads of a table below ``folder``, once each, one a line.

    A crash between a file and the note that it is written makes the same file once more.
    """

    def __init__(self, folder: Path, pushes: Table, store: Store) -> None:
        self.folder = folder
        self.pushes = pushes
        self.store = store
        folder.mkdir(parents=True, exist_ok=True)
        self._delivered: int = store.get(_DELIVERED) or 0

    def deliver(self) -> None:
        """Write what is committed and not yet in a file."""
        waiting = self.pushes.feed_after(self._delivered, self.pushes.high_water)
        if not waiting:
            return
        target = self.folder / f"pushes-{self._delivered + 1:09}.ndjson"
        place(target, "".join(f"{to_json(json.loads(text)['payload'])}\n" for text in waiting))
        self._delivered += len(waiting)
        self.store.begin()
        self.store.set(_DELIVERED, self._delivered)
        self.store.commit()
