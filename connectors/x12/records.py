"""From an interchange to records of the contract entities, and what was wrong with each set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from connectors.base import Record
from connectors.x12 import edifact_messages, x12_sets
from connectors.x12.interchange import BadInterchangeError, Group, Interchange, Transaction
from connectors.x12.profile import PartnerProfile, Party
from connectors.x12.reading import (
    INVALID_CODE,
    MISSING,
    Line,
    Problem,
    Reading,
    plain_number,
)
from registry.contracts import Contract

INTERCHANGES = "interchanges"
GROUPS = "functional_groups"
ACKNOWLEDGEMENTS = "functional_acknowledgements"
INVENTORY = "inventory"
# Entities that each set or message fills, its main one first.
ENTITIES_OF_SET = {
    "180": ("return_lines",),
    "214": ("tracking_events",),
    "810": ("invoice_lines",),
    "846": (INVENTORY,),
    "850": ("purchase_order_lines", "purchase_orders"),
    "855": ("acknowledgement_lines", "acknowledgements"),
    "856": ("shipment_notice_lines",),
    "860": ("purchase_order_lines", "purchase_orders"),
    "865": ("acknowledgement_lines", "acknowledgements"),
    "940": ("warehouse_order_lines",),
    "943": ("stock_transfer_lines",),
    "944": ("stock_transfer_lines",),
    "945": ("shipment_lines",),
    "947": ("adjustment_lines",),
    "997": (ACKNOWLEDGEMENTS,),
    "CONTRL": (ACKNOWLEDGEMENTS,),
    "DESADV": ("shipment_notice_lines",),
    "INVOIC": ("invoice_lines",),
    "INVRPT": (INVENTORY,),
    "ORDERS": ("purchase_order_lines", "purchase_orders"),
    "ORDRSP": ("acknowledgement_lines", "acknowledgements"),
}
ANSWERS = frozenset({"997", "CONTRL"})
"""Sets that acknowledge others, and are not acknowledged."""
NUMBERS = frozenset(
    {
        "adjustment_number",
        "host_order",
        "invoice_number",
        "order_number",
        "package_number",
        "po_number",
        "return_number",
        "shipment_number",
        "tracking_number",
        "transfer_number",
    }
)
"""Columns that hold an element of the set as it stands there."""
_READERS = {**x12_sets.READERS, **edifact_messages.READERS}
# The form of DECIMAL(18,6): twelve digits before the point and six after it.
_DECIMAL = re.compile(r"-?0*\d{1,12}(\.\d{1,6}0*)?")
_WHOLE = re.compile(r"-?\d{1,18}")
# Where sets name the order that they are about: for what can't be read any further.
_REFERENCES = {
    "BEG": 3,
    "BAK": 3,
    "BCH": 3,
    "BCA": 3,
    "PRF": 1,
    "BIG": 4,
    "W05": 2,
    "W06": 2,
    "W17": 4,
}
_ENVELOPES = frozenset({b"ISA", b"GS", b"GE", b"IEA"})


@dataclass(frozen=True)
class Verdict:
    """What was found of one transaction set; no problems: it is accepted."""

    group: Group
    transaction: Transaction
    problems: tuple[Problem, ...]
    is_expected: bool = True


@dataclass
class Told:
    """An interchange as records by entity, with a verdict on each of its sets."""

    records: dict[str, list[Record]] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)


def filled_entities(profile: PartnerProfile) -> tuple[str, ...]:
    """Entities that the profile's sets fill, by name after the envelopes."""
    sets = profile.sets
    filled = {
        entity for code in (*sets.inbound, *sets.outbound) for entity in ENTITIES_OF_SET[code]
    }
    if any(code not in ANSWERS for code in sets.outbound):
        filled |= {GROUPS, ACKNOWLEDGEMENTS}
    return (INTERCHANGES, *sorted(filled))


