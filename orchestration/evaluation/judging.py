"""One world judged: its truth rows and its own ledger against what we opened and sent. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from orchestration.scoring import identifiers, intent, mentioned, names_of, sent_once

Key = tuple[str, str]  # (rule id, object id)
Row = Mapping[str, Any]

UNEXPLAINED = "unexplained"
"""The kind under which stands what is about no fault and no decoy at all."""


@dataclass(frozen=True)
class Sighting:
    """An exception that people could see. ``about``: names of its object, order and document."""

    rule: str
    object: str
    seen_at: datetime
    incident: str
    about: frozenset[str] = frozenset()

    @property
    def key(self) -> Key:
        return (self.rule, self.object)


@dataclass(frozen=True)
class Sent:
    """A correction of ours, by the idempotency key under which the ledger knows it, and the state
    in which it ended."""

    idempotency_key: str
    system: str
    kind: str
    payload: Row
    state: str = "verified"


@dataclass(frozen=True)
class Evidence:
    """What one world and our run of it left behind. ``began_at``: when the first pass began;
    ``open_at_end``: the exceptions that the last pass left open."""

    truth: Sequence[Row]
    ledger: Sequence[Row]
    sightings: Sequence[Sighting]
    sent: Sequence[Sent]
    began_at: datetime
    open_at_end: frozenset[Key] = frozenset()


@dataclass
class Counts:
    """Of one kind. ``delays``: seconds from the deadline, or from the injection or the first pass
    where that was later, to the pass in which all exceptions of a fault could be seen.

    ``correctable`` faults expect a correction. ``false`` counts exceptions that no fault explains,
    ``wrong`` and ``doubled`` count writes in the ledger.
    """

    injected: int = 0
    detectable: int = 0
    found: int = 0
    missed: int = 0
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
    """Compare. A fault is found when every exception that it must cause was opened; it is corrected
    when the ledger holds each write that it expects, with exactly the expected content."""
    kinds: dict[str, Counts] = {}
    remarks: list[str] = []

    def of(kind: str) -> Counts:
        return kinds.setdefault(kind, Counts())

    faults = [row for row in evidence.truth if not row["decoy"]]
    decoys = [row for row in evidence.truth if row["decoy"]]
    names = {row["fault_id"]: identifiers(row["entity_keys"]) for row in evidence.truth}
    seen = _first_sightings(evidence.sightings)
    explained: dict[Key, str] = {}
    for row in faults:
        counts, expected = of(row["fault_type"]), _expected(row)
        explained |= dict.fromkeys(expected, str(row["root_cause_id"]))
        counts.injected += 1
        if not row["detectable"]:
            continue
        counts.detectable += 1
        missing = sorted(expected - seen.keys())
        if missing or not expected:
            counts.missed += 1
            told = ", ".join(f"{rule} {name}" for rule, name in missing) or "no rule is expected"
            remarks.append(f"missed {row['fault_type']} {row['fault_id']}: {told}")
            continue
        counts.found += 1
        if row.get("expected_to_close"):
            remarks += [
                f"still open {row['fault_type']} {row['fault_id']}: {rule} {name}"
                for rule, name in sorted(expected & evidence.open_at_end)
            ]
        dates = [datetime.fromisoformat(row[name]) for name in ("expected_by", "injected_at")]
        due = max(*dates, evidence.began_at)
        found_at = max(seen[key].seen_at for key in expected)
        counts.delays.append(max(0.0, (found_at - due).total_seconds()))

    false = [sighting for key, sighting in sorted(seen.items()) if key not in explained]
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
    grouping = [(explained[key], seen[key].incident) for key in sorted(seen) if key in explained]
    return Judgement(dict(sorted(kinds.items())), remarks, grouping)


def _judge_writes(
    evidence: Evidence,
    faults: Sequence[Row],
    names: Mapping[str, frozenset[str]],
    of: Callable[[str], Counts],
    remarks: list[str],
) -> None:
    by_id = {row["fault_id"]: row for row in faults}
    steps = [step for row in faults for step in expected_steps(row)]
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
        if wanted:
            counts = of(row["fault_type"])
            counts.correctable += 1
            counts.corrected += all(done[step] for step in wanted)
            for step in wanted:
                if not done[step]:
                    remarks.append(
                        f"not corrected {row['fault_type']} {row['fault_id']}: "
                        f"{step.system} {step.kind}"
                    )


def _unexpected_ends(fault: Row, sent: Sequence[Sent]) -> Iterator[str]:
    """Of a fault whose target does not do as it is asked: how ours did not end as it must."""
    states = fault.get("expected_states")
    if not states:
        return
    correction = fault["expected_attempt"] or fault["expected_correction"]
    ends = {
        one.state
        for one in sent
        if (one.system, one.kind) == (correction["system"], correction["kind"])
        and agrees(one.payload, correction["payload"])
    }
    if not ends or ends - set(states):
        told = ", ".join(sorted(ends)) or "never sent"
        yield (
            f"ended otherwise {fault['fault_type']} {fault['fault_id']}: {told}, "
            f"expected {' or '.join(states)}"
        )


def _first_sightings(sightings: Iterable[Sighting]) -> dict[Key, Sighting]:
    first: dict[Key, Sighting] = {}
    for sighting in sightings:
        if sighting.key not in first or sighting.seen_at < first[sighting.key].seen_at:
            first[sighting.key] = sighting
    return first


def _expected(fault: Row) -> set[Key]:
    return {(row["rule"], row["object"]) for row in fault["expected"]}


def is_about(sighting: Sighting, names: frozenset[str]) -> bool:
    """Whether an exception is about something of these names: its object, or the order, document or
    item of which its object is a part (``SO-1/2``, ``gtin@place``)."""
    return not names.isdisjoint(names_of(sighting.object) | sighting.about)


def expected_steps(fault: Row) -> list[Step]:
    """Every single write that a fault expects, in order."""
    found: list[Step] = []
    correction = fault.get("expected_correction")
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
    """Whether a payload holds all that is expected of it; 5 and 5.000 are the same number."""
    if isinstance(expected, Mapping):
        return isinstance(payload, Mapping) and all(
            name in payload and agrees(payload[name], value) for name, value in expected.items()
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
