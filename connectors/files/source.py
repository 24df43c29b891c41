"""Reads dropped files as records of contract entities: what is new in each since the last pass."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from connectors.base import Page, Record, SourceError
from connectors.files.client import Batch, Drop, inspect, list_drops
from connectors.files.mapping import Mapper, load_mapping
from connectors.files.progress import Cursor, FolderPass
from connectors.files.trailer import proven
from connectors.reading import unknown_entity, unknown_key
from registry.contracts import contract_of
from registry.errors import ConfigurationError
from registry.systems import System
from registry.texts import read_text

_LOG = logging.getLogger(__name__)
# One encoder for all rows: json.dumps makes a new one for every call with an option.
_as_json = json.JSONEncoder(ensure_ascii=False).encode


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
            told = texts.get(mapping.entity, contract.fingerprint)
            texts[mapping.entity] = told + read_text(path)
        self._readings = {
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
        """Rows of new files, of new ends of grown files and of rewritten files, in name order; and
        what files with later names say of the same records, which are the later word."""
        if entity not in self._mappers:
            raise unknown_entity(self, entity)
        progress = FolderPass(entity, Cursor.load(cursor, self._readings[entity]))
        files: list[tuple[Mapper, Path, str]] = []
        for mapper in self._mappers[entity]:
            try:
                paths = list_drops(self._folder, mapper.mapping.files, progress.known)
            except SourceError as error:
                progress.could_not_list(error)
                continue
            files += [(mapper, path, path.relative_to(self._folder).as_posix()) for path in paths]
        last_known = max(
            (place for place, (_, _, name) in enumerate(files) if name in progress.known),
            default=-1,
        )
        overtaken: set[str] = set()
        # Small files share a page: the cursor of each page names all files of the folder.
        waiting: list[Record] = []
        for place, (mapper, path, name) in enumerate(files):
            try:
                for records in self._told(path, name, mapper, progress, overtaken):
                    waiting += records
                    # Most files come after all that is known: then there is nothing to remember.
                    if place < last_known:
                        overtaken.update(record.record_id for record in records)
                    if len(waiting) >= self.system.page_size:
                        yield progress.page(waiting)
                        waiting = []
            except SourceError as error:
                progress.failures.append(error)
                if overtaken:
                    progress.reread(name)
        yield progress.last_page(waiting)
        progress.raise_failures()

    def _told(
        self, path: Path, name: str, mapper: Mapper, progress: FolderPass, overtaken: set[str]
    ) -> Iterator[list[Record]]:
        """What each batch of one file says that is news. Raises SourceError naming the file."""
        drop = inspect(path, name, mapper.mapping, progress.begin(name))
        if drop.change == "rewritten":
            self._notice(f"{name} was rewritten: all of it is read again")
        drop.refuse_half_a_record()
        if overtaken and drop.state.rows:
            yield from self._told_again(path, name, mapper, overtaken)
        if drop.change != "unchanged":
            batches = drop.batches()
            if mapper.mapping.trailer:
                batches = iter(proven(drop, mapper.mapping.trailer, list(batches)))
            for batch in batches:
                records = _records(mapper, drop, batch)
                progress.advance(name, batch.state, drop.is_anew)
                yield records
        progress.end(name, drop.state, drop.is_anew)
        if drop.waiting_bytes:
            self._notice(
                f"{name} ends in an unfinished record ({drop.waiting_bytes:,} bytes): it waits for "
                f"the next pass"
            )

    def _told_again(
        self, path: Path, name: str, mapper: Mapper, overtaken: set[str]
    ) -> Iterator[list[Record]]:
        """What a file that was read before says of records that one with an earlier name has told
        in this pass: it was repaired or came late, and must not be the last word."""
        drop = inspect(path, name, mapper.mapping, None)
        for batch in drop.batches():
            records = _records(mapper, drop, batch)
            yield [record for record in records if record.record_id in overtaken]

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
            container=drop.name,
        )
        for number, fields, identity, reference, values in rows
    ]
    for row in batch.broken:
        raw: dict[str, Any] = {"file": drop.name, "row": row.number, "text": row.text}
        text = json.dumps(raw | {"problem": row.reason})
        records.append(Record(f"{drop.name}#{row.number}", {}, text, container=drop.name))
    return records


def make_source(system: System, environment: Mapping[str, str]) -> FilesSource:
    """The source of a configured folder; files need no secret, so the environment is not read."""
    return FilesSource(system)
