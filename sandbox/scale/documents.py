"""Documents of one entity in a system's dialect: one JSON text a line, with a key to read on by."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.scale.draw import Ints
from sandbox.scale.text import Text


@dataclass(frozen=True)
class Documents:
    """Texts, each ending in a line feed, by ascending key.

    ``keys`` says where a reader goes on: the OMS's ``updatedAt``, the ERP's ``modified`` (both in
    milliseconds), the WMS's ``Seq``, the carrier's ``seq``. Those of the ERP overlap from block to
    block.
    """

    system: str
    entity: str
    texts: Text
    keys: Ints
