"""Reads dropped files as records of contract entities; the cursor says how far each was read."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.base import Page, Record, SourceError
from connectors.files.client import Batch, Drop, FileState, inspect, list_drops
from connectors.files.mapping import Mapper, load_mapping
from connectors.reading import unknown_entity, unknown_key
from registry.contracts import contract_of
from registry.errors import ConfigurationError
from registry.systems import System

_LOG = logging.getLogger(__name__)
# One encoder for all rows: json.dumps makes a new one for every call with an option.
_as_json = json.JSONEncoder(ensure_ascii=False).encode


@dataclass
class Cursor:
    """How far every file of one entity has been read, under which mappings.

    Another mapping means other values, so a change of it makes every file new.
    """

    mappings: str
    files: dict[str, FileState] = field(default_factory=dict)

    def dump(self) -> str:
        files = {name: state.as_json() for name, state in sorted(self.files.items())}
        return json.dumps({"mappings": self.mappings, "files": files}, separators=(",", ":"))

    @classmethod
    def load(cls, text: str | None, mappings: str) -> Cursor:
        content = json.loads(text) if text else {}
        files = {
            name: FileState.from_json(state) for name, state in content.get("files", {}).items()
        }
        if content.get("mappings") != mappings:
            files = {name: state.unread() for name, state in files.items() if state.faulty}
        return cls(mappings, files)


class FilesSource:
    """A folder as a source system (``connectors.base.Source``).

    ``base_url`` is the folder and ``options.mappings`` lists the mapping files; both are taken from
    the systems file's folder when they are relative. A file that cannot be read does not keep the
    others from being read: their pages come first, then one SourceError names every bad file.
    ``notices`` collects what a person should know and nothing has to stop for.
    """

    # Every file has its own place in the cursor: one that stays bad must not have the good ones
    # read again in every pass.
    keeps_place_on_failure = True

    def __init__(self, system: System) -> None:
        self.system = system
        self.notices: list[str] = []
        self._folder = system.folder / system.base_url.removeprefix("file://")
        names = system.options.get("mappings", [])
        if not isinstance(names, list) or not names:
            raise ConfigurationError(
                f"system '{system.name}' needs options.mappings: a list of mapping files"
            )
        self._mappers: dict[str, list[Mapper]] = {}
        texts: dict[str, str] = {}
        for name in names:
            path = system.folder / str(name)
            mapping = load_mapping(path)
            contract = contract_of(system.connector, mapping.entity, system.folder / "contracts")
            self._mappers.setdefault(mapping.entity, []).append(Mapper(mapping, contract))
            texts[mapping.entity] = texts.get(mapping.entity, contract.version) + path.read_text(
                "utf-8"
            )
        self._digests = {
            entity: hashlib.sha256(text.encode()).hexdigest()[:16] for entity, text in texts.items()
        }

    @property
    def entities(self) -> tuple[str, ...]:
        wanted = self.system.entities or tuple(self._mappers)
        return tuple(entity for entity in self._mappers if entity in wanted)

    def probe(self) -> None:
        """Open the first file of every mapping and read its first rows."""
        for mappers in self._mappers.values():
            for mapper in mappers:
                for path in list_drops(self._folder, mapper.mapping.files, {})[:1]:
                    name = path.relative_to(self._folder).as_posix()
                    next(inspect(path, name, mapper.mapping, None).batches(), None)

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        """Rows of new files, of new ends of grown files and of rewritten files, in name order."""
        if entity not in self._mappers:
            raise unknown_entity(self, entity)
        known = Cursor.load(cursor, self._digests[entity])
        reached = Cursor(known.mappings)
        failures: list[SourceError] = []
        for mapper in self._mappers[entity]:
            mapping = mapper.mapping
            try:
                paths = list_drops(self._folder, mapping.files, known.files)
            except SourceError as error:
                failures.append(error)
                continue
            for path in paths:
                name = path.relative_to(self._folder).as_posix()
                earlier = known.files.get(name)
                try:
                    drop = inspect(path, name, mapping, earlier)
                    if drop.change == "rewritten":
                        self._notice(f"{name} was rewritten: all of it is read again")
                    if drop.change != "unchanged":
                        for batch in drop.batches():
                            reached.files[name] = batch.state
                            yield Page(entity, _records(mapper, drop, batch), reached.dump())
                    reached.files[name] = drop.state
                    if drop.waiting_bytes:
                        self._notice(
                            f"{name} ends in an unfinished record ({drop.waiting_bytes:,} bytes): "
                            "it waits for the next pass"
                        )
                except SourceError as error:
                    failures.append(error)
                    if earlier:
                        reached.files.setdefault(name, earlier)
        yield Page(entity, [], reached.dump())
        if failures:
            raise SourceError(
                failures[0].kind, "; ".join(str(failure) for failure in failures)
            ) from failures[0]

    def read_one(self, entity: str, key: Mapping[str, str]) -> list[Record]:
        """The last version of every record whose fields match ``key``, from all files.

        Any columns that the mappings fill.
        """
        mappers = self._mappers.get(entity, ())
        known = {name for mapper in mappers for name in mapper.mapping.columns}
        if not key or not set(key) <= known:
            raise unknown_key(self, entity, key)
        found: dict[str, Record] = {}
        for page in self.pages(entity, None):
            for record in page.records:
                if all(str(record.fields.get(name)) == value for name, value in key.items()):
                    found[record.record_id] = record
        return list(found.values())

    def _notice(self, text: str) -> None:
        self.notices.append(text)
        _LOG.warning("%s: %s", self.system.name, text)


def _records(mapper: Mapper, drop: Drop, batch: Batch) -> list[Record]:
    """The rows of a batch under the contract's column names.

    A row without the columns of its record id, or one that cannot be split, still becomes a record,
    named after its place in the file: the contract refuses it, and quarantine keeps it whole.
    """
    names = list(batch.columns)
    taken = {row.number for row in batch.broken}
    total = batch.rows + len(batch.broken)
    numbers = (n for n in range(batch.first_row, batch.first_row + total) if n not in taken)
    mapping = mapper.mapping
    identities = mapper.fill(mapping.record_id, batch.columns, batch.rows)
    references = (
        mapper.fill(mapping.reference, batch.columns, batch.rows)
        if mapping.reference
        else [None] * batch.rows
    )
    rows = zip(
        numbers,
        mapper.apply(batch.columns, batch.rows),
        identities,
        references,
        zip(*batch.columns.values(), strict=True),
        strict=True,
    )
    records = [
        Record(
            record_id=identity or f"{drop.name}#{number}",
            fields=fields,
            raw=_as_json(dict(zip(names, values, strict=True))),
            reference=reference,
        )
        for number, fields, identity, reference, values in rows
    ]
    for row in batch.broken:
        raw: dict[str, Any] = {"file": drop.name, "row": row.number, "text": row.text}
        records.append(
            Record(f"{drop.name}#{row.number}", {}, json.dumps(raw | {"problem": row.reason}))
        )
    return records


def make_source(system: System, environment: Mapping[str, str]) -> FilesSource:
    """The source of a configured folder; files need no secret, so the environment is not read."""
    return FilesSource(system)
