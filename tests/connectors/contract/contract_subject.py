"""What the contract suite needs of one product: how to start it, drive it and look into it.

A subject drives its product through the product's own interface, never through our connector. A new
product is one module ``test_<connector>_contract.py`` with a subject, and the classes of
``contract_suite`` that apply to it; ``exempt`` says why the others do not
(test_every_connector.py holds every connector to that).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Self

from faulty_proxy import Asked

from connectors.base import CorrectionRequest, Source, Target
from connectors.factory import make_source, make_target
from registry.systems import System


class Subject(ABC):
    """One running product.

    ``entities``: all that its source offers. ``moving``: those of which the suite makes records.
    ``deletable``: those of which a record can vanish for good. ``kinds``: the corrections that the
    suite sends; ``reversible``: those of them after whose undo everything is as it was.
    ``exempt``: the classes of the suite that can't apply, each with the reason. ``page_size``:
    small, so that a handful of records fills several pages. ``lateness``: seconds before now in
    which all lies that ``make`` dates.
    """

    connector: ClassVar[str]
    entities: ClassVar[tuple[str, ...]]
    moving: ClassVar[tuple[str, ...]]
    deletable: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar[tuple[str, ...]] = ()
    reversible: ClassVar[frozenset[str]] = frozenset()
    exempt: ClassVar[Mapping[str, str]] = {"FolderContract": "it is asked and reads no files"}
    page_size: ClassVar[int] = 2
    lateness: ClassVar[float] = 3600.0

    base_url: str
    environment: Mapping[str, str]

    @classmethod
    @abstractmethod
    def running(cls, folder: Path) -> AbstractContextManager[Self]:
        """Start the product with some records of every entity; end it when the block is left."""

    @abstractmethod
    def system(self, **changes: Any) -> System:
        """The product as a configured system. ``changes`` replace settings (``base_url`` too)."""

    @abstractmethod
    def make(self, entity: str, count: int) -> list[str]:
        """Write ``count`` records, new or changed, as close to one instant as the product can.

        Returns their record ids, as the source will tell them. Each call makes versions that never
        were before.
        """

    def delete(self, entity: str, record_id: str) -> None:
        """Let a record vanish without a trace. Only for entities in ``deletable``."""
        raise NotImplementedError(f"{self.connector} deletes no {entity}")

    def correction(self, kind: str) -> CorrectionRequest:
        """A correction that the product's present state calls for; a new one each time."""
        raise NotImplementedError(f"{self.connector} takes no corrections")

    def effects(self, request: CorrectionRequest) -> int:
        """How often a correction was applied, by the product's own account."""
        raise NotImplementedError(f"{self.connector} takes no corrections")

    def is_read(self, asked: Asked) -> bool:
        """Whether a request reads records (and is no log-in)."""
        return asked.method == "GET"

    def is_write(self, asked: Asked) -> bool:
        """Whether a request is the one that carries a correction."""
        return asked.method != "GET"

    def source(self, **changes: Any) -> Source:
        """A fresh source, as after a restart."""
        return make_source(self.system(**changes), self.environment)

    def target(self, **changes: Any) -> Target:
        """A fresh target, as after a restart."""
        target = make_target(self.system(**changes), self.environment)
        assert target is not None, f"{self.connector} takes no corrections"
        return target


class FolderSubject(Subject):
    """A folder in which others leave files.

    ``damages``: the ways in which what lies there can be broken, for ``spoil``.
    """

    exempt: ClassVar[Mapping[str, str]] = {
        "HttpReadingContract": "it reads files and speaks no HTTP",
        "DeletionContract": "files say what is new: none says what exists, so nothing is missed",
        "CorrectionContract": "it is read only: who leaves files here takes none",
        "HttpCorrectionContract": "it is read only, and speaks no HTTP",
    }
    damages: ClassVar[tuple[str, ...]]
    environment: Mapping[str, str] = {}

    folder: Path
    """Where the files are; all below it belong to the subject."""

    @abstractmethod
    def grow(self, entity: str) -> str:
        """Append a record to a file that has some already. Returns its record id."""

    @abstractmethod
    def spoil(self, entity: str, damage: str) -> Path:
        """A new file, read before all others, in which something is broken in the given way."""

    @abstractmethod
    def mend(self, entity: str, path: Path) -> list[str]:
        """Write a spoilt file anew as it should have been. Returns the ids of its records."""