class Translator:
    """Turns interchanges of one partner into records."""

    def __init__(
        self, profile: PartnerProfile, contracts: Mapping[str, Contract], zone: ZoneInfo
    ) -> None:
        self._profile = profile
        self._filled = frozenset(filled_entities(profile))
        self._contracts = contracts
        self._zone = zone

    def check_envelope(self, interchange: Interchange, direction: str) -> None:
        """Raise BadInterchangeError unless it is between us and the partner, in a known version."""
        profile = self._profile
        inbound = direction == "inbound"
        sender, receiver = (profile.them, profile.us) if inbound else (profile.us, profile.them)
        _require_party("sender", sender, interchange.sender_qualifier, interchange.sender)
        _require_party("receiver", receiver, interchange.receiver_qualifier, interchange.receiver)
        for group in interchange.groups:
            if interchange.standard == "x12" and not group.version.startswith(profile.versions):
                raise BadInterchangeError(
                    "version",
                    f"group {group.control_number} has version {group.version}, the profile knows "
                    f"{', '.join(profile.versions)}",
                )

    def told(
        self, interchange: Interchange, direction: str, file: str, origin: str | None = None
    ) -> Told:
        """Everything that a good interchange says. ``origin``: the key of a correction of ours."""
        told = Told()
        expected = (
            self._profile.sets.inbound if direction == "inbound" else self._profile.sets.outbound
        )
        self._add(told, INTERCHANGES, [self._head(interchange, direction, file)])
        for group in interchange.groups:
            common = {
                "partner": self._profile.partner,
                "direction": direction,
                "interchange_id": interchange.interchange_id,
                "group_control_number": group.control_number,
                "written_at": str(group.written_at),
                "position": str(interchange.position),
                "origin": origin,
            }
            if direction == "outbound" and group.functional_id not in ("FA", "CONTRL"):
                self._add(told, GROUPS, [self._group(interchange, group, common)])
            for transaction in group.transactions:
                verdict = self._transaction(
                    told, interchange, group, transaction, common, transaction.code in expected
                )
                told.verdicts.append(verdict)
        return told

    def _transaction(
        self,
        told: Told,
        interchange: Interchange,
        group: Group,
        transaction: Transaction,
        common: Mapping[str, str | None],
        is_expected: bool,
    ) -> Verdict:
        reading = Reading(transaction, self._profile, self._zone)
        read = _READERS.get(transaction.code)
        lines = list(read(reading)) if read else []
        problems = list(reading.problems)
        if not is_expected:
            text = f"set {transaction.code} is not expected {common['direction']}"
            problems = [Problem(1, "ST", 1, INVALID_CODE, text)]
        own = {"set_code": transaction.code, "set_control_number": transaction.control_number}
        records: list[tuple[str, Record]] = []
        seen: dict[tuple[str, str], Mapping[str, str | None]] = {}
        for line in lines:
            contract = self._contracts[line.entity]
            fields = {**line.fields, **common, **own}
            record_id = contract.record_id(fields)
            problems += _broken(contract, line, fields, has_problems=bool(problems))
            if seen.setdefault((line.entity, record_id), fields) != fields:
                text = f"segment {line.place}: {record_id} is told twice, with different words"
                problems.append(Problem(line.place, transaction.code, 0, INVALID_CODE, text))
            raw = _raw(interchange, transaction, line.places)
            reference = fields.get(contract.reference_column or "")
            records.append((line.entity, Record(record_id, fields, raw, reference)))
        if problems:
            words = "; ".join(dict.fromkeys(problem.text for problem in problems))
            reason = (
                f"set {transaction.code} {transaction.control_number} of interchange "
                f"{interchange.interchange_id} is refused: {words}"
            )
            records = self._refused(interchange, group, transaction, records, reason)
        for entity, record in records:
            self._add(told, entity, [record])
        return Verdict(group, transaction, tuple(problems), is_expected)

    def _refused(
        self,
        interchange: Interchange,
        group: Group,
        transaction: Transaction,
        records: list[tuple[str, Record]],
        reason: str,
    ) -> list[tuple[str, Record]]:
        """All lines of a set go to quarantine with it, under their own identities, so that a good
        version settles them. A set that does not even say which order it is about, or whose lines
        belong to no entity of this partner, is kept with the interchanges, where taking its file
        away settles it."""
        named = [
            (entity, replace(record, problem=reason))
            for entity, record in records
            if entity in self._filled and record.reference and all(record.record_id.split("/"))
        ]
        if named:
            return named
        number = f"{group.control_number}/{transaction.control_number}"
        raw = _raw(interchange, transaction, range(len(transaction.texts)))
        # What fills no entity of this partner can't be what a rule waits for.
        is_awaited = not self._filled.isdisjoint(ENTITIES_OF_SET.get(transaction.code, ()))
        reference = None if is_awaited else number
        record_id = f"{interchange.interchange_id}#{number}"
        return [(INTERCHANGES, Record(record_id, {}, raw, reference, reason))]

    def _head(self, interchange: Interchange, direction: str, file: str) -> Record:
        sets = [item.code for group in interchange.groups for item in group.transactions]
        fields = {
            "interchange_id": interchange.interchange_id,
            "direction": direction,
            "partner": self._profile.partner,
            "standard": interchange.standard,
            "control_number": interchange.control_number,
            "written_at": str(interchange.written_at),
            "position": str(interchange.position),
            "sender": interchange.sender,
            "receiver": interchange.receiver,
            "version": interchange.version,
            "usage": interchange.usage,
            "group_count": str(len(interchange.groups)),
            "set_count": str(len(sets)),
            "sets": " ".join(dict.fromkeys(sets)) or None,
            "file": file,
        }
        return Record(
            interchange.interchange_id, fields, interchange.raw, interchange.control_number
        )

    def _group(
        self, interchange: Interchange, group: Group, common: Mapping[str, str | None]
    ) -> Record:
        within = self._profile.functional_acknowledgement.expected_within_minutes
        functional_id = group.functional_id if interchange.standard == "x12" else "EDIFACT"
        fields = {
            **common,
            "set_code": group.transactions[0].code if group.transactions else group.functional_id,
            "set_control_number": group.control_number,
            "functional_id": functional_id,
            "group_number": group.control_number,
            "sets": " ".join(f"{item.code}/{item.control_number}" for item in group.transactions),
            "set_count": str(len(group.transactions)),
            "acknowledgement_due_at": str(group.written_at + timedelta(minutes=within)),
        }
        raw = "".join(
            f"{text}{interchange.terminator}\n"
            for item in group.transactions
            for text in (item.opening, *item.texts, item.closing)
        )
        record_id = self._contracts[GROUPS].record_id(fields)
        return Record(record_id, fields, raw, group.control_number)

    def _add(self, told: Told, entity: str, records: Iterable[Record]) -> None:
        told.records.setdefault(entity, []).extend(records)


