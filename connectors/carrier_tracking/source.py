"""What can be read of carriers: tracking events, from an inbox folder or asked for over HTTP."""

from __future__ import annotations

import hashlib
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from connectors.base import Page, Record, SourceError
from connectors.carrier_tracking import shapes, times
from connectors.carrier_tracking.client import TrackingClient
from connectors.carrier_tracking.inbox import InboxFile
from connectors.files.client import list_drops
from connectors.files.mapping import below_folder
from connectors.files.progress import Cursor, FolderPass
from connectors.reading import clocked_page, unknown_entity, unknown_key
from registry.contracts import contract_of
from registry.errors import ConfigurationError
from registry.systems import System

ENTITY = "tracking_events"
# Answers of a carrier that nobody can read: what a complete pass has, is all there is of them.
UNREADABLE_ANSWERS = "unreadable answers"
_LOG = logging.getLogger(__name__)


class _TrackingSource(ABC):
    """What both ways of reading share. ``notices`` is what a person should know."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.notices: list[str] = []

    @property
    def entities(self) -> tuple[str, ...]:
        return (ENTITY,)

    def read_one(self, entity: str, key: Mapping[str, str]) -> list[Record]:
        """Key: tracking_number."""
        if entity != ENTITY or set(key) != {"tracking_number"}:
            raise unknown_key(self, entity, key)
        number = key["tracking_number"]
        events: dict[str, Record] = {}
        for record in self._about(number):
            if record.reference == number:
                events[record.record_id] = record
        return list(events.values())

    @abstractmethod
    def probe(self) -> None: ...

    @abstractmethod
    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]: ...

    @abstractmethod
    def _about(self, number: str) -> Iterator[Record]:
        """Events of one package, and perhaps of others."""

    def _understand(self, payload: Any, where: str) -> list[Record] | None:
        """The scans of a payload; none when nobody knows its shape."""
        understood = shapes.understand(payload, self.system.time_zone)
        if understood.said:
            self._notice(f"{where} says: {understood.said}")
        elif not understood.packages:
            return None
        return understood.records

    def _notice(self, text: str) -> None:
        self.notices.append(text)
        _LOG.warning("%s: %s", self.system.name, text)


class InboxSource(_TrackingSource):
    """A folder in which a webhook receiver leaves payloads, as JSON or NDJSON.

    ``base_url`` is the folder (taken from the systems file's folder when it is relative) and
    ``options.files`` a pattern of names. The cursor says how far every file was read; a change of
    the shapes or of the contract makes all files new.
    """

    keeps_place_on_failure = True

    def __init__(self, system: System) -> None:
        super().__init__(system)
        self._folder = system.folder / system.base_url.removeprefix("file://")
        try:
            self._pattern = below_folder(str(system.options.get("files", "*.*json")))
        except ValueError as error:
            raise ConfigurationError(f"system '{system.name}': options.files: {error}") from error

    def probe(self) -> None:
        for path in list_drops(self._folder, self._pattern, {})[:1]:
            next(InboxFile(path, path.name, None).documents(), None)

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        """Events of new files, of new ends of grown files and of rewritten files, in name order.

        A file that cannot be read does not keep the others from being read: their pages come
        first, then one SourceError names every bad file.
        """
        if entity != ENTITY:
            raise unknown_entity(self, entity)
        progress = FolderPass(entity, Cursor.load(cursor, _understanding(self.system)))
        waiting: list[Record] = []
        for path in list_drops(self._folder, self._pattern, progress.known):
            try:
                for records in self._told(path, progress):
                    waiting += records
                    if len(waiting) >= self.system.page_size:
                        yield progress.page(waiting)
                        waiting = []
            except SourceError as error:
                progress.failures.append(error)
        yield progress.last_page(waiting)
        progress.raise_failures()

    def _told(self, path: Path, progress: FolderPass) -> Iterator[list[Record]]:
        """What each document of one file says that is news. Raises SourceError naming the file."""
        name = path.relative_to(self._folder).as_posix()
        file = InboxFile(path, name, progress.begin(name))
        if file.change == "rewritten":
            self._notice(f"{name} was rewritten: all of it is read again")
        for document in file.documents():
            where = f"{name} at byte {document.offset}"
            problem, found = document.problem, None
            if problem is None:
                found = self._understand(document.content, where)
            if found is None:
                place = f"{name}@{document.offset}"
                found = [_unreadable(place, where, document.text, problem)]
            progress.advance(name, file.state, file.is_anew)
            yield [replace(record, container=name) for record in found]
        progress.end(name, file.state, file.is_anew)
        if file.waiting_bytes:
            self._notice(
                f"{name} ends in an unfinished document ({file.waiting_bytes:,} bytes): it waits "
                f"for the next pass"
            )

    def _about(self, number: str) -> Iterator[Record]:
        for page in self.pages(ENTITY, None):
            yield from page.records


class PollSource(_TrackingSource):
    """A carrier's or tracker's interface, asked for every number of a list in every pass.

    An answer always holds the whole history of a package, so that there is no place to keep. A
    complete pass settles the answers of no known shape that came before it and come no more.
    """

    def __init__(self, system: System, client: TrackingClient) -> None:
        super().__init__(system)
        self.client = client

    def probe(self) -> None:
        next(self.client.ask(self.client.numbers()[:1]), None)

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        if entity != ENTITY:
            raise unknown_entity(self, entity)
        self.client.unknown.clear()
        numbers = self.client.numbers()
        for answer in self.client.ask(numbers):
            records = self._understand(answer, "an answer")
            if records is None:
                records = [_unreadable_answer(answer)]
            yield clocked_page(self.client.http, entity, records, None)
        if unknown := self.client.unknown:
            self._notice(
                f"{len(unknown)} of {len(numbers)} tracking numbers are not known there, for "
                f"example {unknown[0]}"
            )
        last = clocked_page(self.client.http, entity, [], None)
        yield replace(last, withdrawn=(UNREADABLE_ANSWERS,))

    def _about(self, number: str) -> Iterator[Record]:
        for answer in self.client.ask([number]):
            yield from self._understand(answer, "an answer") or ()


def _unreadable(record_id: str, where: str, text: str, problem: str | None) -> Record:
    """A record without fields: the contract refuses it, and quarantine keeps it whole."""
    told = {"where": where, "problem": problem or "no known shape of a tracking payload"}
    return Record(record_id, {}, json.dumps({**told, "text": text}, ensure_ascii=False))


def _unreadable_answer(answer: Any) -> Record:
    text = json.dumps(answer, default=str)
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
    record = _unreadable(f"unreadable|{digest}", "an answer", text, None)
    return replace(record, container=UNREADABLE_ANSWERS)


def _understanding(system: System) -> str:
    """Changes whenever the same payload may give other records."""
    tables = [shapes.SHAPES, *(times.HERE / name for name in ("regions.csv", "countries.csv"))]
    parts = [path.read_bytes() for path in map(Path, tables)]
    contract = contract_of("carrier_tracking", ENTITY, system.folder / "contracts")
    parts.append(f"{contract.fingerprint} {system.time_zone}".encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def make_source(system: System, environment: Mapping[str, str]) -> InboxSource | PollSource:
    """By ``base_url``: an http(s) address is asked, anything else is a folder."""
    if system.base_url.startswith(("http://", "https://")):
        return PollSource(system, TrackingClient(system, environment))
    return InboxSource(system)
