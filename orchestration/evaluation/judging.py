"""One world judged: its truth rows and its own ledger against what we opened and sent. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from orchestration.scoring import identifiers, intent, mentioned, names_of, sent_once

Key = tuple[str, str]  # (rule id, object id)
Row = Mapping[str, Any]

UNEXPLAINED = "unexplained"
"""The kind under which stands what is about no fault and no decoy at all."""

WITHOUT_CHANGE = {"expected_quantity", "new_quantity", "reason"}
"""Fields of our payloads that change nothing at a target, or nothing that is not named elsewhere:
old values that guard against changes meanwhile, reasons, and references to look a thing up."""

NOT_TAKEN = "C01"
BALANCES = {"I01", "I02", "I06B", "I07", "I07E", "I10"}
"""Rules of what must stand in two snapshots running (docs/rules.md)."""
BREAKER_OPENED = "breaker opened"
SENDER_DIED = "sender died"
_HAPPENS_TO_US = {"unavailable": BREAKER_OPENED, "sender_dies": SENDER_DIED}
"""What must have happened to us when a target behaved in some way."""


@dataclass(frozen=True)
class Sighting:
    """An exception that people could see. ``seen``: the ends of the passes that showed it, the
    first one in whatever state, the others open. ``about``: names of its object, order and
    document."""

    exception: str
    rule: str
    object: str
    seen: tuple[datetime, ...]
    incident: str
    about: frozenset[str] = frozenset()

    @property
    def key(self) -> Key:
        return (self.rule, self.object)

    def seen_from(self, moment: datetime) -> datetime | None:
        """When it was seen first at that moment or later."""
        return min((one for one in self.seen if one >= moment), default=None)


@dataclass(frozen=True)
class Sent:
    """A correction of ours, by the idempotency key under which the ledger knows it, and the state
    in which it ended."""

    idempotency_key: str
    system: str
    kind: str
    payload: Row
    state: str = "verified"
    accepted_at: datetime | None = None


@dataclass(frozen=True)
class Evidence:
    """What one world and our run of it left behind. ``began_at``: when the first pass began;
    ``passes``: when each pass began and ended; ``open_at_end``: the exceptions that the last pass
    left open; ``documents``: what the systems hold at the end, by system and entity;
    ``happened``: the behaviours of targets that a write met, and what they did to us."""

    truth: Sequence[Row]
    ledger: Sequence[Row]
    sightings: Sequence[Sighting]
    sent: Sequence[Sent]
    began_at: datetime
    open_at_end: frozenset[Key] = frozenset()
    passes: Sequence[tuple[datetime, datetime]] = ()
    documents: Mapping[str, Mapping[str, Sequence[Row]]] = field(default_factory=dict)
    happened: frozenset[str] = frozenset()


@dataclass
class Counts:
    """Of one kind. ``delays``: seconds from the deadline, or from the injection or the first pass
    where that was later, to the pass in which all exceptions of a fault could be seen.

    ``late``: found, but not in the pass that had to show it (``_last_in_time``). ``correctable``
    faults expect a correction. ``false`` counts exceptions that no fault explains, ``wrong`` and
    ``doubled`` count writes in the ledger.
    """

    injected: int = 0
    detectable: int = 0
    found: int = 0
    missed: int = 0
    late: int = 0
    false: int = 0
    decoys: int = 0
    decoys_reported: int = 0
    correctable: int = 0
    corrected: int = 0
    wrong: int = 0
    doubled: int = 0
    delays: list[float] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """By name, without what is zero or empty: of most kinds a world holds few."""
        told = vars(self) | {"delays": [round(one, 3) for one in self.delays]}
        return {name: value for name, value in told.items() if value}


@dataclass(frozen=True)
class Judgement:
    """Counts by kind, ``remarks`` that name each single thing that is not as it should be, and for
    each exception that a fault explains its root cause beside our incident."""

    kinds: dict[str, Counts]
    remarks: list[str]
    grouping: list[tuple[str, str]]


@dataclass(frozen=True)
class Step:
    """One write that a fault expects."""

    fault: str
    number: int
    system: str
    kind: str
    payload: Row


def judge(evidence: Evidence) -> Judgement:
    """Compare. A fault is found when every exception that it must cause was seen after it was
    injected; it is corrected when the ledger holds each write that it expects, with exactly the
    expected content, and the systems hold at the end what they must."""
    kinds: dict[str, Counts] = {}
    remarks: list[str] = []

    def of(kind: str) -> Counts:
        return kinds.setdefault(kind, Counts())

    faults = [row for row in evidence.truth if not row["decoy"]]
    decoys = [row for row in evidence.truth if row["decoy"]]
    names = {row["fault_id"]: identifiers(row["entity_keys"]) for row in evidence.truth}
    causes = _Causes(faults)
    explained = {one.exception: causes.of(one) for one in evidence.sightings}
    seen: dict[Key, list[Sighting]] = {}
    for sighting in evidence.sightings:
        if explained[sighting.exception]:
            seen.setdefault(sighting.key, []).append(sighting)
    for row in faults:
        counts = of(row["fault_type"])
        counts.injected += 1
        if row["detectable"]:
            counts.detectable += 1
            _judge_detection(evidence, row, seen, counts, remarks)

    false = [one for one in evidence.sightings if not explained[one.exception]]
    false.sort(key=lambda one: one.key)
    reported = set()
    for sighting in false:
        near = [row for row in evidence.truth if is_about(sighting, names[row["fault_id"]])]
        # What is about a decoy and about a fault is the decoy's: that is what decoys are for.
        near.sort(key=lambda row: not row["decoy"])
        reported |= {row["fault_id"] for row in near if row["decoy"]}
        kind = near[0]["fault_type"] if near else UNEXPLAINED
        of(kind).false += 1
        remarks.append(f"false {kind}: {sighting.rule} {sighting.object}")
    for row in decoys:
        of(row["fault_type"]).decoys += 1
        of(row["fault_type"]).decoys_reported += row["fault_id"] in reported

    _judge_writes(evidence, faults, names, of, remarks)
    for row in faults:
        remarks += _unexpected_ends(row, evidence.sent)
    grouping = []
    for key in sorted(seen):
        first = min(seen[key], key=lambda one: one.seen)
        grouping.append((str(explained[first.exception]), first.incident))
    return Judgement(dict(sorted(kinds.items())), remarks, grouping)


class _Causes:
    """Which fault an exception is explained by: the last one with its key that was injected before
    anybody saw it."""

    def __init__(self, faults: Sequence[Row]) -> None:
        self._by_key: dict[Key, list[tuple[datetime, str]]] = {}
        for row in faults:
            for key in _expected(row):
                told = (_moment(row["injected_at"]), str(row["root_cause_id"]))
                self._by_key.setdefault(key, []).append(told)

    def of(self, sighting: Sighting) -> str | None:
        """The root cause; None: it is false."""
        first = min(sighting.seen)
        before = [told for told in self._by_key.get(sighting.key, ()) if told[0] <= first]
        return max(before, key=lambda told: told[0])[1] if before else None


def _judge_detection(
    evidence: Evidence,
    row: Row,
    seen: Mapping[Key, Sequence[Sighting]],
    counts: Counts,
    remarks: list[str],
) -> None:
    """Whether a detectable fault was found, and in time."""
    name = f"{row['fault_type']} {row['fault_id']}"
    expected, injected = _expected(row), _moment(row["injected_at"])
    shown: dict[Key, datetime] = {}
    for key in expected:
        moments = [one.seen_from(injected) for one in seen.get(key, ())]
        if told := [moment for moment in moments if moment is not None]:
            shown[key] = min(told)
    missing = sorted(expected - shown.keys())
    absent = _never_happened(row, evidence.happened)
    if missing or absent or not expected:
        counts.missed += 1
        if missing or not expected:
            told_of = ", ".join(f"{rule} {key}" for rule, key in missing) or "no rule is expected"
            remarks.append(f"missed {name}: {told_of}")
        remarks += [f"never happened {name}: {what}" for what in absent]
        return
    counts.found += 1
    if row.get("expected_to_close"):
        remarks += _still_open(row, evidence.open_at_end)
    due = _deadline(row, evidence)
    found_at = max(shown.values())
    counts.delays.append(max(0.0, (found_at - due).total_seconds()))
    last = _last_in_time(row, evidence, due) or found_at
    if found_at > last:
        counts.late += 1
        wanted, was = ((one - evidence.began_at).total_seconds() for one in (last, found_at))
        remarks.append(
            f"late {name}: due in the pass of {wanted:.0f} s, seen in that of {was:.0f} s"
        )


def _deadline(fault: Row, evidence: Evidence) -> datetime:
    """When a fault has fallen due: by the systems' own dates, and where it has none, so long after
    the first pass that could read it."""
    injected = _moment(fault["injected_at"])
    due = max(_moment(fault["expected_by"]), injected, evidence.began_at)
    grace = fault.get("due_after_reading")
    read = min((ended for began, ended in evidence.passes if began >= injected), default=None)
    if grace is None or read is None:
        return due
    return max(due, read + timedelta(seconds=grace))


def _last_in_time(fault: Row, evidence: Evidence, due: datetime) -> datetime | None:
    """The end of the pass that must show a fault: the first that began after its deadline. That a
    correction did not take is due in the second reading after it was accepted (rule C01), a balance
    in the second snapshot that shows it: the third pass must show either."""
    rules = {row["rule"] for row in fault["expected"]}
    after = [ended for began, ended in evidence.passes if began >= due][:1]
    if rules & BALANCES:
        injected = _moment(fault["injected_at"])
        after += [ended for began, ended in evidence.passes if began >= injected][2:3]
    if NOT_TAKEN in rules:
        wanted = fault.get("expected_attempt") or fault["expected_correction"]
        accepted = min(
            (
                one.accepted_at
                for one in evidence.sent
                if one.accepted_at is not None and _is_what(one, wanted)
            ),
            default=evidence.began_at,
        )
        after += [ended for began, ended in evidence.passes if began >= accepted][2:3]
    return max(after, default=None)


def _never_happened(fault: Row, happened: frozenset[str]) -> list[str]:
    """What a target should have done to a correction of ours and what that should have done to us,
    and did not."""
    behaviours = fault.get("expected_behaviours", ())
    wanted = {one["name"] for one in behaviours}
    wanted |= {_HAPPENS_TO_US[one["mode"]] for one in behaviours if one["mode"] in _HAPPENS_TO_US}
    return sorted(wanted - happened)


def _still_open(fault: Row, open_at_end: frozenset[Key]) -> list[str]:
    """Its exceptions that were to be closed at the end, and are not."""
    allowed = {(row["rule"], row["object"]) for row in fault.get("expected_open", ())}
    return [
        f"still open {fault['fault_type']} {fault['fault_id']}: {rule} {name}"
        for rule, name in sorted(_expected(fault) & open_at_end - allowed)
    ]


def _judge_writes(
    evidence: Evidence,
    faults: Sequence[Row],
    names: Mapping[str, frozenset[str]],
    of: Callable[[str], Counts],
    remarks: list[str],
) -> None:
    by_id = {row["fault_id"]: row for row in faults}
    steps = [step for row in faults for step in (*expected_steps(row), *_leaving_traces(row))]
    ours = {sent.idempotency_key: sent for sent in evidence.sent}
    done: Counter[Step] = Counter()
    intents: Counter[tuple[str, ...]] = Counter()
    for effect in sent_once(evidence.ledger):
        about = mentioned(effect)
        near = [row for row in faults if names[row["fault_id"]] & about]
        near_ids = {row["fault_id"] for row in near}
        fitting = [step for step in steps if step.fault in near_ids and fits(effect, step, ours)]
        # Two faults can expect the like of one object: each write stands for one of them.
        fitting.sort(key=lambda step: done[step])
        kind = by_id[fitting[0].fault]["fault_type"] if fitting else None
        kind = kind or (near[0]["fault_type"] if near else UNEXPLAINED)
        said = f"{kind}: {effect['system']} {effect['kind']} {effect['object']}"
        again = intents[intent(effect)] > 0 or intent(effect)[-1] == "nothing"
        intents[intent(effect)] += 1
        if again or (fitting and done[fitting[0]]):
            of(kind).doubled += 1
            remarks.append(f"doubled {said}")
        elif not fitting:
            of(kind).wrong += 1
            remarks.append(f"wrong {said}")
        if fitting:
            done[fitting[0]] += 1
    for row in faults:
        wanted = expected_steps(row)
        name = f"{row['fault_type']} {row['fault_id']}"
        missing = [step for step in wanted if not done[step]]
        remarks += [f"not corrected {name}: {step.system} {step.kind}" for step in missing]
        otherwise = list(_otherwise(row.get("expected_after_state") or {}, evidence.documents))
        remarks += [f"not so afterwards {name}: {what}" for what in otherwise]
        if wanted:
            counts = of(row["fault_type"])
            counts.correctable += 1
            counts.corrected += not missing and not otherwise
            if not missing and not row.get("expected_states"):
                remarks += _still_open(row, evidence.open_at_end)


def entities_of(after: Row) -> Iterator[tuple[str, str]]:
    """System and entity of all documents that an expected state speaks of."""
    for system, entities in after.items():
        for entity, wanted in entities.items():
            yield system, entity
            for one in wanted if isinstance(wanted, list) else [wanted]:
                for value in one.values():
                    if isinstance(value, Mapping):
                        yield value["same_as"]["in"], value["same_as"]["entity"]


def _otherwise(after: Row, documents: Mapping[str, Mapping[str, Sequence[Row]]]) -> Iterator[str]:
    """What of an expected state no document holds, be it in its head or in one of its lines."""
    for system, entities in after.items():
        for entity, wanted in entities.items():
            held = documents.get(system, {}).get(entity, ())
            for one in wanted if isinstance(wanted, list) else [wanted]:
                values = {name: _looked_up(value, documents) for name, value in one.items()}
                if not any(_holds(document, values) for document in held):
                    told = ", ".join(f"{name} {value}" for name, value in values.items())
                    yield f"{system} {entity} {told}"


def _looked_up(value: Any, documents: Mapping[str, Mapping[str, Sequence[Row]]]) -> Any:
    """A value, or the one that a field of another document has at the end."""
    if not isinstance(value, Mapping):
        return value
    same = value["same_as"]
    found = [
        document[same["field"]]
        for document in documents.get(same["in"], {}).get(same["entity"], ())
        if _holds(document, same["where"])
    ]
    return found[0] if len(found) == 1 else "no document"


def _holds(document: Row, values: Row) -> bool:
    """Whether a document, or one of its lines together with its head, holds all these values."""
    parts = [line for value in document.values() if isinstance(value, list) for line in value]
    heads = [document, *({**document, **part} for part in parts if isinstance(part, Mapping))]
    return any(
        all(name in head and _plain(head[name]) == _plain(value) for name, value in values.items())
        for head in heads
    )


def _unexpected_ends(fault: Row, sent: Sequence[Sent]) -> Iterator[str]:
    """Of a fault whose target does not do as it is asked: how ours did not end as it must."""
    states = fault.get("expected_states")
    if not states:
        return
    correction = fault["expected_attempt"] or fault["expected_correction"]
    ends = {one.state for one in sent if _is_what(one, correction)}
    if not ends or ends - set(states):
        told = ", ".join(sorted(ends)) or "never sent"
        yield (
            f"ended otherwise {fault['fault_type']} {fault['fault_id']}: {told}, "
            f"expected {' or '.join(states)}"
        )


def _is_what(sent: Sent, correction: Row) -> bool:
    """Whether a correction of ours is the one that a fault expects."""
    return (sent.system, sent.kind) == (correction["system"], correction["kind"]) and agrees(
        sent.payload, correction["payload"]
    )


def _expected(fault: Row) -> set[Key]:
    return {(row["rule"], row["object"]) for row in fault["expected"]}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def is_about(sighting: Sighting, names: frozenset[str]) -> bool:
    """Whether an exception is about something of these names: its object, or the order, document or
    item of which its object is a part (``SO-1/2``, ``gtin@place``)."""
    return not names.isdisjoint(names_of(sighting.object) | sighting.about)


def expected_steps(fault: Row) -> list[Step]:
    """Every single write that a fault expects, in order."""
    return _steps(fault, fault.get("expected_correction"))


def _leaving_traces(fault: Row) -> list[Step]:
    """The writes of an attempt that its target makes in part only: they correct nothing, and what
    is left of them is the expected state."""
    return _steps(fault, fault.get("expected_after_state") and fault.get("expected_attempt"))


def _steps(fault: Row, correction: Row | None) -> list[Step]:
    found: list[Step] = []
    while correction:
        for payload in _payloads(correction):
            step = Step(
                fault["fault_id"],
                len(found),
                correction["system"],
                correction["kind"],
                _Frozen(payload),
            )
            found.append(step)
        correction = correction.get("followed_by")
    return found


class _Frozen(dict[str, Any]):
    """A payload as a part of a step, which is known by its fault and number."""

    def __hash__(self) -> int:  # type: ignore[override]
        return 0


def _payloads(correction: Row) -> Iterator[Row]:
    payload = correction["payload"]
    lines = correction.get("each_of_lines")
    if lines is None:
        yield payload
    else:
        for line in lines:
            yield {**payload, "line_record": line}


def fits(effect: Row, step: Step, ours: Mapping[str, Sent]) -> bool:
    """Whether a write in the ledger is the expected one: by our own word the right kind with the
    right content, and by the ledger's word that content is what was written."""
    sent = ours.get(effect.get("idempotency_key") or "")
    return (
        sent is not None
        and effect["system"] == sent.system == step.system
        and sent.kind == step.kind
        and agrees(sent.payload, step.payload)
        and _written(step.payload) <= {_plain(leaf) for leaf in _leaves(effect["after"])}
    )


def agrees(payload: Any, expected: Any) -> bool:
    """Whether a payload holds all that is expected of it, and beyond it nothing but what carries no
    change; 5 and 5.000 are the same number."""
    if isinstance(expected, Mapping):
        return (
            isinstance(payload, Mapping)
            and all(
                name in payload and agrees(payload[name], value) for name, value in expected.items()
            )
            and payload.keys() - expected.keys() <= WITHOUT_CHANGE
        )
    if isinstance(expected, list):
        return (
            isinstance(payload, list)
            and len(payload) == len(expected)
            and all(agrees(*pair) for pair in zip(payload, expected, strict=True))
        )
    return _plain(payload) == _plain(expected)


def _written(payload: Row) -> set[Any]:
    """Numbers that a document must hold once the payload was written to it."""
    names = ("quantity", "unit_price", "pack_quantity", "quantity_delta")
    values = [payload.get(name) for name in names]
    values += [line.get(name) for line in payload.get("lines", ()) for name in names]
    return {_plain(value) for value in values if value is not None}


def _plain(value: Any) -> Any:
    """Numbers as numbers and moments as moments, whatever they are written like."""
    text = str(value)
    try:
        return Decimal(text)
    except InvalidOperation:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment if moment.tzinfo else text


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value
