"""What can be read from a partner's folder: interchanges and the lines in them, both directions."""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from zoneinfo import ZoneInfo

from connectors.base import TOLD_AGAIN, Page, Record, SourceError
from connectors.reading import unknown_entity, unknown_key
from connectors.x12.answers import answer, refusal, wants_answer
from connectors.x12.edifact import read_edifact
from connectors.x12.folder import (
    DIRECTIONS,
    INBOUND,
    OUTBOUND,
    Cursor,
    FileState,
    PartnerFile,
    holds_one,
    identities,
    mentions,
    partner_files,
)
from connectors.x12.interchange import (
    BadInterchangeError,
    Interchange,
    read_x12,
    split_interchanges,
)
from connectors.x12.ledger import Ledger
from connectors.x12.profile import PartnerProfile, load_profile
from connectors.x12.records import (
    ANSWERS,
    ENTITIES_OF_SET,
    GROUPS,
    INTERCHANGES,
    INVENTORY,
    NUMBERS,
    Told,
    Translator,
    filled_entities,
    orders_in,
)
from connectors.x12.writing import NewSet, write_x12
from registry.contracts import Contract, contracts_of
from registry.errors import ConfigurationError
from registry.systems import System

_LOG = logging.getLogger(__name__)
# A file that ends in half an interchange and changed less than this ago is still being written.
SETTLING_SECONDS = 60