def orders_in(payload: bytes) -> dict[str, bytes]:
    """What a text which is no good interchange says of each order that it names: the order's own
    sets, and the envelopes of all. Empty when any set names none."""
    if not payload.startswith(b"ISA") or len(payload) < 106:
        return {}
    element, terminator = payload[3:4], payload[105:106]
    segments = payload.split(terminator)
    envelopes: list[int] = []
    sets: list[list[int]] = []
    named: list[set[bytes]] = []
    is_inside = False
    for number, segment in enumerate(segments):
        parts = segment.strip().split(element)
        if parts[0] == b"ST":
            is_inside = True
            sets.append([])
            named.append(set())
        elif parts[0] in _ENVELOPES:
            is_inside = False
        (sets[-1] if is_inside else envelopes).append(number)
        place = _REFERENCES.get(parts[0].decode("latin-1"))
        if is_inside and place and len(parts) > place and parts[place]:
            named[-1].add(parts[place])
    if not named or not all(named):
        return {}
    of_order: dict[bytes, list[int]] = {}
    for numbers, references in zip(sets, named, strict=True):
        for reference in references:
            of_order.setdefault(reference, []).extend(numbers)
    return {
        reference.decode("latin-1"): terminator.join(
            segments[number] for number in sorted([*envelopes, *numbers])
        )
        for reference, numbers in sorted(of_order.items())
    }


def _require_party(what: str, party: Party, qualifier: str, identity: str) -> None:
    if identity != party.id or qualifier not in ("", party.qualifier):
        raise BadInterchangeError(
            "partner",
            f"the {what} is {qualifier}/{identity}, the profile says {party.qualifier}/{party.id}",
        )


def _broken(
    contract: Contract, line: Line, fields: Mapping[str, str | None], has_problems: bool
) -> list[Problem]:
    """What would break the contract: one bad line refuses its whole set. A value that is missing
    behind another problem is not told twice."""
    found = []
    for column in contract.columns:
        value = fields.get(column.name)
        text = None
        if value is None:
            if column.required and not has_problems:
                text = f"there is no {column.name}"
        elif column.duckdb_type == "DECIMAL(18,6)":
            if plain_number(value) is not None and not _DECIMAL.fullmatch(value):
                text = f"{column.name} has more than 12 digits before or 6 after the point: {value}"
            elif column.minimum is not None and value.startswith("-") and value.strip("-0."):
                text = f"{column.name} is below {column.minimum:g}: {value}"
        elif column.duckdb_type == "BIGINT" and not _WHOLE.fullmatch(value):
            text = f"{column.name} is no whole number: {value}"
        if text is not None:
            found.append(Problem(line.place, "", 0, MISSING, f"segment {line.place}: {text}"))
    return found


def _raw(interchange: Interchange, transaction: Transaction, places: Iterable[int]) -> str:
    """The set's header, the segments of the line and of what it lies in, and the trailer."""
    texts = (transaction.opening, *(transaction.texts[n] for n in places), transaction.closing)
    return "".join(f"{text}{interchange.terminator}\n" for text in texts)
