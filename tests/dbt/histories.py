"""Histories of every rule, made out of the rule's own row: broken, kept, late in time, in flight,
closed again, not due yet. In canonical terms, so that no product needs to tell them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from build import Warehouse
from scenario import NOW

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LONG_AGO = NOW - 60 * DAY
"""Before every frontier by more than the longest grace."""

BROKEN = "broken"
KEPT = "kept"
LATE_IN_TIME = "late_in_time"
IN_FLIGHT = "in_flight"
CLOSED = "closed"
NOT_DUE = "not_due"
DISCHARGED = "discharged"
PARTLY_DISCHARGED = "partly_discharged"

STATUS = {
    BROKEN: "open",
    PARTLY_DISCHARGED: "open",
    IN_FLIGHT: "pending",
    CLOSED: "closed",
    NOT_DUE: "pending",
}
"""In which status the exception must be, by the case; of the others there must be none."""

ORDERED = 5

Row = dict[str, Any]


@dataclass
class Case:
    """One history of a rule and the object that it is about."""

    rule: Row
    name: str
    object_id: str
    expected: frozenset[str]
    signal: str | None = None

    @property
    def grace(self) -> timedelta:
        return timedelta(minutes=self.rule["grace_minutes"])

    @property
    def begun(self) -> datetime:
        """From when the grace counts."""
        return NOW - self.grace + MINUTE if self.name == NOT_DUE else LONG_AGO

    @property
    def answered(self) -> datetime | None:
        """When what was missing came; None for never."""
        return {
            KEPT: self.begun - MINUTE,
            LATE_IN_TIME: self.begun + self.grace,
            CLOSED: self.begun + self.grace + HOUR,
        }.get(self.name)


@dataclass
class Histories:
    """All cases of all rules, and the rows in which they are told, by relation."""

    rules: list[Row]
    pairs: list[Row]
    compared: list[Row]
    signals: list[Row]
    authorities: dict[tuple[str, str, str], str]
    evidence: dict[str, list[tuple[str, str]]]
    cases: list[Case] = field(default_factory=list)
    rows: dict[str, list[Row]] = field(default_factory=dict)

    @classmethod
    def of(cls, warehouse: Warehouse) -> Histories:
        """From the seeds of a warehouse in which every role has one system of the role's name."""
        authorities = _records(warehouse, "select * from reconciliation.authorities")
        histories = cls(
            rules=_records(warehouse, "select * from reconciliation.rules_in_force"),
            pairs=_records(warehouse, "select * from seeds.milestone_orders"),
            compared=_records(warehouse, "select * from seeds.compared_fields"),
            signals=_records(warehouse, "select * from seeds.feed_signals"),
            authorities={
                (row["object_type"], row["field"], row["a_system"]): row["authoritative_role"]
                for row in authorities
            },
            evidence={},
        )
        for row in _records(warehouse, "select * from reconciliation.rule_evidence"):
            histories.evidence.setdefault(row["rule_id"], []).append((row["system"], row["entity"]))
        for rule in histories.rules:
            getattr(histories, f"_{rule['family']}")(rule)
        return histories

    def add(self, relation: str, **values: Any) -> None:
        self.rows.setdefault(relation, []).append(values)

    def _case(
        self, rule: Row, name: str, object_id: str, signal: str | None = None, no: str = ""
    ) -> Case:
        """``no``: a case of which, against the usual, nothing is seen."""
        expected = frozenset({STATUS[name]} if name in STATUS and name != no else ())
        case = Case(rule, name, object_id, expected, signal)
        self.cases.append(case)
        return case

    def _fact(self, role: str, milestone: str, told: datetime, **values: Any) -> None:
        number = len(self.rows.get("facts", ())) + 1
        values.setdefault("occurred_from", told)
        values.setdefault("occurred_to", values["occurred_from"])
        self.add(
            "facts",
            **{
                "fact_id": f"fact-{number}",
                "system": role,
                "role": role,
                "entity": "told",
                "record_id": f"record-{number}",
                "milestone": milestone,
                "ordinal": 1,
                "own_document": f"own-{number}",
                "line_record": "10",
                "item_id": "item",
                "location_id": "place",
                "quantity": ORDERED,
                "recorded_from": told,
                "recorded_to": told,
                "seen_at": told,
                "is_first_load": False,
                "is_echo": False,
                "raw_key": f"raw-{number}",
                **values,
            },
        )

    def _is_held(self, case: Case, reference: str, role: str | None) -> None:
        """A record that could answer has come, but can't be used yet."""
        feeds = self.evidence[case.rule["rule_id"]]
        system, entity = next((feed for feed in feeds if feed[0] == role), feeds[0])
        self.add(
            "quarantine",
            system=system,
            entity=entity,
            record_id=reference,
            reference=reference,
            reason_code="wrong_type",
            quarantined_at=NOW,
        )

    def _presence(self, rule: Row) -> None:
        names = [BROKEN, KEPT, LATE_IN_TIME, IN_FLIGHT, CLOSED, NOT_DUE]
        discharge = (rule["discharged_by"] or "").split("|")[0].split(".")
        if rule["discharged_by"]:
            names.append(DISCHARGED)
        if "in_full" in discharge:
            names.append(PARTLY_DISCHARGED)
        for name in names:
            order = f"{rule['rule_id']}-{name}"
            is_line = rule["object_type"] == "order_line"
            case = self._case(rule, name, f"{order}/1" if is_line else order)
            about = {
                "object_type": rule["object_type"],
                "object_id": case.object_id,
                "order_id": order if is_line else None,
                "order_line_id": case.object_id if is_line else None,
                "document": case.object_id if rule["object_type"] == "movement" else f"D-{order}",
            }
            self._duty(case, about)
            if name == IN_FLIGHT:
                self._is_held(case, about["document"], rule["b_role"])
            if name in (DISCHARGED, PARTLY_DISCHARGED):
                role, milestone = discharge[:2]
                some = {} if name == DISCHARGED else {"quantity": ORDERED - 1}
                self._fact(role, milestone, case.begun + min(MINUTE, case.grace), **about, **some)

    def _duty(self, case: Case, about: Row) -> None:
        """A, what it requires, and B when it came."""
        rule, before = case.rule, case.begun - DAY
        promised = rule["due_from"] == "promised"
        told = before if promised else case.begun
        self._fact(
            rule["a_role"],
            rule["a_milestone"].split("|")[0],
            told,
            promised_at=case.begun if promised else None,
            **about,
        )
        b_milestone, missing = rule["b_milestone"].split("|")[0], ORDERED
        if rule["arises"] == "covers_ordered":
            self._fact(rule["b_role"], "captured", before, **about)
        if rule["requires"]:
            role, milestone = rule["requires"].split(".")[:2]
            short = {}
            if (role, milestone) == (rule["b_role"], b_milestone):
                # Something like B is there, but not enough of it, or not the right one.
                by_quantity = rule["cover"] == "quantity"
                short = {"quantity": 2} if by_quantity else {"item_id": "another"}
                missing = ORDERED - 2 if by_quantity else ORDERED
            self._fact(role, milestone, before, **{**about, **short})
        if case.answered:
            opposite = rule["cover"] == "opposite_quantity"
            enough = {"quantity": -missing if opposite else missing}
            self._fact(rule["b_role"], b_milestone, case.answered, **{**about, **enough})

    def _uniqueness(self, rule: Row) -> None:
        movement, package = (rule["object_type"] == kind for kind in ("movement", "package"))
        milestone = rule["a_milestone"].split("|")[0]
        for name in (BROKEN, KEPT, LATE_IN_TIME, IN_FLIGHT, CLOSED, NOT_DUE):
            key = f"{rule['rule_id']}-{name}"
            second = f"{key}-2"
            case = self._case(rule, name, key if movement or package else second)
            shared = rule["match_on"].split("|")
            for nth, own_document in ((1, f"{key}-1"), (2, second)):
                order = key if {"order", "document"} & set(shared) else own_document
                about = {
                    "object_type": rule["object_type"] if movement or package else "order_line",
                    "object_id": key if movement or package else f"{order}/1",
                    "order_id": None if package else order,
                    "order_line_id": None if movement or package else f"{order}/1",
                    "document": key if "document" in shared else own_document,
                    "own_document": own_document,
                    "party_id": "party",
                    "party_reference": key,
                    "item_id": key,
                }
                told = case.begun - HOUR if nth == 1 else case.begun
                ended = None if nth == 1 or movement else case.answered
                if nth == 1 or name != KEPT:
                    reversal = {"reversed_from": ended, "reversed_to": ended}
                    self._fact(rule["a_role"], milestone, told, **about, **reversal)
                if nth == 1 and rule["b_role"]:
                    self._fact(rule["b_role"], milestone, told - HOUR, **about)
                if package:
                    self.add("links", object_key=key, order_line_id=f"{own_document}/1")
                if nth == 2 and movement and case.answered and name != KEPT:
                    taken = {**about, "quantity": -ORDERED, "own_document": f"{key}-3"}
                    self._fact(rule["a_role"], milestone, case.answered, **taken)
            if name == IN_FLIGHT:
                self._is_held(case, second, rule["a_role"])

    def _sequence(self, rule: Row) -> None:
        pairs = [pair for pair in self.pairs if pair["rule_id"] == rule["rule_id"]]
        assert pairs, f"{rule['rule_id']} has no pair of milestones"
        for nth, pair in enumerate(pairs):
            for name in (BROKEN, KEPT, LATE_IN_TIME, IN_FLIGHT, CLOSED, NOT_DUE):
                self._pair(rule, pair, nth, name)

    def _pair(self, rule: Row, pair: Row, nth: int, name: str) -> None:
        order = f"{rule['rule_id']}-{nth}-{name}"
        line = pair["object_type"] == "order_line"
        case = self._case(rule, name, f"{order}/1" if line else order)
        about = {
            "object_type": pair["object_type"],
            "object_id": case.object_id,
            "order_id": order if line else None,
            "order_line_id": case.object_id if line else None,
            "document": f"D-{order}",
        }
        told = case.begun
        much = timedelta(minutes=pair["tolerance_minutes"]) + 2 * HOUR
        itself = pair["match_on"] == "record"
        # Of a milestone against itself: it happened long after it was told.
        wrong = told + much if itself else told - HOUR
        right = wrong - much - HOUR
        ended = case.answered if name in (LATE_IN_TIME, CLOSED) else None
        # When a step was recorded nobody can date otherwise: it is taken back.
        by_record = pair["earlier_time"] == "recorded" and not itself
        # And of a promise, only a new one is another one.
        by_promise = pair["earlier_time"] == "promised"
        redated = None if by_record or by_promise else ended
        taken_back = ended if by_record or by_promise else None
        self._fact(
            pair["earlier_role"],
            pair["earlier_milestone"].split("|")[0],
            told,
            **about,
            occurred_from=right if name == KEPT else wrong,
            promised_at=right if name == KEPT else wrong,
            redated_from=right if redated else None,
            redated_to=right if redated else None,
            redated_seen_at=redated,
            reversed_from=taken_back,
            reversed_to=taken_back,
        )
        if not itself:
            later = pair["later_milestone"].split("|")[0]
            happened = told if by_record and name == KEPT else wrong - much
            when = {"occurred_from": happened, "promised_at": happened}
            self._fact(pair["later_role"], later, told, **about, **when)
        if name == IN_FLIGHT:
            self._is_held(case, about["document"], pair["earlier_role"])

    def _agreement(self, rule: Row) -> None:
        for compared in (row for row in self.compared if row["rule_id"] == rule["rule_id"]):
            for name in (BROKEN, KEPT, LATE_IN_TIME, IN_FLIGHT, CLOSED, NOT_DUE):
                self._compared(rule, compared, name)

    def _compared(self, rule: Row, compared: Row, name: str) -> None:
        order = f"{rule['rule_id']}-{compared['field']}-{name}"
        case = self._case(rule, name, f"{order}/1")
        field = compared["field"]
        decides = self._decides(rule, compared["object_type"], field)
        copy = rule["a_role"] if decides == rule["b_role"] else rule["b_role"]
        # One system may hold both values, in two fields.
        copied = compared.get("copy_field") or field
        right, wrong = 100, 101 + compared["tolerance"] + (compared.get("tolerance_percent") or 0)
        changed = None if name == KEPT else case.answered
        # Of which there may be several copies, each an object of its own.
        each = compared.get("copy_object_type")
        itself = (compared["object_type"], case.object_id)
        copy_of = (each, f"R-{order}|{case.object_id}") if each else itself
        first = right if name == KEPT else wrong
        held = [(decides, itself, field, right, case.begun, None)]
        held.append((copy, copy_of, copied, first, case.begun, changed))
        if changed:
            held.append((copy, copy_of, copied, right, changed, None))
        for role, (object_type, object_key), told, value, since, until in held:
            self.add(
                "versions",
                attribute_version_id=f"version-{len(self.rows.get('versions', ()))}",
                system=role,
                role=role,
                object_type=object_type,
                object_key=object_key,
                object_id=case.object_id,
                order_line_id=case.object_id,
                document=f"D-{order}",
                field=told,
                value=value,
                valid_from_earliest=since,
                valid_from_latest=since,
                valid_to_earliest=until,
                valid_to_latest=until,
                seen_at=since,
                is_first_load=False,
                raw_key="raw",
            )
        if name == IN_FLIGHT:
            self._is_held(case, case.object_id, copy)

    def _balance(self, rule: Row) -> None:
        """Snapshots at four moments: the second one running that differs is the one that counts."""
        cover = rule["cover"]
        decides = self._decides(rule, rule["object_type"], rule["a_milestone"])
        copy = rule["b_role"] if decides == rule["a_role"] else rule["a_role"]
        floor = cover == "at_least" and rule["a_role"] == rule["b_role"]
        promise = cover in ("at_most", "at_least") and not floor
        right, wrong = (5, -1) if floor else (100, 90)
        if cover in ("ledger", "at_most"):
            wrong = 110
        differs = {
            BROKEN: (False, True, True, True),
            KEPT: (False, False, False, False),
            LATE_IN_TIME: (False, True, False, False),
            CLOSED: (False, True, True, False),
            NOT_DUE: (False, False, False, True),
        }
        if cover not in ("at_least", "at_most"):
            differs[IN_FLIGHT] = (cover != "ledger", True, True, True)
        for name, moments in differs.items():
            item = f"{rule['rule_id']}-{name}"
            # What a document explains is no difference at all.
            self._case(rule, name, f"{item}@place", no=IN_FLIGHT)
            for nth, is_wrong in enumerate(moments):
                shown = {(copy, rule["a_milestone"].split("|")[0]): wrong if is_wrong else right}
                if rule["requires"]:
                    shown |= {tuple(rule["requires"].split(".")): 0}
                if promise:
                    shown = {(rule["a_role"], rule["a_milestone"]): wrong if is_wrong else right}
                    shown |= {(rule["b_role"], "on_hand"): right}
                elif not floor and cover != "ledger":
                    shown |= {(decides, rule["a_milestone"]): right}
                for (role, state), quantity in shown.items():
                    self._position(item, nth, role, state, quantity)
            if cover == "whole_packs":
                self._pack(item, copy)
            if name == IN_FLIGHT:
                self._movement(item, decides, rule["a_milestone"], own=cover == "ledger")
                # The ledger that lacks it reaches back as far: what was before it explains nothing.
                self._movement(f"{item}-other", copy, rule["a_milestone"], own=False)

    def _position(self, item: str, nth: int, role: str, state: str, quantity: int) -> None:
        self.add(
            "positions",
            position_id=f"{item}-{role}-{state}-{nth}",
            system=role,
            role=role,
            item_id=item,
            location_id="place",
            state=state,
            quantity=quantity,
            snapshot=nth,
            raw_key="raw",
        )

    def _pack(self, item: str, system: str) -> None:
        """The system's item master has a pack of as many as a balance is wrong by."""
        self.add(
            "items",
            item_key=item,
            system=system,
            role=system,
            item_id=item,
            source_item=item,
            pack_numerator=10,
            pack_denominator=1,
        )

    def _movement(self, item: str, system: str, state: str, own: bool) -> None:
        """A document moved ten: the other system lacks it, or, if ``own``, it is why the balance of
        the second snapshot is another one."""
        told = NOW - 210 * MINUTE if own else LONG_AGO
        self.add(
            "movements",
            movement_id=item,
            system=system,
            role=system,
            entity="told",
            record_id=item,
            item_id=item,
            location_id="place",
            movement_kind="receipt",
            from_state="outside",
            to_state=state,
            quantity=10,
            on_hand_change=10,
            document=f"D-{item}",
            recorded_from=told,
            recorded_to=told,
            seen_at=told,
            raw_key="raw",
        )

    def _feed(self, rule: Row) -> None:
        """A trouble that is on its way to its end is one that is not due yet."""
        systems = ["oms", "erp", "wms", "carrier", "supplier"]
        for signal in (row for row in self.signals if row["rule_id"] == rule["rule_id"]):
            names = (BROKEN, KEPT, LATE_IN_TIME, CLOSED, NOT_DUE)
            for name, system in zip(names, systems, strict=True):
                whole = signal["scope"] == "system"
                entity = None if whole else f"{signal['signal']}-{name}"
                about = system if whole else f"{system}.{entity}"
                case = self._case(rule, name, about, signal["signal"])
                if name == KEPT:
                    continue
                self.add(
                    "troubles",
                    signal=signal["signal"],
                    system=system,
                    entity=entity,
                    object_id=f"{system}.{entity}",
                    observed="observed",
                    begun_at=case.begun,
                    ended_from=case.answered,
                    ended_to=case.answered,
                    raw_key="raw",
                )

    def _decides(self, rule: Row, object_type: str, name: str) -> str:
        return self.authorities.get((object_type, name, rule["a_role"]), rule["a_role"])


def _records(warehouse: Warehouse, sql: str) -> list[Row]:
    return list(_with_names(warehouse, sql))


def _with_names(warehouse: Warehouse, sql: str) -> Iterator[Row]:
    names = [name for name, *_ in warehouse.rows(f"describe {sql}")]
    for values in warehouse.rows(sql):
        yield dict(zip(names, values, strict=True))