class X12Source:
    """One trading partner as a source system (``connectors.base.Source``).

    ``base_url`` is the partner's folder with ``inbound`` and ``outbound`` in it; options.profile is
    its profile. Reading ``interchanges`` also answers what the partner sent with 997, if the
    system's write mode is on.
    """

    keeps_place_on_failure = True

    def __init__(self, system: System) -> None:
        self.system = system
        self.notices: list[str] = []
        self.folder = system.folder / system.base_url.removeprefix("file://")
        self.profile = partner_profile(system)
        self.ledger = partner_ledger(system, self.profile)
        self.zone = ZoneInfo(system.time_zone)
        self._contracts = contracts_of("x12", system.folder / "contracts")
        self._translator = Translator(self.profile, self._contracts, self.zone)
        self._reading = _digest_of(self.profile, self._contracts)
        self._unanswered = 0

    @property
    def entities(self) -> tuple[str, ...]:
        """Inventory last, after what explains it."""
        return tuple(sorted(filled_entities(self.profile), key=lambda entity: entity == INVENTORY))

    def probe(self) -> None:
        """List both folders. Raises SourceError."""
        for direction in DIRECTIONS:
            next(partner_files(self.folder, direction), None)

    def pages(self, entity: str, cursor: str | None) -> Iterator[Page]:
        """Records of new and changed files, in name order; a file that can't be read does not keep
        the others from being read."""
        if entity not in self.entities:
            raise unknown_entity(self, entity)
        known = Cursor.load(cursor, self._reading)
        reached = Cursor(self._reading)
        origins = self._origins()
        failures: list[SourceError] = []
        waiting: list[Record] = []
        # Files that were told anew as a whole, and those that are gone.
        withdrawn: list[str] = []
        told = _told_before(known)
        self._unanswered = 0
        for direction in DIRECTIONS:
            try:
                files = list(partner_files(self.folder, direction))
            except SourceError as error:
                failures.append(error)
                reached.files |= {
                    name: state
                    for name, state in known.files.items()
                    if name.startswith(f"{direction}/")
                }
                continue
            present = frozenset(file.name for file in files)
            for file in files:
                earlier = known.files.get(file.name)
                if earlier is not None and not told.keys().isdisjoint(earlier.refused):
                    # What was refused in it has come well since: it is told anew without that.
                    earlier = earlier.unread()
                try:
                    state, records = self._look(entity, file, earlier, told, origins, present)
                except SourceError as error:
                    failures.append(error)
                    state, records = earlier, []
                if state is not None:
                    reached.files[file.name] = state
                if earlier is not None and state is not earlier:
                    withdrawn.append(file.name)
                waiting += [replace(record, container=file.name) for record in records]
                if len(waiting) >= self.system.page_size:
                    # From there all of it is read again, should this pass not come to its end.
                    yield Page(entity, waiting, cursor)
                    waiting = []
        withdrawn += [name for name in known.files if name not in reached.files]
        if self._unanswered:
            self._notice(
                f"{self._unanswered} interchanges are not acknowledged: write_mode is "
                f"{self.system.write_mode}"
            )
        yield Page(entity, waiting, reached.dump(), withdrawn=tuple(withdrawn))
        if failures:
            raise SourceError(
                failures[0].kind, "; ".join(str(failure) for failure in failures)
            ) from failures[0]

    def read_one(self, entity: str, key: Mapping[str, str]) -> list[Record]:
        """The newest version of each record that holds every value of the key; any columns."""
        contract = self._contracts.get(entity)
        if contract is None or not key or not set(key) <= {c.name for c in contract.columns}:
            raise unknown_key(self, entity, key)
        identifying = [name for name in contract.record_id_columns if name in NUMBERS]
        named = [value for name, value in key.items() if identifying and name in NUMBERS]
        newest = self._newest(entity, set(named))
        # The newest version is asked, and it may not hold the key any more: all versions of a
        # record share what identifies it.
        if named and newest and not set(identifying) <= set(key):
            own = {str(record.fields[name]) for record in newest.values() for name in identifying}
            newest = self._newest(entity, own)
        return [
            record
            for record in newest.values()
            if all(record.fields.get(name) == value for name, value in key.items())
        ]

    # ---- reading ---------------------------------------------------------------------------

    def _look(
        self,
        entity: str,
        file: PartnerFile,
        earlier: FileState | None,
        told_before: dict[str, tuple[str, str]],
        origins: Mapping[int, str],
        present: frozenset[str],
    ) -> tuple[FileState | None, list[Record]]:
        """State and records of one file; no state while it is still being written.

        ``present``: the names of all files that lie beside it.
        """
        answering = entity == INTERCHANGES and file.direction == INBOUND
        if (
            earlier is not None
            and earlier.seen == file.seen
            and (earlier.is_answered or not answering or not self._may_answer())
        ):
            return earlier, []
        payload = file.read()
        parts = identities(payload)
        # A file without the entity's sets is checked all the same: only what is good takes its
        # number, else the partner could not send a refused interchange again under it.
        is_told = entity == INTERCHANGES or mentions(payload, _sets_of(entity))
        # What is dated ahead has the clock of somebody else: it tells nothing of its age.
        is_young = 0 <= time.time_ns() - file.seen[1] < SETTLING_SECONDS * 1_000_000_000
        records: list[Record] = []
        good: dict[str, str] = {}
        refused: list[str] = []
        is_answered = True
        for number, (identity, digest, chunk) in enumerate(parts, start=1):
            try:
                interchange = self._read(chunk, file.direction)
                other, told_digest = told_before.get(identity, (file.name, digest))
                if other != file.name and told_digest != digest:
                    raise BadInterchangeError(
                        "reused_number",
                        f"interchange {identity} says other things in {other}; what is new needs a "
                        "control number of its own",
                    )
                if entity == INTERCHANGES and other != file.name and other in present:
                    self._notice(
                        f"{TOLD_AGAIN}: {file.name} holds interchange {identity} of {other} once "
                        "more; nothing of it is new"
                    )
            except BadInterchangeError as error:
                if error.code == "cut" and is_young and number == len(parts):
                    self._notice(f"{file.name} is still being written: it waits for the next pass")
                    return earlier, []
                if identity in told_before and error.code != "reused_number":
                    continue
                if identity and error.code != "reused_number":
                    refused.append(identity)
                if entity != INTERCHANGES:
                    continue
                records += self._refused(file, number, chunk, error)
                if answering and error.code != "partner":
                    is_answered &= self._answer(
                        f"{identity or file.name}:{digest}", refusal(chunk, error.code)
                    )
                continue
            if identity:
                good[identity] = digest
                told_before[identity] = (file.name, digest)
            if not is_told:
                continue
            origin = (
                origins.get(_number(interchange.control_number))
                if file.direction == OUTBOUND
                else None
            )
            told = self._translator.told(interchange, file.direction, file.name, origin)
            records += told.records.get(entity, [])
            if answering and wants_answer(interchange):
                is_answered &= self._answer_all(interchange, digest, told)
        return FileState(file.seen, good, is_answered, tuple(refused)), records

    def _read(self, chunk: bytes, direction: str) -> Interchange:
        is_edifact = chunk.startswith((b"UNA", b"UNB"))
        read = read_edifact if is_edifact else read_x12
        interchange = read(chunk, self.profile.encoding)
        self._translator.check_envelope(interchange, direction)
        return interchange

    def _newest(self, entity: str, numbers: set[str]) -> dict[str, Record]:
        """The newest version of each record, by its id, of the interchanges that hold one of the
        numbers at all; of all, if there are none."""
        newest: dict[str, Record] = {}
        for record in self._everything(entity, numbers):
            earlier = newest.get(record.record_id)
            if earlier is None or _place(record) >= _place(earlier):
                newest[record.record_id] = record
        return newest

    def _everything(self, entity: str, numbers: set[str]) -> Iterator[Record]:
        origins = self._origins()
        for direction in DIRECTIONS:
            for file in partner_files(self.folder, direction):
                payload = file.read()
                if entity != INTERCHANGES and not mentions(payload, _sets_of(entity)):
                    continue
                for chunk in split_interchanges(payload):
                    if not holds_one(chunk, numbers):
                        continue
                    try:
                        interchange = self._read(chunk, direction)
                    except BadInterchangeError:
                        continue
                    origin = (
                        origins.get(_number(interchange.control_number))
                        if direction == OUTBOUND
                        else None
                    )
                    told = self._translator.told(interchange, direction, file.name, origin)
                    yield from (
                        record for record in told.records.get(entity, []) if record.problem is None
                    )

    def _refused(
        self, file: PartnerFile, number: int, chunk: bytes, error: BadInterchangeError
    ) -> list[Record]:
        """The bad interchange once for each order that it names, with the sets of that order alone,
        else once for all and whole."""
        reason = f"{file.name}, interchange {number}, is refused ({error.code}): {error}"
        place = f"{file.name}#{number}"
        named = orders_in(chunk)
        if not named:
            return [Record(place, {}, self._text(chunk), None, reason)]
        return [
            Record(f"{place}/{reference}", {}, self._text(told), reference, reason)
            for reference, told in named.items()
        ]

    def _text(self, chunk: bytes) -> str:
        return chunk.decode(self.profile.encoding, "replace")

    # ---- answering -------------------------------------------------------------------------

    def _may_answer(self) -> bool:
        return self.system.write_mode == "on" and self.profile.functional_acknowledgement.answer

    def _answer_all(self, interchange: Interchange, digest: str, told: Told) -> bool:
        verdicts = [verdict for verdict in told.verdicts if verdict.group.functional_id != "FA"]
        return self._answer(f"{interchange.interchange_id}:{digest}", answer(verdicts))

    def _answer(self, about: str, sets: list[NewSet]) -> bool:
        """Whether an interchange needs no answer any more. Its answer is written once, ever."""
        if not self.profile.functional_acknowledgement.answer or not sets:
            return True
        if not self._may_answer():
            self._unanswered += 1
            return False
        try:
            self.ledger.write(
                f"997:{about}",
                "997",
                lambda number, now: write_x12(
                    self.profile,
                    self.profile.versions[0],
                    number,
                    now.astimezone(self.zone),
                    sets,
                ),
            )
        except (OSError, sqlite3.Error) as error:
            self._notice(f"interchange {about.rsplit(':', 1)[0]} is not acknowledged: {error}")
            return False
        return True

    def _origins(self) -> dict[int, str]:
        try:
            return self.ledger.origins()
        except sqlite3.Error as error:
            raise SourceError(
                "unreadable", f"the ledger of {self.system.name} can't be read: {error}"
            ) from error

    def _notice(self, text: str) -> None:
        self.notices.append(text)
        _LOG.warning("%s: %s", self.system.name, text)


def partner_profile(system: System) -> PartnerProfile:
    """The profile that a system names. Raises ConfigurationError."""
    name = system.options.get("profile")
    if not isinstance(name, str):
        raise ConfigurationError(
            f"system '{system.name}' needs options.profile: the YAML file of its trading partner"
        )
    profile = load_profile(system.folder / name)
    if profile.role != system.role:
        raise ConfigurationError(
            f"system '{system.name}' has role {system.role}, its profile {name} says {profile.role}"
        )
    return profile


def partner_ledger(system: System, profile: PartnerProfile) -> Ledger:
    """What we wrote to the partner; beside its folders unless options.ledger names a file."""
    folder = system.folder / system.base_url.removeprefix("file://")
    path = system.options.get("ledger")
    return Ledger(
        system.folder / str(path) if path else folder / "ledger.sqlite",
        folder / OUTBOUND,
        profile.first_control_number,
    )


def _digest_of(profile: PartnerProfile, contracts: Mapping[str, Contract]) -> str:
    held = {entity: contract.fingerprint for entity, contract in sorted(contracts.items())}
    text = profile.model_dump_json(exclude={"separators", "functional_acknowledgement"})
    return hashlib.sha256(f"{text}{held}".encode()).hexdigest()[:16]


def _sets_of(entity: str) -> frozenset[str]:
    """The sets that fill an entity; groups are told by every set that is no acknowledgement."""
    if entity == GROUPS:
        return frozenset(ENTITIES_OF_SET.keys() - ANSWERS)
    return frozenset(code for code, filled in ENTITIES_OF_SET.items() if entity in filled)


def _told_before(known: Cursor) -> dict[str, tuple[str, str]]:
    """Identity -> (file, digest) of the good interchanges of earlier passes."""
    return {
        identity: (name, digest)
        for name, state in known.files.items()
        for identity, digest in state.interchanges.items()
    }


def _place(record: Record) -> int:
    return int(record.fields.get("position") or 0)


def _number(text: str) -> int:
    return int(text) if text.isdigit() else -1


def make_source(system: System, environment: Mapping[str, str]) -> X12Source:
    """The source of a configured partner; files need no secret, so the environment is not read."""
    return X12Source(system)
